"""The contract of every driver, as tests: one class, run on the fake and on real ones.

A subclass gives a ``bench``: the driver and, beside it, what its server looks like from
outside. What a server does slowly, ``Bench.settle`` waits for.
"""

from __future__ import annotations

import contextlib
import dataclasses
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator

import pytest

from odoo.addons.saas.engine.driver import (
    DATABASES,
    DatabaseSpec,
    Driver,
    Limits,
    Observation,
    Phase,
    TaskPhase,
    TaskSpec,
    TenantSpec,
)
from odoo.addons.saas.engine.errors import RefusedError, RetryableError

UID = "t0000000000a1"
OTHER = "t0000000000b2"
TEMPLATE = "tpl00000000c3"
SECRET = b"planted-secret-7f3a91"
SHARED = "saas-itest-copies"
SETTLE_SECONDS = 30.0


class Bench(ABC):
    """A driver with a server of its own, and a look at that server past the driver."""

    driver: Driver
    image: str
    missing_image: str
    limits = Limits(memory=64 * 2**20, cpus=0.5, processes=50)

    @abstractmethod
    def unreachable(self) -> Driver:
        """A driver of a server that does not answer."""

    @abstractmethod
    def put_foreign_container(self, uid: str) -> None:
        """Have something that is not ours carry the name of a tenant's container."""

    @abstractmethod
    def put_foreign_state(self, uid: str) -> None:
        """Have something that is not ours carry the name of a tenant's state."""

    @abstractmethod
    def foreign_is_untouched(self, uid: str) -> bool:
        """Whether what was put there is as it was."""

    @abstractmethod
    def containers(self, uid: str) -> list[str]:
        """Names of all containers of the tenant, its tasks' too."""

    @abstractmethod
    def start_of(self, uid: str) -> str:
        """Which container of the tenant it is, and since when it runs."""

    @abstractmethod
    def change_limits(self, uid: str) -> None:
        """Give the container less memory past the driver."""

    @abstractmethod
    def write_state(self, uid: str, name: str, content: bytes) -> None:
        """Lay a file into the tenant's state directory."""

    @abstractmethod
    def read_state(self, uid: str, name: str) -> bytes | None:
        """What a file of the state directory holds."""

    @abstractmethod
    def read_file(self, uid: str, name: str) -> bytes | None:
        """What a file of the spec holds, as the tenant's container sees it."""

    @abstractmethod
    def inspection(self, uid: str) -> str:
        """All that the server shows about the tenant's things."""

    @abstractmethod
    def without_databases(self) -> Driver:
        """A driver of the same server, which has no place for database servers."""

    @abstractmethod
    def put_foreign_database(self, uid: str) -> None:
        """Have something that is not ours carry the name of its database server."""

    @abstractmethod
    def start_of_database(self, uid: str) -> str:
        """Which database server of the tenant it is; empty where none runs."""

    @abstractmethod
    def lose_database(self, uid: str) -> None:
        """Remove the tenant's own database server, as by somebody's hand."""

    @abstractmethod
    def write_data(self, uid: str, name: str) -> None:
        """Lay a file beside the data of the tenant's own database server."""

    @abstractmethod
    def has_data(self, uid: str, name: str) -> bool:
        """Whether that file is there."""

    @abstractmethod
    def task(self, key: str, exit_code: int | None = 0, **more: object) -> TaskSpec:
        """A task that ends with that code; None for one that does not end."""

    @abstractmethod
    def state_volume(self, uid: str) -> str:
        """The name of the volume in which the tenant's state lies."""

    @abstractmethod
    def shared_volumes(self) -> set[str]:
        """The names of what tasks share and the driver has made."""

    @abstractmethod
    def everything(self) -> list[str]:
        """Names of all containers and volumes that are ours."""

    def spec(self, uid: str = UID, slot: int = 0, **more: object) -> TenantSpec:
        spec = TenantSpec(
            uid=uid,
            image=self.image,
            slot=slot,
            host=f"{uid}.odoo.localhost",
            limits=self.limits,
            files={"odoo.conf": b"db_password = " + SECRET},
        )
        return dataclasses.replace(spec, **more)

    def database(self, uid: str = UID, **more: object) -> DatabaseSpec:
        spec = DatabaseSpec(
            uid=uid,
            image=self.image,
            port=6000,
            limits=self.limits,
            connections=30,
            files={"saas_provisioner": SECRET},
        )
        return dataclasses.replace(spec, **more)

    def settle(self, uid: str, *phases: Phase) -> Observation:
        """Wait until the container is in one of those phases."""
        until = time.monotonic() + SETTLE_SECONDS
        while (seen := self.driver.observe(uid)).phase not in phases:
            assert time.monotonic() < until, f"{uid} is {seen}, not {phases}"
            time.sleep(0.05)
        return seen

    def finish(self, uid: str, key: str) -> TaskPhase:
        """Wait until a task has ended."""
        until = time.monotonic() + SETTLE_SECONDS
        while (seen := self.driver.observe_task(uid, key)).phase == TaskPhase.RUNNING:
            assert time.monotonic() < until, f"task {key} goes on"
            time.sleep(0.05)
        return seen.phase

    def run(self, spec: TenantSpec) -> Observation:
        self.driver.ensure(spec)
        return self.settle(spec.uid, Phase.RUNNING)


