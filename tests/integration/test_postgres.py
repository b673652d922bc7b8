"""PostgreSQL 17 for real: the contract, the walls between tenants, kills and faults."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import multiprocessing
import os
import signal
import time

import psycopg2
import pytest
from database_server_contract import (
    OTHER,
    PASSWORD,
    TEMPLATE,
    UID,
    DatabaseServerContract,
    refused,
)
from postgres_bench import MASTER, PostgresBench

from odoo.addons.saas.engine import postgres
from odoo.addons.saas.engine.errors import RetryableError
from odoo.addons.saas.engine.postgres import PostgresServer

TABLES = 30


@pytest.fixture(scope="module")
def running():
    bench = PostgresBench()
    yield bench
    bench.close()


@pytest.fixture
def bench(running):
    running.clean()
    return running


@pytest.fixture
def template(bench):
    """A sealed template with tables, a sequence, a schema and a function in it."""
    bench.server.ensure_role(TEMPLATE, PASSWORD, 8)
    bench.server.create_database(TEMPLATE)
    with bench.server.connect(TEMPLATE, PASSWORD) as connection:
        cursor = connection.cursor()
        for number in range(TABLES):
            cursor.execute(f"CREATE TABLE thing_{number} (id serial, name text)")
        cursor.execute("INSERT INTO thing_0 (name) VALUES ('élan')")
        cursor.execute("CREATE INDEX ON thing_0 USING gin (name gin_trgm_ops)")
        cursor.execute("CREATE INDEX ON thing_0 (unaccent(name))")
        cursor.execute("CREATE VIEW seen AS SELECT * FROM thing_0")
    bench.server.seal_template(TEMPLATE)
    return TEMPLATE


class TestPostgresServer(DatabaseServerContract):
    pass


def _owners(bench, uid):
    """Who owns anything in that database, the superuser apart."""
    rows = bench.sql(
        "SELECT DISTINCT s.refobjid::regrole FROM pg_shdepend s"
        " JOIN pg_database d ON d.oid = s.dbid AND d.datname = current_database()"
        " WHERE s.deptype = 'o'",
        database=uid,
    )
    return {name for (name,) in rows}


def _assert_complete(bench, uid=UID):
    assert bench.owner(uid) == uid
    assert _owners(bench, uid) == {uid}
    assert bench.may_connect(uid) == {uid, MASTER}
    assert bench.owner(TEMPLATE) == MASTER
    assert bench.may_connect(TEMPLATE) == {MASTER}
    with bench.server.connect(uid, PASSWORD) as connection:
        cursor = connection.cursor()
        cursor.execute("SELECT name FROM seen WHERE unaccent(name) = 'elan'")
        assert cursor.fetchall() == [("élan",)]


def _read_name(bench, uid):
    with bench.server.connect(uid, PASSWORD) as connection:
        cursor = connection.cursor()
        cursor.execute("SELECT name FROM thing_0 ORDER BY id DESC LIMIT 1")
        return cursor.fetchone()[0]


def test_an_exchange_moves_the_data_and_all_of_it_belongs_to_its_role(bench, template):
    for uid in (UID, OTHER):
        bench.make_tenant(uid)
        with bench.server.connect(uid, PASSWORD) as connection:
            connection.cursor().execute(
                "INSERT INTO thing_0 (name) VALUES (%s)", (uid,)
            )
    for exchanged, expected in (
        (True, (OTHER, UID)),
        (True, (OTHER, UID)),
        (False, (UID, OTHER)),
        (False, (UID, OTHER)),
    ):
        bench.server.exchange(UID, OTHER, exchanged=exchanged)
        assert (_read_name(bench, UID), _read_name(bench, OTHER)) == expected
        _assert_complete(bench, UID)
        _assert_complete(bench, OTHER)


def test_an_exchange_ends_the_sessions_of_both(bench, template):
    for uid in (UID, OTHER):
        bench.make_tenant(uid)
    with (
        pytest.raises(RetryableError) as failure,
        bench.server.connect(UID, PASSWORD) as connection,
    ):
        bench.server.exchange(UID, OTHER, exchanged=True)
        connection.cursor().execute("SELECT 1")
    assert failure.value.reason == "unreachable"
    _assert_complete(bench, UID)


# --- copies


def test_all_in_a_copy_belongs_to_its_tenant(bench, template):
    bench.make_tenant()
    _assert_complete(bench)


def test_a_copy_takes_seconds_at_most(bench, template):
    bench.server.ensure_role(UID, PASSWORD, 8)
    began = time.monotonic()
    bench.server.clone(template, UID)
    assert time.monotonic() - began < 5


def test_a_large_template_is_copied_by_files(bench, template, monkeypatch):
    monkeypatch.setattr(postgres, "FILE_COPY_FROM", 1)
    bench.make_tenant()
    _assert_complete(bench)


def test_twenty_copies_of_one_template_at_once(bench, template):
    uids = [f"t{number:012x}" for number in range(20)]
    for uid in uids:
        bench.server.ensure_role(uid, PASSWORD, 8)
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        list(pool.map(lambda uid: bench.server.clone(template, uid), uids))
    assert set(bench.server.list_databases()) == {template, *uids}
    for uid in uids:
        assert bench.owner(uid) == uid


def test_twenty_callers_for_one_copy_make_one(bench, template, monkeypatch):
    # The last one waits for all others, on a slow machine for longer than it would.
    monkeypatch.setattr(postgres, "LOCK_TIMEOUT", 120)

    def provision(_number):
        bench.server.ensure_role(UID, PASSWORD, 8)
        bench.server.clone(template, UID)

    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        list(pool.map(provision, range(20)))
    assert bench.server.list_roles() == {UID, template}
    _assert_complete(bench)


def test_the_master_can_become_a_tenant_only_while_it_makes_the_copy(bench, template):
    bench.make_tenant()
    rows = bench.sql(
        "SELECT roleid::regrole, bool_or(set_option) FROM pg_auth_members"
        f" WHERE member = '{MASTER}'::regrole GROUP BY 1"
    )
    connections = {"pg_use_reserved_connections": "t"}
    assert dict(rows) == {UID: "f", template: "f", **connections}


# --- walls


def test_a_tenant_reaches_its_own_database_and_no_other(bench, template):
    bench.make_tenant(UID)
    bench.make_tenant(OTHER)
    with bench.login(UID, UID, PASSWORD):
        pass
    for database in (OTHER, "postgres", "template1", "master", template):
        with (
            pytest.raises(psycopg2.OperationalError),
            bench.login(database, UID, PASSWORD),
        ):
            pass


def test_a_tenant_is_no_more_than_a_tenant(bench, template):
    bench.make_tenant(UID)
    bench.make_tenant(OTHER)
    statements = (
        "CREATE DATABASE mine",
        "CREATE ROLE mine",
        f"SET ROLE {OTHER}",
        f"SET ROLE {MASTER}",
        f"ALTER ROLE {UID} CONNECTION LIMIT -1",
        "COPY (SELECT 1) TO PROGRAM 'true'",
        "SELECT pg_read_file('/run/saas/db/saas_provisioner')",
        "SELECT rolpassword FROM pg_authid",
    )
    with bench.login(UID, UID, PASSWORD) as connection:
        connection.autocommit = True
        for statement in statements:
            with pytest.raises(psycopg2.errors.InsufficientPrivilege):
                connection.cursor().execute(statement)


def test_maintenance_of_a_database_only_delays_its_removal(bench, template):
    bench.make_tenant()
    with bench.superuser(UID), pytest.raises(RetryableError) as raised:
        bench.server.drop_database(UID)
    assert raised.value.reason == "in_use"
    assert "has the database in maintenance. It is tried again." in str(raised.value)
    bench.server.drop_database(UID)
    assert UID not in bench.server.list_databases()


def test_a_session_with_the_tenants_password_is_the_tenants_own(bench, template):
    """With the master's rights a trigger of the tenant could do anything."""
    bench.make_tenant()
    with bench.server.connect(UID, PASSWORD) as connection:
        cursor = connection.cursor()
        cursor.execute("SELECT session_user, current_user")
        assert cursor.fetchone() == (UID, UID)


