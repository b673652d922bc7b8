import logging
from collections import defaultdict
from datetime import timedelta

from psycopg2 import OperationalError

from odoo import api, fields, models
from odoo.fields import Domain

from ..const import TROUBLED, UNFINISHED
from ..engine.driver import Observation, Phase
from ..engine.errors import EngineError

_logger = logging.getLogger(__name__)

OVERDUE = timedelta(seconds=15)  # a job that is due starts within milliseconds
REPAIR_PAUSE = timedelta(minutes=10)  # after a repair that failed
ARCHIVE_PAUSE = timedelta(hours=6)  # after an archiving that was refused
UP = (Phase.RUNNING, Phase.STARTING)


class SaasOperation(models.Model):
    _inherit = "saas.operation"

    @api.model
    def _cron_tick(self):
        """Do what is due; cost grows with what is due."""
        self._enqueue_overdue()
        self.env["saas.tenant"]._remove_due()
        self.env["saas.tenant"]._sleep_and_wake()
        self.env["saas.domain"]._end_quarantine()

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
    def _remove_due(self):
        """Archive whose grace is over, and erase whose time in the archive is."""
        due = self.search(
            Domain("wanted", "=", "deleted")
            & Domain("erased_on", "=", False)
            & Domain("erase_on", "<=", fields.Datetime.now())
        ).filtered(lambda tenant: tenant.last_operation_id.state not in UNFINISHED)
        leaving = due.filtered(
            lambda t: not t.archived_on and t.plan_id._get_archive_days()
        )
        operations = self.env["saas.operation"]
        operations._record("erase", due - leaving)
        operations._record(
            "archive",
            leaving.filtered(lambda t: not t._has_failed_within(ARCHIVE_PAUSE)),
        )

    def _compare(self, observation, routes=None):
        """Store what was seen, and mend what differs from what is wanted.

        :param dict routes: all routes by uid, None when nobody looked
        """
        self.ensure_one()
        if self.last_operation_id.state in UNFINISHED:
            return
        if not self.provisioned_on or self.archived_on:
            return
        self._write_observation(observation)
        if self._is_crashing(observation) or self._has_failed_within(REPAIR_PAUSE):
            return
        if self._sleeps_no_more(observation.phase):
            kind = "restart" if observation.phase == Phase.FAILED else "wake"
            self._submit(kind, {"wanted": "running"})
            return
        if kind := self._find_repair(observation.phase, routes):
            self.env["saas.operation"]._record(kind, self)

    def _find_repair(self, phase, routes):
        """Return the kind of operation that makes it what is wanted, if one does."""
        if rest := self._find_kind_of_rest():
            return rest if phase in UP or not self._is_routed(routes) else None
        if phase == Phase.FAILED and self.wanted == "running":
            return "restart"
        if self.wanted == "running":
            return "start" if phase not in UP or not self._is_routed(routes) else None
        if self.wanted == "sleeping":
            return "sleep" if not self._is_routed(routes) else None
        return None

    def _find_kind_of_rest(self):
        """Return the kind of operation that ends its running, if it may not run."""
        if self.wanted == "deleted":
            return "delete"
        if self.hold_ids:
            return "suspend"
        return "stop" if self.wanted == "stopped" else None

    def _is_routed(self, routes):
        """Whether its addresses lead where they should, as far as somebody looked."""
        if routes is None:
            return True
        route = routes.get(self.uid)
        if self._find_kind_of_rest():
            return route == self._prepare_page_route()
        gateway = self.server_id.proxy_id.gateway_url
        asleep = self.wanted == "sleeping" and bool(gateway)
        return bool(
            route
            and route.http
            and route.is_asleep == asleep
            and route.hosts == (self._get_host(),)
            and route.redirects == self.domain_ids._get_redirects()
        )

    def _sleeps_no_more(self, phase):
        """Whether somebody woke it, or its container cannot be woken as it is."""
        asleep = (Phase.PAUSED, Phase.STOPPED)
        return self.wanted == "sleeping" and not self.hold_ids and phase not in asleep

    def _has_failed_within(self, pause):
        """Whether the last that was asked for went wrong so recently."""
        last = self.last_operation_id
        recent = fields.Datetime.now() - pause
        return last.state in TROUBLED and last.date_done > recent


class SaasServer(models.Model):
    _inherit = "saas.server"

    @api.model
    def _cron_observe(self):
        """Look at all containers, and mend what happened to them since last time.

        By one list call a server, not by its events: an engine remembers the last 256
        of them, and health checks alone fill that within seconds.
        """
        self._for_each_server("look", lambda server: server._observe_tenants())

    @api.model
    def _cron_resync(self):
        """Compare every server, proxy and tenant with what is wanted."""
        self._for_each_server("resync", lambda server: server._resync())

    @api.model
    def _for_each_server(self, work, method):
        """One server's trouble, or a conflict with a job, leaves the others alone."""
        for server in self.search([]):
            try:
                with self.env.cr.savepoint():
                    method(server)
            except EngineError as error:
                server._write_check("failed", error.message)
                _logger.warning("%s of %s: %s", work, server.name, error.reason)
            except OperationalError as error:
                _logger.info("%s of %s comes later: %s", work, server.name, error)

    def _observe_tenants(self, routes=None):
        """Compare every tenant with what is seen of it; return the uids seen."""
        self.ensure_one()
        listed = self._get_driver().list_tenants()
        seen = {observation.uid: observation for observation in listed}
        for tenant in self.tenant_ids.filtered(lambda tenant: tenant.slot >= 0):
            absent = Observation(uid=tenant.uid, phase=Phase.ABSENT)
            tenant._compare(seen.get(tenant.uid, absent), routes)
        return seen.keys()

    def _resync(self):
        """One list call for each sort of thing, compared in memory."""
        self.proxy_id._put_unknown_pages()
        routes = self.proxy_id._get_proxy().list_routes()
        containers = self._observe_tenants(routes)
        self._report_orphans(
            containers=containers,
            volumes=self._get_driver().list_state(),
            routes=routes.keys(),
            roles=self.database_server_id._get_database_server().list_roles(),
        )
        self._measure()
        if self.check_state != "ok":
            self._write_check("ok", False)

    @api.model
    def _find_known_uids(self):
        """Return the uids of all that may be on a server."""
        tenants = self.env["saas.tenant"].search([("erased_on", "=", False)])
        templates = self.env["saas.template"].search([])
        return {*tenants.mapped("uid"), *templates.mapped("uid")}

    def _report_orphans(self, **found):
        """Write down what is ours but belongs to nobody; it is never removed here."""
        known = self._find_known_uids()
        orphans = defaultdict(list)
        for sort, uids in found.items():
            for uid in sorted(set(uids) - known):
                orphans[uid].append(sort)
        lines = [f"{uid}: {', '.join(sorts)}" for uid, sorts in orphans.items()]
        self.orphans = "\n".join(lines) or False
