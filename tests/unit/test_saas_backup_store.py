"""The stores in a directory and in memory: the contract, and how a directory fails."""

from __future__ import annotations

import errno
import io
import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest
from store_contract import StoreContract

from odoo.addons.saas.engine.errors import RefusedError, RetryableError
from odoo.addons.saas_backup.engine import directory
from odoo.addons.saas_backup.engine.directory import DirectoryConfig, DirectoryStore
from odoo.addons.saas_backup.engine.fake import (
    FakeStore,
    FlakyStore,
    LostStore,
    RefusingStore,
)
from odoo.addons.saas_backup.engine.s3 import S3Config
from odoo.addons.saas_backup.engine.stores import (
    config_from_json,
    config_to_json,
    make_store,
)

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture
def folder(tmp_path):
    return DirectoryStore(DirectoryConfig(str(tmp_path)))


class TestDirectoryStore(StoreContract):
    @pytest.fixture
    def store(self, folder):
        return folder


class TestFakeStore(StoreContract):
    @pytest.fixture
    def store(self):
        return FakeStore()


def test_a_directory_that_is_not_mounted_is_never_made(tmp_path):
    store = DirectoryStore(DirectoryConfig(str(tmp_path / "disk")))
    for call in (
        store.check,
        lambda: store.put("a", io.BytesIO(b"x")),
        lambda: store.get_bytes("a"),
        lambda: store.head("a"),
        lambda: store.delete("a"),
        lambda: list(store.entries("")),
        lambda: store.abandon(0),
    ):
        with pytest.raises(RefusedError) as failure:
            call()
        assert failure.value.reason == "absent_directory"
        assert str(tmp_path / "disk") in failure.value.message
    assert not (tmp_path / "disk").exists()


@pytest.mark.parametrize(
    ("number", "kind", "reason"),
    [
        (errno.ENOSPC, RefusedError, "full"),
        (errno.EDQUOT, RefusedError, "full"),
        (errno.EACCES, RefusedError, "not_writable"),
        (errno.EROFS, RefusedError, "not_writable"),
        (errno.EIO, RetryableError, "unavailable"),
        (errno.ESTALE, RetryableError, "unavailable"),
    ],
)
def test_a_directory_that_fails_says_why_and_keeps_nothing_of_it(
    folder, monkeypatch, number, kind, reason
):
    def fail(descriptor, data):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(directory, "_write_all", fail)
    with pytest.raises(kind) as failure:
        folder.put("a", io.BytesIO(b"x"))
    assert failure.value.reason == reason
    assert os.strerror(number) in failure.value.message
    assert [path for path in folder.root.rglob("*") if path.is_file()] == []


def test_a_flipped_bit_on_the_disk_is_not_confirmed(folder):
    stored = folder.put("a", io.BytesIO(b"x" * 1000))
    path = folder.root / "a"
    path.write_bytes(path.read_bytes()[:500] + b"y" + b"x" * 499)
    with pytest.raises(RetryableError) as failure:
        folder.confirm(stored)
    assert failure.value.reason == "checksum"


def test_a_put_that_was_killed_shows_nothing_and_is_abandoned_later(folder):
    code = (
        "import sys, conftest\n"
        "from odoo.addons.saas_backup.engine.directory import *\n"
        "class Endless:\n"
        "    def read(self, size=-1):\n"
        "        print('reading', flush=True)\n"
        "        return b'x' * 1000\n"
        "DirectoryStore(DirectoryConfig(sys.argv[1])).put('a', Endless())\n"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", code, str(folder.root)],
        stdout=subprocess.PIPE,
        cwd=ROOT / "tests",
    )
    for _line in range(3):
        child.stdout.readline()
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdout.close()
    assert folder.head("a") is None
    assert list(folder.entries("")) == []
    assert folder.abandon(3600) == 0
    assert folder.abandon(0) == 1
    assert list(folder.root.iterdir()) == []


def test_an_object_is_readable_by_its_owner_alone(folder):
    folder.put_bytes("a/b", b"x")
    for path in (folder.root / "a",):
        assert path.stat().st_mode & 0o077 == 0


def test_a_deleted_object_leaves_no_empty_folders(folder):
    folder.put_bytes("a/b/c/d", b"x")
    folder.put_bytes("a/e", b"x")
    folder.delete("a/b/c/d")
    names = {path.name for path in folder.root.rglob("*")}
    assert names == {"a", "e", ".unfinished"}


def test_the_settings_of_a_store_survive_a_file():
    for config in (
        DirectoryConfig("/mnt/store"),
        S3Config("copies", prefix="a", secret_key="s", encryption="AES256"),
    ):
        assert config_from_json(config_to_json(config)) == config
    store = make_store(config_from_json({"kind": "directory", "path": "/mnt/store"}))
    assert str(store) == "The directory /mnt/store"


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"kind": "tape"},
        {"kind": "directory"},
        {"kind": "s3", "bucket": "a", "colour": "red"},
        {"kind": "s3", "bucket": "a", "encryption": "rot13"},
    ],
)
def test_settings_that_are_not_understood_are_refused(values):
    with pytest.raises(RefusedError) as failure:
        config_from_json(values)
    assert failure.value.reason == "bad_job"


def test_the_fakes_fail_as_they_are_called():
    with pytest.raises(RefusedError):
        RefusingStore(verbs=("put",)).put_bytes("a", b"x")
    flaky = FlakyStore()
    with pytest.raises(RetryableError):
        flaky.put_bytes("a", b"x")
    with pytest.raises(RetryableError):
        # The second put works, the first look at it does not.
        flaky.put_bytes("a", b"x")
    assert flaky.objects == {"a": b"x"}
    with pytest.raises(RetryableError):
        LostStore().check()
    assert time.time() - min(flaky.modified.values()) < 60
