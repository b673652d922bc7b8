from odoo import fields, models


class AccountMoveLine(models.Model):
    _inherit = "account.move.line"

    saas_date_from = fields.Date(string="From", readonly=True, copy=False)
    saas_date_to = fields.Date(
        string="To", readonly=True, copy=False, help="The last day that it is for."
    )

    def _reconcile_post_hook(self, data):
        """Go on where an invoice is settled, by a payment or by a credit note."""
        result = super()._reconcile_post_hook(data)
        data["not_paid_invoices"].saas_subscription_id._settle()
        return result
