"""Tenants with a real database and filestore, and the toolbox that copies them.

The tasks run as the driver runs them: the image's user, a read-only root, the job in a
file. They share the network of the database server, so nothing is published.
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
import itertools
import json
import os
import secrets
import tarfile
import time

import postgres_bench
import pytest
from docker import APIClient
from docker.errors import APIError
from postgres_bench import PostgresBench, docker

from odoo.addons.saas.engine import sealing
from odoo.addons.saas.engine.errors import RefusedError, RetryableError
from odoo.addons.saas_backup.engine import job as jobs
from odoo.addons.saas_backup.engine import keys
from odoo.addons.saas_backup.engine.database import Database
from odoo.addons.saas_backup.engine.directory import DirectoryConfig

IMAGE = os.environ.get("SAAS_TOOLBOX_IMAGE", "saas-toolbox")
ODOO = os.environ.get("SAAS_ODOO_IMAGE", "saas-odoo:19.0")
STACK = postgres_bench.STACK
LABELS = {"saas.stack": STACK}
# Other levels run beside this one, and count what is on the engine without a mark.
MARK = ("--label", f"saas.stack={STACK}")
PASSWORD = "p:a\\ss'word"
TEMPLATE = "tpl00000000c3"
RECOVERY = keys.new_recovery_key()
DIRECTORY = DirectoryConfig(jobs.STORE_DIRECTORY)

_numbers = itertools.count(1)

# As much of Odoo as copies know of: attachments, modules, and the search functions.
SCHEMA = """
CREATE TABLE ir_module_module (name text, state text, latest_version text);
INSERT INTO ir_module_module VALUES ('base', 'installed', '19.0.1.3'),
    ('web', 'installed', '19.0.1.0'), ('sale', 'uninstalled', NULL);
CREATE TABLE res_users (id serial PRIMARY KEY, login text UNIQUE);
CREATE TABLE res_partner (id serial PRIMARY KEY, name text);
CREATE TABLE ir_attachment (
    id serial PRIMARY KEY, name text, store_fname text, db_datas bytea);
CREATE INDEX partner_search ON res_partner USING gin (unaccent(name) gin_trgm_ops);
COMMENT ON COLUMN res_partner.name IS 'Name';
CREATE SEQUENCE ir_sequence_1;
CREATE VIEW partner_view AS SELECT id, name FROM res_partner;
INSERT INTO res_users (login) VALUES ('admin'), ('demo');
INSERT INTO res_partner (name)
    SELECT 'Café n° ' || i FROM generate_series(1, 5000) AS i;
