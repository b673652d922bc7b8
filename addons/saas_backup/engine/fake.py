"""A store in memory, for tests; failure modes as those of the other fakes."""

from __future__ import annotations

import contextlib
import hashlib
import io
import time
from collections.abc import Iterator
from typing import Any

from odoo.addons.saas.engine.fake import Flaky, Lost, Recorder, Refusing, _verb

from .store import BinaryReader, Entry, Store, Stored, check_key, read_all


class FakeStore(Recorder, Store):
    """A store that works.

    :param objects: what lies there, by key
    :param int received: bytes that were ever put
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.objects: dict[str, bytes] = {}
        self.modified: dict[str, float] = {}
        self.received = 0

    def __str__(self) -> str:
        return "The fake store"

    @_verb
    def check(self) -> str:
        self.try_out("check/probe")
        return f"{self} can be used"

    def put(self, key: str, stream: BinaryReader) -> Stored:
        # Meanwhile others send something too.
        return self._put(key, read_all(stream))

    @_verb
    def _put(self, key: str, data: bytes) -> Stored:
        self.objects[check_key(key)] = data
        self.modified[key] = time.time()
        self.received += len(data)
        return Stored(key, len(data), hashlib.sha256(data).hexdigest())

    @_verb
    def confirm(self, stored: Stored) -> None:
        data = self.objects.get(stored.key, b"")
        if hashlib.sha256(data).hexdigest() != stored.sha256:
            raise self.mismatch(stored.key)

    @contextlib.contextmanager
    def get(self, key: str) -> Iterator[BinaryReader]:
        yield self._open(key)

    @_verb
    def _open(self, key: str) -> BinaryReader:
        if key not in self.objects:
            raise self.missing(key)
        return io.BytesIO(self.objects[key])

    @_verb
    def head(self, key: str) -> Entry | None:
        return self._entry(key) if key in self.objects else None

    @_verb
    def entries(self, prefix: str) -> Iterator[Entry]:
        keys = sorted(key for key in self.objects if key.startswith(prefix))
        return iter([self._entry(key) for key in keys])

    def _entry(self, key: str) -> Entry:
        return Entry(key, len(self.objects[key]), self.modified[key])

    @_verb
    def delete(self, key: str) -> None:
        self.objects.pop(check_key(key), None)
        self.modified.pop(key, None)

    @_verb
    def abandon(self, older_than: float) -> int:
        return 0


class RefusingStore(Refusing, FakeStore):
    """Refuses some verbs for good."""


class FlakyStore(Flaky, FakeStore):
    """Fails the first calls of each verb, then works."""


class LostStore(Lost, FakeStore):
    """Cannot be reached."""
