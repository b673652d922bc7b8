from datetime import timedelta

from odoo import api, fields, models
from odoo.fields import Domain

from odoo.addons.saas.const import UNFINISHED

# Days before its time, so that one that has to wait is still within the policy's.
MARGIN = timedelta(days=1)
SOON = timedelta(hours=6)  # after a drill that could not be tried


class SaasServer(models.Model):
    _inherit = "saas.server"

    @api.model
    def _find_known_uids(self):
        drills = self.env["saas.drill"].search([("removed", "=", False)])
        return super()._find_known_uids() | set(drills.mapped("uid"))


class SaasTenant(models.Model):
    """When the newest copy of a tenant is tried."""

    _inherit = "saas.tenant"

    drill_ids = fields.One2many("saas.drill", "tenant_id", string="Drills")
    drill_on = fields.Datetime(
        string="Next Drill", readonly=True, copy=False, index=True
    )
    prove_by = fields.Datetime(
        string="To Be Proven By",
        readonly=True,
        copy=False,
        index=True,
        help="When the last proof is older than the days of the policy.",
    )

    @api.model
    def _cron_drill(self):
        """Try the newest copy of whoever is due; one at a time over the fleet."""
        running = Domain("kind", "=", "drill") & Domain("state", "in", UNFINISHED)
        if self.env["saas.operation"].search_count(running, limit=1):
            return
        due = self._get_backed_up_domain() & Domain(
            "drill_on", "<=", fields.Datetime.now()
        )
        for tenant in self.search(due, order="drill_on, id"):
            if newest := tenant._get_good_backups()[:1]:
                newest._try_out()
                return
            tenant.drill_on = False

    def _plan_first_drill(self):
        now = fields.Datetime.now()
        self.drill_on = self.drill_on or now
        self.prove_by = self.prove_by or now + self._get_drill_interval()

    def _plan_drill(self, state):
        """Say when the next drill is due, after one that ended so."""
        now = fields.Datetime.now()
        every = self._get_drill_interval()
        pauses = {"passed": max(every - MARGIN, MARGIN), "undecided": SOON}
        self.drill_on = now + pauses.get(state, MARGIN)
        if state == "passed":
            self.prove_by = now + every

    def _get_drill_interval(self):
        return timedelta(days=self._get_policy().drill_days or 7)