SELECT setval('ir_sequence_1', 41);
"""


def refused(reason, call):
    """The message of what a call refuses for that reason."""
    with pytest.raises(RefusedError) as failure:
        call()
    assert failure.value.reason == reason, failure.value.message
    return failure.value.message


def retryable(reason, call):
    """The message of what a call cannot do now for that reason."""
    with pytest.raises(RetryableError) as failure:
        call()
    assert failure.value.reason == reason, failure.value.message
    return failure.value.message


@dataclasses.dataclass
class Ended:
    """A task that ended."""

    code: int
    log: str

    def answer(self):
        return jobs.parse_result(self.log, self.code)


class BackupBench:
    """A database server, a store in a volume, and any number of tenants."""

    def __init__(self) -> None:
        self.postgres = PostgresBench()
        # One connection for all: each start of the command line takes its time.
        self.api = APIClient(version="auto", timeout=600)
        self.store = self.make_volume("copies")
        self.keys: dict[str, str] = {}

    def close(self) -> None:
        for kind in ("container", "volume"):
            found = docker(
                kind,
                "ls",
                "-q",
                *(["-a"] if kind == "container" else []),
                "--filter",
                f"label=saas.stack={STACK}",
            ).split()
            if found:
                docker(kind, "rm", "-f", *found)
        self.api.close()

    # === TENANTS === #

    def make_volume(self, name: str) -> str:
        return self.api.create_volume(f"{STACK}-{name}", labels=LABELS)["Name"]

    def make_tenant(self, uid: str, schema: str = SCHEMA) -> None:
        server = self.postgres.server
        server.ensure_role(uid, PASSWORD, 8)
        server.create_database(uid)
        self.keys[uid] = sealing.derive(sealing.new_data_key(), "backup")
        self.make_volume(uid)
        if schema:
            self.sql(uid, schema)

    def add_tenant(self, schema: str = SCHEMA) -> str:
        """One more tenant; its uid."""
        uid = f"t{next(_numbers):012x}"
        self.make_tenant(uid, schema)
        return uid

    def login(self, uid: str) -> Database:
        return Database("127.0.0.1", 5432, uid, uid, PASSWORD)

    def sql(self, uid: str, statement: str, *values):
        """Run statements as the tenant itself; the rows of the last."""
        with self.postgres.login(uid, uid, PASSWORD) as connection:
            with connection.cursor() as cursor:
                cursor.execute(statement, values or None)
                rows = cursor.fetchall() if cursor.description else []
            connection.commit()
        return rows

    def drop(self, uid: str) -> None:
        """Drop a database as operations do: again, where maintenance holds it."""
        until = time.monotonic() + 60
        while True:
            try:
                self.postgres.server.drop_database(uid)
                return
            except RetryableError as error:
                if error.reason != "in_use" or time.monotonic() > until:
                    raise
            time.sleep(0.1)

    def fill(self, uid: str, rows: int = 200_000) -> None:
        """Give a tenant enough to dump for a second."""
        self.sql(
            uid,
            "INSERT INTO res_partner SELECT i + 99999, repeat(md5(i::text), 10)"
            f" FROM generate_series(1, {rows}) i",
        )

    def tables(self, uid: str):
        return self.sql(
            uid,
            "SELECT relname FROM pg_class WHERE relkind = 'r'"
            " AND relnamespace = 'public'::regnamespace",
        )

    def contents(self, uid: str):
        """All rows of all tables, and what the structure is made of."""
        tables = self.sql(
            uid,
            "SELECT relname FROM pg_class WHERE relkind IN ('r', 'v')"
            " AND relnamespace = 'public'::regnamespace ORDER BY 1",
        )
        rows = {
            table: self.sql(uid, f'SELECT * FROM "{table}" ORDER BY 1')
            for (table,) in tables
        }
        indexes = self.sql(
            uid, "SELECT indexdef FROM pg_indexes WHERE schemaname='public'"
        )
        sequences = self.sql(uid, "SELECT sequencename, last_value FROM pg_sequences")
        extensions = self.sql(uid, "SELECT extname FROM pg_extension ORDER BY 1")
        return rows, sorted(indexes), sorted(sequences, key=str), extensions

    def attach(self, uid: str, count: int, size: int = 5000) -> None:
        self.run_inside(uid, "attach.py", ATTACH, str(count), str(size))

    def files(self, uid: str) -> dict[str, str]:
        """The SHA-1 of each file of a tenant's filestore, by its name."""
        output = self.run_inside(uid, "hash.py", HASH)
        return json.loads(output.splitlines()[-1])

    def run_inside(self, uid, name, script, *arguments, image=IMAGE) -> str:
        """Run Python beside a tenant's data."""
        with self.running(uid, name, script, *arguments, image=image) as container:
            ended = self.wait(container)
        assert ended.code == 0, ended.log
        return ended.log

    @contextlib.contextmanager
    def running(self, uid, name, script, *arguments, image=IMAGE):
        command = ["python3", f"/etc/odoo/{name}", uid, *arguments]
        files = {name: script, "password": PASSWORD}
        container = self.start(uid, command, files, image)
        try:
            yield container
        finally:
            self.remove(container)

    # === TASKS === #

    def start(self, uid, command, files, image=IMAGE) -> str:
        """Start a container as the driver does; its name."""
        name = f"{STACK}-task-{secrets.token_hex(4)}"
        body = {
            "Image": image,
            "Cmd": list(command),
            "User": "odoo",
            "Labels": LABELS,
            "Volumes": {"/etc/odoo": {}},
            "HostConfig": {
                "Init": True,
                "NetworkMode": f"container:{postgres_bench.NAME}",
                "ReadonlyRootfs": True,
                "Tmpfs": {"/tmp": "rw,noexec,nosuid,nodev,size=256m"},
                "CapDrop": ["ALL"],
                "SecurityOpt": ["no-new-privileges"],
                "Memory": 512 * 2**20,
                "PidsLimit": 200,
                "Binds": [
                    f"{STACK}-{uid}:/var/lib/odoo",
                    f"{self.store}:{jobs.STORE_DIRECTORY}",
                ],
            },
        }
        self.api.create_container_from_config(body, name)
        self.api.put_archive(name, "/etc/odoo", _archive(files))
        self.api.start(name)
        return name

    def wait(self, name: str) -> Ended:
        code = self.api.wait(name)["StatusCode"]
        log = self.api.logs(name, stdout=False) + self.api.logs(name, stderr=False)
        return Ended(code, log.decode())

    def kill(self, name: str) -> None:
        """Kill a task, unless it has ended."""
        try:
            self.api.kill(name)
        except APIError as error:
            if error.status_code != 409:
                raise

    def remove(self, name: str) -> None:
        self.api.remove_container(name, v=True, force=True)

    def make_job(self, command: str, uid: str, *, to: str = "", **more) -> bytes:
        """A job; ``to`` is where it is done, where that is another tenant."""
        values = {
            "uid": uid,
            "key": self.keys[uid],
            "database": self.login(to or uid),
            "recovery_public": RECOVERY[1],
            "image": "saas-odoo:19.0",
        } | more
        return jobs.make_job(command, values.pop("store", DIRECTORY), **values)

    def start_job(self, command: str, uid: str, *, to: str = "", **more) -> str:
        job = self.make_job(command, uid, to=to, **more)
        path = f"/etc/odoo/{jobs.JOB_FILE}"
        return self.start(to or uid, ["saas-backup", path], {jobs.JOB_FILE: job})

    def end_all(self, beside: str, prepared: list[bytes]) -> list[Ended]:
        """Do many jobs, one after the other, in one task."""
        files = {f"{number:03}.json": job for number, job in enumerate(prepared)}
        name = self.start(
            beside, ["python3", "/etc/odoo/all.py"], {"all.py": ALL, **files}
        )
        try:
            ended = self.wait(name)
        finally:
            self.remove(name)
        assert ended.code == 0, ended.log
        return [Ended(*done) for done in json.loads(ended.log.splitlines()[-1])]

    def end(self, command: str, uid: str, **more) -> Ended:
        name = self.start_job(command, uid, **more)
        try:
            return self.wait(name)
        finally:
            self.remove(name)

    def run(self, command: str, uid: str, **more) -> dict:
        return self.end(command, uid, **more).answer()

    def patched(self, uid: str, setting: str, command: str, **more) -> Ended:
        """A job of a program in which one setting is another."""
        job = self.make_job(command, uid, **more)
        script = (
            "import sys\nsys.path.insert(0, '/usr/lib/saas')\n"
            "from odoo.addons.saas_backup.engine import database, task\n"
            f"{setting}\nsys.exit(task.main(['/etc/odoo/{jobs.JOB_FILE}']))\n"
        )
        files = {"patched.py": script, jobs.JOB_FILE: job}
        name = self.start(uid, ["python3", "/etc/odoo/patched.py"], files)
        try:
            return self.wait(name)
        finally:
            self.remove(name)

    def stored(self) -> dict[str, int]:
        """What lies in the store, by its key."""
        output = docker(
            *("run", "--rm", *MARK, "--volume", f"{self.store}:/mnt/store", IMAGE),
            *("find", "/mnt/store", "-type", "f", "-printf", "%P %s\\n"),
        )
        rows = (line.rsplit(" ", 1) for line in output.splitlines())
        return {name: int(size) for name, size in rows}

    def wait_until(self, condition, seconds=30):
        until = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < until
            time.sleep(0.02)