def test_a_role_may_not_open_more_connections_than_its_limit(bench, template):
    bench.server.ensure_role(UID, PASSWORD, 1)
    bench.server.clone(template, UID)
    with (
        bench.login(UID, UID, PASSWORD),
        pytest.raises(RetryableError) as failure,
        bench.server.connect(UID, PASSWORD),
    ):
        pass
    assert failure.value.reason == "too_many_connections"


def test_nobody_logs_in_with_the_role_of_a_template_any_more(bench, template):
    bench.server.ensure_role(template, PASSWORD, 8)
    rows = bench.sql(
        "SELECT rolcanlogin, rolpassword IS NULL FROM pg_authid"
        f" WHERE rolname = '{template}'"
    )
    assert rows == [["f", "t"]]


def test_a_copy_that_somebody_else_may_open_is_refused_by_its_name(bench, template):
    bench.make_tenant(UID)
    bench.server.ensure_role(OTHER, PASSWORD, 8)
    bench.sql(f"GRANT CONNECT ON DATABASE {UID} TO {OTHER}")
    with refused("exposed"):
        bench.server.clone(template, UID)
    bench.sql(f"REVOKE CONNECT ON DATABASE {UID} FROM {OTHER}")
    bench.sql(f"GRANT {UID} TO {OTHER}")
    with refused("exposed"):
        bench.server.clone(template, UID)


