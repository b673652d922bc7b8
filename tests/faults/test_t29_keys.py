"""T29: the recovery key is changed, or a key is lost."""

from __future__ import annotations

import backup_bench_docker
import pytest
from backup_bench_docker import RECOVERY, refused
from postgres_bench import docker

from odoo.addons.saas_backup.engine import keys


@pytest.mark.case(
    did="the recovery key is changed after a copy was made (rekey)",
    expected="no data is sent; the copy of before restores with the new recovery key "
    "alone; the old one is refused, and both are named",
)
def test_t29_a_new_recovery_key_opens_the_copies_of_before(bench, tenant, fresh, found):
    bench.attach(tenant, 3)
    bench.run("backup", tenant, backup="b1")
    before = bench.stored()
    private, public = keys.new_recovery_key()
    done = bench.run("rekey", tenant, recovery_public=public)
    after = bench.stored()
    changed = [key for key in after if after[key] != before.get(key)]
    assert after.keys() == before.keys()
    assert set(changed) <= {f"tenants/{tenant}/key"}

    old = {"key": "", "recovery_key": RECOVERY[0], "to": fresh, "backup": "b1"}
    by_old, by_new = bench.end_all(
        fresh,
        [
            bench.make_job("restore", tenant, **old),
            bench.make_job("restore", tenant, **{**old, "recovery_key": private}),
        ],
    )
    message = refused("key_wrong", by_old.answer)
    assert done["fingerprint"] in message
    assert keys.fingerprint(RECOVERY[1]) in message
    assert by_new.answer()["files"] == 3
    assert bench.contents(fresh) == bench.contents(tenant)
    found(
        "1 object of the store was written anew, the sealed key; restored whole by it"
    )
    found(f"with the old one: “{message}”")


@pytest.mark.case(
    did="the sealed key is removed from the store; the master's key is that of another",
    expected="each is a sentence of its own, nothing is restored; the daily look at "
    "the keys writes the lost one anew and names the wrong one",
)
def test_t29_a_lost_or_wrong_key_is_told_and_the_daily_look_finds_it(
    bench, tenant, fresh, found
):
    bench.run("backup", tenant, backup="b1")
    docker(
        *(
            "run",
            "--rm",
            *backup_bench_docker.MARK,
            "--volume",
            f"{bench.store}:/mnt/store",
        ),
        *(backup_bench_docker.IMAGE, "rm", f"/mnt/store/tenants/{tenant}/key"),
    )
    other = bench.add_tenant(schema="")
    right, wrong = bench.keys[tenant], bench.keys[other]
    alone = {"key": "", "recovery_key": RECOVERY[0], "to": fresh, "backup": "b1"}
    lost, first, second, refusal, told, whole = bench.end_all(
        fresh,
        [
            bench.make_job("restore", tenant, **alone),
            bench.make_job("seal", tenant, keys={tenant: right}),
            bench.make_job("seal", tenant, keys={tenant: right}),
            bench.make_job("restore", tenant, key=wrong, to=fresh, backup="b1"),
            bench.make_job("seal", tenant, keys={tenant: wrong}),
            bench.make_job("restore", tenant, **alone),
        ],
    )
    found(f"without the sealed key: “{refused('key_missing', lost.answer)}”")
    assert first.answer()["sealed"] == [tenant]
    assert (second.answer()["sealed"], second.answer()["wrong"]) == ([], {})
    found(f"with a wrong key: “{refused('key_wrong', refusal.answer)}”")
    assert told.answer()["sealed"] == []
    assert "made with another key" in told.answer()["wrong"][tenant]
    found(f"the daily look, with a wrong key: “{told.answer()['wrong'][tenant]}”")
    # It was into the same empty database each time: nothing had been left there.
    assert whole.answer()["rows"]["res_users"] == 2
    found("the daily look sealed the lost key anew; the copy restores again")
