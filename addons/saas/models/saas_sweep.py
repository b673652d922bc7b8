import dataclasses
import functools
import logging
from collections import defaultdict
from datetime import timedelta

from psycopg2 import OperationalError

from odoo import api, fields, models
from odoo.fields import Domain
from odoo.tools import SQL

from ..const import QUARANTINE_DAYS, TROUBLED, UNFINISHED
from ..engine.driver import Observation, Phase
from ..engine.errors import EngineError, RefusedError

_logger = logging.getLogger(__name__)

OVERDUE = timedelta(seconds=15)  # a job that is due starts within milliseconds
REPAIR_PAUSE = timedelta(minutes=10)  # after a repair that failed
ARCHIVE_PAUSE = timedelta(hours=6)  # after an archiving that was refused
UP = (Phase.RUNNING, Phase.STARTING)
# All that a comparison reads of a tenant that is as it should be.
COMPARED = (
    "uid",
    "wanted",
    "observed",
    "observed_message",
    "provisioned_on",
    "archived_on",
    "crashes",
    "restarts_seen",
    "server_id",
    "last_operation_id",
)


@dataclasses.dataclass(frozen=True)
class Chore:
    """Something that is due from time to time.

    :param str model: whose method does it
    :param domain: of the records for whom it is due
    :param str method: called with that domain, where there are such records
    """

    model: str
    domain: Domain
    method: str


class SaasOperation(models.Model):
    _inherit = "saas.operation"

    @api.model
    def _cron_tick(self):
        """Do what is due; cost grows with what is due."""
        for chore in self._find_due():
            getattr(self.env[chore.model], chore.method)(chore.domain)

    @api.model
    def _find_due(self):
        """Return the chores for which there is somebody, by one question for all."""
        chores = self._get_chores()
        queries = [self.env[chore.model]._search(chore.domain) for chore in chores]
        questions = [SQL("EXISTS %s", query.subselect()) for query in queries]
        [answers] = self.env.execute_query(SQL("SELECT %s", SQL(", ").join(questions)))
        return [chore for chore, due in zip(chores, answers, strict=True) if due]

    @api.model
    def _get_chores(self):
        """Return what the tick does; others add theirs."""
        now = fields.Datetime.now()
        overdue = Domain("state", "in", UNFINISHED) & Domain(
            "date_next", "<=", now - OVERDUE
        )
        kept_long_enough = (
            Domain("wanted", "=", "deleted")
            & Domain("erased_on", "=", False)
            & Domain("erase_on", "<=", now)
        )
        long_ago = now - timedelta(days=QUARANTINE_DAYS)
        return [
            Chore("saas.operation", overdue, "_enqueue_overdue"),
            Chore("saas.tenant", kept_long_enough, "_remove_due"),
            Chore(
                "saas.domain", Domain("released_on", "<", long_ago), "_end_quarantine"
            ),
        ]

    @api.model
    def _enqueue_overdue(self, overdue):
        """Start again what should run and does not: no event is ever trusted alone."""
        self.search(overdue)._enqueue()


class SaasTenant(models.Model):
    _inherit = "saas.tenant"

    @api.model
    def _remove_due(self, kept_long_enough):
        """Archive whose grace is over, and erase whose time in the archive is."""
        due = self.search(kept_long_enough).filtered(
            lambda tenant: tenant.last_operation_id.state not in UNFINISHED
        )
        leaving = due.filtered(
            lambda t: not t.archived_on and t.plan_id._get_archive_days()
        )
        operations = self.env["saas.operation"]
        operations._record("erase", due - leaving)
        operations._record(
            "archive",
            leaving.filtered(lambda t: not t._has_failed_within(ARCHIVE_PAUSE)),
        )

    def _compare(self, seen, routes):
        """Store what was seen, and mend what differs from what is wanted.

        :param dict seen: observations by uid; who is not in it has no container
        :param dict routes: by uid; who is not in it has none
        """
        repairs, pages = defaultdict(list), {}
        for tenant in self:
            if not tenant._is_settled():
                continue
            absent = Observation(uid=tenant.uid, phase=Phase.ABSENT)
            observation = seen.get(tenant.uid, absent)
            tenant._write_observation(observation)
            crashing = tenant._is_crashing(observation)
            if crashing or tenant._has_failed_within(REPAIR_PAUSE):
                continue
            if kind := tenant._find_repair(observation, routes.get(tenant.uid), pages):
                wakes = tenant.wanted == "sleeping" and kind in ("wake", "restart")
                repairs[kind, wakes].append(tenant.id)
        for (kind, wakes), ids in repairs.items():
            self.browse(ids)._submit(kind, {"wanted": "running"} if wakes else None)

    def _is_settled(self):
        """Whether it should be what is wanted, as nothing is under way."""
        return (
            self.last_operation_id.state not in UNFINISHED
            and self.provisioned_on
            and not self.archived_on
        )

    def _find_repair(self, observation, route, pages):
        """Return the kind of operation that makes it what is wanted, if one does."""
        phase = observation.phase
        if rest := self._find_kind_of_rest():
            is_well = phase not in UP and route == self._prepare_page_route(pages)
            return None if is_well else rest
        if self.wanted == "running":
            return self._find_repair_of_running(observation, route)
        if self.wanted == "sleeping":
            return self._find_repair_of_sleeping(phase, route)
        return None

    def _find_repair_of_running(self, observation, route):
        if observation.phase == Phase.FAILED:
            return "restart"
        is_up = observation.phase in UP and not observation.changed
        return None if is_up and self._is_led(route, asleep=False) else "start"

    def _find_repair_of_sleeping(self, phase, route):
        # Somebody woke it, or its container cannot be woken as it is.
        if phase not in (Phase.PAUSED, Phase.STOPPED):
            return "restart" if phase == Phase.FAILED else "wake"
        asleep = bool(self.server_id.proxy_id.gateway_url)
        return None if self._is_led(route, asleep=asleep) else "sleep"

    def _find_kind_of_rest(self):
        """Return the kind of operation that ends its running, if it may not run."""
        if self.wanted == "deleted":
            return "delete"
        if self.hold_ids:
            return "suspend"
        return "stop" if self.wanted == "stopped" else None

    def _is_led(self, route, *, asleep):
        """Whether its addresses lead to it, by the gateway or not."""
        return bool(
            route
            and route.http
            and route.is_asleep == asleep
            and route.hosts == (self._get_host(),)
            and route.redirects == self.domain_ids._get_redirects()
        )

    def _has_failed_within(self, pause):
        """Whether the last that was asked for went wrong so recently."""
        last = self.last_operation_id
        recent = fields.Datetime.now() - pause
        return last.state in TROUBLED and last.date_done > recent


