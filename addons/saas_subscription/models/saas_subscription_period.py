from datetime import timedelta

from odoo import api, fields, models

from ..engine.recurrence import Period


class SaasSubscriptionPeriod(models.Model):
    """A period that was invoiced. Its unique key is why no period is twice."""

    _name = "saas.subscription.period"
    _description = "Subscription Period"
    _order = "subscription_id, date_from desc"
    _rec_name = "date_from"

    subscription_id = fields.Many2one(
        "saas.subscription",
        string="Subscription",
        required=True,
        ondelete="restrict",
        index=True,
    )
    company_id = fields.Many2one(related="subscription_id.company_id", store=True)
    date_from = fields.Date(string="From", required=True)
    date_to = fields.Date(string="To", required=True, help="Its last day.")
    move_id = fields.Many2one(
        "account.move", string="Invoice", readonly=True, index="btree_not_null"
    )

    _once = models.Constraint(
        "UNIQUE(subscription_id, date_from)", "That period was invoiced already."
    )
    _dates_in_order = models.Constraint(
        "CHECK(date_to >= date_from)", "A period ends on the day it begins, or later."
    )

    @api.depends("date_from", "date_to")
    def _compute_display_name(self):
        for period in self:
            period.display_name = f"{period.date_from} - {period.date_to}"

    def _get_days(self):
        """Return it as the engine's, which ends where the next one begins."""
        self.ensure_one()
        return Period(self.date_from, self.date_to + timedelta(days=1))
