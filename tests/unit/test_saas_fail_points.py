"""Where tests have the worker die; and that nobody else meets such a point."""

from __future__ import annotations

import os
import signal
from concurrent.futures import ThreadPoolExecutor

import pytest

from odoo.addons.saas.engine import fail_points
from odoo.addons.saas.engine.fake import FakeDatabaseServer, FakeDriver

UID = "t0123456789ab"


class Files:
    def write(self, name, content):
        """Lay it nowhere."""

    def remove(self, name):
        """Leave it where it is not."""


@pytest.fixture
def directory(tmp_path, monkeypatch):
    monkeypatch.setenv(fail_points.SETTING, str(tmp_path))
    return tmp_path


@pytest.fixture
def passed(directory):
    """The points that were passed, as they are taken down."""
    trace = directory / fail_points.TRACE
    trace.touch()
    return lambda: trace.read_text().split()


@pytest.fixture
def killed(monkeypatch):
    kills = []
    monkeypatch.setattr(fail_points.os, "kill", lambda *call: kills.append(call))
    return kills


def test_without_the_setting_nothing_is_watched_and_nobody_dies(
    tmp_path, monkeypatch, killed
):
    monkeypatch.delenv(fail_points.SETTING, raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.before").touch()
    driver = FakeDriver()
    with fail_points.step("uid.stop.stop"):
        assert fail_points.watch(driver) is driver
    fail_points.pass_point("a.before")
    assert killed == []
    assert (tmp_path / "a.before").exists()


def test_outside_of_a_step_nothing_is_watched(directory):
    driver = FakeDriver()
    assert fail_points.watch(driver) is driver


def test_what_changes_something_has_a_point_before_and_after(passed):
    driver = FakeDriver()
    with fail_points.step("uid.stop.stop"):
        watched = fail_points.watch(driver)
    watched.stop(UID)
    watched.observe(UID)
    assert watched.list_state() == frozenset()
    assert driver.count("stop") == 1
    assert passed() == ["uid.stop.stop.stop.before", "uid.stop.stop.stop.after"]


def test_calls_of_a_verb_are_told_apart_in_the_same_way_in_each_life(passed):
    with fail_points.step("uid.erase.remove"):
        driver = fail_points.watch(FakeDriver())
        driver.delete_task(UID, "backup-12")
        fail_points.watch(driver).delete_task(UID, "seed")
        driver.delete_task(UID, "seed")
        files = fail_points.watch(Files())
        files.write(f"{UID}.yml", b"")
        files.remove(f"{UID}.json")
    assert [name.split(".")[3] for name in passed()[::2]] == [
        "delete_task-backup",
        "delete_task-seed",
        "delete_task-seed-2",
        "write-yml",
        "remove-json",
    ]


def test_a_connection_has_its_last_point_when_it_is_closed(passed):
    databases = FakeDatabaseServer()
    databases.ensure_role(UID, "secret", 8)
    databases.create_database(UID)
    with fail_points.step("uid.provision.identity"):
        watched = fail_points.watch(databases)
    with watched.connect(UID) as connection:
        connection.cursor().execute("SELECT 1")
        assert passed() == ["uid.provision.identity.connect.before"]
    assert passed()[1:] == ["uid.provision.identity.connect.after"]


def test_what_is_done_in_other_threads_belongs_to_the_step(passed):
    with fail_points.step("uid.provision.database"):
        driver = fail_points.watch(FakeDriver())
        with ThreadPoolExecutor() as pool:
            pool.submit(driver.stop, UID).result()
    assert passed()[0] == "uid.provision.database.stop.before"


def test_each_point_works_once_and_kills_without_any_clean_up(directory, killed):
    (directory / "uid.stop.page.before").touch()
    fail_points.pass_point("uid.stop.page.before")
    fail_points.pass_point("uid.stop.page.before")
    assert killed == [(os.getpid(), signal.SIGKILL)]


def test_who_reaches_a_point_waits_there_for_the_others(
    directory, passed, killed, monkeypatch
):
    own, other = (
        directory / "u.provision.place.before",
        directory / "v.erase.page.after",
    )
    for point in (own, other):
        point.touch()
    waited = []

    def sleep(_seconds):
        waited.append((own.exists(), bool(killed)))
        other.unlink()

    monkeypatch.setattr(fail_points.time, "sleep", sleep)
    fail_points.pass_point(own.name)
    assert waited == [(False, False)]
    assert len(killed) == 1
    assert passed() == [own.name]
