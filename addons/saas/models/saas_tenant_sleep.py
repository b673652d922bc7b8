import logging
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from odoo import api, fields, models
from odoo.fields import Domain

from ..const import UNFINISHED
from ..engine import login_token, tenant_use
from ..engine.driver import Phase
from ..engine.errors import EngineError, RefusedError, RetryableError
from ..engine.tenant_use import Busy
from .saas_sealed_mixin import WEB_KEYS
from .saas_sweep import Chore

_logger = logging.getLogger(__name__)

LOOKS = 200  # tenants that are asked in one run
LOOKS_AT_ONCE = 20
AFTER_SILENCE = timedelta(minutes=5)
BUSY_SECONDS = 3  # that a request or a transaction may still take
BUSY_INTERVAL = 0.2
DOWN = (Phase.ABSENT, Phase.PAUSED, Phase.STOPPED)


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
        help="When it wakes for a scheduled action of its own, or because its plan "
        "wants it awake at that hour.",
    )

    _wake_index = models.Index("(wake_on) WHERE wanted = 'sleeping'")

    # === BY ITSELF === #

    @api.model
    def _tend_sleepers(self, due):
        """Wake or stop those that sleep and for whom it is time."""
        self._find_settled(due)._wake_or_rest()

    @api.model
    def _ask_the_idle(self, due):
        """Ask some of those who may be asked whether anybody uses them."""
        order = "look_on NULLS FIRST, id"
        self._find_settled(due, order=order, limit=LOOKS)._sleep_if_idle()

    @api.model
    def _find_settled(self, domain, **options):
        tenants = self.search(domain, **options)
        return tenants.filtered(lambda tenant: not tenant._is_worked_on())

    def _is_worked_on(self):
        return self.last_operation_id.state in UNFINISHED

    def _wake_or_rest(self):
        """Wake who has something to do soon, and stop the others: they slept long."""
        now = fields.Datetime.now()
        waking = self.filtered(lambda t: t.wake_on and t.wake_on <= now)
        waking._submit("wake", {"wanted": "running", "wake_on": False})
        resting = self - waking
        resting.look_on = False
        self.env["saas.operation"]._record("rest", resting)

    def _sleep_if_idle(self):
        """Put to sleep whom nobody uses, and note when to ask the others again."""
        now = fields.Datetime.now()
        asked = self.browse()
        for tenant in self:
            if end := tenant.plan_id._get_awake_hours().find_end(now):
                tenant.look_on = end
            else:
                asked |= tenant
        uses = asked._ask_uses() if asked else {}
        for tenant, use in uses.items():
            if wait := tenant._get_wait(use):
                tenant.look_on = now + wait
            else:
                tenant._submit("sleep", {"wanted": "sleeping"})

    def _get_wait(self, use):
        """Return how long it must not be put to sleep by itself."""
        if use is None:
            return AFTER_SILENCE
        return timedelta(seconds=use.count_seconds_to_wait(self.plan_id.sleep_minutes))

    def _think_again(self):
        """Have new times of the plan count at once, for sleepers as well."""
        tenants, now = self.sudo(), fields.Datetime.now()
        tenants.filtered(lambda t: t.state == "running").look_on = False
        for tenant in tenants.filtered(lambda t: t.state == "sleeping"):
            hours = tenant.plan_id._get_awake_hours()
            tenant.look_on = tenant._get_rest_on()
            tenant._wake_not_after(
                now if hours.find_end(now) else hours.find_begin(now)
            )

    def _get_rest_on(self):
        """Return when one that falls asleep now is stopped, False for never."""
        plan = self.plan_id
        minutes = max(plan.stop_minutes - plan.sleep_minutes, 0)
        return plan.stop_minutes and fields.Datetime.now() + timedelta(minutes=minutes)

    # === WHOEVER ASKS FOR IT === #

    def _check_unused(self):
        """Refuse to put to sleep who is used, or has something to do soon.

        What ends within some seconds is waited for.

        :return: its use, None where it does not run
        """
        if self._driver().observe(self.uid).phase in DOWN:
            return None
        self._check_hours()
        until = time.monotonic() + BUSY_SECONDS
        while True:
            use = self._ask_uses()[self]
            busy = use and use.find_busy()
            if use and not busy:
                return use
            if busy == Busy.ACTION or time.monotonic() >= until:
                raise self._explain_busy(busy)
            time.sleep(BUSY_INTERVAL)

    def _check_hours(self):
        hours = self.plan_id._get_awake_hours()
        if end := hours.find_end(fields.Datetime.now()):
            raise RefusedError(
                self.env._(
                    "The plan of %(name)s keeps it awake until %(end)s UTC.",
                    name=self.name,
                    end=fields.Datetime.to_string(end),
                ),
                reason="busy",
            )

    def _explain_busy(self, busy):
        """Return the error that says why it stays awake, or that nobody knows."""
        if busy is None:
            return RetryableError(
                self.env._(
                    "%s does not say whether anybody uses it, so it stays awake. Stop "
                    "it if it should not run.",
                    self.name,
                ),
                reason="busy",
            )
        explanations = {
            Busy.REQUEST: self.env._(
                "Somebody uses %s at this moment, so it stays awake.", self.name
            ),
            Busy.TRANSACTION: self.env._(
                "%s is at work in its database, so it stays awake.", self.name
            ),
            Busy.ACTION: self.env._(
                "A scheduled action of %s is due within five minutes, so it stays "
                "awake.",
                self.name,
            ),
        }
        return RefusedError(explanations[busy], reason="busy")

    def _note_times(self, use):
        """Note when one that falls asleep now is stopped, and when it is woken."""
        now = fields.Datetime.now()
        self.look_on = self._get_rest_on()
        self.wake_on = self.plan_id._get_awake_hours().find_begin(now)
        seconds = use.count_seconds_to_wake()
        if seconds is not None:
            self._wake_not_after(now + timedelta(seconds=seconds))

    def _wake_not_after(self, moment):
        if moment and (not self.wake_on or moment < self.wake_on):
            self.wake_on = moment

    def _ask_uses(self):
        """Return what each tenant says of its use, None for one that says nothing."""
        try:
            key = self.env["saas.sealed.mixin"]._read_key(WEB_KEYS / "login_key")
            questions = [tenant._prepare_question(key) for tenant in self]
        except EngineError as error:
            _logger.error("nobody can be asked about use: %s", error.message)
            return dict.fromkeys(self)
        with ThreadPoolExecutor(LOOKS_AT_ONCE) as pool:
            return dict(zip(self, pool.map(tenant_use.ask, questions), strict=True))

    def _prepare_question(self, key):
        subject = login_token.SUBJECT_OF_USE
        return tenant_use.Question(
            url=self.server_id.proxy_id.internal_url,
            host=self._get_host(),
            token=login_token.make_token(key, self.uid, subject=subject),
        )


class SaasOperation(models.Model):
    _inherit = "saas.operation"

    @api.model
    def _get_chores(self):
        now = fields.Datetime.now()
        sleepers = Domain("state", "=", "sleeping") & (
            Domain("wake_on", "<=", now) | Domain("look_on", "<=", now)
        )
        to_ask = (
            Domain("state", "=", "running")
            & Domain("plan_id.sleep_minutes", ">", 0)
            & Domain("server_id.proxy_id.gateway_url", "!=", False)
            & (Domain("look_on", "=", False) | Domain("look_on", "<=", now))
        )
        return [
            *super()._get_chores(),
            Chore("saas.tenant", sleepers, "_tend_sleepers"),
            Chore("saas.tenant", to_ask, "_ask_the_idle"),
        ]
