"""What the sweeps cost with many tenants on servers that are kept in memory.

Runs in the master's image with Odoo's own options, on a database that has ``saas``;
``make bench ONLY=fleet`` does that. All but Odoo and PostgreSQL is a fake, so that what
is measured is what the master itself does. It prints one line of JSON.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import importlib
import json
import logging
import statistics
import sys
import tempfile
import time
from pathlib import Path
from unittest.mock import patch

from odoo import SUPERUSER_ID, api
from odoo.modules.registry import Registry
from odoo.tools import config

SIZES = (100, 1_000, 10_000)
CHANGED = (1, 10, 100, 1_000)
ROUNDS = 20
RESYNCS = 5
ON_ONE_SERVER = 1_000
OPERATIONS = 3  # of each tenant, in the past
IMAGE = "saas-odoo:19.0"

GATEWAY = "http://192.0.2.9:8070"

# Of a hundred tenants 80 run, and the first ones are something else.
WANTED = "CASE WHEN {0} < 10 THEN 'sleeping' WHEN {0} < 15 THEN 'stopped' ELSE {1} END"
OBSERVED = "CASE WHEN {0} < 10 THEN 'paused' WHEN {0} < 20 THEN 'stopped' ELSE {1} END"
STATE = "CASE WHEN {0} < 10 THEN 'sleeping' WHEN {0} < 20 THEN 'stopped' ELSE {1} END"


def main(argv):
    config.parse_config(argv, setup_logging=True)
    logging.getLogger().setLevel(logging.ERROR)
    [database] = config["db_name"]
    registry = Registry(database)
    # Only now: before, Odoo does not know where the addons are.
    importlib.import_module("odoo.addons.saas.engine.fake")
    fleet = Fleet(registry, importlib.import_module("odoo.addons.saas"))
    measured = []
    with fleet.instead_of_real_ones():
        for size in SIZES:
            fleet.grow(size)
            measured.append(measure("tick, nothing changed", fleet, tick, ROUNDS))
            measured.append(measure("resync, nothing changed", fleet, resync, RESYNCS))
        for many in CHANGED:
            for what, change in (
                ("tick, containers lost", fleet.lose_containers),
                ("tick, jobs lost", fleet.lose_jobs),
            ):
                prepare = functools.partial(change, many=many)
                measured.append(measure(what, fleet, tick, 3, prepare, many))
    print(json.dumps(measured))


# === WHAT IS MEASURED === #


def tick(env):
    """All that the worker does each minute."""
    env["saas.operation"]._cron_tick()
    env["saas.server"]._cron_observe()
    env.flush_all()


def resync(env):
    env["saas.server"]._cron_resync()
    env.flush_all()


def measure(what, fleet, work, rounds, prepare=None, many=0):
    # The first one fills what later ones find in memory.
    samples = [fleet.measure(work, prepare) for _round in range(rounds + 1)][1:]
    seconds = [sample[0] for sample in samples]
    return {
        "what": what,
        "tenants": fleet.size,
        "changed": many,
        "rounds": rounds,
        "queries": max(sample[1] for sample in samples),
        "p50": statistics.median(seconds),
        "max": max(seconds),
    }


# === THE FLEET === #


class Fleet:
    """A master's records, and the servers, proxy and database server beside them."""

    def __init__(self, registry, saas):
        self._registry = registry
        self._saas = saas
        self._engine = saas.engine
        self._lost = {}
        self.size = 0
        self.drivers = {}
        self.routes = self._engine.fake.FakeProxy()
        self.databases = self._engine.fake.FakeDatabaseServer()
        with self._transaction() as env, self._own_keys():
            self._make_records(env)

    @contextlib.contextmanager
    def _own_keys(self):
        """Let secrets be sealed with a key that nobody has."""
        mixin = self._saas.models.saas_sealed_mixin
        with tempfile.TemporaryDirectory() as keys:
            _private, public = self._engine.sealing.new_key_pair()
            Path(keys, "sealing_public").write_text(public)
            with patch.object(mixin, "WEB_KEYS", Path(keys)):
                yield

    @contextlib.contextmanager
    def _transaction(self):
        with self._registry.cursor() as cr:
            yield api.Environment(cr, SUPERUSER_ID, {})

    @contextlib.contextmanager
    def instead_of_real_ones(self):
        drivers, routes, databases = self.drivers, self.routes, self.databases
        with contextlib.ExitStack() as patches:
            for model, method, give in (
                ("saas.server", "_get_driver", lambda server: drivers[server.id]),
                ("saas.proxy", "_get_proxy", lambda _proxy: routes),
                (
                    "saas.database.server",
                    "_get_database_server",
                    lambda _server: databases,
                ),
            ):
                patches.enter_context(patch.object(self._registry[model], method, give))
            yield

    def measure(self, work, prepare=None):
        """Seconds and queries of some work in a transaction of its own.

        What is prepared for it, and what it does then, is taken back.
        """
        with self._transaction() as env:
            if prepare:
                prepare(env)
                env.flush_all()
                env.invalidate_all()
            before, started = env.cr.sql_log_count, time.perf_counter()
            work(env)
            sample = time.perf_counter() - started, env.cr.sql_log_count - before
            if prepare:
                env.cr.rollback()
                self._put_back()
        return sample

    def grow(self, size):
        """Have that many tenants, each as it should be."""
        with self._transaction() as env:
            for first in range(self.size, size, ON_ONE_SERVER):
                self._fill(env, first, min(first + ON_ONE_SERVER, size))
        self.size = size
        with self._registry.cursor() as cr:
            cr.execute("ANALYZE")

    def lose_containers(self, env, *, many):
        """Have somebody remove that many, and events tell of it."""
        env.cr.execute(
            "SELECT uid, server_id FROM saas_tenant WHERE state = 'running'"
            " ORDER BY id DESC LIMIT %s",
            [many],
        )
        for uid, server in env.cr.fetchall():
            containers = self.drivers[server].containers
            self._lost[uid] = containers, containers.pop(uid)
        env["saas.event"]._note(self._lost)

    def lose_jobs(self, env, *, many):
        """Have that many operations wait whose jobs are gone."""
        env.cr.execute(
            "UPDATE saas_operation SET state = 'pending',"
            " date_next = now() AT TIME ZONE 'utc' - interval '1 hour'"
            " WHERE id IN (SELECT last_operation_id FROM saas_tenant"
            "   WHERE state = 'running' ORDER BY id LIMIT %s)",
            [many],
        )

    def _put_back(self):
        for uid, (containers, container) in self._lost.items():
            containers[uid] = container
        self._lost.clear()

    def _make_records(self, env):
        """What all tenants share, and one of each record to make the others from."""
        field = env["saas.server"]._fields["driver"]
        field.selection, field._selection = [("fake", "Fake")], {"fake": "Fake"}
        company = env.ref("base.main_company")
        company.write({"email": "help@cloud.example", "phone": "+351 210 000 000"})
        proxy = {"name": "P", "internal_url": GATEWAY, "gateway_url": GATEWAY}
        self._server = {
            "driver": "fake",
            "proxy_id": env["saas.proxy"].create(proxy).id,
            "database_server_id": env["saas.database.server"]
            .create({"name": "D", "host": "db", "tenant_host": "db", "password": "x"})
            .id,
            "max_tenants": ON_ONE_SERVER,
            "check_state": "ok",
        }
        image = env["saas.image"].create({"name": "I", "reference": IMAGE})
        plan = {"name": "Basic", "image_id": image.id, "modules": "base"}
        tenant = {
            "name": "pattern",
            "partner_id": env["res.partner"].create({"name": "Alfa Ltd"}).id,
            "plan_id": env["saas.plan"].create(plan).id,
        }
        self._tenant = env["saas.tenant"].create(tenant).id
        done = {"kind": "start", "exclusive": True, "state": "done"}
        done["tenant_id"] = self._tenant
        self._operation = env["saas.operation"].create(done).id

    def _fill(self, env, first, last):
        """One server with tenants, by SQL: asking for each of them takes an hour."""
        values = {**self._server, "name": f"Server {first}"}
        server = env["saas.server"].create(values)
        self.drivers[server.id] = self._engine.fake.FakeDriver()
        env.flush_all()
        place = "n %% 100"
        own = {
            "uid": "'t' || lpad(n::text, 12, '0')",
            "slot": "n - %(first)s",
            "server_id": "%(server)s",
            "database_server_id": "%(database_server)s",
            "provisioned_on": "now() AT TIME ZONE 'utc'",
            "wanted": WANTED.format(place, "'running'"),
            "observed": OBSERVED.format(place, "'running'"),
            "state": STATE.format(place, "'running'"),
        }
        facts = {
            "first": first,
            "last": last,
            "server": server.id,
            "database_server": self._server["database_server_id"],
        }
        numbers = "generate_series(%(first)s, %(last)s - 1) AS n"
        self._copy(env, "saas.tenant", self._tenant, own, numbers, facts)
        tenants = (
            "(SELECT id AS one, uid AS its_uid FROM saas_tenant"
            " WHERE server_id = %(server)s) AS t"
        )
        operations = f"{tenants}, generate_series(1, {OPERATIONS}) AS n"
        own = {"tenant_id": "one"}
        self._copy(env, "saas.operation", self._operation, own, operations, facts)
        env.cr.execute(
            "UPDATE saas_tenant SET last_operation_id ="
            " (SELECT max(id) FROM saas_operation WHERE tenant_id = saas_tenant.id)"
            " WHERE server_id = %(server)s",
            facts,
        )
        env.cr.execute(
            "INSERT INTO saas_domain (name, main, tenant_id, company_id)"
            " SELECT uid || '.odoo.localhost', true, id, company_id FROM saas_tenant"
            " WHERE server_id = %(server)s",
            facts,
        )
        env.invalidate_all()
        self._suspend(env, server)
        self._put_outside(env, server)

    def _copy(self, env, model, pattern, own, source, facts):
        """Make rows like one record, but for what each has of its own."""
        columns = [
            name
            for name, field in env[model]._fields.items()
            if field.store and field.column_type and name != "id"
        ]
        names = ", ".join(f'"{name}"' for name in columns)
        values = ", ".join(own.get(name, f'p."{name}"') for name in columns)
        table = env[model]._table
        env.cr.execute(
            f"INSERT INTO {table} ({names}) SELECT {values}"
            f" FROM {table} AS p, {source} WHERE p.id = %(pattern)s",
            {**facts, "pattern": pattern},
        )

    def _suspend(self, env, server):
        stopped = env["saas.tenant"].search(
            [
                ("server_id", "=", server.id),
                ("wanted", "=", "running"),
                ("observed", "=", "stopped"),
            ]
        )
        holds = [
            {"tenant_id": tenant.id, "kind": "unpaid", "reason": "Unpaid"}
            for tenant in stopped
        ]
        env["saas.hold"].create(holds)

    def _put_outside(self, env, server):
        """Have containers, routes and roles of its tenants, each as it should be."""
        fake, engine, pages = self._engine.fake, self.drivers[server.id], {}
        limits = self._engine.driver.Limits(memory=2**29, cpus=1.0)
        for tenant in env["saas.tenant"].search([("server_id", "=", server.id)]):
            uid = tenant.uid
            spec = self._engine.driver.TenantSpec(
                uid, IMAGE, tenant.slot, "", limits, {}
            )
            phase = self._engine.driver.Phase(tenant.observed)
            engine.containers[uid] = fake.FakeContainer(spec, phase)
            engine.state[uid] = {}
            self.databases.roles[uid] = fake.FakeRole()
            route = tenant._prepare_page_route(pages)
            if tenant.state in ("running", "sleeping"):
                words = route.pages if tenant.state == "sleeping" else ()
                route = dataclasses.replace(route, http="http://192.0.2.1", pages=words)
            self.routes.routes[uid] = route


if __name__ == "__main__":
    main(sys.argv[2:])  # after "--"
