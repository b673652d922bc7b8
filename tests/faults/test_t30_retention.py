"""T30: 120 days of retention, and a customer who is erased."""

from __future__ import annotations

import datetime
import itertools
from zoneinfo import ZoneInfo

import backup_bench
import backup_bench_docker
import pytest
from backup_bench_docker import RECOVERY, refused
from postgres_bench import docker

from odoo.addons.saas_backup.engine.directory import DirectoryConfig, DirectoryStore
from odoo.addons.saas_backup.engine.repository import PACKS
from odoo.addons.saas_backup.engine.retention import Copy, Policy, kept
from odoo.addons.saas_backup.engine.schedule import Window, last_slot

BRUSSELS = ZoneInfo("Europe/Brussels")
WINDOW = Window(datetime.time(2), datetime.time(3), str(BRUSSELS))
POLICY = Policy(timezone=str(BRUSSELS))
DAYS = 120
DAY = datetime.timedelta(days=1)
QUARTER = datetime.timedelta(minutes=15)


class Life:
    """A tenant that is backed up by its schedule, in a clock of its own."""

    def __init__(self, tenant, store, begin):
        self.tenant, self.store, self.now = tenant, store, begin
        self.repository = tenant.repository(store)
        self.copies: list[Copy] = []
        self.made: dict[str, tuple[datetime.datetime, set[str]]] = {}

    def live(self, days):
        end = self.now + DAY * days
        while self.now < end:
            due = last_slot(self.tenant.uid, WINDOW, self.now)
            if not self.copies or self.copies[-1].taken < due:
                self.back_up()
            self.now += QUARTER

    def back_up(self):
        """As the master does it: a copy, retention, and the collection."""
        tenant, id = self.tenant, f"c{len(self.made):03}"
        tenant.attach(tenant.random.randbytes(2000))
        if len(tenant.names) > 5:
            tenant.names.remove(min(tenant.names))
        tenant.now = self.now
        tenant.back_up(self.store, id)
        self.made[id] = self.now, set(tenant.names)
        self.copies.append(Copy(id, self.now))
        keep = kept(self.copies, POLICY, self.now)
        leaving = [copy.id for copy in self.copies if copy.id not in keep]
        self.repository.delete_backups(leaving)
        self.copies = [copy for copy in self.copies if copy.id in keep]
        self.repository.collect(self.now.timestamp())
        assert set(self.repository.list_backups()) == self.wanted()

    def wanted(self):
        """What should be there, by a second way of finding it."""
        local = [(when.astimezone(BRUSSELS), id) for id, (when, _) in self.made.items()]
        found = set()
        for form, count in (("%Y-%m-%d", 7), ("%G-%V", 4), ("%Y-%m", 3)):
            last = {moment.strftime(form): id for moment, id in local}
            found |= set(list(last.values())[-count:])
        return found


@pytest.mark.parametrize("first", ["2026-01-15", "2026-08-01"])
@pytest.mark.case(
    did="the engine makes, prunes and collects copies for 120 simulated days in a "
    "directory, over a change of clocks, within a window that is missing on one of the "
    "days or there twice on another; in between files come and go",
    expected="one copy each local day; after each exactly those of 7 days, 4 weeks and "
    "3 months; at the end each of them restores, and no other object is left",
)
def test_t30_exactly_the_copies_that_should_exist(tmp_path, found, first):
    tenant = backup_bench.Tenant(tmp_path)
    (tmp_path / "store").mkdir()
    store = DirectoryStore(DirectoryConfig(str(tmp_path / "store")))
    begin = datetime.datetime.fromisoformat(first).replace(hour=12, tzinfo=BRUSSELS)
    life = Life(tenant, store, begin.astimezone(datetime.UTC))
    life.live(DAYS)

    days = [when.astimezone(BRUSSELS).date() for when, _ in life.made.values()][1:]
    assert all(later - day == DAY for day, later in itertools.pairwise(days))
    assert len(days) in (DAYS - 1, DAYS)
    offsets = {when.astimezone(BRUSSELS).utcoffset() for when, _ in life.made.values()}
    assert len(offsets) == 2, "a change of clocks is in it"
    assert 10 <= len(life.copies) <= 14
    for copy in life.copies:
        target = tmp_path / copy.id
        _archive, files = backup_bench.restore(life.repository, copy.id, target, tenant)
        assert set(files) == life.made[copy.id][1]
    # Two days on: what was marked is gone, and what is there is needed.
    life.repository.collect((life.now + DAY).timestamp())
    life.repository.collect((life.now + DAY * 2).timestamp())
    needed = {
        pack.id
        for copy in life.copies
        for pack in life.repository.read_manifest(copy.id).packs
    }
    there = {
        entry.key.rpartition("/")[2]
        for entry in store.entries(f"tenants/{tenant.uid}/{PACKS}/")
    }
    assert there == needed
    found(
        f"{len(life.made)} copies made, {len(life.copies)} left, all as counted by a "
        f"second way after each; {len(life.copies)} of {len(life.copies)} restore; "
        f"{len(there)} packs there, {len(needed)} needed"
    )


@pytest.mark.case(
    did="a tenant is erased; somebody has kept all of its objects but the sealed key, "
    "and lays them into the store again",
    expected="nothing of it is left in the store; neither the recovery key nor a key "
    "of the master's restores it",
)
def test_t30_an_erased_customer_cannot_be_restored(bench, tenant, fresh, found):
    bench.attach(tenant, 5)
    bench.run("backup", tenant, backup="b1")
    folder = f"/mnt/store/tenants/{tenant}"
    in_store(bench, f"cp -a {folder} /mnt/store/kept && rm /mnt/store/kept/key")
    alone = {"key": "", "recovery_key": RECOVERY[0], "to": fresh, "backup": "b1"}
    restore = bench.make_job("restore", tenant, **alone)
    erased, gone = bench.end_all(fresh, [bench.make_job("erase", tenant), restore])
    assert [key for key in bench.stored() if tenant in key] == []
    refused("key_missing", gone.answer)

    in_store(bench, f"mkdir -p /mnt/store/tenants && mv /mnt/store/kept {folder}")
    # The data key is destroyed in the master; whatever it makes anew is another one.
    anew = bench.keys[bench.add_tenant(schema="")]
    by_master = bench.make_job("restore", tenant, key=anew, to=fresh, backup="b1")
    by_recovery, by_master = bench.end_all(fresh, [restore, by_master])
    message = refused("key_missing", by_recovery.answer)
    again = refused("damaged", by_master.answer)
    count = erased.answer()["deleted"]
    assert bench.tables(fresh) == []
    found(f"{count} objects removed, 0 left; by the recovery key: “{message}”")
    found(f"what was kept, with a new key: “{again}”")


def in_store(bench, script):
    docker(
        *(
            "run",
            "--rm",
            *backup_bench_docker.MARK,
            "--volume",
            f"{bench.store}:/mnt/store",
        ),
        *(backup_bench_docker.IMAGE, "sh", "-c", script),
    )
