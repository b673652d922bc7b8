"""Where copies lie: the contract of every store.

An object is there whole or not at all. What was put counts only after ``confirm`` has
read it back. Calls are bounded by time-outs and repeatable; what is absent when it
should be deleted is success. ``RetryableError`` says "not now", ``RefusedError`` "not
like this", each with the word that names the fault.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import io
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Protocol

from odoo.addons.saas.engine.errors import EngineError, RefusedError, RetryableError

CHUNK = 1024 * 1024

PROBE = b"saas-backup looks whether this store can be used"

_KEY = re.compile(r"[a-z0-9][a-z0-9._-]{0,99}(/[a-z0-9][a-z0-9._-]{0,99}){0,7}")


class BinaryReader(Protocol):
    """What bytes are read from: an open file, or our own streams."""

    def read(self, size: int = -1, /) -> bytes: ...


@dataclasses.dataclass(frozen=True, slots=True)
class Entry:
    """What lies in a store.

    :param float modified: seconds since epoch, by the clock of the store
    """

    key: str
    size: int
    modified: float


@dataclasses.dataclass(frozen=True, slots=True)
class Stored:
    """What was sent to a store.

    :param str sha256: of all bytes, in hexadecimal
    :param str proof: what the store's own checksum has to be, where it keeps one
    """

    key: str
    size: int
    sha256: str
    proof: str = ""


class Store(ABC):
    """A place for copies; its name for people is ``str(store)``."""

    @abstractmethod
    def check(self) -> str:
        """Write, read back, list and delete a small object.

        :return: one line about the store for people
        :raise EngineError: the reason names which of the usual things is wrong
        """

    @abstractmethod
    def put(self, key: str, stream: BinaryReader) -> Stored:
        """Store all that the stream gives; an error of the stream stores nothing."""

    @abstractmethod
    def confirm(self, stored: Stored) -> None:
        """Read back from the store whether it has what was sent.

        :raise RetryableError: ``checksum``
        """

    @abstractmethod
    def get(self, key: str) -> contextlib.AbstractContextManager[BinaryReader]:
        """Open an object.

        :raise RefusedError: ``missing``
        """

    @abstractmethod
    def head(self, key: str) -> Entry | None:
        """What is known of one object; None only when it is certainly not there."""

    @abstractmethod
    def entries(self, prefix: str) -> Iterator[Entry]:
        """All objects below a prefix, which ends with a slash or is empty, by key."""

    @abstractmethod
    def delete(self, key: str) -> None:
        """Remove an object; absent is success."""

    @abstractmethod
    def abandon(self, older_than: float) -> int:
        """Remove what killed calls of ``put`` left behind, and say how many.

        :param float older_than: seconds; younger ones may still be under way
        """

    # === FOR ALL === #

    def put_bytes(self, key: str, content: bytes) -> Stored:
        """Store a small object and read it back."""
        stored = self.put(key, io.BytesIO(content))
        self.confirm(stored)
        return stored

    def get_bytes(self, key: str) -> bytes:
        with self.get(key) as stream:
            return read_all(stream)

    def try_out(self, key: str) -> None:
        """What every ``check`` does; the object is gone at the end, if that works."""
        try:
            self.put_bytes(key, PROBE)
            if self.get_bytes(key) != PROBE:
                raise self.mismatch(key)
            if key not in {entry.key for entry in self.entries(parent(key))}:
                raise RefusedError(
                    f"{self} does not list what was just written to it; copies could "
                    "not be found again.",
                    reason="not_listed",
                )
        except EngineError:
            with contextlib.suppress(EngineError):
                self.delete(key)
            raise
        self.delete(key)

    def mismatch(self, key: str) -> RetryableError:
        return RetryableError(
            f"{self} gave back {key} altered; what was sent does not count. It is "
            "tried again.",
            reason="checksum",
        )

    def missing(self, key: str) -> RefusedError:
        return RefusedError(
            f"{self} has no object {key}: it was removed, or this is not the store "
            "that the copy was written to.",
            reason="missing",
        )


def check_key(key: str) -> str:
    if not _KEY.fullmatch(key):
        raise RefusedError(
            f"{key!r} cannot be the key of an object.", reason="bad_name"
        )
    return key


def parent(key: str) -> str:
    """The prefix that an object lies directly below."""
    return key[: key.rfind("/") + 1]


def read_all(stream: BinaryReader) -> bytes:
    return b"".join(chunks(stream))


def chunks(stream: BinaryReader, size: int = CHUNK) -> Iterator[bytes]:
    while data := stream.read(size):
        yield data


def read_exactly(stream: BinaryReader, size: int) -> bytes:
    """That many bytes, fewer only at the end."""
    parts: list[bytes] = []
    while size > 0 and (data := stream.read(size)):
        parts.append(data)
        size -= len(data)
    return b"".join(parts)


def digest_of(stream: BinaryReader) -> tuple[int, str]:
    """Size and SHA-256 of all that is left in a stream."""
    size, digest = 0, hashlib.sha256()
    for data in chunks(stream):
        size += len(data)
        digest.update(data)
    return size, digest.hexdigest()


class IterReader(io.RawIOBase):
    """A stream of what an iterator gives; its errors come out of ``read``."""

    def __init__(self, parts: Iterator[bytes]) -> None:
        self._parts = parts
        self._left = memoryview(b"")

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        if size < 0:
            return b"".join(iter(lambda: self.read(CHUNK), b""))
        while not self._left:
            try:
                self._left = memoryview(next(self._parts))
            except StopIteration:
                return b""
        data = bytes(self._left[:size])
        self._left = self._left[size:]
        return data
