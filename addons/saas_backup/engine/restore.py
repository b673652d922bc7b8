"""Restoring a copy into what is empty, proving that one is whole, and unpacking one."""

from __future__ import annotations

import contextlib
import pathlib
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from odoo.addons.saas.engine.errors import RefusedError

from . import database as postgres
from .database import Database
from .files import read_files, require_fresh, restore_files
from .manifest import Manifest
from .processes import Pipeline, run_pipeline
from .repository import DATABASES, Repository
from .store import BinaryReader


class Target(Protocol):
    """A fresh database; the tests have one without PostgreSQL."""

    def load(self, archive: BinaryReader) -> None: ...

    def rows(self) -> dict[str, int]: ...


class PostgresTarget:
    """A tenant's fresh database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def load(self, archive: BinaryReader) -> None:
        postgres.load(self._database, archive)

    def rows(self) -> dict[str, int]:
        return postgres.find_rows(self._database)


def restore_backup(
    repository: Repository, id: str, target: Target, filestore: pathlib.Path
) -> Manifest:
    """Restore a copy, and compare what came of it with its manifest.

    Database and filestore have to be fresh. After an error they are to be thrown away.

    :raise RefusedError: ``not_empty``, ``missing``, ``damaged``, ``newer``, ``sql``,
        ``extension`` or ``differs``
    """
    made = _read(repository, id)
    # Before an hour is spent on the database.
    require_fresh(filestore)
    _restore_parts(repository, made, target, filestore)
    found = target.rows()
    if found != dict(made.rows):
        differing = sorted(
            table
            for table in made.rows.keys() | found.keys()
            if made.rows.get(table) != found.get(table)
        )
        raise RefusedError(
            f"What was restored is not what the copy {id} was made of: the rows of "
            f"{', '.join(differing)} differ. Use another copy.",
            reason="differs",
        )
    return made


def _restore_parts(
    repository: Repository, made: Manifest, target: Target, filestore: pathlib.Path
) -> None:
    """Database and files side by side: loading takes one core, unpacking the other."""
    with ThreadPoolExecutor(1) as beside:
        files = beside.submit(restore_files, repository, made.packs, filestore)
        try:
            with repository.get(DATABASES, made.dump) as archive:
                target.load(archive)
        except BaseException:
            if not files.exception():
                shutil.rmtree(filestore, ignore_errors=True)
            raise
        files.result()


def verify_backup(repository: Repository, id: str) -> Manifest:
    """Read, decrypt and unpack all of a copy, to the last byte.

    :raise RefusedError: ``missing``, ``damaged`` or ``newer``
    """
    made = _read(repository, id)
    with repository.get(DATABASES, made.dump) as archive:
        # The archive's own list says whether it is one, to its last byte.
        for _output in _list_archive(archive):
            pass
    for _name in read_files(repository, made.packs):
        pass
    return made


def unpack_backup(repository: Repository, id: str, folder: pathlib.Path) -> Manifest:
    """Lay a copy into a new folder: ``database.dump`` for pg_restore, ``filestore/``.

    :raise RefusedError: as ``verify_backup``, and ``not_empty``
    """
    made = _read(repository, id)
    try:
        folder.mkdir(parents=True)
    except FileExistsError as error:
        raise RefusedError(
            f"{folder} is there already; name a folder that is not.",
            reason="not_empty",
        ) from error
    try:
        with (
            repository.get(DATABASES, made.dump) as archive,
            (folder / "database.dump").open("xb") as file,
        ):
            for data in _decompress(archive):
                file.write(data)
        restore_files(repository, made.packs, folder / "filestore")
    except BaseException:
        with contextlib.suppress(OSError):
            shutil.rmtree(folder)
        raise
    return made


def _read(repository: Repository, id: str) -> Manifest:
    repository.check_key()
    return repository.read_manifest(id)


def _list_archive(archive: BinaryReader) -> Iterator[bytes]:
    return run_pipeline(
        Pipeline(
            ("zstd", "--quiet", "--decompress", "--stdout"),
            ("pg_restore", "--file=-"),
        ),
        archive,
    )


def _decompress(archive: BinaryReader) -> Iterator[bytes]:
    return run_pipeline(
        Pipeline(("zstd", "--quiet", "--decompress", "--stdout"), ("cat",)), archive
    )
