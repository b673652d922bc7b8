"""T27: copies are made while attachments come and go."""

from __future__ import annotations

import json
import time

import pytest
from backup_bench_docker import HASH_ALL, NATIVE_ZIP, ODOO, USERS
from postgres_bench import docker

COPIES = 20
A_SECOND = 50
# The writer makes up for what it missed, so that two processors with the end-to-end
# tests beside it still give all 50. Lost is only what it is behind at the end: a fifth
# is three seconds of the 16 or so that the copies take. One that sleeps makes none.
AT_LEAST = 0.8 * A_SECOND


@pytest.mark.case(
    did=f"{A_SECOND} attachments a second are made, every third is removed, and Odoo's "
    f"own collection of files runs, while {COPIES} copies are made; then each is "
    f"restored. The same users, and {COPIES} copies by Odoo's own tool",
    expected="in none of ours a file that the database names is missing or altered",
)
def test_t27_no_copy_misses_a_file(bench, tenant, found):
    bench.attach(tenant, 200, 2000)
    with bench.running(tenant, "users.py", USERS, str(A_SECOND), "900") as users:
        bench.wait_until(lambda: "ready" in docker("logs", users), seconds=120)
        begun = time.monotonic(), last_attachment(bench, tenant)
        made = [
            bench.run("backup", tenant, backup=f"b{number:02}")
            for number in range(COPIES)
        ]
        rate = measure(bench, tenant, begun)
        log = bench.run_inside(tenant, "zip.py", NATIVE_ZIP, str(COPIES), image=ODOO)
    native = json.loads(log.splitlines()[-1])
    assert {(answer["state"], answer["missing"]) for answer in made} == {("made", 0)}
    assert made[-1]["files"] > made[0]["files"] > 200
    assert rate >= AT_LEAST

    torn, files = restore_all(bench, tenant)
    assert torn == []
    found(
        f"ours: {len(torn)} of {COPIES} copies with a missing or altered file, "
        f"{files} files restored, {rate:.0f} attachments a second came meanwhile"
    )
    found(
        f"Odoo's own tool: {native['torn']} of {COPIES} with missing files "
        f"({native['missing']} in all), and {native['failed']} that failed as a file "
        "went away under it"
    )
    assert native["torn"] + native["failed"] > 0


def last_attachment(bench, tenant):
    return bench.sql(tenant, "SELECT last_value FROM ir_attachment_id_seq")[0][0]


def measure(bench, tenant, begun):
    moment, number = begun
    return (last_attachment(bench, tenant) - number) / (time.monotonic() - moment)


def restore_all(bench, tenant):
    """Restore each copy into a database of its own; the torn ones, and all files."""
    targets = [bench.add_tenant(schema="") for _number in range(COPIES)]
    place = targets[0]
    jobs = [
        bench.make_job(
            "restore",
            tenant,
            to=target,
            backup=f"b{number:02}",
            filestore=f"/var/lib/odoo/filestore/{target}",
        )
        for number, target in enumerate(targets)
    ]
    for ended in bench.end_all(place, jobs):
        assert ended.answer()["command"] == "restore"
    hashes = json.loads(bench.run_inside(place, "h.py", HASH_ALL).splitlines()[-1])
    torn = []
    for target in targets:
        rows = bench.sql(
            target, "SELECT split_part(store_fname, '/', 2) FROM ir_attachment"
        )
        files = hashes[target]
        if {name for (name,) in rows} != set(files) or any(
            name != sha1 for name, sha1 in files.items()
        ):
            torn.append(target)
    return torn, sum(map(len, hashes.values()))