def _archive(files) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in files.items():
            data = content.encode() if isinstance(content, str) else content
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(data), 0o444
            archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


_COMMON = '''
import hashlib, json, os, pathlib, random, sys, time
import psycopg2
uid, arguments = sys.argv[1], sys.argv[2:]
filestore = pathlib.Path("/var/lib/odoo/filestore", uid)
password = pathlib.Path("/etc/odoo/password").read_text()

def connect():
    return psycopg2.connect(host="127.0.0.1", dbname=uid, user=uid, password=password)

def attach(cursor, content):
    """As Odoo does it: first the file, then the row, in one transaction."""
    name = hashlib.sha1(content).hexdigest()
    path = filestore / name[:2] / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    cursor.execute("INSERT INTO ir_attachment (name, store_fname) VALUES (%s, %s)",
                   ("a", f"{name[:2]}/{name}"))
'''

ATTACH = (
    _COMMON
    + """
count, size = map(int, arguments)
connection = connect()
with connection, connection.cursor() as cursor:
    for number in range(count):
        attach(cursor, os.urandom(size))
"""
)

HASH = (
    _COMMON
    + """
print(json.dumps({path.name: hashlib.sha1(path.read_bytes()).hexdigest()
                  for path in filestore.glob("??/*")}))
"""
)

