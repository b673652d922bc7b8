"""T22: the connection to the bucket is cut in the middle of an upload."""

from __future__ import annotations

import pytest
from backup_bench_docker import RECOVERY, retryable

MIB = 2**20
SIZE = 20 * MIB  # three parts of an upload
CUT = 4 * MIB  # in the middle of a part


def manifests(stand_in):
    return [key for key in stand_in.objects if "/backups/" in key]


def both(bench, uid, store):
    """Make a copy, and prove it."""
    return [
        bench.make_job(command, uid, store=store, backup="b1")
        for command in ("backup", "verify")
    ]


@pytest.fixture
def large(bench, tenant):
    """A tenant with an attachment that goes up in parts."""
    bench.attach(tenant, 1, SIZE)
    return tenant


@pytest.mark.case(
    did="20 MiB go up over TLS in three parts; the connection is cut once, after half "
    "of a part",
    expected="the part that was cut is sent again and no other; the copy is good",
)
def test_t22_an_upload_that_is_cut_once_goes_on_with_that_part(
    bench, large, stand_in, bucket, found
):
    stand_in.faults.cut_upload, stand_in.faults.cuts = CUT, 1
    ended, proven = bench.end_all(large, both(bench, large, bucket))
    made = ended.answer()
    assert (made["state"], made["files"], made["missing"]) == ("made", 1, 0)
    assert proven.answer()["files"] == 1
    assert stand_in.faults.cuts == 0
    # Beside what counts: half a part, the sealed key, the list of the parts.
    again = stand_in.received - made["sent"]
    assert CUT <= again < CUT + 10_000
    assert stand_in.uploads == {}
    found(f"{made['sent']} bytes are the copy, {again} were sent twice; verified whole")


@pytest.mark.case(
    did="the connection is cut after 4 MiB, at every try",
    expected="a sentence about the cut, to be tried again; no copy is listed, no part "
    "stays; the next try after the fault makes the copy",
)
def test_t22_an_upload_that_is_always_cut_is_no_copy_and_leaves_no_part(
    bench, large, stand_in, bucket, found
):
    stand_in.faults.cut_upload = CUT
    message = retryable(
        "cut", lambda: bench.run("backup", large, store=bucket, backup="b1")
    )
    assert "the connection was cut in the middle" in message
    assert manifests(stand_in) == []
    assert stand_in.uploads == {}
    stand_in.faults.cut_upload = 0
    listed, made, proven = bench.end_all(
        large,
        [bench.make_job("list", large, store=bucket), *both(bench, large, bucket)],
    )
    assert listed.answer()["backups"] == []
    found(f"“{message}”; 0 copies listed, 0 unfinished uploads")
    assert made.answer()["missing"] == 0
    assert proven.answer()["files"] == 1
    found("after the fault: a copy, verified whole")


@pytest.mark.case(
    did="the task is killed (SIGKILL) while its second part goes up",
    expected="no copy is listed; the next try makes it; the collection removes the "
    "unfinished upload",
)
def test_t22_a_task_killed_in_an_upload_leaves_what_is_collected(
    bench, large, stand_in, bucket, found
):
    stand_in.faults.seconds = 0.3
    name = bench.start_job("backup", large, store=bucket, backup="b1")
    bench.wait_until(lambda: any(stand_in.uploads.values()), seconds=120)
    bench.kill(name)
    retryable("task_ended", bench.wait(name).answer)
    bench.remove(name)
    stand_in.faults.seconds = 0
    left = len(stand_in.uploads)
    assert left == 1
    assert manifests(stand_in) == []
    made, collected, alone = bench.end_all(
        large,
        [
            bench.make_job("backup", large, store=bucket, backup="b1"),
            bench.make_job("collect", large, store=bucket),
            bench.make_job(
                "list", large, store=bucket, key="", recovery_key=RECOVERY[0]
            ),
        ],
    )
    assert (made.answer()["state"], made.answer()["missing"]) == ("made", 0)
    assert stand_in.uploads == {}
    assert [row["backup"] for row in alone.answer()["backups"]] == ["b1"]
    marked = collected.answer()["marked"]
    found(
        f"{left} unfinished upload, removed; {marked} objects of the first try marked, "
        "to go a day later"
    )