@contextlib.contextmanager
def refused(reason: str) -> Iterator[pytest.ExceptionInfo[RefusedError]]:
    with pytest.raises(RefusedError) as caught:
        yield caught
    assert caught.value.reason == reason, caught.value.message
    assert caught.value.message.endswith(".")


class DriverContract:
    """What holds for every driver."""

    @pytest.fixture
    def bench(self) -> Bench:
        raise NotImplementedError

    @pytest.fixture
    def driver(self, bench: Bench) -> Driver:
        return bench.driver

    # === THE SERVER === #

    def test_memory_and_disk_are_measured_and_nothing_is_left_of_it(
        self, bench, driver
    ):
        before = bench.everything()
        room = driver.measure()
        assert 0 < room.memory_free < room.memory
        assert 0 < room.disk_free < room.disk
        assert bench.everything() == before

    # === ABSENCE === #

    def test_what_is_absent_is_observed_as_absent(self, driver):
        assert driver.observe(UID) == Observation(UID, Phase.ABSENT)

    def test_deleting_what_is_absent_is_success(self, driver):
        driver.delete(UID, keep_data=False)
        driver.delete(UID, keep_data=True)
        assert driver.observe(UID).phase == Phase.ABSENT

    def test_stopping_what_is_absent_is_success(self, driver):
        driver.stop(UID)
        assert driver.observe(UID).phase == Phase.ABSENT

    @pytest.mark.parametrize("verb", ["start", "pause", "unpause"])
    def test_waking_what_is_absent_is_refused(self, driver, verb):
        with refused("absent"):
            getattr(driver, verb)(UID)

    def test_the_log_of_what_is_absent_is_empty(self, driver):
        assert driver.logs(UID) == ""

    def test_a_task_that_is_absent_is_observed_as_absent(self, driver):
        assert driver.observe_task(UID, "seed").phase == TaskPhase.ABSENT
        driver.delete_task(UID, "seed")

    # === MAKING === #

    def test_a_tenant_runs_with_the_files_of_its_spec(self, bench, driver):
        seen = bench.run(bench.spec())
        assert seen.spec_hash == driver.spec_hash(bench.spec())
        assert bench.read_file(UID, "odoo.conf") == b"db_password = " + SECRET

    def test_ensuring_twice_leaves_one_container_that_was_not_restarted(self, bench):
        bench.run(bench.spec())
        before = bench.start_of(UID)
        bench.driver.ensure(bench.spec())
        assert len(bench.containers(UID)) == 1
        assert bench.start_of(UID) == before

    def test_a_changed_spec_replaces_the_container_and_keeps_its_state(self, bench):
        bench.run(bench.spec())
        bench.write_state(UID, "photo", b"of the shop")
        changed = bench.spec(files={"odoo.conf": b"changed", "more.conf": b"new"})
        seen = bench.run(changed)
        assert seen.spec_hash == bench.driver.spec_hash(changed)
        assert seen.spec_hash != bench.driver.spec_hash(bench.spec())
        assert bench.read_file(UID, "odoo.conf") == b"changed"
        assert bench.read_state(UID, "photo") == b"of the shop"
        assert len(bench.containers(UID)) == 1

    def test_a_file_that_the_spec_no_longer_has_is_gone(self, bench):
        bench.run(bench.spec(files={"odoo.conf": b"a", "old.conf": b"b"}))
        bench.run(bench.spec(files={"odoo.conf": b"a"}))
        assert bench.read_file(UID, "old.conf") is None

    def test_another_host_name_does_not_replace_the_container(self, bench, driver):
        bench.run(bench.spec())
        renamed = bench.spec(host="beta.odoo.localhost")
        assert driver.spec_hash(renamed) == driver.spec_hash(bench.spec())

    @pytest.mark.parametrize(
        "change",
        [
            {"image": "saas-odoo:20.0"},
            {"slot": 7},
            {"limits": Limits(memory=128 * 2**20, cpus=0.5, processes=50)},
            {"files": {"odoo.conf": b"other"}},
            {"environment": {"LANG": "C.UTF-8"}},
        ],
        ids=lambda change: next(iter(change)),
    )
    def test_any_other_change_of_the_spec_changes_its_hash(self, bench, change):
        spec_hash = bench.driver.spec_hash
        assert spec_hash(bench.spec(**change)) != spec_hash(bench.spec())

    def test_a_missing_image_is_refused_and_leaves_no_container(self, bench, driver):
        with refused("image_missing") as caught:
            driver.ensure(bench.spec(image=bench.missing_image))
        assert bench.missing_image in caught.value.message
        assert driver.observe(UID).phase == Phase.ABSENT

    def test_a_slot_past_the_network_is_refused(self, bench, driver):
        with refused("no_room"):
            driver.ensure(bench.spec(slot=100_000))
        assert driver.observe(UID).phase == Phase.ABSENT

    def test_two_slots_answer_at_two_addresses(self, bench, driver):
        first = driver.target(bench.spec(slot=0))
        second = driver.target(bench.spec(uid=OTHER, slot=1))
        assert first.http != second.http
        assert first.http.startswith("http://")

    def test_websockets_go_where_a_process_of_their_own_takes_them(self, bench, driver):
        one, more = bench.spec(), bench.spec(evented=True)
        assert driver.target(one).websocket == driver.target(one).http
        assert driver.target(more).http == driver.target(one).http
        assert driver.target(more).websocket != driver.target(more).http

    def test_where_websockets_go_does_not_replace_the_container(self, bench, driver):
        bench.run(bench.spec())
        before = bench.start_of(UID)
        driver.ensure(bench.spec(evented=True))
        assert bench.start_of(UID) == before

    def test_preparing_twice_is_success_and_makes_the_check_pass(self, driver):
        driver.prepare()
        driver.prepare()
        assert driver.check()

    # === POWER === #

    def test_a_stopped_tenant_is_started_again(self, bench, driver):
        bench.run(bench.spec())
        driver.stop(UID)
        assert driver.observe(UID).phase == Phase.STOPPED
        driver.stop(UID)
        driver.start(UID)
        bench.settle(UID, Phase.RUNNING)
        driver.start(UID)
        assert driver.observe(UID).phase == Phase.RUNNING

    def test_a_paused_tenant_is_thawed_again(self, bench, driver):
        bench.run(bench.spec())
        driver.pause(UID)
        driver.pause(UID)
        assert driver.observe(UID).phase == Phase.PAUSED
        driver.unpause(UID)
        driver.unpause(UID)
        up = (Phase.RUNNING, Phase.STARTING)
        assert driver.observe(UID).phase in up
        assert [row.phase for row in driver.list_tenants() if row.phase not in up] == []
        bench.settle(UID, Phase.RUNNING)

    def test_a_stopped_tenant_cannot_be_paused(self, bench, driver):
        bench.run(bench.spec())
        driver.stop(UID)
        with refused("not_running"):
            driver.pause(UID)
        with refused("not_running"):
            driver.unpause(UID)

    def test_starting_a_paused_tenant_thaws_it(self, bench, driver):
        bench.run(bench.spec())
        driver.pause(UID)
        driver.start(UID)
        bench.settle(UID, Phase.RUNNING)

    def test_a_paused_tenant_can_be_stopped(self, bench, driver):
        bench.run(bench.spec())
        driver.pause(UID)
        driver.stop(UID)
        assert driver.observe(UID).phase == Phase.STOPPED

    @pytest.mark.parametrize("verb", ["stop", "pause"])
    def test_ensure_wakes_a_tenant_that_sleeps(self, bench, driver, verb):
        bench.run(bench.spec())
        getattr(driver, verb)(UID)
        driver.ensure(bench.spec())
        bench.settle(UID, Phase.RUNNING)
        assert len(bench.containers(UID)) == 1

    # === REMOVAL === #

    def test_deleting_twice_leaves_nothing(self, bench, driver):
        bench.run(bench.spec())
        driver.delete(UID, keep_data=False)
        driver.delete(UID, keep_data=False)
        assert driver.observe(UID).phase == Phase.ABSENT
        assert driver.list_state() == frozenset()
        assert bench.containers(UID) == []

    def test_deleting_can_keep_the_state_for_later(self, bench, driver):
        bench.run(bench.spec())
        bench.write_state(UID, "photo", b"of the shop")
        driver.delete(UID, keep_data=True)
        assert driver.observe(UID).phase == Phase.ABSENT
        assert driver.list_state() == {UID}
        bench.run(bench.spec())
        assert bench.read_state(UID, "photo") == b"of the shop"

    def test_a_paused_tenant_can_be_deleted(self, bench, driver):
        bench.run(bench.spec())
        driver.pause(UID)
        driver.delete(UID, keep_data=False)
        assert driver.observe(UID).phase == Phase.ABSENT

    def test_deleting_one_tenant_leaves_the_other(self, bench, driver):
        bench.run(bench.spec())
        bench.run(bench.spec(uid=OTHER, slot=1))
        driver.delete(UID, keep_data=False)
        assert driver.observe(OTHER).phase == Phase.RUNNING
        assert driver.list_state() == {OTHER}

    # === WHAT IS NOT OURS === #

    def test_a_foreign_container_is_never_adopted(self, bench, driver):
        bench.put_foreign_container(UID)
        with refused("foreign"):
            driver.ensure(bench.spec())
        assert bench.foreign_is_untouched(UID)

    @pytest.mark.parametrize("verb", ["observe", "start", "stop", "pause", "unpause"])
    def test_a_foreign_container_is_not_taken_for_the_tenants(
        self, bench, driver, verb
    ):
        bench.put_foreign_container(UID)
        with refused("foreign"):
            getattr(driver, verb)(UID)
        assert bench.foreign_is_untouched(UID)

    def test_a_foreign_container_is_neither_deleted_nor_listed(self, bench, driver):
        bench.put_foreign_container(UID)
        driver.delete(UID, keep_data=False)
        assert list(driver.list_tenants()) == []
        assert bench.foreign_is_untouched(UID)

    def test_a_foreign_state_is_never_adopted_nor_deleted(self, bench, driver):
        bench.put_foreign_state(UID)
        with refused("foreign"):
            driver.ensure(bench.spec())
        with refused("foreign"):
            driver.start_task(UID, bench.task("seed"))
        driver.delete(UID, keep_data=False)
        assert bench.foreign_is_untouched(UID)
        assert driver.list_state() == frozenset()
        assert bench.containers(UID) == []

    # === LISTS === #

    def test_lists_show_orphans_too(self, bench, driver):
        bench.run(bench.spec())
        bench.run(bench.spec(uid=OTHER, slot=1))
        driver.pause(OTHER)
        seen = {row.uid: row for row in driver.list_tenants()}
        assert {uid: row.phase for uid, row in seen.items()} == {
            UID: Phase.RUNNING,
            OTHER: Phase.PAUSED,
        }
        assert seen[UID].spec_hash == driver.spec_hash(bench.spec())
        assert driver.list_state() == {UID, OTHER}

    def test_events_tell_whose_container_changed(self, bench, driver):
        begin = time.time()
        bench.run(bench.spec())
        driver.stop(UID)
        end = time.time()
        events = list(driver.events(begin, end))
        assert {event.uid for event in events} == {UID}
        assert all(begin <= event.time <= end for event in events)
        assert list(driver.events(begin - 3600, begin - 1800)) == []

    def test_events_to_come_are_told_as_they_happen(self, bench, driver):
        bench.run(bench.spec())
        begin = time.time()
        events = driver.events(begin, begin + 60)
        driver.stop(UID)
        assert next(events).uid == UID
        assert time.time() < begin + 30

    def test_a_list_of_events_ends_when_it_was_asked_to(self, driver):
        begin = time.monotonic()
        assert list(driver.events(time.time(), time.time() + 1)) == []
        assert 0.9 < time.monotonic() - begin < 10

    def test_limits_that_somebody_changed_are_told_and_put_back(self, bench, driver):
        bench.run(bench.spec())
        before = bench.start_of(UID)
        assert not driver.observe(UID).changed
        bench.change_limits(UID)
        assert driver.observe(UID).changed
        assert [row.changed for row in driver.list_tenants(thoroughly=True)] == [True]
        driver.ensure(bench.spec())
        assert not driver.observe(UID).changed
        assert [row.changed for row in driver.list_tenants(thoroughly=True)] == [False]
        assert bench.start_of(UID) == before

    # === TASKS === #

    def test_a_task_ends_well(self, bench, driver):
        driver.start_task(UID, bench.task("seed"))
        assert bench.finish(UID, "seed") == TaskPhase.DONE
        assert driver.observe_task(UID, "seed").exit_code == 0

    def test_a_task_that_fails_says_so(self, bench, driver):
        driver.start_task(UID, bench.task("broken", exit_code=3))
        assert bench.finish(UID, "broken") == TaskPhase.FAILED
        assert driver.observe_task(UID, "broken").exit_code == 3

    def test_the_same_key_is_the_same_task(self, bench, driver):
        driver.start_task(UID, bench.task("init", exit_code=None))
        before = bench.containers(UID)
        driver.start_task(UID, bench.task("init", exit_code=None))
        assert driver.observe_task(UID, "init").phase == TaskPhase.RUNNING
        assert bench.containers(UID) == before
        assert len(before) == 1

    def test_a_task_that_ended_is_not_run_again(self, bench, driver):
        driver.start_task(UID, bench.task("broken", exit_code=3))
        bench.finish(UID, "broken")
        driver.start_task(UID, bench.task("broken", exit_code=0))
        assert driver.observe_task(UID, "broken").exit_code == 3

    def test_a_running_task_is_removed_and_leaves_nothing(self, bench, driver):
        driver.start_task(UID, bench.task("init", exit_code=None))
        driver.delete_task(UID, "init")
        driver.delete_task(UID, "init")
        assert driver.observe_task(UID, "init").phase == TaskPhase.ABSENT
        assert bench.containers(UID) == []

    def test_a_task_is_no_tenant(self, bench, driver):
        driver.start_task(UID, bench.task("init", exit_code=None))
        assert list(driver.list_tenants()) == []
        assert driver.observe(UID).phase == Phase.ABSENT
        assert driver.list_state() == {UID}

    def test_deleting_a_tenant_removes_its_tasks(self, bench, driver):
        driver.start_task(UID, bench.task("init", exit_code=None))
        driver.delete(UID, keep_data=False)
        assert driver.observe_task(UID, "init").phase == TaskPhase.ABSENT
        assert bench.containers(UID) == []
        assert driver.list_state() == frozenset()

    def test_a_task_whose_source_is_missing_is_refused(self, bench, driver):
        with refused("source_missing"):
            driver.start_task(UID, bench.task("seed", source=TEMPLATE))
        assert driver.list_state() == frozenset()

    def test_a_volume_of_tasks_is_made_and_outlives_the_tenant(self, bench, driver):
        for uid in (UID, OTHER):
            task = bench.task("backup", volumes={SHARED: "/mnt/store"})
            driver.start_task(uid, task)
            assert bench.finish(uid, "backup") == TaskPhase.DONE
        assert bench.shared_volumes() == {SHARED}
        for uid in (UID, OTHER):
            driver.delete(uid, keep_data=False)
        assert bench.shared_volumes() == {SHARED}
        assert driver.list_state() == frozenset()

    def test_a_volume_of_a_tenant_is_never_shared_by_a_task(self, bench, driver):
        bench.run(bench.spec())
        volume = bench.state_volume(UID)
        task = bench.task("backup", volumes={volume: "/mnt/store"})
        with refused("foreign") as caught:
            driver.start_task(OTHER, task)
        assert volume in caught.value.message
        assert driver.observe_task(OTHER, "backup").phase == TaskPhase.ABSENT

    # === DATABASE SERVERS OF TENANTS' OWN === #

    def test_its_own_database_server_runs_beside_a_tenant_and_is_none(
        self, bench, driver
    ):
        assert DATABASES in driver.capabilities()
        bench.run(bench.spec(database=bench.database()))
        assert bench.start_of_database(UID)
        assert [seen.uid for seen in driver.list_tenants()] == [UID]

    def test_ensuring_a_database_server_twice_leaves_one_that_was_not_restarted(
        self, bench, driver
    ):
        driver.ensure_database(bench.database())
        before = bench.start_of_database(UID)
        driver.ensure_database(bench.database())
        driver.ensure(bench.spec(database=bench.database()))
        assert bench.start_of_database(UID) == before

    @pytest.mark.parametrize(
        "change",
        [
            {"connections": 40},
            {"port": 6001},
            {"limits": Limits(memory=128 * 2**20, cpus=0.5, processes=50)},
            {"files": {"saas_provisioner": b"other"}},
        ],
        ids=lambda change: next(iter(change)),
    )
    def test_a_changed_database_server_is_replaced_and_keeps_its_data(
        self, bench, driver, change
    ):
        driver.ensure_database(bench.database())
        before = bench.start_of_database(UID)
        bench.write_data(UID, "kept")
        driver.ensure_database(bench.database(**change))
        assert bench.start_of_database(UID) not in ("", before)
        assert bench.has_data(UID, "kept")

    def test_only_whether_it_has_one_changes_the_tenants_own_container(self, bench):
        spec_hash, one = bench.driver.spec_hash, bench.database()
        having = spec_hash(bench.spec(database=one))
        assert having != spec_hash(bench.spec())
        other = bench.database(connections=40)
        assert spec_hash(bench.spec(database=other)) == having

    def test_a_tenant_whose_database_server_is_lost_has_failed_until_it_is_back(
        self, bench, driver
    ):
        spec = bench.spec(database=bench.database())
        bench.run(spec)
        bench.write_data(UID, "kept")
        bench.lose_database(UID)
        seen = driver.observe(UID)
        assert (seen.phase, seen.message) == (
            Phase.FAILED,
            "Its own database server does not run.",
        )
        assert [row.phase for row in driver.list_tenants()] == [Phase.FAILED]
        bench.run(spec)
        assert bench.has_data(UID, "kept")

    def test_a_stopped_tenant_keeps_its_database_server(self, bench, driver):
        bench.run(bench.spec(database=bench.database()))
        before = bench.start_of_database(UID)
        driver.stop(UID)
        assert bench.settle(UID, Phase.STOPPED)
        assert bench.start_of_database(UID) == before

    def test_a_database_server_goes_with_its_tenant(self, bench, driver):
        bench.run(bench.spec(database=bench.database()))
        driver.delete(UID, keep_data=False)
        assert bench.everything() == []
        assert driver.list_state() == frozenset()

    def test_its_data_can_be_kept_for_later(self, bench, driver):
        driver.ensure_database(bench.database())
        bench.write_data(UID, "kept")
        driver.delete(UID, keep_data=True)
        assert bench.start_of_database(UID) == ""
        assert driver.list_state() == {UID}
        driver.ensure_database(bench.database())
        assert bench.has_data(UID, "kept")

    def test_a_foreign_database_server_is_neither_adopted_nor_removed(
        self, bench, driver
    ):
        bench.put_foreign_database(UID)
        before = bench.start_of_database(UID)
        with refused("foreign"):
            driver.ensure_database(bench.database())
        driver.delete(UID, keep_data=False)
        assert bench.start_of_database(UID) == before

    def test_a_missing_image_of_a_database_server_is_told(self, bench, driver):
        with refused("image_missing") as caught:
            driver.ensure_database(bench.database(image=bench.missing_image))
        assert bench.missing_image in caught.value.message
        assert bench.start_of_database(UID) == ""

    def test_a_server_without_place_for_them_refuses_database_servers(self, bench):
        driver = bench.without_databases()
        assert DATABASES not in driver.capabilities()
        with refused("no_databases"):
            driver.ensure(bench.spec(database=bench.database()))
        assert driver.observe(UID).phase == Phase.ABSENT

    def test_a_task_reaches_the_database_server_that_it_names(self, bench, driver):
        with refused("source_missing") as caught:
            driver.start_task(OTHER, bench.task("bring", database=UID))
        assert UID in caught.value.message
        driver.ensure_database(bench.database())
        driver.start_task(OTHER, bench.task("bring", database=UID))
        assert bench.finish(OTHER, "bring") == TaskPhase.DONE

    # === SECRETS AND FAULTS === #

    def test_a_secret_is_seen_neither_in_text_nor_in_an_inspection(self, bench, driver):
        secret = SECRET.decode()
        database = bench.database()
        bench.run(bench.spec(database=database))
        task = bench.task("init", exit_code=None, files={"odoo.conf": SECRET})
        driver.start_task(UID, task)
        shown = bench.inspection(UID)
        assert UID in shown
        for text in (shown, *map(repr, (bench.spec(), database, task, driver))):
            assert secret not in text

    def test_a_server_that_does_not_answer_is_no_absence(self, bench):
        driver = bench.unreachable()
        calls = [
            driver.check,
            driver.prepare,
            lambda: driver.ensure(bench.spec()),
            lambda: driver.observe(UID),
            driver.list_tenants,
            driver.list_state,
            driver.measure,
            lambda: driver.start(UID),
            lambda: driver.stop(UID),
            lambda: driver.delete(UID, keep_data=False),
            lambda: driver.start_task(UID, bench.task("seed")),
            lambda: driver.observe_task(UID, "seed"),
            lambda: driver.delete_task(UID, "seed"),
            lambda: driver.logs(UID),
            lambda: driver.events(0, time.time()),
        ]
        for call in calls:
            with pytest.raises(RetryableError) as caught:
                call()
            assert caught.value.reason == "unreachable"
