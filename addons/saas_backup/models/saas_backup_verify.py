from datetime import time

from odoo import api, fields, models
from odoo.fields import Domain

from odoo.addons.saas.const import UNFINISHED

from ..engine.schedule import Window, next_slot
from .saas_backup_sweep import aware, naive

VERIFY_KEY = "verify"
CONCURRENT = 4  # copies that are read at once over the fleet
WHOLE_DAY = Window(start=time(0), end=time(0))

# What is wrong with the copy itself; all else says that it could not be tried.
COPY_FAULTS = (
    "boot",
    "damaged",
    "differs",
    "files",
    "key_wrong",
    "login",
    "missing",
    "not_odoo",
    "sql",
)


class SaasBackup(models.Model):
    """A copy that rots where it lies is found within a day, proven before or not."""

    _inherit = "saas.backup"

    verified_on = fields.Datetime(
        string="Last Read",
        readonly=True,
        copy=False,
        help="When all of it was last read to its end, and found whole.",
    )

    def _step_verify(self):
        tenant = self.tenant_id
        tenant._check_has_copies()
        if self.state == "done":
            asked = self.operation_ids.filtered(lambda o: o.kind == "verify")[:1]
            tenant._run_store_job(
                self.store_id,
                f"{VERIFY_KEY}-{self.id}",
                "verify",
                since=asked.create_date,
                backup=self.name,
            )
            self.verified_on = fields.Datetime.now()

    def _set_verify_failed(self, operation):
        """Without an answer: is the copy damaged, or could it only not be read?"""
        if operation.reason in COPY_FAULTS and self.state == "done":
            self._set_proof("failed", operation.message)
            self._raise_alarm()

    def _set_proof(self, state, message=False):
        """Take down whether it can be restored, and what is wrong where it cannot."""
        self.write(
            {"drill_state": state, "message": message if state == "failed" else False}
        )

    def _raise_alarm(self):
        """Have managers look at it, and name the copy to use instead."""
        tenant = self.tenant_id
        for user in self.company_id._find_saas_managers():
            tenant.activity_schedule(
                "mail.mail_activity_data_warning",
                summary=self.env._("A copy could not be restored"),
                note=self._explain_fault(),
                user_id=user.id,
            )

    def _explain_fault(self):
        """Return what is wrong with it, and which copy to use instead."""
        previous = self.tenant_id._get_good_backups().filtered(
            lambda backup: (backup.date, backup.id) < (self.date, self.id)
        )[:1]
        if previous:
            advice = self.env._(
                "The copy of %s is the newest good one before it.",
                fields.Datetime.to_string(previous.date),
            )
        elif self.tenant_id.archived_on:
            advice = self.env._("It was all that is left of it: there is no other.")
        else:
            advice = self.env._("There is no older good copy: make a new one now.")
        return f"{self.message or ''} {advice}".strip()


class SaasTenant(models.Model):
    _inherit = "saas.tenant"

    verify_on = fields.Datetime(
        string="Next Reading", readonly=True, copy=False, index=True
    )

    @api.model
    def _cron_verify(self):
        """Have the newest good copies read that are due, as many as may be at once.

        Each tenant has its own moment of the day.
        """
        now = fields.Datetime.now()
        tenants = self._get_backed_up_domain() | self._get_archived_domain()
        self.search(tenants & Domain("verify_on", "=", False))._plan_verify(now)
        running = Domain("kind", "=", "verify") & Domain("state", "in", UNFINISHED)
        room = CONCURRENT - self.env["saas.operation"].search_count(running)
        if room > 0:
            due = self.search(
                tenants & Domain("verify_on", "<=", now),
                order="verify_on, id",
                limit=room,
            )
            for tenant in due:
                newest = tenant._get_good_backups()[:1]
                self.env["saas.operation"]._record("verify", newest)
            due._plan_verify(now)

    def _plan_verify(self, now):
        for tenant in self:
            tenant.verify_on = naive(next_slot(tenant.uid, WHOLE_DAY, aware(now)))
