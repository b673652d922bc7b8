"""A directory as a store: files that are renamed into place when they are whole."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import hashlib
import os
import pathlib
import secrets
import shutil
import time
from collections.abc import Iterator

from odoo.addons.saas.engine.errors import EngineError, RefusedError, RetryableError

from .store import (
    BinaryReader,
    Entry,
    Store,
    Stored,
    check_key,
    chunks,
    digest_of,
)

UNFINISHED = ".unfinished"


@dataclasses.dataclass(frozen=True, slots=True)
class DirectoryConfig:
    """:param str path: a directory that exists, e.g. where a volume is mounted"""

    path: str


class DirectoryStore(Store):
    """Files below one directory of a local or network file system."""

    def __init__(self, config: DirectoryConfig) -> None:
        self.root = pathlib.Path(config.path)

    def __str__(self) -> str:
        return f"The directory {self.root}"

    def check(self) -> str:
        with self._translated():
            self._require_root()
            self.try_out(f"check-{secrets.token_hex(8)}/probe")
            free = shutil.disk_usage(self.root).free
        return f"{self} can be used, {free / 2**30:.1f} GiB are free"

    def put(self, key: str, stream: BinaryReader) -> Stored:
        path = self._path(key)
        with self._translated():
            self._require_root()
            unfinished = self.root / UNFINISHED / secrets.token_hex(16)
            unfinished.parent.mkdir(exist_ok=True, mode=0o700)
        try:
            size, sha256 = self._write(unfinished, stream)
            with self._translated():
                self._move(unfinished, path)
        finally:
            with contextlib.suppress(OSError):
                unfinished.unlink(missing_ok=True)
        return Stored(key, size, sha256)

    def _write(self, path: pathlib.Path, stream: BinaryReader) -> tuple[int, str]:
        size, digest = 0, hashlib.sha256()
        with self._translated():
            file = path.open("xb", buffering=0)
        with file:
            # Errors of the stream are not the directory's: only writing is translated.
            for data in chunks(stream):
                with self._translated():
                    _write_all(file.fileno(), data)
                size += len(data)
                digest.update(data)
            with self._translated():
                os.fsync(file.fileno())
                # So that ``confirm`` reads the disk and not what is still in memory.
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        return size, digest.hexdigest()

    def _move(self, source: pathlib.Path, path: pathlib.Path) -> None:
        # Another process may remove the folder in between, when it became empty.
        for last in (False, False, True):
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            try:
                source.replace(path)
                break
            except FileNotFoundError:
                if last:
                    raise
        folder = path.parent
        while True:
            _sync(folder)
            if folder == self.root:
                return
            folder = folder.parent

    def confirm(self, stored: Stored) -> None:
        with self.get(stored.key) as stream:
            if digest_of(stream) != (stored.size, stored.sha256):
                raise self.mismatch(stored.key)

    @contextlib.contextmanager
    def get(self, key: str) -> Iterator[BinaryReader]:
        path = self._path(key)
        with self._translated():
            try:
                file = path.open("rb", buffering=0)
            except (FileNotFoundError, NotADirectoryError) as error:
                self._require_root()
                raise self.missing(key) from error
        with file:
            yield _Reader(self, file.fileno())

    def head(self, key: str) -> Entry | None:
        path = self._path(key)
        with self._translated():
            self._require_root()
            try:
                return self._entry(key, path)
            except (FileNotFoundError, NotADirectoryError):
                return None

    def entries(self, prefix: str) -> Iterator[Entry]:
        with self._translated():
            self._require_root()
            return iter(sorted(self._walk(prefix), key=lambda entry: entry.key))

    def _walk(self, prefix: str) -> Iterator[Entry]:
        folder = self._path(prefix.rstrip("/")) if prefix else self.root
        for place, folders, files in os.walk(folder):
            if pathlib.Path(place) == self.root and UNFINISHED in folders:
                folders.remove(UNFINISHED)
            for name in files:
                path = pathlib.Path(place, name)
                # One that was removed meanwhile is not there.
                with contextlib.suppress(FileNotFoundError):
                    yield self._entry(path.relative_to(self.root).as_posix(), path)

    def delete(self, key: str) -> None:
        path = self._path(key)
        with self._translated():
            self._require_root()
            path.unlink(missing_ok=True)
            for folder in path.parents:
                if folder == self.root or not _remove_empty(folder):
                    break

    def abandon(self, older_than: float) -> int:
        count, limit = 0, time.time() - older_than
        with self._translated():
            self._require_root()
            for path in (self.root / UNFINISHED).glob("*"):
                with contextlib.suppress(FileNotFoundError):
                    if path.stat().st_mtime <= limit:
                        path.unlink()
                        count += 1
            with contextlib.suppress(OSError):
                (self.root / UNFINISHED).rmdir()
        return count

    # === HELPERS === #

    def _path(self, key: str) -> pathlib.Path:
        return self.root / check_key(key)

    def _entry(self, key: str, path: pathlib.Path) -> Entry:
        found = path.stat()
        return Entry(key, found.st_size, found.st_mtime)

    def _require_root(self) -> None:
        # It is never made: a disk that is not mounted must not be taken for an empty
        # one, nor be filled beside it.
        if not self.root.is_dir():
            raise RefusedError(
                f"{self} is not there. Make it, or mount what it should be.",
                reason="absent_directory",
            )

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise self._translate(error) from error

    def _translate(self, error: OSError) -> EngineError:
        text = error.strerror or str(error)
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            return RefusedError(
                f"{self} is full ({text}). Make room there, or keep fewer copies.",
                reason="full",
            )
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            return RefusedError(
                f"{self} cannot be written or read ({text}). Give it to the user of "
                "the backups.",
                reason="not_writable",
            )
        return RetryableError(
            f"{self} does not work ({text}). It is tried again.", reason="unavailable"
        )


class _Reader:
    """Reads a file, with errors as the store tells them."""

    def __init__(self, store: DirectoryStore, descriptor: int) -> None:
        self._store = store
        self._descriptor = descriptor

    def read(self, size: int = -1, /) -> bytes:
        with self._store._translated():
            if size >= 0:
                return os.read(self._descriptor, size)
            parts = iter(lambda: os.read(self._descriptor, 2**20), b"")
            return b"".join(parts)


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def _sync(folder: pathlib.Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove_empty(folder: pathlib.Path) -> bool:
    try:
        folder.rmdir()
    except OSError:
        return False
    return True