# Users who attach and remove, and Odoo's own collection of files, word for word its
# locks; after the signal it ends.
USERS = (
    _COMMON
    + """
per_second, seconds = float(arguments[0]), float(arguments[1])
connection, collector = connect(), connect()
begin, count, removed = time.time(), 0, 0
print("ready", flush=True)
while time.time() - begin < seconds:
    with connection, connection.cursor() as cursor:
        attach(cursor, os.urandom(2000))
        count += 1
        if count % 3 == 0:
            cursor.execute("DELETE FROM ir_attachment WHERE id = "
                           "(SELECT min(id) FROM ir_attachment)")
    if count % 10 == 0:
        with collector.cursor() as cursor:
            try:
                cursor.execute("SET LOCAL lock_timeout TO '50ms'")
                cursor.execute("LOCK ir_attachment IN SHARE MODE")
                cursor.execute("SELECT store_fname FROM ir_attachment")
                known = {name.split("/")[1] for (name,) in cursor}
                for path in filestore.glob("??/*"):
                    if path.name not in known:
                        path.unlink()
                        removed += 1
                collector.commit()
            except psycopg2.errors.LockNotAvailable:
                collector.rollback()
    time.sleep(max(0, begin + count / per_second - time.time()))
print(f"attached {count}, collected {removed}", flush=True)
"""
)

ALL = """
import contextlib, io, json, pathlib, sys
sys.path.insert(0, "/usr/lib/saas")
from odoo.addons.saas_backup.engine import task
done = []
for path in sorted(pathlib.Path("/etc/odoo").glob("*.json")):
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        code = task.main([str(path)])
    done.append((code, output.getvalue()))
print(json.dumps(done))
"""

# The SHA-1 of all files, by folder, where copies were restored into many.
HASH_ALL = (
    _COMMON
    + """
print(json.dumps({folder.name: {path.name: hashlib.sha1(path.read_bytes()).hexdigest()
                                for path in folder.glob("??/*")}
                  for folder in filestore.parent.iterdir()}))
"""
)

# Odoo's own tool, called as its page of databases calls it.
_NATIVE = (
    _COMMON
    + """
import io, re, shutil, subprocess, zipfile
from odoo.service import db as service
from odoo.tools import config
for name, value in {"db_host": "127.0.0.1", "db_port": 5432, "db_user": uid,
                    "db_password": password, "data_dir": "/var/lib/odoo"}.items():
    config[name] = value
"""
)

NATIVE_ZIP = (
    _NATIVE
    + """
torn, failed, missing = 0, 0, 0
for number in range(int(arguments[0])):
    try:
        stream = service.dump_db(uid, None)
    except (OSError, shutil.Error):
        failed += 1  # a file went away while it was copied
        continue
    with zipfile.ZipFile(stream) as archive:
        there = {name.rpartition("/")[2].encode() for name in archive.namelist()}
        dump = archive.read("dump.sql")
    known = set(re.findall(rb"\\t[0-9a-f]{2}/([0-9a-f]{40})", dump))
    torn += bool(known - there)
    missing += len(known - there)
print(json.dumps({"torn": torn, "failed": failed, "missing": missing}))
"""
)

NATIVE_CUSTOM = (
    _NATIVE
    + """
whole = io.BytesIO()
service.dump_db(uid, whole, backup_format="dump")

class Cut(io.BytesIO):
    # Kills the program that writes, when it has written something.
    def write(self, data):
        for path in pathlib.Path("/proc").glob("[0-9]*/comm"):
            if path.read_text().strip() == "pg_dump":
                os.kill(int(path.parent.name), 9)
        return super().write(data)
stream = Cut()
service.dump_db(uid, stream, backup_format="dump")
print(json.dumps({"size": len(stream.getvalue()), "whole": len(whole.getvalue())}))
"""
)
