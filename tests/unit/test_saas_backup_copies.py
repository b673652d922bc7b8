"""Copies: nothing sent twice, nothing lost, and nothing passes that is not good."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import time
import zlib

import pytest
from backup_bench import RECOVERY, UID, Target, Tenant, restore

from odoo.addons.saas.engine import sealing
from odoo.addons.saas.engine.errors import RefusedError, RetryableError
from odoo.addons.saas_backup.engine import files, keys, repository
from odoo.addons.saas_backup.engine.backup import describe, make_backup
from odoo.addons.saas_backup.engine.directory import DirectoryConfig, DirectoryStore
from odoo.addons.saas_backup.engine.fake import FakeStore, FlakyStore, LostStore
from odoo.addons.saas_backup.engine.manifest import FORMAT, from_bytes, to_bytes
from odoo.addons.saas_backup.engine.repository import Repository, list_tenants
from odoo.addons.saas_backup.engine.restore import restore_backup

DAY = 24 * 3600


@pytest.fixture
def store():
    return FakeStore()


@pytest.fixture
def tenant(tmp_path):
    return Tenant(tmp_path / "filestore")


@pytest.fixture
def target(tmp_path):
    return tmp_path / "restored"


def keys_of(store, kind):
    return [key for key in store.objects if f"/{kind}/" in key]


def refused(reason, call):
    with pytest.raises(RefusedError) as failure:
        call()
    assert failure.value.reason == reason, failure.value.message
    assert failure.value.message.endswith(".")
    return failure.value.message


# === ROUND TRIP === #


def test_what_was_copied_is_what_is_restored(store, tenant, target):
    tenant.attach_many(30)
    tenant.attach(b"")
    tenant.attach(b"text " * 9000)
    large = tenant.attach(os.urandom(files.PACK_SIZE + 5))
    made = tenant.back_up(store, "b1", reason="schedule")
    assert made.state == "made"
    archive, found = restore(tenant.repository(store), "b1", target, tenant)
    assert archive == tenant.archive
    assert set(found) == tenant.names
    for name, content in found.items():
        assert hashlib.sha1(content).hexdigest() == name
    assert len(found[large]) == files.PACK_SIZE + 5


def test_a_copy_says_what_it_is(store, tenant):
    tenant.attach_many(3, 1000)
    result = tenant.back_up(store, "b1", reason="before an upgrade")
    answer = describe(result)
    size = sum(
        len(data)
        for key, data in store.objects.items()
        if "/packs/" in key or "/databases/" in key
    )
    everything = sum(len(data) for data in store.objects.values())
    key_file = len(store.objects[f"tenants/{UID}/key"])
    assert answer == {
        "state": "made",
        "backup": "b1",
        "date": "2026-11-21T12:00:00+00:00",
        "size": size,
        "sent": everything - key_file,
        "database_size": 9000,
        "files": 3,
        "files_size": 3000,
        "files_sent": 3,
        "missing": 0,
        "elsewhere": 0,
        "rows": {"res_partner": 3},
        "modules": 2,
        "odoo_version": "19.0",
        "image": "saas-odoo:19.0",
    }
    assert tenant.repository(store).read_manifest("b1").reason == "before an upgrade"


def test_nothing_in_the_store_can_be_read(store, tenant):
    name = tenant.attach(b"planted words in a document" * 50)
    tenant.back_up(store)
    everything = b"".join(store.objects.values()) + "".join(store.objects).encode()
    for secret in (b"planted words", name.encode(), b"archive 1", b"res_partner"):
        assert secret not in everything
    assert tenant.key.encode() not in everything


# === NOTHING TWICE === #


def test_no_file_is_sent_twice(store, tenant):
    tenant.attach_many(200)
    tenant.back_up(store)
    before = store.received
    tenant.attach_many(2)
    result = tenant.back_up(store)
    assert result.files_sent == 2
    assert result.manifest.files == 202
    assert result.sent == store.received - before
    # The two files, the dump, two indexes and a list of 202 files.
    assert result.sent < 2 * 1000 + 9000 + 202 * 60


def test_files_that_came_back_are_not_sent_again(store, tenant):
    name = tenant.attach(b"comes and goes")
    tenant.back_up(store)
    tenant.names.remove(name)
    tenant.attach_many(1)
    tenant.back_up(store)
    tenant.names.add(name)
    tenant.changes += 1
    assert tenant.back_up(store).files_sent == 0


def test_small_files_share_packs_and_large_ones_do_not(store, tenant, monkeypatch):
    monkeypatch.setattr(files, "PACK_SIZE", 10_000)
    tenant.attach_many(25, 1000)
    tenant.attach_many(2, 10_001)
    tenant.back_up(store)
    assert len(keys_of(store, "packs")) == 3 + 2
    assert len(keys_of(store, "indexes")) == 5


def test_texts_are_compressed_and_what_cannot_be_is_left(store, tenant):
    tenant.attach(b"a line of text\n" * 10_000)
    tenant.back_up(store)
    (key,) = keys_of(store, "packs")
    assert len(store.objects[key]) < 2000
    tenant.attach_many(1, 100_000)
    assert tenant.back_up(store).manifest.packs[-1].encoding == "raw"


def test_a_tenant_that_did_not_change_costs_nothing(store, tenant):
    tenant.attach_many(20)
    first = tenant.back_up(store)
    before = dict(store.objects), store.received
    second = tenant.back_up(store)
    assert second.state == "unchanged"
    assert second.manifest == first.manifest
    assert second.sent == 0
    assert (store.objects, store.received) == before


@pytest.mark.parametrize(
    "change",
    [
        lambda tenant, store: setattr(tenant, "changes", 99),
        lambda tenant, store: setattr(tenant, "quiet", False),
        lambda tenant, store: store.delete(keys_of(store, "packs")[0]),
        lambda tenant, store: store.delete(keys_of(store, "databases")[0]),
        lambda tenant, store: store.objects.update(
            {keys_of(store, "databases")[0]: b"cut"}
        ),
    ],
    ids=["changed", "at work", "pack lost", "dump lost", "dump cut"],
)
def test_a_tenant_is_copied_where_the_newest_copy_is_not_surely_right(
    store, tenant, target, change
):
    tenant.attach_many(3)
    tenant.back_up(store)
    change(tenant, store)
    result = tenant.back_up(store, "b2")
    assert result.state == "made"
    assert set(restore(tenant.repository(store), "b2", target, tenant)[1]) == (
        tenant.names
    )


def test_an_unchanged_tenant_is_copied_when_that_is_insisted_on(store, tenant):
    tenant.back_up(store)
    assert tenant.back_up(store, force=True).state == "made"
    assert tenant.back_up(store, image="saas-odoo:20.0").state == "made"


def test_a_copy_after_a_damaged_one_takes_nothing_of_it_for_granted(
    store, tenant, target
):
    tenant.attach_many(30)
    tenant.back_up(store, "b1")
    for key in keys_of(store, "packs"):
        data = store.objects[key]
        store.objects[key] = data[:-9] + bytes([data[-9] ^ 1]) + data[-8:]
    tenant.back_up(store, "b2", force=True)
    refused("damaged", lambda: restore(tenant.repository(store), "b2", target, tenant))
    made = tenant.back_up(store, "b3", fresh=True)
    assert (made.state, made.files_sent) == ("made", 30)
    # The next one has the whole packs again, not those beside them.
    assert tenant.back_up(store, "b4", force=True).files_sent == 0
    for id in ("b3", "b4"):
        folder = target.with_name(id)
        _archive, found = restore(tenant.repository(store), id, folder, tenant)
        assert set(found) == tenant.names


def test_the_same_id_again_is_the_same_copy(store, tenant):
    first = tenant.back_up(store, "b1")
    tenant.attach_many(1)
    before = store.received
    again = tenant.back_up(store, "b1")
    assert (again.state, again.manifest) == ("made", first.manifest)
    assert store.received == before


def test_a_copy_that_is_there_needs_no_database(store, tenant):
    first = tenant.back_up(store, "b1")
    tenant.away = RetryableError("It is away.", reason="unreachable")
    assert tenant.back_up(store, "b1").manifest == first.manifest
    with pytest.raises(RetryableError, match="away"):
        tenant.back_up(store, "b2")
    assert len(keys_of(store, "backups")) == 1


def test_what_is_wrong_with_the_store_is_told_before_anything_else(store, tenant):
    tenant.back_up(store, "b1")
    tenant.away = RetryableError("It is away.", reason="unreachable")
    tenant.key = sealing.derive(sealing.new_data_key(), "backup")
    refused("key_wrong", lambda: tenant.back_up(store, "b2"))


@pytest.mark.parametrize("end", ["made", "unchanged", "refused", "lost"])
def test_no_connection_stays_open_however_a_copy_ends(store, tenant, end):
    tenant.back_up(store, "b1")

    def lose():
        raise RetryableError("It is lost.", reason="unreachable")

    if end == "refused":
        tenant.key = sealing.derive(sealing.new_data_key(), "backup")
    tenant.meanwhile = lose
    with contextlib.suppress(RefusedError, RetryableError):
        result = tenant.back_up(
            store, "b1" if end == "made" else "b2", force=end == "lost"
        )
        assert result.state == end
    assert tenant.connections == 0


def test_a_filestore_is_restored_where_folders_take_no_mark(
    store, tenant, target, monkeypatch
):
    def refuse(*_arguments):
        raise OSError(errno.ENOTTY, os.strerror(errno.ENOTTY))

    monkeypatch.setattr(files.fcntl, "ioctl", refuse)
    tenant.attach_many(3)
    tenant.back_up(store, "b1")
    __, found = restore(tenant.repository(store), "b1", target, tenant)
    assert set(found) == tenant.names


# === WHAT THE TENANT DOES MEANWHILE === #


def test_files_that_come_during_the_copy_are_in_the_next_one(store, tenant, target):
    tenant.attach_many(5)
    before = set(tenant.names)
    tenant.meanwhile = lambda: tenant.attach_many(5)
    tenant.back_up(store, "b1")
    __, found = restore(tenant.repository(store), "b1", target, tenant)
    assert set(found) == before


def test_a_file_that_is_not_there_or_not_itself_is_named(store, tenant, target):
    good, gone, torn, link, pipe = (
        tenant.attach(word) for word in (b"good", b"gone", b"torn", b"link", b"pipe")
    )
    large = tenant.attach(os.urandom(files.PACK_SIZE + 1))
    with tenant.path(large).open("ab") as file:
        file.write(b"x")
    tenant.path(gone).unlink()
    tenant.path(torn).write_bytes(b"to")
    tenant.path(link).unlink()
    tenant.path(link).symlink_to("/etc/passwd")
    tenant.path(pipe).unlink()
    os.mkfifo(tenant.path(pipe))
    result = tenant.back_up(store, "b1")
    assert result.manifest.missing == tuple(sorted((gone, torn, link, pipe, large)))
    assert describe(result)["missing"] == 5
    __, found = restore(tenant.repository(store), "b1", target, tenant)
    assert found == {good: b"good"}


def test_a_dump_that_breaks_makes_no_copy(store, tenant):
    def die():
        raise RetryableError("The dump was killed.", reason="killed")

    tenant.meanwhile = die
    with pytest.raises(RetryableError) as failure:
        tenant.back_up(store)
    assert failure.value.reason == "killed"
    assert list(store.objects) == [f"tenants/{UID}/key"]


def test_a_copy_that_takes_half_a_day_does_not_count(store, tenant):
    times = iter([0, repository.LONGEST_BACKUP + 1])
    with pytest.raises(RetryableError) as failure:
        make_backup(
            tenant.repository(store), tenant, tenant.request("b1"), lambda: next(times)
        )
    assert failure.value.reason == "took_too_long"
    assert tenant.repository(store).list_backups() == []


# === KILLS === #


class KilledHere(BaseException):
    """Ends a call as a kill would."""


class DyingStore(FakeStore):
    """Dies before or after its n-th change."""

    def __init__(self):
        super().__init__()
        self.left = 10**9

    def _change(self):
        self.left -= 1
        if self.left < 0:
            raise KilledHere

    def put(self, key, stream):
        self._change()
        stored = super().put(key, stream)
        self._change()
        return stored

    def delete(self, key):
        self._change()
        super().delete(key)
        self._change()


def after_each_kill(call, make):
    """Kill the call at its 1st, 2nd, … change; a new bench each time."""
    for count in range(200):
        bench = make()
        bench[0].left = count
        try:
            call(*bench)
        except KilledHere:
            bench[0].left = 10**9
            yield bench
            continue
        assert count > 5
        return
    raise AssertionError("it never ended")


def test_a_copy_killed_at_any_point_is_made_by_the_next_try(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "PACK_SIZE", 3000)
    numbers = iter(range(1000))

    def make():
        tenant = Tenant(tmp_path / f"f{next(numbers)}")
        tenant.attach_many(12)
        return DyingStore(), tenant

    kills = 0
    for store, tenant in after_each_kill(
        lambda store, tenant: tenant.back_up(store, "b1"), make
    ):
        kills += 1
        tenant.back_up(store, "b1")
        folder = tmp_path / f"r{kills}"
        found = restore(tenant.repository(store), "b1", folder, tenant)[1]
        assert set(found) == tenant.names
        # At most the pack that was under way was sent twice.
        sent = sum(len(store.objects[key]) for key in keys_of(store, "packs"))
        assert sent < 12 * 1000 + 4000 + 600
        collect_all(tenant, store)
        assert_nothing_lies_about(tenant, store)
    assert kills > 15


def test_a_collection_killed_at_any_point_harms_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "PACK_SIZE", 3000)
    numbers = iter(range(1000))

    def make():
        tenant = Tenant(tmp_path / f"f{next(numbers)}")
        store = DyingStore()
        old = tenant.attach_many(9)
        tenant.back_up(store, "b1")
        tenant.names -= set(old)
        tenant.attach_many(4)
        tenant.back_up(store, "b2")
        return store, tenant

    def call(store, tenant):
        tenant.repository(store).delete_backups(["b1"])
        collect_all(tenant, store)

    kills = 0
    for store, tenant in after_each_kill(call, make):
        kills += 1
        tenant.repository(store).delete_backups(["b1"])
        collect_all(tenant, store)
        folder = tmp_path / f"r{kills}"
        restore(tenant.repository(store), "b2", folder, tenant)
        assert_nothing_lies_about(tenant, store)
    assert kills > 10


def collect_all(tenant, store):
    now = time.time()
    for days in range(3):
        tenant.repository(store).collect(now + days * DAY)


def assert_nothing_lies_about(tenant, store):
    """All that is in the store is what the copies that exist refer to."""
    repo = tenant.repository(store)
    wanted = {f"tenants/{tenant.uid}/key"}
    for id in repo.list_backups():
        made = repo.read_manifest(id)
        wanted |= {repo.key_of("backups", id), repo.key_of("databases", made.dump)}
        for pack in made.packs:
            wanted |= {repo.key_of("packs", pack.id), repo.key_of("indexes", pack.id)}
    assert set(store.objects) - {f"tenants/{tenant.uid}/garbage"} == wanted


@pytest.mark.parametrize("late", [False, True])
def test_a_store_that_stumbles_costs_tries_and_nothing_else(tenant, target, late):
    store = FlakyStore(failures=2, late=late)
    tenant.attach_many(3)
    tries = 0
    while True:
        tries += 1
        try:
            tenant.back_up(store, "b1")
            break
        except RetryableError as error:
            assert error.reason == "timeout"
            assert tries < 20
    store.failures = 0
    found = restore(tenant.repository(store), "b1", target, tenant)[1]
    assert set(found) == tenant.names


def test_a_store_that_cannot_be_reached_is_no_empty_store(tenant):
    store = LostStore()
    with pytest.raises(RetryableError):
        tenant.back_up(store)
    with pytest.raises(RetryableError):
        tenant.repository(store).collect()


def test_a_pack_that_arrives_altered_does_not_count(tenant):
    class Flipping(FakeStore):
        def put(self, key, stream):
            stored = super().put(key, stream)
            if "/packs/" in key:
                data = self.objects[key]
                self.objects[key] = data[:-1] + bytes([data[-1] ^ 1])
            return stored

    store = Flipping()
    tenant.attach_many(1)
    with pytest.raises(RetryableError) as failure:
        tenant.back_up(store)
    assert failure.value.reason == "checksum"
    assert tenant.repository(store).list_backups() == []


# === TWO AT ONCE === #


def test_two_copies_at_once_are_both_good(store, tenant, tmp_path):
    tenant.attach_many(5)
    inner = []

    def second():
        if not inner:
            inner.append(None)
            inner[0] = tenant.back_up(store, "b2")

    tenant.meanwhile = second
    tenant.back_up(store, "b1")
    for id in ("b1", "b2"):
        folder = tmp_path / id
        assert set(restore(tenant.repository(store), id, folder, tenant)[1]) == (
            tenant.names
        )


def test_the_same_copy_twice_at_once_is_one_good_copy(store, tenant, target):
    tenant.attach_many(5)
    done = []

    def second():
        if not done:
            done.append(True)
            tenant.back_up(store, "b1")

    tenant.meanwhile = second
    tenant.back_up(store, "b1")
    assert tenant.repository(store).list_backups() == ["b1"]
    restore(tenant.repository(store), "b1", target, tenant)
    collect_all(tenant, store)
    assert len(keys_of(store, "databases")) == 1


# === GARBAGE === #


def test_what_no_copy_needs_is_removed_a_day_after_it_was_marked(store, tenant):
    old = tenant.attach_many(3)
    tenant.back_up(store, "b1")
    tenant.names -= set(old)
    tenant.attach_many(2)
    tenant.back_up(store, "b2")
    repo = tenant.repository(store)
    assert repo.collect(1e9) == repository.Collected(0, 0, 0)
    assert repo.delete_backups(["b1"]) == 1
    assert repo.delete_backups(["b1"]) == 0
    assert len(keys_of(store, "databases")) == 1
    assert repo.collect(1e9) == repository.Collected(2, 0, 0)
    assert repo.collect(1e9 + DAY - 1) == repository.Collected(0, 0, 0)
    before = sum(map(len, store.objects.values()))
    done = repo.collect(1e9 + DAY)
    assert (done.marked, done.deleted) == (0, 2)
    assert before - sum(map(len, store.objects.values())) == done.freed
    assert_nothing_lies_about(tenant, store)


def test_a_collection_beside_a_running_copy_takes_nothing_from_it(
    store, tenant, target
):
    """All but the last copy are deleted while one that counts on them is made."""
    tenant.attach_many(5)
    tenant.back_up(store, "b1")
    tenant.attach_many(1)
    repo = tenant.repository(store)

    def clean():
        repo.delete_backups(["b1"])
        assert repo.collect(1e9).marked == 2

    tenant.meanwhile = clean
    made = tenant.back_up(store, "b2")
    # It sends again what was marked before it looked for it.
    assert made.files_sent in (1, 6)
    repo.collect(1e9 + DAY)
    restore(repo, "b2", target, tenant)


@pytest.mark.parametrize("moment", ["dump", "files", "manifest"])
def test_a_collection_at_any_moment_of_a_copy_takes_nothing_from_it(
    tenant, target, moment
):
    class Watching(FakeStore):
        watching = False

        def put(self, key, stream):
            kind = {"databases": "dump", "packs": "files", "backups": "manifest"}
            if self.watching and kind.get(key.split("/")[2]) == moment:
                self.watching = False
                repo = tenant.repository(self)
                repo.delete_backups(["b1"])
                # As late as a copy can still be running.
                repo.collect(1e9)
                repo.collect(1e9 + repository.LONGEST_BACKUP)
            return super().put(key, stream)

    store = Watching()
    tenant.attach_many(5)
    tenant.back_up(store, "b1")
    tenant.attach_many(1)
    store.watching = True
    tenant.back_up(store, "b2")
    tenant.repository(store).collect(1e9 + DAY)
    tenant.repository(store).collect(1e9 + 2 * DAY)
    restore(tenant.repository(store), "b2", target, tenant)
    assert_nothing_lies_about(tenant, store)


def test_a_marked_pack_is_never_used_again(store, tenant, target):
    old = tenant.attach_many(3)
    tenant.back_up(store, "b1")
    tenant.names -= set(old)
    tenant.changes += 1
    tenant.back_up(store, "b2")
    repo = tenant.repository(store)
    repo.delete_backups(["b1"])
    repo.collect(1e9)
    # They come back in the last minute.
    tenant.names |= set(old)
    tenant.changes += 1
    assert tenant.back_up(store, "b3").files_sent == 3
    assert repo.collect(1e9 + DAY).deleted == 2
    restore(repo, "b3", target, tenant)


def test_a_copy_that_cannot_be_read_stops_the_collection(store, tenant):
    tenant.attach_many(1)
    tenant.back_up(store, "b1")
    store.objects[f"tenants/{UID}/backups/b1"] = b"damaged"
    with pytest.raises(RefusedError) as failure:
        tenant.repository(store).collect()
    assert failure.value.reason == "damaged"
    assert keys_of(store, "packs")


# === WHAT IS NOT GOOD === #


def flip(store, key, place=-5):
    data = bytearray(store.objects[key])
    data[place] ^= 8
    store.objects[key] = bytes(data)


@pytest.mark.parametrize("kind", ["databases", "packs", "backups"])
def test_a_flipped_bit_is_found_and_leaves_nothing_behind(store, tenant, target, kind):
    tenant.attach_many(3)
    tenant.back_up(store, "b1")
    flip(store, keys_of(store, kind)[0])
    message = refused(
        "damaged", lambda: restore(tenant.repository(store), "b1", target, tenant)
    )
    assert "Use another copy." in message
    assert not target.exists()
    assert list(target.parent.glob(".restore-*")) == []


@pytest.mark.parametrize("kind", ["databases", "packs", "backups"])
def test_a_lost_object_is_named(store, tenant, target, kind):
    tenant.attach_many(3)
    tenant.back_up(store, "b1")
    key = keys_of(store, kind)[0]
    store.delete(key)
    message = refused(
        "missing", lambda: restore(tenant.repository(store), "b1", target, tenant)
    )
    assert key in message


def test_two_packs_cannot_change_places(store, tenant, target, monkeypatch):
    monkeypatch.setattr(files, "PACK_SIZE", 1000)
    tenant.attach_many(2)
    tenant.back_up(store, "b1")
    first, second = keys_of(store, "packs")
    store.objects[first], store.objects[second] = (
        store.objects[second],
        store.objects[first],
    )
    refused("damaged", lambda: restore(tenant.repository(store), "b1", target, tenant))


def test_a_copy_cannot_be_laid_in_another_ones_place(store, tenant, target):
    tenant.back_up(store, "b1")
    tenant.attach_many(1)
    tenant.back_up(store, "b2")
    store.objects[f"tenants/{UID}/backups/b2"] = store.objects[
        f"tenants/{UID}/backups/b1"
    ]
    refused("damaged", lambda: tenant.repository(store).read_manifest("b2"))


def test_a_damaged_newest_copy_keeps_nobody_from_making_another(store, tenant, target):
    tenant.attach_many(3)
    tenant.back_up(store, "b1")
    tenant.attach_many(3)
    tenant.back_up(store, "b2")
    flip(store, f"tenants/{UID}/backups/b2")
    result = tenant.back_up(store, "b3")
    # The packs of the damaged one are found by their indexes.
    assert result.files_sent == 0
    restore(tenant.repository(store), "b3", target, tenant)


def test_a_manifest_of_a_newer_version_is_refused_with_a_sentence(store, tenant):
    made = tenant.back_up(store, "b1").manifest
    values = json.loads(zlib.decompress(to_bytes(made)))
    newer = zlib.compress(json.dumps(values | {"format": FORMAT + 1}).encode())
    tenant.repository(store).put("backups", "b2", [newer])
    message = refused("newer", lambda: tenant.repository(store).read_manifest("b2"))
    assert "has the format 3, and this program knows formats up to 2." in message
    assert from_bytes(to_bytes(made)) == made


def test_rows_that_differ_from_the_manifest_are_no_restore(store, tenant, target):
    tenant.rows = {"res_partner": 3, "res_users": 2}
    tenant.back_up(store, "b1")
    message = refused(
        "differs",
        lambda: restore_backup(
            tenant.repository(store), "b1", Target({"res_partner": 2}), target
        ),
    )
    assert "the rows of res_partner, res_users differ" in message


def test_a_copy_is_not_restored_over_what_is_there(store, tenant):
    tenant.back_up(store, "b1")
    target = Target(tenant.rows)
    refused(
        "not_empty",
        lambda: restore_backup(
            tenant.repository(store), "b1", target, tenant.filestore
        ),
    )
    assert target.archive is None


# === KEYS === #


def test_store_and_recovery_key_are_enough_to_restore(store, tenant, target):
    tenant.attach_many(3)
    tenant.back_up(store, "b1")
    # A master that knows nothing.
    (uid,) = list_tenants(store)
    repo = Repository(store, uid).open_with(RECOVERY[0])
    (id,) = repo.list_backups()
    assert set(restore(repo, id, target, tenant)[1]) == tenant.names


def test_rotating_the_recovery_key_wraps_keys_and_sends_no_data(store, tenant, target):
    tenant.attach_many(3)
    tenant.back_up(store, "b1")
    before = {key: data for key, data in store.objects.items() if "key" not in key}
    private, public = keys.new_recovery_key()
    tenant.repository(store).ensure_key(public)
    after = {key: data for key, data in store.objects.items() if "key" not in key}
    assert before == after
    refused("key_wrong", lambda: Repository(store, UID).open_with(RECOVERY[0]))
    repo = Repository(store, UID).open_with(private)
    restore(repo, "b1", target, tenant)


def test_the_old_recovery_key_can_hand_over_to_a_new_one(store, tenant, target):
    tenant.back_up(store, "b1")
    private, public = keys.new_recovery_key()
    Repository(store, UID).open_with(RECOVERY[0]).ensure_key(public)
    restore(Repository(store, UID).open_with(private), "b1", target, tenant)


def test_a_wrong_key_is_told_before_anything_is_read(store, tenant):
    tenant.back_up(store, "b1")
    key = sealing.derive(sealing.new_data_key(), "backup")
    other = Repository(store, UID, key)
    refused("key_wrong", other.check_key)
    message = refused("key_wrong", lambda: other.ensure_key(RECOVERY[1]))
    assert "made with another key than the master has" in message


def test_an_erased_tenant_cannot_be_restored_by_anybody(store, tenant):
    tenant.attach_many(3)
    tenant.back_up(store, "b1")
    kept = dict(store.objects)
    tenant.repository(store).erase()
    assert store.objects == {}
    # Even with what somebody has kept of it, but for its key.
    store.objects = {key: kept[key] for key in kept if not key.endswith("/key")}
    store.modified = dict.fromkeys(store.objects, 0.0)
    refused("key_missing", lambda: Repository(store, UID).open_with(RECOVERY[0]))


def test_erasing_begins_with_the_key(tenant):
    store = DyingStore()
    tenant.attach_many(3)
    tenant.back_up(store, "b1")
    store.left = 1
    with pytest.raises(KilledHere):
        tenant.repository(store).erase()
    assert not store.head(f"tenants/{UID}/key")
    store.left = 10**9
    tenant.repository(store).erase()
    assert store.objects == {}


def test_one_tenants_copies_are_not_touched_by_anothers(store, tenant, tmp_path):
    other = Tenant(tmp_path / "other", "t0000000000b2")
    other.attach_many(2)
    other.back_up(store, "b1")
    theirs = dict(store.objects)
    tenant.attach_many(2)
    tenant.back_up(store, "b1")
    assert list_tenants(store) == [UID, "t0000000000b2"]
    tenant.repository(store).delete_backups(["b1"])
    collect_all(tenant, store)
    tenant.repository(store).erase()
    assert store.objects == theirs


@pytest.mark.parametrize("uid", ["", "../x", "T1", "t1/x", "t"])
def test_what_is_no_id_of_a_tenant_is_refused(store, uid):
    refused("bad_name", lambda: Repository(store, uid))


@pytest.mark.parametrize("id", ["", "../x", "B", "a/b", ".x"])
def test_what_is_no_id_of_a_copy_is_refused(store, tenant, id):
    refused("bad_name", lambda: tenant.repository(store).read_manifest(id))


def test_a_directory_holds_copies_as_well(tenant, target, tmp_path):
    (tmp_path / "disk").mkdir()
    store = DirectoryStore(DirectoryConfig(str(tmp_path / "disk")))
    tenant.attach_many(5)
    tenant.back_up(store, "b1")
    restore(tenant.repository(store), "b1", target, tenant)
    tenant.repository(store).erase()
    assert [path.name for path in (tmp_path / "disk").iterdir()] == [".unfinished"]
