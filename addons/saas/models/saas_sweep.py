import logging
import time
from collections import defaultdict
from datetime import timedelta

from odoo import api, fields, models
from odoo.fields import Domain

from ..const import UNFINISHED
from ..engine.driver import Observation, Phase
from ..engine.errors import EngineError

_logger = logging.getLogger(__name__)

OVERDUE = timedelta(seconds=15)  # a job that is due starts within milliseconds
EVENTS_BEHIND = 300  # seconds of events read at most, after a long pause
UP = (Phase.RUNNING, Phase.STARTING)


class SaasOperation(models.Model):
    _inherit = "saas.operation"

    @api.model
    def _cron_tick(self):
        """Do what is due and look at what moved; cost grows with what changed."""
        self._enqueue_overdue()
        self.env["saas.tenant"]._erase_due()
        self.env["saas.server"].search([])._read_events()

    @api.model
    def _enqueue_overdue(self):
        """Start again what should run and does not: no event is ever trusted alone."""
        due = fields.Datetime.now() - OVERDUE
        self.search(
            Domain("state", "in", UNFINISHED) & Domain("date_next", "<=", due)
        )._enqueue()


class SaasTenant(models.Model):
    _inherit = "saas.tenant"

    @api.model
    def _erase_due(self):
        due = self.search(
            Domain("wanted", "=", "deleted")
            & Domain("erased_on", "=", False)
            & Domain("erase_on", "<=", fields.Datetime.now())
        )
        self.env["saas.operation"]._record("erase", due)

    def _compare(self, observation):
        """Store what was seen, and mend what differs from what is wanted."""
        self.ensure_one()
        self._write_observation(observation)
        if self.last_operation_id.state in UNFINISHED or not self.provisioned_on:
            return
        up = observation.phase in UP
        if self.wanted == "running" and not self.hold_ids and not up:
            self.env["saas.operation"]._record("start", self)
        elif up and self.hold_ids:
            self.env["saas.operation"]._record("suspend", self)
        elif up and self.wanted == "stopped":
            self.env["saas.operation"]._record("stop", self)


class SaasServer(models.Model):
    _inherit = "saas.server"

    def _read_events(self):
        """Look again at each tenant whose container did something since last time."""
        for server in self:
            now = time.time()
            since = max(server.last_event, now - EVENTS_BEHIND)
            try:
                driver = server._get_driver()
                uids = {event.uid for event in driver.events(since, now)}
                seen = [driver.observe(uid) for uid in sorted(uids)]
            except EngineError as error:
                _logger.warning("events of %s: %s", server.name, error.reason)
                continue
            server.last_event = now
            server._compare_tenants(seen)

    @api.model
    def _cron_resync(self):
        """Compare every server, proxy and tenant with what is wanted."""
        for server in self.search([]):
            try:
                server._resync()
            except EngineError as error:
                server._write_check("failed", error.message)
                _logger.warning("resync of %s: %s", server.name, error.reason)

    def _resync(self):
        """One list call each for containers, volumes and routes, compared in memory."""
        self.ensure_one()
        driver = self._get_driver()
        seen = {observation.uid: observation for observation in driver.list_tenants()}
        state = driver.list_state()
        routes = self.proxy_id._get_proxy().list_routes()
        for uid in self.tenant_ids.mapped("uid"):
            seen.setdefault(uid, Observation(uid=uid, phase=Phase.ABSENT))
        self._compare_tenants(seen.values())
        self._report_orphans(
            containers=seen.keys(), volumes=state, routes=routes.keys()
        )
        if self.check_state != "ok":
            self._write_check("ok", False)

    def _compare_tenants(self, observations):
        tenants = {tenant.uid: tenant for tenant in self.tenant_ids}
        for observation in observations:
            if tenant := tenants.get(observation.uid):
                tenant._compare(observation)

    def _report_orphans(self, **found):
        """Write down what is ours but belongs to nobody; it is never removed here."""
        known = set(self.env["saas.tenant"].search([]).mapped("uid"))
        known |= set(self.env["saas.template"].search([]).mapped("uid"))
        orphans = defaultdict(list)
        for sort, uids in found.items():
            for uid in sorted(set(uids) - known):
                orphans[uid].append(sort)
        lines = [f"{uid}: {', '.join(sorts)}" for uid, sorts in orphans.items()]
        self.orphans = "\n".join(lines) or False
