"""What lies outside of the master in a crash run: nothing that a kill takes along.

Containers, volumes, tasks and copies are those of the fake server, kept in a file.
Databases and roles are PostgreSQL's, and routes are files.
"""

from __future__ import annotations

import contextlib
import fcntl
import pickle
import re
from pathlib import Path

import psycopg2
from psycopg2 import sql

from odoo.addons.saas.engine.driver import Driver, TaskPhase
from odoo.addons.saas.engine.proxy import DirectoryRouteFiles, TraefikProxy
from odoo.addons.saas_backup.tests.common import Toolbox

IMAGE = "saas-odoo:19.0"
SOCKETS = "/database"
MASTER = "saas_provisioner"
OURS = r"^(t[0-9a-f]{12}|tpl[0-9a-f]{10})$"
CANARY = "canary"

# What a new Odoo has of what makes it one customer's own.
ODOO = """
    CREATE TABLE canary (word text);
    CREATE TABLE ir_config_parameter (
        key text UNIQUE, value text, create_uid int, write_uid int,
        create_date timestamp, write_date timestamp);
    CREATE TABLE ir_cron (nextcall timestamp);
    CREATE TABLE ir_cron_trigger (call_at timestamp);
    CREATE TABLE orm_signaling_default (id serial);
    CREATE TABLE orm_signaling_stable (id serial);
    CREATE TABLE res_lang (code text, active boolean);
    CREATE TABLE res_country (id serial, code text);
    CREATE TABLE res_currency (id serial, name text, active boolean);
    CREATE TABLE res_company (
        id serial, name text, email text, partner_id int, currency_id int,
        write_date timestamp);
    CREATE TABLE res_partner (
        id serial, name text, email text, complete_name text, parent_id int,
        is_company boolean, commercial_company_name text, commercial_partner_id int,
        country_id int, state_id int, lang text, tz text, write_date timestamp);
    CREATE TABLE res_users (
        id int, login text, password text, active boolean, signature text,
        partner_id int, write_date timestamp);
    INSERT INTO res_lang VALUES ('en_US', true);
    INSERT INTO res_currency (name, active) VALUES ('USD', true);
    INSERT INTO res_partner (name, is_company)
        VALUES ('Company', true), ('Administrator', false);
    INSERT INTO res_company (name, partner_id, currency_id) VALUES ('Company', 1, 1);
    INSERT INTO res_users (id, login, partner_id) VALUES (2, 'admin', 2);
"""


@contextlib.contextmanager
def superuser(database="postgres"):
    """A session that may do all and looks past the walls."""
    connection = psycopg2.connect(host=SOCKETS, dbname=database, user="odoo")
    connection.autocommit = True
    with contextlib.closing(connection), connection.cursor() as cursor:
        yield cursor


def fill(uid, words):
    """Make an Odoo of an empty database, as its own role, with these words in it."""
    with superuser(uid) as cursor:
        cursor.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(uid)))
        cursor.execute(ODOO)
        write_words(cursor, words)


def write_words(cursor, words):
    cursor.executemany("INSERT INTO canary VALUES (%s)", [(word,) for word in words])


def read_words(uid):
    with superuser(uid) as cursor:
        cursor.execute("SELECT word FROM canary ORDER BY length(word), word")
        return tuple(word for (word,) in cursor)