class SaasServer(models.Model):
    _inherit = "saas.server"

    @api.model
    def _cron_observe(self):
        """Look at the tenants to which something happened; cost grows with those."""
        moved = self.env["saas.event"]._take_tenants()
        for server, tenants in moved.grouped("server_id").items():
            server._guard("look", functools.partial(server._look_at, tenants))

    @api.model
    def _cron_resync(self):
        """Compare every server, proxy and tenant with what is wanted."""
        # What servers share is asked for once.
        list_routes = functools.cache(lambda proxy: proxy._list_routes())
        list_roles = functools.cache(lambda server: server._list_roles())
        known = self._find_known_uids()
        for server in self.search([]):
            server._guard(
                "resync",
                lambda server=server: server._resync(
                    list_routes(server.proxy_id),
                    list_roles(server.database_server_id),
                    known,
                ),
            )

    def _guard(self, work, method):
        """One server's trouble, or a conflict with a job, leaves the others alone."""
        self.ensure_one()
        try:
            with self.env.cr.savepoint():
                method()
        except EngineError as error:
            self._write_check("failed", error.message)
            _logger.warning("%s of %s: %s", work, self.name, error.reason)
        except OperationalError as error:
            _logger.info("%s of %s comes later: %s", work, self.name, error)

    def _look_at(self, tenants):
        """Compare these tenants with what is, by one look at each."""
        driver, proxy = self._get_driver(), self.proxy_id._get_proxy()
        seen = {uid: self._observe(driver, uid) for uid in tenants.mapped("uid")}
        routes = {uid: proxy.find_route(uid) for uid in seen}
        tenants._compare(seen, routes)

    def _observe(self, driver, uid):
        try:
            return driver.observe(uid)
        except RefusedError as error:
            if error.reason != "foreign":
                raise
            # Something else has the name: ours is not there.
            return Observation(uid=uid, phase=Phase.ABSENT)

    def _resync(self, routes, roles, known):
        """One list call for each sort of thing, compared in memory."""
        driver = self._get_driver()
        listed = driver.list_tenants(thoroughly=True)
        seen = {observation.uid: observation for observation in listed}
        self.env["saas.tenant"].search_fetch(
            [("server_id", "=", self.id), ("slot", ">=", 0)], COMPARED
        )._compare(seen, routes)
        self._report_orphans(
            known,
            containers=seen.keys(),
            volumes=driver.list_state(),
            routes=routes.keys(),
            roles=roles,
        )
        self.env["saas.orphan"]._quarantine(self, driver)
        self._measure()
        if self.check_state != "ok":
            self._write_check("ok", False)

    @api.model
    def _find_known_uids(self):
        """Return the uids of all that may be on a server."""
        tenants = self.env["saas.tenant"]._search([("erased_on", "=", False)])
        templates = self.env["saas.template"]._search([])
        return {
            uid
            for query in (tenants, templates)
            for [uid] in self.env.execute_query(
                query.select(SQL.identifier(query.table, "uid"))
            )
        }

    def _report_orphans(self, known, **found):
        """Write down what is ours but belongs to nobody; it is never removed here."""
        orphans = defaultdict(list)
        for sort, uids in found.items():
            for uid in sorted(set(uids) - known):
                orphans[uid].append(sort)
        self.env["saas.orphan"]._keep_account(
            self, {uid: ", ".join(sorts) for uid, sorts in orphans.items()}
        )
