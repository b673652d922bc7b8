"""What a copy consists of, and what it has to be when it is restored."""

from __future__ import annotations

import dataclasses
import json
import zlib
from collections.abc import Mapping
from typing import Any

from odoo.addons.saas.engine.errors import RefusedError

FORMAT = 2
"""Raised with every change that an older program would get wrong."""


@dataclasses.dataclass(frozen=True, slots=True)
class FileRef:
    """Where a file's content lies in its pack.

    :param str name: SHA-1 of its content, which is its name in Odoo's filestore too
    """

    name: str
    offset: int
    size: int


@dataclasses.dataclass(frozen=True, slots=True)
class Pack:
    """An object that holds files, and those of them that are meant.

    :param int size: bytes in the store
    :param str sha256: of the object as it lies in the store
    :param str encoding: ``zstd`` or ``raw``
    """

    id: str
    size: int
    sha256: str
    encoding: str
    files: tuple[FileRef, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Manifest:
    """One copy of a tenant.

    :param str date: when its snapshot was made, ISO 8601 in UTC
    :param str reason: why it was made, a free word
    :param str image: the image that the tenant ran
    :param int server_version: of PostgreSQL, e.g. 170006
    :param str dump: id of the dump, another one for each attempt to make the copy
    :param int dump_size: bytes of the dump in the store
    :param str dump_sha256: of the dump as it lies in the store
    :param rows: rows of core tables by name, in the same snapshot
    :param modules: version of each installed module
    :param missing: files that the database names and the filestore had not, or damaged
    :param elsewhere: how many attachments lie outside the filestore
    :param str fingerprint: the same as long as nothing changes in the database
    :param about: whose it is, in the master's words, for the day when that is lost
    """

    uid: str
    id: str
    date: str
    reason: str
    image: str
    odoo_version: str
    server_version: int
    database_size: int
    dump: str
    dump_size: int
    dump_sha256: str
    packs: tuple[Pack, ...]
    rows: Mapping[str, int]
    modules: Mapping[str, str]
    missing: tuple[str, ...] = ()
    elsewhere: int = 0
    fingerprint: str = ""
    about: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @property
    def files(self) -> int:
        return sum(len(pack.files) for pack in self.packs)

    @property
    def files_size(self) -> int:
        return sum(file.size for pack in self.packs for file in pack.files)

    @property
    def size(self) -> int:
        """Bytes in the store of all that it refers to."""
        return self.dump_size + sum(pack.size for pack in self.packs)


def to_bytes(manifest: Manifest) -> bytes:
    values = _values(manifest)
    values["packs"] = [pack_to_json(pack) for pack in manifest.packs]
    text = json.dumps({"format": FORMAT, **values}, separators=(",", ":"))
    return zlib.compress(text.encode())


def from_bytes(content: bytes) -> Manifest:
    """:raise RefusedError: ``newer``"""
    values = json.loads(zlib.decompress(content))
    found = values.pop("format")
    if found > FORMAT:
        raise RefusedError(
            f"The copy {values.get('id')} has the format {found}, and this program "
            f"knows formats up to {FORMAT}. Use the newer program that made it.",
            reason="newer",
        )
    values["packs"] = tuple(pack_from_json(pack) for pack in values["packs"])
    values["missing"] = tuple(values["missing"])
    return Manifest(**values)


def pack_to_json(pack: Pack) -> dict[str, Any]:
    values = _values(pack)
    # Lists and not objects: there may be a hundred thousand of them.
    values["files"] = [[file.name, file.offset, file.size] for file in pack.files]
    return values


def _values(made: Manifest | Pack) -> dict[str, Any]:
    # ``asdict`` would take each file apart as well.
    return {name: getattr(made, name) for name in made.__slots__}


def pack_from_json(values: Mapping[str, Any]) -> Pack:
    files = tuple(FileRef(*file) for file in values["files"])
    return Pack(**{**values, "files": files})