class FiledToolbox(Toolbox):
    """The fake server, whose containers, volumes and tasks lie in a file.

    :param copied: words and files of each copy, by its number
    """

    def __init__(self, path: Path) -> None:
        super().__init__(images={IMAGE, "saas-toolbox"})
        self.copied = {}
        self._path = path
        self._depth = 0

    @contextlib.contextmanager
    def open(self):
        """One process or thread at a time; all of a call is done, or nothing."""
        with self._lock:
            if self._depth:
                yield self
                return
            with open(f"{self._path}.lock", "w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                self._depth = 1
                try:
                    self._read()
                    yield self
                    self._write()
                finally:
                    self._depth = 0

    def _read(self):
        if self._path.exists():
            vars(self).update(pickle.loads(self._path.read_bytes()))

    def _write(self):
        self.calls, self.happened = [], []
        kept = {
            name: value
            for name, value in vars(self).items()
            if not name.startswith("_")
        }
        new = self._path.with_suffix(".new")
        new.write_bytes(pickle.dumps(kept))
        new.replace(self._path)

    # === TASKS DO THEIR WORK === #

    def start_task(self, uid, task):
        with self.open():
            known = (uid, task.key) in self.tasks
            super().start_task(uid, task)
            done = self.tasks[uid, task.key].phase == TaskPhase.DONE
            if done and not known:
                self._work(uid, task)

    def _work(self, uid, task):
        program = Path(task.command[0]).name
        if program == "saas-init":
            fill(uid, ["template"])
            self.state[uid][CANARY] = b"template"
        elif task.source:
            self.state[uid].update(self.state[task.source])

    def _do_backup(self, job):
        answer = super()._do_backup(job)
        uid = job["uid"]
        self.copied[job["backup"]] = (read_words(uid), dict(self.state[uid]))
        return answer

    def _do_restore(self, job):
        uid = job["database"]["name"]
        words, files = self.copied[job["backup"]]
        fill(uid, words)
        self.state[uid].update(files)
        return super()._do_restore(job)

    def _do_collect(self, job):
        # Or each later copy of that tenant would be followed by another look.
        return {**super()._do_collect(job), "marked": 0}


def _filed(name):
    def call(self, *args, **kwargs):
        with self.open():
            return getattr(Toolbox, name)(self, *args, **kwargs)

    return call


for _name in Driver.__abstractmethods__ - {"start_task"}:
    setattr(FiledToolbox, _name, _filed(_name))


class World:
    """All of it, and what there is of some uids."""

    def __init__(self, folder: Path) -> None:
        self.routes = folder / "routes"
        self.routes.mkdir()
        self._file = folder / "server"
        self._proxy = TraefikProxy(DirectoryRouteFiles(self.routes))
        _remove_databases()
        with superuser() as cursor:
            cursor.execute("SELECT FROM pg_roles WHERE rolname = %s", (MASTER,))
            if not cursor.rowcount:
                cursor.execute(f"CREATE ROLE {MASTER} LOGIN CREATEDB CREATEROLE")

    @property
    def driver(self) -> FiledToolbox:
        return FiledToolbox(self._file)

    def describe(self, uids):
        """What there is of them: sort, uid and what is to be said of each thing."""
        return {
            *self._describe_server(uids),
            *self._describe_routes(uids),
            *_describe_databases(uids),
        }

    def _describe_server(self, uids):
        with self.driver.open() as server:
            for uid, found in server.containers.items():
                if uid in uids:
                    yield "container", uid, str(found.phase)
            for uid, files in server.state.items():
                if uid in uids:
                    yield "volume", uid, files.get(CANARY, b"").decode()
            for uid, key in server.tasks:
                if uid in uids:
                    yield "task", uid, re.sub(r"\d+", "N", key)

    def _describe_routes(self, uids):
        for uid, route in self._proxy.list_routes().items():
            if uid in uids:
                yield "route", uid, f"{bool(route.http)}, pages {len(route.pages)}"

    def count_copies(self, uid):
        with self.driver.open() as server:
            return len(server.store.get(uid, ()))


def _describe_databases(uids):
    with superuser() as cursor:
        cursor.execute(
            "SELECT rolname, rolcanlogin FROM pg_roles WHERE rolname = ANY(%s)",
            (list(uids),),
        )
        roles = cursor.fetchall()
        cursor.execute(
            "SELECT datname, datdba::regrole::text, datallowconn FROM pg_database"
            " WHERE datname = ANY(%s)",
            (list(uids),),
        )
        databases = cursor.fetchall()
    for uid, login in roles:
        yield "role", uid, f"login {login}"
    for uid, owner, open_ in databases:
        said = " ".join(read_words(uid)) if open_ else "sealed"
        yield "database", uid, f"of {owner}: {said}"


def _remove_databases():
    """What a run before has left: the server of these tests is kept."""
    with superuser() as cursor:
        cursor.execute("SELECT datname FROM pg_database WHERE datname ~ %s", (OURS,))
        for (name,) in cursor.fetchall():
            _run(cursor, "ALTER DATABASE {} IS_TEMPLATE false", name)
            _run(cursor, "DROP DATABASE {} WITH (FORCE)", name)
        cursor.execute("SELECT rolname FROM pg_roles WHERE rolname ~ %s", (OURS,))
        for (name,) in cursor.fetchall():
            _run(cursor, "DROP ROLE {}", name)


def _run(cursor, statement, name):
    cursor.execute(sql.SQL(statement).format(sql.Identifier(name)))
