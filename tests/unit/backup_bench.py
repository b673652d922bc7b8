"""A tenant without PostgreSQL, to copy and restore: its database is some bytes."""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import pathlib
import random

from odoo.addons.saas.engine import sealing
from odoo.addons.saas_backup.engine import keys
from odoo.addons.saas_backup.engine.backup import Request, make_backup
from odoo.addons.saas_backup.engine.database import Facts
from odoo.addons.saas_backup.engine.repository import Repository, new_backup_id
from odoo.addons.saas_backup.engine.restore import restore_backup
from odoo.addons.saas_backup.engine.store import read_all

UID = "t0000000000a1"
RECOVERY = keys.new_recovery_key()


class Tenant:
    """What it has: rows, and attachments whose contents lie in a filestore."""

    def __init__(self, folder: pathlib.Path, uid: str = UID) -> None:
        self.uid = uid
        self.key = sealing.derive(sealing.new_data_key(), "backup")
        self.filestore = folder / uid
        self.filestore.mkdir(parents=True)
        self.archive = b"archive 1" * 1000
        self.rows = {"res_partner": 3}
        self.names: set[str] = set()
        self.changes = 1
        self.quiet = True
        self.away: Exception | None = None
        self.connections = 0
        self.meanwhile = lambda: None
        self.now = datetime.datetime(2026, 11, 21, 12, tzinfo=datetime.UTC)
        self.random = random.Random(uid)

    # --- what its users do

    def attach(self, content: bytes) -> str:
        name = hashlib.sha1(content).hexdigest()
        path = self.path(name)
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
        self.names.add(name)
        self.changes += 1
        return name

    def attach_many(self, count: int, size: int = 1000) -> list[str]:
        return [self.attach(self.random.randbytes(size)) for _number in range(count)]

    def path(self, name: str) -> pathlib.Path:
        return self.filestore / name[:2] / name

    # --- as a source

    @contextlib.contextmanager
    def open(self):
        if self.away:
            raise self.away
        self.connections += 1
        try:
            yield self
        finally:
            self.connections -= 1

    def fingerprint(self) -> str:
        return f"f{self.changes}" if self.quiet else ""

    @contextlib.contextmanager
    def snapshot(self):
        yield _Snapshot(self)

    # --- for tests

    def repository(self, store) -> Repository:
        return Repository(store, self.uid, self.key)

    def request(self, id: str = "", **more) -> Request:
        values = {"recovery_public": RECOVERY[1], "image": "saas-odoo:19.0"} | more
        return Request(id or new_backup_id(), self.filestore, **values)

    def back_up(self, store, id: str = "", **more):
        return make_backup(self.repository(store), self, self.request(id, **more))


class _Snapshot:
    def __init__(self, tenant: Tenant) -> None:
        self.date = tenant.now
        self._archive = tenant.archive
        self._tenant = tenant
        self._facts = Facts(
            rows=dict(tenant.rows),
            modules={"base": "19.0.1.3", "web": "19.0.1.0"},
            files=frozenset(tenant.names),
            elsewhere=0,
            server_version=170006,
            database_size=len(tenant.archive),
            odoo_version="19.0",
        )

    def facts(self):
        return self._facts

    def dump(self):
        yield self._archive[:10]
        self._tenant.meanwhile()
        yield self._archive[10:]


class Target:
    """A fresh database, and what was loaded into it."""

    def __init__(self, rows=None) -> None:
        self.archive = None
        self._rows = rows

    def load(self, archive):
        self.archive = read_all(archive)

    def rows(self):
        return self._rows


def restore(repository: Repository, id: str, folder: pathlib.Path, tenant: Tenant):
    """Restore a copy, and return the contents of its files by name."""
    target = Target(tenant.rows)
    restore_backup(repository, id, target, folder)
    found = {path.name: path.read_bytes() for path in folder.glob("??/*")}
    assert {name[:2] for name in found} == {path.name for path in folder.iterdir()}
    return target.archive, found
