"""T06: PostgreSQL is restarted at once while a tenant is cloned."""

from __future__ import annotations

import time

import pytest
from whole import OBSERVE, VACUUM, is_back, run_scheduled, wait_for

# As the superuser, in one call: a copy is under way for some tenths of a second.
DURING_A_COPY = """
DO $$ BEGIN
    FOR look IN 1..6000 LOOP
        PERFORM pg_stat_clear_snapshot();
        IF EXISTS (SELECT FROM pg_stat_activity WHERE state = 'active'
                   AND query LIKE 'CREATE DATABASE%' AND pid <> pg_backend_pid()) THEN
            RETURN;
        END IF;
        PERFORM pg_sleep(0.005);
    END LOOP;
    RAISE 'nothing was copied';
END $$
"""
STOP = 'psql -Xq -v ON_ERROR_STOP=1 -c "$1" && kill -QUIT 1'


@pytest.mark.case(
    did="PostgreSQL gets the order to stop at once while it copies a template for a "
    "new tenant; it holds the master's database too, and the worker waits for the copy",
    expected="the new tenant comes up without anybody's help; the others answer within "
    "10 s of PostgreSQL's return, and their containers were not restarted; scheduled "
    "actions go on, the master's and theirs",
)
def test_t06_a_tenant_comes_up_though_postgres_was_restarted_meanwhile(
    stack, master, residents, make_tenant, load, aftermath, found
):
    starts = [started(resident) for resident in residents]
    tenant = make_tenant()
    [operation] = master.call("saas.tenant", "action_provision", tenant)
    result = stack.container("db").exec_run(
        ["sh", "-c", STOP, "sh", DURING_A_COPY], user="postgres"
    )
    assert b"nothing was copied" not in result.output
    began = time.monotonic()
    time.sleep(1)
    wait_for(lambda: is_healthy(stack), 60, "PostgreSQL does not come back")
    away = time.monotonic() - began
    seconds = load.wait_until_all_answer(time.monotonic(), 10)
    assert [started(resident) for resident in residents] == starts
    wait_for(lambda: is_back(master), 60, "the master does not come back")
    assert master.follow(operation) == "done"
    assert master.read("saas.tenant", tenant, "state") == "running"
    attempts = master.read("saas.operation", operation, "attempts")
    came = time.monotonic() - began
    for uid in (resident.uid for resident in residents):
        run_scheduled(stack, uid, VACUUM)
    run_scheduled(stack, "master", OBSERVE)
    found(
        f"PostgreSQL was away for {away:.1f} s; all tenants answered {seconds:.1f} s "
        f"later; the new one came after {came:.1f} s and {attempts} tries that failed; "
        + aftermath.check()
    )


def started(resident):
    resident.container.reload()
    return resident.container.attrs["State"]["StartedAt"]


def is_healthy(stack):
    container = stack.container("db")
    container.reload()
    if container.status != "running":
        return False
    ready = ["pg_isready", "--quiet", "--host=127.0.0.1", "--username=saas_master"]
    return container.exec_run(ready).exit_code == 0
