"""A tenant's filestore: what of it the store does not have yet, in packs.

Odoo names a file by the SHA-1 of its content, so a file that has that name is the same
file, today and in every copy: only new names are sent, and each is looked at whether it
still has the content that its name says.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import hashlib
import os
import pathlib
import shutil
import stat
import struct
import subprocess
from collections.abc import Iterable, Iterator
from typing import IO

from odoo.addons.saas.engine.errors import EngineError, RefusedError

from .manifest import FileRef, Pack
from .repository import PACKS, Repository
from .store import BinaryReader, IterReader, chunks, read_exactly

PACK_SIZE = 16 * 2**20
"""Bytes of files in one pack; a larger file has a pack of its own.

Ten thousand requests for ten thousand small files would take longer than their bytes,
and a pack has to fit into memory, where it is put together and compressed.
"""

UNFINISHED = ".restore-"

# Of Linux: a folder's attributes, as ``lsattr`` and ``chattr +T`` have them.
_GET_FLAGS, _SET_FLAGS, _TOP_FOLDER = 0x80086601, 0x40086602, 0x00020000


@dataclasses.dataclass(slots=True)
class Sent:
    """What was sent to the store, and what could not be.

    :param missing: names that are not there, or do not have their content
    """

    packs: list[Pack] = dataclasses.field(default_factory=list)
    missing: list[str] = dataclasses.field(default_factory=list)
    files: int = 0
    bytes: int = 0


def send_files(
    repository: Repository, filestore: pathlib.Path, names: Iterable[str]
) -> Sent:
    """Put those files of the filestore into the store."""
    sent = Sent()
    batch: list[tuple[str, bytes]] = []
    size = 0
    for name in sorted(names):
        with _open(filestore, name) as file:
            length = os.fstat(file.fileno()).st_size if file else 0
            if file and length > PACK_SIZE:
                _send_large(repository, name, file, sent)
                continue
            content = file.read() if file else None
        if content is None or hashlib.sha1(content).hexdigest() != name:  # noqa: S324
            sent.missing.append(name)
            continue
        if size + len(content) > PACK_SIZE:
            _send_batch(repository, batch, sent)
            batch, size = [], 0
        batch.append((name, content))
        size += len(content)
    _send_batch(repository, batch, sent)
    return sent


def _send_batch(
    repository: Repository, batch: list[tuple[str, bytes]], sent: Sent
) -> None:
    if not batch:
        return
    files, offset = [], 0
    for name, content in batch:
        files.append(FileRef(name, offset, len(content)))
        offset += len(content)
    content = b"".join(content for __, content in batch)
    packed = compress(content)
    # Pictures and documents are compressed already.
    encoding = "zstd" if len(packed) < 0.95 * len(content) else "raw"
    parts = [packed if encoding == "zstd" else content]
    _add(repository, parts, encoding, tuple(files), sent)


class _DifferentError(Exception):
    """A large file does not have the content that its name says."""


def _send_large(repository: Repository, name: str, file: IO[bytes], sent: Sent) -> None:
    size = os.fstat(file.fileno()).st_size

    def parts() -> Iterator[bytes]:
        digest, count = hashlib.sha1(), 0  # noqa: S324 (it is the name of the file)
        for data in chunks(file):
            digest.update(data)
            count += len(data)
            yield data
        if digest.hexdigest() != name or count != size:
            raise _DifferentError

    try:
        _add(repository, parts(), "raw", (FileRef(name, 0, size),), sent)
    except _DifferentError:
        sent.missing.append(name)


def _add(
    repository: Repository,
    parts: Iterable[bytes],
    encoding: str,
    files: tuple[FileRef, ...],
    sent: Sent,
) -> None:
    pack, size = repository.put_pack(parts, encoding, files)
    sent.packs.append(pack)
    sent.files += len(files)
    sent.bytes += size


@contextlib.contextmanager
def _open(filestore: pathlib.Path, name: str) -> Iterator[IO[bytes] | None]:
    """A file of the filestore; None when there is none.

    The tenant can lay anything there: no link is followed and no pipe waited for.
    """
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
    try:
        descriptor = os.open(filestore / name[:2] / name, flags)
    except OSError:
        yield None
        return
    with os.fdopen(descriptor, "rb") as file:
        yield file if stat.S_ISREG(os.fstat(descriptor).st_mode) else None


# === BACK === #


def read_files(repository: Repository, packs: Iterable[Pack]) -> Iterator[str]:
    """Read all that is meant of those packs and compare it with its name.

    :return: the names, each when it was found right
    """
    for pack in packs:
        for name, parts in _read_pack(repository, pack):
            for _data in parts:
                pass
            yield name


def restore_files(
    repository: Repository, packs: Iterable[Pack], filestore: pathlib.Path
) -> int:
    """Make a filestore that is not there yet, whole or not at all.

    :raise RefusedError: ``not_empty``, or what reading the packs says
    """
    require_fresh(filestore)
    filestore.parent.mkdir(parents=True, exist_ok=True)
    unfinished = filestore.parent / f"{UNFINISHED}{filestore.name}"
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir()
    _spread(unfinished)
    try:
        count = _write_files(repository, packs, unfinished)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise
    unfinished.rename(filestore)
    return count


def require_fresh(filestore: pathlib.Path) -> None:
    """:raise RefusedError: ``not_empty``"""
    if filestore.exists():
        raise RefusedError(
            f"The filestore {filestore.name} is there already; a copy is restored to a "
            "fresh one only.",
            reason="not_empty",
        )


def _spread(folder: pathlib.Path) -> None:
    """Have what lies in a folder spread over the disk.

    Before ext4 makes a file it passes over each one beside it that was deleted within
    minutes: where much was, filestores of a few hundred files take a second more.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        # Elsewhere there is no such mark, and no need of it.
        with contextlib.suppress(OSError):
            flags = bytearray(struct.calcsize("l"))
            fcntl.ioctl(descriptor, _GET_FLAGS, flags)
            (found,) = struct.unpack("l", flags)
            wanted = struct.pack("l", found | _TOP_FOLDER)
            fcntl.ioctl(descriptor, _SET_FLAGS, wanted)
    finally:
        os.close(descriptor)


