"""T09: the bucket for copies has no room left."""

from __future__ import annotations

import pytest
from backup_bench_docker import refused

MIB = 2**20
SIZE = 20 * MIB  # three parts of an upload
LEFT = 12 * MIB


@pytest.mark.case(
    did="a copy is made; the bucket is full in the middle of the next one; then it has "
    "room again",
    expected="a sentence that says that it is full and what to do; no copy is listed "
    "but the first, which is whole; no part of the second stays; the next try makes it",
)
def test_t09_a_full_bucket_keeps_what_it_has_and_nothing_of_what_did_not_fit(
    bench, tenant, stand_in, bucket, found
):
    def job(command, **more):
        return bench.make_job(command, tenant, store=bucket, **more)

    bench.attach(tenant, 3)
    bench.run("backup", tenant, store=bucket, backup="b1")
    kept = {key: len(body) for key, body in stand_in.objects.items()}
    bench.attach(tenant, 1, SIZE)
    room = stand_in.faults.room
    stand_in.faults.room = sum(kept.values()) + LEFT
    message = refused(
        "full", lambda: bench.run("backup", tenant, store=bucket, backup="b2")
    )
    assert "make room there, or keep fewer copies" in message
    assert stand_in.uploads == {}
    assert (
        kept.items() <= {k: len(body) for k, body in stand_in.objects.items()}.items()
    )
    stand_in.faults.room = room
    listed, first, made, second = bench.end_all(
        tenant,
        [
            job("list"),
            job("verify", backup="b1"),
            job("backup", backup="b2"),
            job("verify", backup="b2"),
        ],
    )
    assert [row["backup"] for row in listed.answer()["backups"]] == ["b1"]
    assert first.answer()["files"] == 3
    assert made.answer()["missing"] == 0
    assert second.answer()["files"] == 4
    found(f"“{message}”; the first copy is whole, and with room the second was made")
