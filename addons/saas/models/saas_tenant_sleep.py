import logging
from datetime import timedelta

import requests

from odoo import api, fields, models
from odoo.fields import Domain

from ..const import UNFINISHED
from ..engine import login_token, tenant_use
from ..engine.errors import EngineError
from .saas_sealed_mixin import WEB_KEYS

_logger = logging.getLogger(__name__)

LOOKS = 20  # tenants that are asked in one run
ASK_TIMEOUT = 3
AFTER_SILENCE = timedelta(minutes=5)


class SaasTenant(models.Model):
    """Sleep of tenants that nobody uses, and waking for what is due in them."""

    _inherit = "saas.tenant"

    look_on = fields.Datetime(
        string="Asked Next On",
        readonly=True,
        copy=False,
        help="When it is asked next whether anybody uses it; of one that sleeps, when "
        "it is stopped.",
    )
    wake_on = fields.Datetime(
        string="Wakes On",
        readonly=True,
        copy=False,
        help="When it wakes for a scheduled action of its own.",
    )

    _wake_index = models.Index("(wake_on) WHERE wanted = 'sleeping'")

    @api.model
    def _sleep_idle(self):
        """Put to sleep whom nobody uses, where the plan says so."""
        due = self.search(
            Domain("state", "=", "running")
            & Domain("plan_id.sleep_minutes", ">", 0)
            & Domain("server_id.proxy_id.gateway_url", "!=", False)
            & (
                Domain("look_on", "=", False)
                | Domain("look_on", "<=", fields.Datetime.now())
            ),
            order="look_on NULLS FIRST, id",
            limit=LOOKS,
        )
        for tenant in due:
            tenant._sleep_if_idle()

    def _sleep_if_idle(self):
        self.ensure_one()
        now = fields.Datetime.now()
        if self.last_operation_id.state in UNFINISHED:
            return
        use = self._ask_use()
        if use is None:
            self.look_on = now + AFTER_SILENCE
            return
        if wait := use.count_seconds_to_wait(self.plan_id.sleep_minutes):
            self.look_on = now + timedelta(seconds=wait)
            return
        plan = self.plan_id
        rest = timedelta(minutes=max(plan.stop_minutes - plan.sleep_minutes, 0))
        look_on = now + rest if plan.stop_minutes else False
        self._submit("sleep", {"wanted": "sleeping", "look_on": look_on})

    @api.model
    def _rest_due(self):
        """Stop who has slept for long."""
        due = self.search(
            Domain("state", "=", "sleeping")
            & Domain("look_on", "<=", fields.Datetime.now())
            & Domain("last_operation_id.state", "not in", UNFINISHED)
        )
        due.look_on = False
        self.env["saas.operation"]._record("rest", due)

    @api.model
    def _wake_due(self):
        """Wake who has something to do soon."""
        now = fields.Datetime.now()
        due = self.search(
            Domain("state", "=", "sleeping") & Domain("wake_on", "<=", now)
        )
        due._submit("wake", {"wanted": "running", "wake_on": False})

    def _note_when_to_wake(self):
        """Remember when its next scheduled action is due, as long as it can say so."""
        if use := self._ask_use():
            seconds = use.count_seconds_to_wake()
            self.wake_on = seconds is not None and (
                fields.Datetime.now() + timedelta(seconds=seconds)
            )

    def _ask_use(self):
        """Return what the tenant says of its use, None where it says nothing."""
        try:
            key = self.env["saas.sealed.mixin"]._read_key(WEB_KEYS / "login_key")
            subject = login_token.SUBJECT_OF_USE
            answer = requests.post(
                f"{self.server_id.proxy_id.internal_url}/saas/use",
                data={"token": login_token.make_token(key, self.uid, subject=subject)},
                headers={"Host": self._get_host()},
                timeout=ASK_TIMEOUT,
                allow_redirects=False,
            )
            answer.raise_for_status()
            return tenant_use.read_use(answer.json())
        except (EngineError, requests.RequestException, ValueError) as error:
            _logger.info("%s does not say whether it is used: %s", self.uid, error)
            return None