def _write_files(
    repository: Repository, packs: Iterable[Pack], folder: pathlib.Path
) -> int:
    written = []
    for pack in packs:
        for name, parts in _read_pack(repository, pack):
            path = folder / name[:2] / name
            path.parent.mkdir(exist_ok=True)
            with path.open("xb") as file:
                for data in parts:
                    file.write(data)
            written.append(path)
    # All at the end: by then the system has written most of it.
    for path in written:
        _sync(path)
    return len(written)


def _sync(path: pathlib.Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fdatasync(descriptor)
    finally:
        os.close(descriptor)


def _read_pack(
    repository: Repository, pack: Pack
) -> Iterator[tuple[str, Iterator[bytes]]]:
    """The files of a pack in their order; each has to be read to its end."""
    with repository.get(PACKS, pack.id) as stream:
        if pack.encoding == "zstd":
            content = decompress(stream.read())
            stream = IterReader(iter([content]))
        place = 0
        for file in sorted(pack.files, key=lambda file: file.offset):
            _skip(stream, file.offset - place)
            yield file.name, _read_file(stream, file, pack)
            place = file.offset + file.size
        # To the end: only there it is sure that nothing was cut off.
        for _data in chunks(stream):
            pass


def _skip(stream: BinaryReader, size: int) -> None:
    while size > 0 and (data := stream.read(min(size, PACK_SIZE))):
        size -= len(data)


def _read_file(stream: BinaryReader, file: FileRef, pack: Pack) -> Iterator[bytes]:
    digest, left = hashlib.sha1(), file.size  # noqa: S324
    while left > 0 and (data := read_exactly(stream, min(left, 2**20))):
        digest.update(data)
        left -= len(data)
        yield data
    if left or digest.hexdigest() != file.name:
        raise RefusedError(
            f"The file {file.name} in the pack {pack.id} is damaged; copies that need "
            "it cannot be restored. Use another copy.",
            reason="damaged",
        )


# === COMPRESSION === #


def compress(content: bytes) -> bytes:
    return _run_zstd(content, "-1")


def decompress(content: bytes) -> bytes:
    """:raise RefusedError: ``damaged``"""
    return _run_zstd(content, "--decompress")


def _run_zstd(content: bytes, option: str) -> bytes:
    done = subprocess.run(
        ["zstd", "--quiet", "--stdout", option],
        input=content,
        capture_output=True,
        check=False,
    )
    if done.returncode:
        raise _zstd_error(done.stderr)
    return done.stdout


def _zstd_error(complaint: bytes) -> EngineError:
    detail = complaint.decode(errors="replace").strip() or "it did not say why"
    return RefusedError(
        f"Files cannot be packed or unpacked: {detail}.", reason="damaged"
    )
