from odoo import fields, models

from ..const import CHANGE_TIMES


class SaasSubscriptionCancel(models.TransientModel):
    _name = "saas.subscription.cancel"
    _description = "Cancel Subscriptions"

    subscription_ids = fields.Many2many(
        "saas.subscription",
        string="Subscriptions",
        required=True,
        default=lambda self: self.env.context.get("active_ids"),
    )
    when = fields.Selection(
        selection=list(CHANGE_TIMES.items()), required=True, default="renewal"
    )
    reason_id = fields.Many2one("saas.close.reason", string="Reason", required=True)

    def action_confirm(self):
        self.ensure_one()
        self.subscription_ids.check_access("write")
        self.subscription_ids._cancel(self.when, self.reason_id)
