from datetime import timedelta

from odoo import fields, models

from ..engine.driver import Phase
from .saas_tenant import STAFF

CRASHES = 5
CRASH_SPAN = timedelta(minutes=10)
# Nobody knows how long ago those were that one look finds: alone they are not enough.
MOST_OF_ONE_LOOK = CRASHES - 1


class SaasTenant(models.Model):
    """Tenants that end by themselves: the engine starts them again, up to a point."""

    _inherit = "saas.tenant"

    crashes = fields.Integer(
        readonly=True,
        copy=False,
        groups=STAFF,
        help="How often it ended by itself within ten minutes.",
    )
    crashes_from = fields.Datetime(readonly=True, copy=False, groups=STAFF)
    crash_message = fields.Char(readonly=True, copy=False, groups=STAFF)
    crashed_on = fields.Datetime(
        readonly=True,
        copy=False,
        help="When it was stopped because it ended by itself again and again.",
    )
    restarts_seen = fields.Integer(readonly=True, copy=False, groups=STAFF)

    def _is_crashing(self, observation):
        """Whether it ends by itself, which is the engine's to mend, or nobody's.

        Who does so over and over is stopped, and managers are told.
        """
        self._count_crashes(observation)
        if self.wanted == "running" and self.crashes >= CRASHES:
            self._stop_crashing()
            return True
        return observation.phase == Phase.FAILED and bool(observation.restarts)

    def _count_crashes(self, observation):
        """Take down how often it ended since the last look."""
        restarts = observation.restarts
        if restarts is None or restarts == self.restarts_seen:
            return
        vals = {"restarts_seen": restarts}
        # Whoever starts it on request sets the engine's count back.
        new = (
            restarts - self.restarts_seen if restarts > self.restarts_seen else restarts
        )
        if new:
            vals |= self._add_crashes(min(new, MOST_OF_ONE_LOOK))
            vals["crash_message"] = observation.message
        self.sudo().write(vals)

    def _add_crashes(self, new):
        now = fields.Datetime.now()
        if self.crashes_from and now - self.crashes_from < CRASH_SPAN:
            return {"crashes": self.crashes + new}
        return {"crashes": new, "crashes_from": now}

    def _stop_crashing(self):
        self.sudo().write({"wanted": "stopped", "crashed_on": fields.Datetime.now()})
        self.env["saas.operation"]._record("stop", self)
        managers = self.company_id._find_saas_managers()
        for user in managers:
            # One mail is enough: that of the activity would not say what to do.
            self.with_context(mail_activity_quick_update=True).activity_schedule(
                "mail.mail_activity_data_warning",
                summary=self.env._("It ended again and again, and was stopped"),
                note=self._explain_crashes(),
                user_id=user.id,
            )
        # Mails of scheduled actions wait for up to an hour otherwise.
        self.with_context(mail_notify_force_send=True).message_post(
            body=self._explain_crashes(),
            partner_ids=managers.partner_id.ids,
            subtype_xmlid="mail.mt_note",
        )

    def _explain_crashes(self):
        return self.env._(
            "%(name)s ended by itself %(count)s times within ten minutes and was "
            "stopped. %(cause)s Read its log, mend it or give it a plan with more "
            "memory, then start it.",
            name=self.name,
            count=self.crashes,
            cause=self.crash_message or "",
        )

    def _forget_crashes(self):
        """Begin anew: somebody asks for it to run."""
        self.filtered("crashes").sudo().write(
            {"crashes": 0, "crashes_from": False, "crashed_on": False}
        )
