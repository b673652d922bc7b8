"""The contract of every store, as tests: run on the fake and on real ones alike."""

from __future__ import annotations

import io
import random
import time

import pytest

from odoo.addons.saas.engine.errors import RefusedError, RetryableError
from odoo.addons.saas_backup.engine.store import IterReader, Store, Stored, read_all

MIB = 2**20


class Broken(Exception):
    """What a stream says when its source died."""


def breaking(data: bytes):
    """A stream that gives some bytes and then fails, as a dump that was killed."""

    def parts():
        yield data
        raise Broken

    return IterReader(parts())


class StoreContract:
    """What holds for every store."""

    @pytest.fixture
    def store(self) -> Store:
        raise NotImplementedError

    def put(self, store, key, data):
        stored = store.put(key, io.BytesIO(data))
        store.confirm(stored)
        return stored

    @pytest.mark.parametrize("size", [0, 1, 5 * MIB, 8 * MIB, 21 * MIB + 3])
    def test_what_was_put_is_what_is_got(self, store, size):
        data = random.Random(size).randbytes(size)
        stored = self.put(store, "tenants/t1/packs/p1", data)
        assert stored.size == size
        with store.get("tenants/t1/packs/p1") as stream:
            assert read_all(stream) == data
        assert store.head("tenants/t1/packs/p1").size == size

    def test_a_stream_is_read_in_pieces_of_the_size_that_was_asked_for(self, store):
        store.put_bytes("a", b"0123456789")
        with store.get("a") as stream:
            assert stream.read(4) == b"0123"
            assert stream.read(0) == b""
            assert stream.read() == b"456789"
            assert stream.read(4) == b""

    def test_a_second_put_replaces_the_first(self, store):
        store.put_bytes("a", b"first")
        store.put_bytes("a", b"second")
        assert store.get_bytes("a") == b"second"
        assert [entry.key for entry in store.entries("")] == ["a"]

    @pytest.mark.parametrize("size", [10, 9 * MIB])
    def test_a_stream_that_breaks_stores_nothing(self, store, size):
        with pytest.raises(Broken):
            store.put("a", breaking(b"x" * size))
        assert store.head("a") is None
        assert list(store.entries("")) == []

    @pytest.mark.parametrize("size", [10, 9 * MIB])
    def test_a_stream_that_breaks_leaves_the_object_that_was_there(self, store, size):
        store.put_bytes("a", b"before")
        with pytest.raises(Broken):
            store.put("a", breaking(b"x" * size))
        assert store.get_bytes("a") == b"before"

    def test_what_differs_from_what_was_sent_is_not_confirmed(self, store):
        stored = store.put("a", io.BytesIO(b"sent"))
        store.put("a", io.BytesIO(b"kept"))
        with pytest.raises(RetryableError) as failure:
            store.confirm(stored)
        assert failure.value.reason == "checksum"
        assert failure.value.message.endswith(
            " gave back a altered; what was sent does not count. It is tried again."
        )

    def test_what_is_not_there_is_not_confirmed(self, store):
        with pytest.raises((RetryableError, RefusedError)) as failure:
            store.confirm(Stored("a", 1, "0" * 64))
        assert failure.value.reason in ("checksum", "missing")

    def test_what_is_absent_is_missing(self, store):
        assert store.head("a/b") is None
        with pytest.raises(RefusedError) as failure, store.get("a/b") as stream:
            stream.read(1)
        assert failure.value.reason == "missing"
        assert "has no object a/b: it was removed" in failure.value.message

    def test_deleting_what_is_absent_is_success(self, store):
        store.delete("a/b")
        store.put_bytes("a/b", b"x")
        store.delete("a/b")
        store.delete("a/b")
        assert store.head("a/b") is None
        assert list(store.entries("")) == []

    def test_a_list_gives_what_lies_below_a_prefix_in_order(self, store):
        for key in ("t/b/2", "t/b/1", "t/c", "t/b2/1", "z", "t/b/10"):
            store.put_bytes(key, key.encode())
        begin = time.time()
        found = list(store.entries("t/b/"))
        assert [entry.key for entry in found] == ["t/b/1", "t/b/10", "t/b/2"]
        assert [entry.size for entry in found] == [5, 6, 5]
        assert all(abs(entry.modified - begin) < 60 for entry in found)
        assert len(list(store.entries(""))) == 6
        assert list(store.entries("nothing/")) == []

    def test_a_check_says_what_it_is_and_leaves_nothing(self, store):
        assert " can be used" in store.check()
        assert list(store.entries("")) == []

    @pytest.mark.parametrize(
        "key", ["", "/a", "a/", "a//b", "../a", "a/../b", "A", "a b", "a\nb", "a/.x"]
    )
    def test_what_is_no_key_is_refused(self, store, key):
        with pytest.raises(RefusedError) as failure:
            store.put(key, io.BytesIO(b""))
        assert failure.value.reason == "bad_name"

    def test_nothing_unfinished_is_left_to_abandon(self, store):
        store.put_bytes("a", b"x")
        assert store.abandon(0) == 0
        assert store.get_bytes("a") == b"x"