def test_a_template_that_lost_its_owner_is_not_copied(bench, template):
    bench.sql(f"ALTER DATABASE {template} OWNER TO {template}")
    bench.server.ensure_role(UID, PASSWORD, 8)
    with refused("not_sealed"):
        bench.server.clone(template, UID)
    assert UID not in bench.databases()


def test_a_password_never_stands_in_the_servers_log(bench):
    bench.sql(f"ALTER ROLE {MASTER} SET log_statement = 'all'")
    bench.server.ensure_role(UID, PASSWORD, 8)
    logged = bench.logs()
    assert f'ALTER ROLE "{UID}"' in logged
    assert PASSWORD not in logged


# --- preparing and looking


def test_an_open_database_is_named_with_what_closes_it(bench):
    bench.sql("GRANT CONNECT ON DATABASE template1 TO PUBLIC")
    for call in (bench.server.check, bench.server.prepare):
        with refused("open"):
            call()
    with pytest.raises(postgres.RefusedError) as failure:
        bench.server.check()
    assert (
        'REVOKE CONNECT, TEMPORARY ON DATABASE "template1" FROM PUBLIC;'
        in failure.value.message
    )


def test_what_belongs_to_the_masters_role_is_closed_by_preparing(bench):
    with bench.login("postgres") as connection:
        connection.autocommit = True
        connection.cursor().execute("CREATE DATABASE leftover")
    with refused("open"):
        bench.server.check()
    bench.server.prepare()
    assert bench.may_connect("leftover") == {MASTER}
    assert bench.server.check().startswith("PostgreSQL 17, ")


@pytest.mark.parametrize("lacking", ["NOCREATEDB", "NOCREATEROLE"])
def test_a_role_that_may_not_make_tenants_is_named(bench, lacking):
    bench.sql(f"ALTER ROLE {MASTER} {lacking}")
    with refused("privilege"):
        bench.server.check()


def test_a_wrong_password_is_refused_and_not_shown(bench):
    config = dataclasses.replace(bench.config, password="wrong-71c2")
    with pytest.raises(postgres.RefusedError) as failure:
        PostgresServer(config).check()
    assert failure.value.reason == "credentials"
    assert bench.config.address in failure.value.message
    assert "wrong-71c2" not in failure.value.message
    assert "wrong-71c2" not in repr(config)


def test_a_server_without_a_free_connection_is_tried_again(bench):
    bench.sql(f"ALTER ROLE {MASTER} CONNECTION LIMIT 0")
    with pytest.raises(RetryableError) as failure:
        bench.server.list_databases()
    assert failure.value.reason == "too_many_connections"
    assert "has no free connection" in failure.value.message


def test_a_session_that_is_cut_is_tried_again(bench, template):
    bench.make_tenant()
    with (
        pytest.raises(RetryableError) as failure,
        bench.server.connect(UID, PASSWORD) as connection,
    ):
        bench.sql(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            f" WHERE datname = '{UID}'"
        )
        connection.cursor().execute("SELECT 1")
    assert failure.value.reason == "unreachable"


def test_a_statement_that_takes_too_long_is_cut(bench, template, monkeypatch):
    bench.make_tenant()
    monkeypatch.setattr(postgres, "STATEMENT_TIMEOUT", 0.2)
    with (
        pytest.raises(RetryableError) as failure,
        bench.server.connect(UID, PASSWORD) as connection,
    ):
        connection.cursor().execute("SET statement_timeout = '200ms'")
        connection.cursor().execute("SELECT pg_sleep(10)")
    assert failure.value.reason == "timeout"


def test_a_database_that_is_absent_is_refused(bench):
    with refused("absent"), bench.server.connect(UID):
        pass


def test_our_own_wrong_statement_is_a_fault_and_no_engine_error(bench, template):
    bench.make_tenant()
    with (
        pytest.raises(psycopg2.errors.SyntaxError),
        bench.server.connect(UID, PASSWORD) as connection,
    ):
        connection.cursor().execute("SELEKT 1")


