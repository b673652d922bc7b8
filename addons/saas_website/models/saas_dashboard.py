from datetime import timedelta

from odoo import api, fields, models
from odoo.fields import Domain

from ..const import NOT_BUILT, WAITING
from .res_config_settings import WAIT_MINUTES


class SaasDashboard(models.AbstractModel):
    _inherit = "saas.dashboard"

    @api.model
    def _find_items(self):
        return [
            *super()._find_items(),
            *self._find_signups_not_built(),
            *self._find_waiting_signups(),
        ]

    @api.model
    def _find_signups_not_built(self):
        """Return one line for all customers whose Odoo could not be built."""
        count, since = self._count_signups(NOT_BUILT, "date_failed")
        if not count:
            return []
        return [
            self._make_list_item(
                NOT_BUILT,
                model="saas.signup",
                subject=self.env._("Sign-ups"),
                label=self.env._("Not built"),
                message=self.env._(
                    "A customer who signed up waits: the tenant could not be built. "
                    "Mend the cause, then try again."
                )
                if count == 1
                else self.env._(
                    "%s customers who signed up wait: their tenants could not be "
                    "built. Mend the cause, then try again.",
                    count,
                ),
                level="danger",
                date=since,
            )
        ]

    @api.model
    def _find_waiting_signups(self):
        """Return one line for all who wait for their turn longer than they should."""
        minutes = self._get_wait_minutes()
        late = fields.Datetime.now() - timedelta(minutes=minutes)
        domain = WAITING & Domain("date_confirmed", "<=", late)
        count, since = self._count_signups(domain, "date_confirmed")
        if not count:
            return []
        return [
            self._make_list_item(
                domain,
                model="saas.signup",
                subject=self.env._("Sign-ups"),
                label=self.env._("Waiting"),
                message=self._explain_queue(domain, count),
                date=since,
            )
        ]

    @api.model
    def _explain_queue(self, domain, count):
        """Return why they wait, and what ends it."""
        wishes = self.env["saas.signup"]._read_group(domain, ["plan_id"])
        servers = self.env["saas.server"].search([])
        facts = {"count": count}
        if all(server._find_obstacle(plan) for server in servers for [plan] in wishes):
            return self.env._(
                "Waiting for their turn: %(count)s. No server has room: add one, or "
                "raise the room of one.",
                **facts,
            )
        return self.env._(
            "Waiting for their turn: %(count)s. Look what is being built, or let more "
            "be built at once in the settings.",
            **facts,
        )

    @api.model
    def _count_signups(self, domain, date):
        """Return how many there are, and since when."""
        [row] = self.env["saas.signup"]._read_group(
            domain, [], ["__count", f"{date}:min"]
        )
        return row

    @api.model
    def _get_wait_minutes(self):
        parameters = self.env["ir.config_parameter"].sudo()
        return int(parameters.get_param("saas_website.wait_minutes") or WAIT_MINUTES)
