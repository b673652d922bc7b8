from odoo import api, fields, models
from odoo.fields import Domain

from odoo.addons.saas.models.saas_sweep import Chore

from .saas_dunning_case import OWED


class SaasOperation(models.Model):
    _inherit = "saas.operation"

    @api.model
    def _get_chores(self):
        """Also tend trials and dunning, and find what no event told."""
        cases = self.env["saas.dunning.case"]
        subscriptions = self.env["saas.subscription"]
        settled = Domain("move_id.state", "!=", "posted") | Domain(
            "move_id.payment_state", "not in", OWED
        )
        not_looked_after = (
            Domain("state", "in", ("active", "past_due", "unpaid"))
            & Domain("billing_owner", "=", "odoo")
            & Domain("case_ids", "not any", Domain("state", "=", "open"))
        )
        overdue = (
            Domain("move_type", "=", "out_invoice")
            & Domain("state", "=", "posted")
            & Domain("payment_state", "in", OWED)
            & Domain("invoice_date_due", "<", fields.Date.today())
            & Domain("saas_subscription_id", "any", not_looked_after)
        )
        return [
            *super()._get_chores(),
            Chore(
                "saas.subscription", subscriptions._get_trial_domain(), "_queue_trials"
            ),
            Chore(
                "saas.dunning.case",
                Domain("state", "=", "open") & settled,
                "_end_settled",
            ),
            Chore("account.move", overdue, "_look_after_overdue"),
            Chore("saas.dunning.case", cases._get_due_domain(), "_queue_due"),
        ]