@pytest.mark.parametrize(
    "uid", ["", "pg_monitor", "a", 't"; DROP ROLE x', "T0123456789AB", "t" * 64]
)
def test_what_is_no_id_never_reaches_the_server(bench, uid):
    with refused("bad_uid"):
        bench.server.ensure_role(uid, PASSWORD, 8)


def test_a_role_of_the_servers_own_is_foreign(bench):
    for name in ("postgres", MASTER):
        with refused("foreign"):
            bench.server.ensure_role(name, PASSWORD, 8)
        with refused("foreign"):
            bench.server.drop_database(name)


# --- removing


def test_sessions_do_not_keep_a_database_from_being_dropped(bench, template):
    bench.make_tenant()
    with bench.login(UID, UID, PASSWORD):
        bench.server.drop_database(UID)
    assert UID not in bench.databases()


def test_after_tenants_are_dropped_nothing_is_left(bench, template):
    before = bench.databases(), bench.roles()
    for uid in (UID, OTHER):
        bench.make_tenant(uid)
    for uid in (UID, OTHER):
        bench.server.drop_database(uid)
        bench.server.drop_role(uid)
    assert (bench.databases(), bench.roles()) == before


def test_what_another_stack_made_is_foreign(bench, template):
    bench.make_tenant()
    config = dataclasses.replace(bench.config, stack="another")
    other = PostgresServer(config)
    assert other.list_databases() == {}
    assert other.list_roles() == frozenset()
    for call in (other.drop_database, other.drop_role):
        with refused("foreign"):
            call(UID)
    _assert_complete(bench)


# --- kills


class KilledHere(BaseException):
    """Ends a call as a kill would: nothing after this statement is run."""


def _kill_after(monkeypatch, count):
    run = postgres._run
    left = [count]

    def run_and_die(cursor, statement, *parts):
        if left[0] == 0:
            raise KilledHere
        left[0] -= 1
        run(cursor, statement, *parts)

    monkeypatch.setattr(postgres, "_run", run_and_die)


def _finish_after_each_kill(monkeypatch, call, reset):
    """Kill the call before its 1st, 2nd, … statement, then call it again, whole."""
    for count in range(100):
        reset()
        with monkeypatch.context() as patch:
            _kill_after(patch, count)
            try:
                call()
            except KilledHere:
                killed = True
            else:
                killed = False
        call()
        yield count
        if not killed:
            return
    raise AssertionError("it never ended")


def test_a_copy_killed_at_any_statement_is_finished_by_the_next_call(
    bench, template, monkeypatch
):
    def reset():
        bench.server.drop_database(UID)
        bench.server.drop_role(UID)

    kills = 0
    for _count in _finish_after_each_kill(monkeypatch, bench.make_tenant, reset):
        _assert_complete(bench)
        kills += 1
    assert kills > 8


def test_a_template_killed_at_any_statement_is_finished_by_the_next_call(
    bench, monkeypatch
):
    def reset():
        bench.server.drop_database(TEMPLATE)
        bench.server.drop_role(TEMPLATE)

    kills = 0
    for _count in _finish_after_each_kill(monkeypatch, bench.build_template, reset):
        assert bench.owner(TEMPLATE) == MASTER
        assert bench.may_connect(TEMPLATE) == {MASTER}
        assert _owners_of_closed(bench) == {TEMPLATE}
        kills += 1
    assert kills > 12


def _owners_of_closed(bench):
    bench.sql(f"ALTER DATABASE {TEMPLATE} ALLOW_CONNECTIONS true")
    try:
        return _owners(bench, TEMPLATE)
    finally:
        bench.sql(f"ALTER DATABASE {TEMPLATE} ALLOW_CONNECTIONS false")


@pytest.mark.parametrize("delay", [0.02, 0.05, 0.08, 0.12])
def test_a_copy_whose_process_is_killed_is_finished_by_the_next_call(
    bench, template, delay
):
    bench.server.ensure_role(UID, PASSWORD, 8)
    process = multiprocessing.get_context("fork").Process(
        target=bench.server.clone, args=(template, UID)
    )
    process.start()
    time.sleep(delay)
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    bench.server.clone(template, UID)
    _assert_complete(bench)


def test_a_drop_that_was_cut_short_leaves_nothing_that_a_copy_would_adopt(
    bench, template
):
    """A database whose removal was cut short can only be removed for good."""
    bench.make_tenant()
    bench.sql(f"UPDATE pg_database SET datconnlimit = -2 WHERE datname = '{UID}'")
    bench.server.clone(template, UID)
    _assert_complete(bench)
