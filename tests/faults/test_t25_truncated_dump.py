"""T25: a dump ends before it is whole."""

from __future__ import annotations

import json
import subprocess
import time

import pytest
from backup_bench_docker import NATIVE_CUSTOM, ODOO, retryable
from postgres_bench import docker


def start_dump(bench, tenant):
    """A backup whose dump is under way; the name of its task."""
    name = bench.start_job("backup", tenant, backup="b1")
    # Beside who holds the snapshot: before that it has not read anything.
    sessions = f"SELECT 1 FROM pg_stat_activity WHERE datname = '{tenant}'"
    bench.wait_until(
        lambda: (
            len(bench.postgres.sql(sessions)) > 1
            and "pg_dump --format" in programs(name)
        ),
        seconds=120,
    )
    return name


def programs(name):
    return docker("top", name, "-o", "pid,args")


def signal_dump(name, signal):
    for line in programs(name).splitlines():
        if "pg_dump --format" in line:
            subprocess.run(["kill", f"-{signal}", line.split()[0]], check=True)


@pytest.mark.case(
    did="pg_dump is killed (SIGKILL) while it writes",
    expected="tried again, no copy is listed; the next try makes it. Odoo's own tool "
    "hands out what it has and says nothing",
)
def test_t25_a_dump_that_is_killed_makes_no_copy(bench, tenant, found):
    bench.fill(tenant)
    name = start_dump(bench, tenant)
    signal_dump(name, "KILL")
    ended = bench.wait(name)
    bench.remove(name)
    assert ended.code == 75
    message = retryable("killed", ended.answer)
    listed, made = bench.end_all(
        tenant,
        [
            bench.make_job(command, tenant, backup="b1")
            for command in ("list", "backup")
        ],
    )
    assert listed.answer()["backups"] == []
    assert made.answer()["state"] == "made"
    log = bench.run_inside(tenant, "native.py", NATIVE_CUSTOM, image=ODOO)
    native = json.loads(log.splitlines()[-1])
    assert 0 < native["size"] < native["whole"]
    found(f"“{message}”; 0 copies listed, then made")
    found(
        f"Odoo's own tool: no error, {native['size']} of {native['whole']} bytes of a "
        "dump"
    )


@pytest.mark.parametrize("how", ["its session is ended", "its database is dropped"])
@pytest.mark.case(
    did="the database goes away under the dump",
    expected="a sentence about the server, to be tried again; no manifest",
)
def test_t25_a_database_that_goes_away_makes_no_copy(bench, tenant, found, how):
    bench.fill(tenant)
    name = start_dump(bench, tenant)
    # So that it cannot end before that happens, on a slow machine.
    signal_dump(name, "STOP")
    if "database" in how:
        bench.drop(tenant)
    else:
        bench.postgres.sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            f" WHERE datname = '{tenant}' AND application_name = 'saas-backup'"
        )
    signal_dump(name, "CONT")
    ended = bench.wait(name)
    bench.remove(name)
    message = retryable("unreachable", ended.answer)
    assert not [key for key in bench.stored() if f"{tenant}/backups" in key]
    found(f"“{message}”")


@pytest.mark.parametrize("delay", [0.3, 0.8, 1.5])
@pytest.mark.case(
    did="the whole task is killed (SIGKILL) so many seconds after its start",
    expected="tried again; the next try makes the copy, and no file is stored twice",
)
def test_t25_a_task_that_is_killed_is_made_good_by_the_next(
    bench, tenant, found, delay
):
    bench.fill(tenant, 60_000)
    bench.attach(tenant, 400, 50_000)
    name = bench.start_job("backup", tenant, backup="b1")
    time.sleep(delay)
    bench.kill(name)
    ended = bench.wait(name)
    bench.remove(name)
    if ended.code:
        retryable("task_ended", ended.answer)
    made, proven = bench.end_all(
        tenant,
        [
            bench.make_job(command, tenant, backup="b1")
            for command in ("backup", "verify")
        ],
    )
    assert (made.answer()["state"], made.answer()["missing"]) == ("made", 0)
    assert proven.answer()["files"] == 400
    # What came of the first try is used, or nothing refers to it.
    packs = [size for key, size in bench.stored().items() if f"{tenant}/packs" in key]
    assert sum(packs) < 400 * 50_000 + 17 * 2**20
    found(
        f"the first try ended with {ended.code}; the copy is whole, "
        f"{sum(packs)} bytes of files in the store"
    )
