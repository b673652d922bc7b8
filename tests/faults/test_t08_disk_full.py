"""T08: the disk of a database server is full while a tenant is made."""

from __future__ import annotations

import time

import pytest
from clusters import SmallDisk, build_template, read_canary, running
from database_server_contract import OTHER, TEMPLATE, UID, refused
from postgres_bench import STACK

SIZE = 450
ROWS = 300_000


@pytest.fixture
def disk():
    made = SmallDisk(f"{STACK}-small", SIZE)
    yield made
    made.remove()


@pytest.fixture
def cluster(disk):
    with running("full", "--volume", disk.mount) as bench:
        build_template(bench, ROWS)
        bench.make_tenant(OTHER)
        bench.sql("CHECKPOINT")
        yield bench


@pytest.mark.parametrize("left", [20, 1])
@pytest.mark.case(
    did="the disk is filled up to so many megabytes, then a template of some thirty is "
    "cloned; then room is made",
    expected="a sentence that says which server is full and what to do; no half "
    "database stays, the other tenants go on and have all their rows, and the next try "
    "makes the copy",
)
def test_t08_a_copy_that_finds_no_room_leaves_nothing(cluster, disk, left, found):
    before, directories = read_canary(cluster, OTHER), disk.list_databases()
    disk.fill(left)
    with cluster.login(OTHER) as visitor, visitor.cursor() as cursor:
        with refused("disk_full") as failure:
            cluster.make_tenant(UID)
        assert "its disk is full. Make room there" in failure.value.message
        cursor.execute("SELECT 1")  # the server goes on with whom it has
    disk.make_room()
    began = time.monotonic()
    assert UID not in cluster.databases()
    cluster.sql("CHECKPOINT")  # removes the files of what was undone
    # PostgreSQL leaves files of a copy through its log, which no database has.
    left_over = disk.list_databases() - directories
    assert len(left_over) <= 1
    assert read_canary(cluster, OTHER) == before
    cluster.make_tenant(UID)
    seconds = time.monotonic() - began
    assert read_canary(cluster, UID) == before
    assert cluster.server.list_databases().keys() == {TEMPLATE, OTHER, UID}
    found(
        f"{left} MB left: “{failure.value.message}”; the others went on; copied "
        f"{seconds:.1f} s after there was room; directories that PostgreSQL itself has "
        f"forgotten: {len(left_over)}"
    )
