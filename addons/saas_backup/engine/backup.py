"""Making a copy: the database as it was at one moment, and the files that it knows."""

from __future__ import annotations

import dataclasses
import datetime
import functools
import pathlib
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import Any, Protocol

from odoo.addons.saas.engine.errors import EngineError, RetryableError

from .database import Database, Facts, open_session
from .files import Sent, send_files
from .manifest import Manifest, Pack
from .repository import DATABASES, LONGEST_BACKUP, Repository, group_by_pack
from .store import Stored


class Snapshot(Protocol):
    """What a copy needs of a database, at one moment."""

    date: datetime.datetime

    def facts(self) -> Facts: ...

    def dump(self) -> Iterator[bytes]: ...


class Session(Protocol):
    """A connection to what is copied."""

    def fingerprint(self) -> str: ...

    def snapshot(self) -> AbstractContextManager[Snapshot]: ...


class Source(Protocol):
    """A database that is copied; the tests have one without PostgreSQL."""

    def open(self) -> AbstractContextManager[Session]: ...


@dataclasses.dataclass(frozen=True, slots=True)
class PostgresSource:
    """A tenant's database."""

    database: Database

    def open(self) -> AbstractContextManager[Session]:
        return open_session(self.database)


@dataclasses.dataclass(frozen=True, slots=True)
class Request:
    """A copy that is wanted.

    :param str backup: its id; the same id again is the same copy
    :param str recovery_public: the recovery key that has to open it
    :param str reason: why it is made, a free word
    :param bool force: also when nothing has changed since the newest one
    :param bool fresh: no file is taken for granted that lies in the store already, as
        some are damaged there
    :param about: whose it is: what a new master has to know to take the tenant up
    """

    backup: str
    filestore: pathlib.Path
    recovery_public: str
    image: str = ""
    odoo_version: str = ""
    reason: str = ""
    force: bool = False
    fresh: bool = False
    about: Mapping[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, slots=True)
class Result:
    """What came of it.

    :param str state: ``made``, or ``unchanged`` when the newest one is still right
    :param int sent: bytes that were put into the store, the manifest included
    """

    state: str
    manifest: Manifest
    sent: int = 0
    files_sent: int = 0


def make_backup(
    repository: Repository,
    source: Source,
    request: Request,
    clock: Callable[[], float] = time.monotonic,
) -> Result:
    """Make a copy, unless it is there already or nothing has changed.

    It exists when its manifest does. Whatever ends this earlier leaves objects that
    nothing refers to: the next copy uses the packs among them, and what is left over is
    collected.
    """
    begun = clock()
    repository.ensure_key(request.recovery_public)
    if repository.has_backup(request.backup):
        return Result("made", repository.read_manifest(request.backup))
    # Where it cannot be the same anyway, it is read beside the dump.
    find = functools.cache(functools.partial(find_newest, repository))
    with source.open() as session:
        fingerprint = session.fingerprint()
        if (
            fingerprint
            and not (request.force or request.fresh)
            and (newest := find())
            and newest.fingerprint == fingerprint
            and newest.image == request.image
            and repository.is_whole(newest)
        ):
            return Result("unchanged", newest)
        with session.snapshot() as snapshot, ThreadPoolExecutor(1) as beside:
            # Which files there are the snapshot tells; the dump takes the other core.
            files = beside.submit(_save_files, repository, request, snapshot, find)
            dump_id = f"{request.backup}.{secrets.token_hex(4)}"
            dump = repository.put(DATABASES, dump_id, snapshot.dump())
            packs, sent = files.result()
            facts = snapshot.facts()
    if clock() - begun > LONGEST_BACKUP:
        raise RetryableError(
            "The copy took longer than half a day, so what it counts on may have been "
            "removed; it is made again, with what was sent already.",
            reason="took_too_long",
        )
    made = _make_manifest(
        repository.uid, request, snapshot.date, facts, (dump_id, dump), packs, sent
    )
    made = dataclasses.replace(made, fingerprint=fingerprint)
    stored = repository.write_manifest(made)
    return Result("made", made, dump.size + sent.bytes + stored.size, sent.files)


def find_newest(repository: Repository) -> Manifest | None:
    """The newest copy that can be read; a damaged one is no reason to make none."""
    for id in repository.list_backups()[:3]:
        try:
            return repository.read_manifest(id)
        except EngineError as error:
            if error.reason not in ("damaged", "newer", "missing"):
                raise
    return None


def _save_files(
    repository: Repository,
    request: Request,
    snapshot: Snapshot,
    find: Callable[[], Manifest | None],
) -> tuple[tuple[Pack, ...], Sent]:
    """All files of the snapshot in the store; those that were not there are sent.

    :param find: gives the newest copy
    """
    newest, facts = find(), snapshot.facts()
    wanted = frozenset() if request.fresh else facts.files
    packs, found = repository.find_files(wanted, newest)
    sent = send_files(repository, request.filestore, facts.files - found.keys())
    return (*group_by_pack(packs, found), *sent.packs), sent


def _make_manifest(
    uid: str,
    request: Request,
    date: datetime.datetime,
    facts: Facts,
    dump: tuple[str, Stored],
    packs: tuple[Pack, ...],
    sent: Sent,
) -> Manifest:
    dump_id, stored = dump
    return Manifest(
        uid=uid,
        id=request.backup,
        date=date.astimezone(datetime.UTC).isoformat(timespec="seconds"),
        reason=request.reason,
        image=request.image,
        odoo_version=request.odoo_version or facts.odoo_version,
        server_version=facts.server_version,
        database_size=facts.database_size,
        dump=dump_id,
        dump_size=stored.size,
        dump_sha256=stored.sha256,
        packs=packs,
        rows=facts.rows,
        modules=facts.modules,
        missing=tuple(sorted(sent.missing)),
        elsewhere=facts.elsewhere,
        about=request.about,
    )


def describe(result: Result) -> dict[str, Any]:
    """The result as plain values."""
    made = result.manifest
    return {
        "state": result.state,
        "backup": made.id,
        "date": made.date,
        "size": made.size,
        "sent": result.sent,
        "database_size": made.database_size,
        "files": made.files,
        "files_size": made.files_size,
        "files_sent": result.files_sent,
        "missing": len(made.missing),
        "elsewhere": made.elsewhere,
        "rows": dict(made.rows),
        "modules": len(made.modules),
        "odoo_version": made.odoo_version,
        "image": made.image,
    }
