"""T07: tenants use up all connections of their database server."""

from __future__ import annotations

import contextlib

import psycopg2
import pytest
from clusters import build_template, read_canary, running
from database_server_contract import OTHER, PASSWORD, TEMPLATE, UID
from postgres_bench import MASTER

from odoo.addons.saas.engine.errors import RetryableError

CONNECTIONS = 60


@pytest.fixture(scope="module")
def cluster():
    with running("few", "--env", f"SAAS_DB_MAX_CONNECTIONS={CONNECTIONS}") as bench:
        build_template(bench, rows=1000)
        bench.make_tenant(OTHER)
        yield bench


def use_up(bench, stack, user, password):
    """Log in until the server has no connection left for that role; how often."""
    for number in range(CONNECTIONS):
        try:
            stack.enter_context(bench.login(OTHER, user, password))
        except psycopg2.OperationalError as error:
            assert "connection slots" in str(error)
            return number
    raise AssertionError("there was no end")


@pytest.mark.case(
    did="one tenant without a limit logs in until the server takes no more; then the "
    "master does the same",
    expected="the tenants wait, and the master goes on with the connections that are "
    "reserved for it: it makes a new tenant. Without those too it is told that the "
    "server is busy, to be tried again, and the administrator's own are left",
)
def test_t07_the_master_goes_on_when_tenants_have_all_connections(cluster, found):
    cluster.server.ensure_role(OTHER, PASSWORD, CONNECTIONS)
    before = read_canary(cluster, OTHER)
    with contextlib.ExitStack() as stack:
        tenants = use_up(cluster, stack, OTHER, PASSWORD)
        with (
            pytest.raises(RetryableError) as refused,
            cluster.server.connect(OTHER, PASSWORD),
        ):
            pass
        assert refused.value.reason == "too_many_connections"
        cluster.make_tenant(UID)
        assert cluster.owner(UID) == UID
        masters = use_up(cluster, stack, MASTER, cluster.password)
        with pytest.raises(RetryableError) as busy:
            cluster.server.check()
        assert "has no free connection. It is tried again." in busy.value.message
        assert cluster.sql("SELECT 1") == [["1"]]
    cluster.server.check()
    assert read_canary(cluster, OTHER) == before
    assert read_canary(cluster, UID) == before
    assert cluster.server.list_databases().keys() == {TEMPLATE, OTHER, UID}
    found(f"{tenants} connections of the tenant, {masters} more of the master")
    found(f"“{busy.value.message}”")
