"""All copies of one tenant in a store: objects by name, and what refers to what.

A copy exists when its manifest does, which is written last. Packs of files are shared
by copies; one that no manifest refers to is marked, and removed a day after, so that a
copy that is being made meanwhile never loses what it counts on:

- who makes a copy uses no marked pack, and gives up after half a day;
- so a pack that was marked a day ago can only be in a manifest that is there by now.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import re
import secrets
import time
from collections.abc import Iterable, Iterator, Mapping

from odoo.addons.saas.engine.errors import RefusedError

from . import crypto, keys, manifest
from .manifest import FileRef, Manifest, Pack
from .store import BinaryReader, Entry, IterReader, Store, Stored

BACKUPS = "backups"
DATABASES = "databases"
PACKS = "packs"
INDEXES = "indexes"

LONGEST_BACKUP = 12 * 3600
"""Seconds after which a copy that is being made is given up."""

GARBAGE_AGE = 24 * 3600
"""Seconds that a marked object stays."""

_UID = re.compile(r"[a-z][a-z0-9]{1,40}")
_ID = re.compile(r"[a-z0-9][a-z0-9.-]{0,63}")


@dataclasses.dataclass(frozen=True, slots=True)
class Collected:
    """What a collection did: objects marked and removed, bytes freed."""

    marked: int
    deleted: int
    freed: int


def new_backup_id(now: float | None = None) -> str:
    """An id that sorts by time and is never given twice."""
    stamp = time.strftime("%Y%m%dt%H%M%Sz", time.gmtime(now))
    return f"{stamp}-{secrets.token_hex(4)}"


def list_tenants(store: Store) -> list[str]:
    """The tenants whose key lies in the store."""
    found = (entry.key.split("/") for entry in store.entries("tenants/"))
    return sorted(parts[1] for parts in found if parts[2:] == ["key"])


class Repository:
    """The copies of one tenant.

    :param str backup_key: as ``sealing.derive`` gives it; empty when only objects are
        removed
    """

    def __init__(self, store: Store, uid: str, backup_key: str = "") -> None:
        if not _UID.fullmatch(uid):
            raise RefusedError(f"{uid!r} is no id of a tenant.", reason="bad_name")
        self.store = store
        self.uid = uid
        self.backup_key = backup_key
        self._key = keys.read_key(backup_key) if backup_key else b""

    # === OBJECTS === #

    def key_of(self, kind: str, id: str) -> str:
        if not _ID.fullmatch(id):
            raise RefusedError(f"{id!r} is no id of a copy.", reason="bad_name")
        return f"tenants/{self.uid}/{kind}/{id}"

    def put(self, kind: str, id: str, parts: Iterable[bytes]) -> Stored:
        """Encrypt and store an object, and read it back."""
        sealed = crypto.encrypt(parts, self._key, f"{self.uid}/{kind}/{id}")
        with contextlib.closing(sealed):  # type: ignore[type-var]
            stored = self.store.put(self.key_of(kind, id), IterReader(sealed))
        self.store.confirm(stored)
        return stored

    @contextlib.contextmanager
    def get(self, kind: str, id: str) -> Iterator[BinaryReader]:
        """Open an object; what it gives is verified.

        :raise RefusedError: ``missing`` or, while it is read, ``damaged``
        """
        with self.store.get(self.key_of(kind, id)) as stream:
            yield IterReader(
                crypto.decrypt(stream, self._key, f"{self.uid}/{kind}/{id}")
            )

    def _get_bytes(self, kind: str, id: str) -> bytes:
        with self.get(kind, id) as stream:
            return stream.read()

    def _find(self, key: str) -> bytes | None:
        """A small object that may be absent."""
        try:
            return self.store.get_bytes(key)
        except RefusedError as error:
            if error.reason == "missing":
                return None
            raise

    def _entries(self, kind: str) -> dict[str, Entry]:
        prefix = f"tenants/{self.uid}/{kind}/"
        return {entry.key[len(prefix) :]: entry for entry in self.store.entries(prefix)}

    # === KEYS === #

    @property
    def _key_file(self) -> str:
        return f"tenants/{self.uid}/key"

    def ensure_key(self, recovery_public: str) -> bool:
        """Have the backup key in the store, sealed for that recovery key.

        :return: whether it had to be written
        :raise RefusedError: ``key_wrong``, when copies there were made with another one
        """
        content = self._find(self._key_file)
        if content is not None:
            file = keys.parse(content, self.uid)
            if file.key_id != keys.key_id(self.backup_key):
                raise RefusedError(
                    f"The copies of {self.uid} in the store were made with another key "
                    "than the master has for it. Restore them with the recovery key "
                    "to another tenant, or erase them.",
                    reason="key_wrong",
                )
            if file.recovery == keys.fingerprint(recovery_public):
                return False
        content = keys.wrap(self.uid, self.backup_key, recovery_public)
        self.store.put_bytes(self._key_file, content)
        return True

    def open_with(self, recovery_private: str) -> Repository:
        """The same, with the key that the recovery key opens.

        :raise RefusedError: ``key_missing`` or ``key_wrong``
        """
        content = self._find(self._key_file)
        if content is None:
            raise RefusedError(
                f"{self.store} has no key of {self.uid}: it was erased, or this is not "
                "the store of its copies.",
                reason="key_missing",
            )
        found = keys.unwrap(content, self.uid, recovery_private)
        return Repository(self.store, self.uid, found)

    def read_sealed_key(self) -> str:
        """The key file as it lies in the store; the recovery key alone opens it.

        :raise RefusedError: ``missing``
        """
        return self.store.get_bytes(self._key_file).decode()

    def check_key(self) -> None:
        """Refuse a key that is not the one of the copies, before anything is read.

        :raise RefusedError: ``key_wrong``
        """
        content = self._find(self._key_file)
        if content is not None:
            file = keys.parse(content, self.uid)
            if file.key_id != keys.key_id(self.backup_key):
                raise RefusedError(
                    f"This key is not the one of the copies of {self.uid}.",
                    reason="key_wrong",
                )

    # === COPIES === #

    def list_backups(self) -> list[str]:
        """The ids of all copies, newest first."""
        return sorted(self._entries(BACKUPS), reverse=True)

    def has_backup(self, id: str) -> bool:
        return self.store.head(self.key_of(BACKUPS, id)) is not None

    def read_manifest(self, id: str) -> Manifest:
        """:raise RefusedError: ``missing``, ``damaged``, ``newer``"""
        return manifest.from_bytes(self._get_bytes(BACKUPS, id))

    def write_manifest(self, made: Manifest) -> Stored:
        return self.put(BACKUPS, made.id, [manifest.to_bytes(made)])

    def is_whole(self, made: Manifest) -> bool:
        """Whether all that a copy refers to lies in the store, by name and size."""
        dump = self.store.head(self.key_of(DATABASES, made.dump))
        if dump is None or dump.size != made.dump_size:
            return False
        packs = self._entries(PACKS) if made.packs else {}
        sizes = {id: entry.size for id, entry in packs.items()}
        return all(sizes.get(pack.id) == pack.size for pack in made.packs)

    def delete_backups(self, ids: Iterable[str]) -> int:
        """Remove copies: first what makes them exist, then what is theirs alone."""
        ids, count = list(ids), 0
        for id in ids:
            count += self.has_backup(id)
            self.store.delete(self.key_of(BACKUPS, id))
        for dump, entry in self._entries(DATABASES).items():
            if dump.partition(".")[0] in ids:
                self.store.delete(entry.key)
        return count

    # === FILES === #

    def find_files(
        self, wanted: frozenset[str], newest: Manifest | None
    ) -> tuple[dict[str, Pack], dict[str, FileRef]]:
        """Which of these files are in the store already: their pack, and where in it.

        Packs that a killed backup left are found by their indexes; those are read only
        when the newest copy does not have all that is wanted.
        """
        marked = set(self._read_garbage())
        there = {
            id: entry.size
            for id, entry in self._entries(PACKS).items()
            if f"{PACKS}/{id}" not in marked
        }
        packs: dict[str, Pack] = {}
        found: dict[str, FileRef] = {}
        for pack in newest.packs if newest else ():
            if there.pop(pack.id, None) == pack.size:
                _add(pack, wanted, packs, found)
        if len(found) < len(wanted):
            for id in sorted(there.keys() & self._entries(INDEXES).keys()):
                pack = self._read_index(id)
                if there[id] == pack.size:
                    _add(pack, wanted, packs, found)
        return packs, found

    def _read_index(self, id: str) -> Pack:
        return manifest.pack_from_json(json.loads(self._get_bytes(INDEXES, id)))

    def put_pack(
        self, parts: Iterable[bytes], encoding: str, files: tuple[FileRef, ...]
    ) -> tuple[Pack, int]:
        """Store a pack and its index; the pack, and the bytes that were sent."""
        id = secrets.token_hex(16)
        stored = self.put(PACKS, id, parts)
        pack = Pack(id, stored.size, stored.sha256, encoding, files)
        index = json.dumps(manifest.pack_to_json(pack)).encode()
        return pack, stored.size + self.put(INDEXES, id, [index]).size

    # === GARBAGE === #

    @property
    def _garbage_file(self) -> str:
        return f"tenants/{self.uid}/garbage"

    def _read_garbage(self) -> dict[str, float]:
        """Since when which objects are referred to by nothing."""
        content = self._find(self._garbage_file)
        marks: dict[str, float] = json.loads(content) if content else {}
        return marks

    def collect(self, now: float | None = None) -> Collected:
        """Mark what nothing refers to, and remove what was marked a day ago.

        One at a time for a tenant; copies may be made meanwhile.
        """
        now = time.time() if now is None else now
        before = self._read_garbage()
        # First what is there, then what refers to it: what is written in between is in
        # no list, and so it is not taken for garbage.
        there = {
            f"{kind}/{id}": entry
            for kind in (PACKS, INDEXES, DATABASES)
            for id, entry in self._entries(kind).items()
        }
        used = self._find_used()
        unused = {name: entry for name, entry in there.items() if name not in used}
        due = {
            name: entry
            for name, entry in unused.items()
            if now - before.get(name, now) >= GARBAGE_AGE
        }
        marks = {name: before.get(name, now) for name in unused}
        if marks != before:
            # The marks of what is removed stay until the next time: nobody may use it.
            self.store.put_bytes(self._garbage_file, json.dumps(marks).encode())
        for entry in due.values():
            self.store.delete(entry.key)
        self.store.abandon(GARBAGE_AGE)
        freed = sum(entry.size for entry in due.values())
        return Collected(len(marks.keys() - before.keys()), len(due), freed)

    def _find_used(self) -> frozenset[str]:
        """The objects that copies refer to.

        A manifest that cannot be read stops the collection: what it needs is unknown.
        """
        used = set()
        for id in self.list_backups():
            made = self.read_manifest(id)
            used.add(f"{DATABASES}/{made.dump}")
            for pack in made.packs:
                used |= {f"{PACKS}/{pack.id}", f"{INDEXES}/{pack.id}"}
        return frozenset(used)

    def erase(self) -> int:
        """Remove the key, without which all copies are unreadable; then the rest."""
        count = 0
        self.store.delete(self._key_file)
        for entry in list(self.store.entries(f"tenants/{self.uid}/")):
            self.store.delete(entry.key)
            count += 1
        return count


def _add(
    pack: Pack,
    wanted: frozenset[str],
    packs: dict[str, Pack],
    found: dict[str, FileRef],
) -> None:
    for file in pack.files:
        if file.name in wanted and file.name not in found:
            packs[file.name] = pack
            found[file.name] = file


def group_by_pack(
    packs: Mapping[str, Pack], found: Mapping[str, FileRef]
) -> tuple[Pack, ...]:
    """The packs of those files, each with the files that are meant, in order."""
    groups: dict[str, list[FileRef]] = {}
    whole = {pack.id: pack for pack in packs.values()}
    for name in sorted(found):
        groups.setdefault(packs[name].id, []).append(found[name])
    return tuple(
        dataclasses.replace(whole[id], files=tuple(files))
        for id, files in sorted(groups.items())
    )
