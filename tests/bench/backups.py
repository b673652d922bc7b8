"""The ways to copy and to restore a tenant that are compared.

F, G, H: a database of about 55 MB, by ours, by Odoo's zip and by Odoo's ``pg_dump``
I, J, K: the same with a database of 1 GB
L, M: 10 000 files, 1 GB, of which one in a hundred is new, by ours and by Odoo's zip
N, O: a copy restored as a new tenant (exactly as it was) and in place, from the call to
    the logged-in page
P: Odoo's own restore and its start, up to the login page

What copies and what Odoo restores with runs in containers that run already, and copying
is timed inside them. Ours has the limits of a task; Odoo's has none.
"""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import datetime
import functools
import io
import itertools
import json
import pathlib
import re
import secrets
import tarfile
import time
from collections.abc import Callable, Iterator
from typing import Any

from docker.models.containers import Container

from e2e.stack import Stack

from .client import BenchError, Master, address, answers, follow_link, wait
from .report import Measured

MODULES = "website,sale_management"
ODOO_IMAGE = "saas-odoo:19.0"
TOOLBOX_IMAGE = "saas-toolbox"
LABEL = "saas.stack"
STORE = "/mnt/store"
JOBS = "/etc/odoo"
STATE = "/var/lib/odoo"

FILL = pathlib.Path(__file__).with_name("fill.py")

_TIMED = """
began=$(date +%s.%N)
"$@" || exit
ended=$(date +%s.%N)
echo
times
echo $began $ended
"""
_DUMPS = re.compile(r"^(\S+ \S+),(\d+) .*odoo\.service\.db: DUMP DB", re.MULTILINE)
_TIMES = re.compile(r"(\d+)m([\d.]+)s")


@dataclasses.dataclass(frozen=True)
class Ran:
    """A program that was run.

    :param float began: seconds since the epoch
    :param float processor: seconds of its own and of what it ran
    """

    began: float
    seconds: float
    processor: float
    output: str


class Running:
    """A container that runs already, in which programs are timed."""

    def __init__(self, container: Container) -> None:
        self.container = container

    def run(self, *command: str) -> Ran:
        done = self.container.exec_run(["sh", "-c", _TIMED, "timed", *command])
        output = done.output.decode(errors="replace").rstrip()
        if done.exit_code:
            raise BenchError(f"{command[0]} ended with {done.exit_code}: {output}")
        text, __, times, marks = output.rsplit("\n", 3)
        began, ended = map(float, marks.split())
        found = _TIMES.findall(times)
        processor = sum(float(minutes) * 60 + float(rest) for minutes, rest in found)
        return Ran(began, ended - began, processor, text)

    def write(self, folder: str, name: str, content: bytes) -> None:
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as archive:
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), 0o444
            archive.addfile(member, io.BytesIO(content))
        self.container.put_archive(folder, buffer.getvalue())


class Bench:
    """The stack, the tenants that are copied, and the containers beside them."""

    def __init__(
        self, stack: Stack, master: Master, gateway: str, made: contextlib.ExitStack
    ) -> None:
        self.stack = stack
        self.master = master
        self.gateway = gateway
        self.made = made

    @functools.cached_property
    def partner(self) -> int:
        return self.master.create("res.partner", name="Bench backups")

    @functools.cached_property
    def plan(self) -> int:
        domain = [["modules", "=", MODULES]]
        found = self.master.call("saas.plan", "search", domain=domain, limit=1)
        if found:
            return found[0]
        return self.master.create("saas.plan", name=MODULES, modules=MODULES)

    @functools.cached_property
    def small(self) -> Subject:
        return Subject(self)

    @functools.cached_property
    def large(self) -> Subject:
        subject = Subject(self)
        subject.fill("database")
        # What was filled in is not to be written while something is measured.
        self.stack.sql("CHECKPOINT")
        return subject

    @functools.cached_property
    def filed(self) -> Subject:
        subject = Subject(self)
        subject.fill("files")
        return subject

    @contextlib.contextmanager
    def processor_time(self) -> Iterator[dict[str, float]]:
        """What the database server's processors do meanwhile; filled in at the end."""
        found: dict[str, float] = {}
        before = self._read_processor_time()
        yield found
        taken = self._read_processor_time() - before
        found["processor: the database server"] = taken

    def _read_processor_time(self) -> float:
        container = self.stack.container("db").id
        stats = self.stack.engine.api.stats(container, stream=False, one_shot=True)
        return stats["cpu_stats"]["cpu_usage"]["total_usage"] / 1e9

    def make_tenant(self) -> int:
        tenant = self.master.create(
            "saas.tenant",
            name=f"bench-{secrets.token_hex(5)}",
            partner_id=self.partner,
            plan_id=self.plan,
        )
        self.made.callback(self.erase, tenant)
        self.run(tenant, "action_provision")
        return tenant

    def run(self, tenant: int, method: str, **values: Any) -> int:
        """Have an operation done to its end."""
        [operation] = self.master.call("saas.tenant", method, ids=[tenant], **values)
        self.master.follow(operation)
        return operation

    def erase(self, tenant: int) -> None:
        self.run(tenant, "action_delete", erase_now=True)

    def login(self, role: str, password: str) -> dict[str, str]:
        """How programs find the database server, in libpq's variables."""
        return {"PGHOST": self.gateway, "PGUSER": role, "PGPASSWORD": password}

    def start(
        self, image: str, made: contextlib.ExitStack | None = None, **options: Any
    ) -> Running:
        """Start a container that waits to be used, and goes with all that was made."""
        container = self.stack.engine.containers.run(
            image,
            ["sleep", "infinity"],
            entrypoint="",
            user="odoo",
            init=True,
            network=f"{self.stack.name}_tenants",
            labels={LABEL: self.stack.name},
            detach=True,
            **options,
        )
        (made or self.made).callback(container.remove, force=True, v=True)
        return Running(container)


class Subject:
    """A tenant that is copied, with a container of ours and one of Odoo beside it.

    It is stopped, so that copying alone is measured.
    """

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.tenant = bench.make_tenant()
        self.uid = bench.master.read("saas.tenant", self.tenant, "uid")["uid"]
        self._password = self._read_password()
        bench.run(self.tenant, "action_stop")
        self._key = base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()[:-1]
        state = f"saas-{self.uid}-state:{STATE}"
        environment = bench.login(self.uid, self._password)
        store = bench.stack.engine.volumes.create(
            f"{bench.stack.name}-bench-{secrets.token_hex(4)}",
            labels={LABEL: bench.stack.name},
        )
        bench.made.callback(store.remove, force=True)
        # As tasks are started.
        self.ours = bench.start(
            TOOLBOX_IMAGE,
            volumes=[state, f"{store.name}:{STORE}", JOBS],
            read_only=True,
            tmpfs={"/tmp": "rw,noexec,nosuid,nodev,size=256m"},
            cap_drop=["ALL"],
            security_opt=["no-new-privileges"],
            pids_limit=200,
            mem_limit="768m",
            environment=environment,
        )
        self.odoo = bench.start(ODOO_IMAGE, volumes=[state], environment=environment)
        self._recovery = json.loads(
            self.ours.run("saas-backup", "new-recovery-key").output
        )

    def _read_password(self) -> str:
        container = self.bench.stack.tenant_container(self.uid)
        config = container.exec_run(["cat", f"{JOBS}/odoo.conf"]).output.decode()
        [password] = re.findall(r"^db_password *= *(\S+)$", config, re.MULTILINE)
        return password

    def back_up(self) -> tuple[Ran, dict[str, Any]]:
        """Have ``saas-backup`` make a copy; how it ran, and what it answers."""
        job = {
            "command": "backup",
            "store": {"kind": "directory", "path": STORE},
            "uid": self.uid,
            "key": self._key,
            # Ids sort by time: the newest copy says what is in the store already.
            "backup": f"{time.time_ns():020}",
            "recovery_public": self._recovery["public"],
            # Nothing has changed since the last one.
            "force": True,
            "database": {
                "host": self.bench.gateway,
                "port": 5432,
                "name": self.uid,
                "user": self.uid,
                "password": self._password,
            },
        }
        self.ours.write(JOBS, "job.json", json.dumps(job).encode())
        ran = self.ours.run("saas-backup", f"{JOBS}/job.json")
        return ran, json.loads(ran.output.splitlines()[-1])["saas-backup"]

    def count_stored(self) -> int:
        """The bytes of all that lies in the store."""
        command = ("find", STORE, "-type", "f", "-printf", "%s\\n")
        return sum(map(int, self.ours.run(*command).output.split()))

    def fill(self, what: str) -> None:
        """Have ``fill.py`` make the tenant larger."""
        self.ours.write(JOBS, FILL.name, FILL.read_bytes())
        self.ours.run("python3", f"{JOBS}/{FILL.name}", what, self.uid)


class Copied:
    """A copy by ours."""

    def __init__(self, key: str, subject: Subject, *, changes: bool = False) -> None:
        self.key = key
        self._subject = subject
        self._changes = changes
        subject.back_up()  # sends the files that are there

    def measure(self) -> Measured:
        subject = self._subject
        if self._changes:
            subject.fill("change")
        before = subject.count_stored()
        with subject.bench.processor_time() as served:
            ran, answer = subject.back_up()
        stored = subject.count_stored() - before
        if answer["sent"] != stored:
            raise BenchError(f"{answer['sent']} bytes were sent, {stored} are stored")
        parts = {
            "start of the program": ran.seconds - answer["seconds"],
            "its work": answer["seconds"],
            "processor: the program": ran.processor,
            **served,
        }
        return Measured(ran.seconds, parts, {"sent to the store": stored})


class Dumped:
    """A copy by Odoo's own ``odoo db dump``."""

    def __init__(self, key: str, subject: Subject, *options: str) -> None:
        self.key = key
        self._subject = subject
        self._options = options

    def measure(self) -> Measured:
        odoo, path = self._subject.odoo, f"{STATE}/bench.dump"
        command = ("odoo", "db", "dump", *self._options, self._subject.uid, path)
        with self._subject.bench.processor_time() as served:
            ran = odoo.run(*command)
        size = int(odoo.run("stat", "--format=%s", path).output)
        odoo.run("rm", path)
        [(moment, milliseconds)] = _DUMPS.findall(ran.output)
        moment = datetime.datetime.fromisoformat(f"{moment}.{milliseconds}+00:00")
        starting = moment.timestamp() - ran.began
        parts = {
            "start of Odoo": starting,
            "its work": ran.seconds - starting,
            "processor: Odoo": ran.processor,
            **served,
        }
        return Measured(ran.seconds, parts, {"written": size})


class Restored:
    """A copy that was made by the API, restored by the API."""

    def __init__(self, key: str, bench: Bench, *, in_place: bool) -> None:
        self.key = key
        self._bench = bench
        self._in_place = in_place
        self._tenant = bench.make_tenant()
        bench.run(self._tenant, "action_backup")
        domain = [["tenant_id", "=", self._tenant], ["state", "=", "done"]]
        [self._backup] = bench.master.call("saas.backup", "search", domain=domain)

    def measure(self) -> Measured:
        master, values = self._bench.master, {"backup_id": self._backup}
        if not self._in_place:
            values["as_new_name"] = f"bench-{secrets.token_hex(5)}"
            values["neutralize"] = False
        marks = [time.monotonic()]
        operation = self._bench.run(self._tenant, "action_restore", **values)
        marks.append(time.monotonic())
        [tenant, __] = master.read("saas.operation", operation, "tenant_id")[
            "tenant_id"
        ]
        follow_link(master.call("saas.tenant", "get_login_url", ids=[tenant]))
        marks.append(time.monotonic())
        if tenant != self._tenant:
            self._bench.erase(tenant)
        restored, opened = (
            after - before for before, after in itertools.pairwise(marks)
        )
        steps = master.read_steps(operation)
        parts = {
            **steps,
            "calls, queue, commits and polling": restored - sum(steps.values()),
            "log in and open /odoo": opened,
        }
        return Measured(marks[-1] - marks[0], parts)


class Loaded:
    """A copy by ``odoo db dump``, restored by ``odoo db load``, and started."""

    def __init__(self, key: str, subject: Subject) -> None:
        self.key = key
        self._bench = subject.bench
        self._odoo = subject.odoo
        self._zip = f"{STATE}/bench.zip"
        self._odoo.run("odoo", "db", "dump", subject.uid, self._zip)

    def measure(self) -> Measured:
        name = f"bench{secrets.token_hex(5)}"
        with self._role(name) as password, self._start(name, password) as odoo:
            url = f"http://{address(odoo.container)}:8069"
            marks = [time.monotonic()]
            odoo.run("odoo", "db", "load", name, self._zip)
            marks.append(time.monotonic())
            odoo.container.exec_run(["odoo", "--database", name], detach=True)
            wait(lambda: answers(f"{url}/web/login"))
            marks.append(time.monotonic())
        loaded, served = (after - before for before, after in itertools.pairwise(marks))
        parts = {"odoo db load": loaded, "until /web/login": served}
        return Measured(marks[-1] - marks[0], parts)

    @contextlib.contextmanager
    def _role(self, name: str) -> Iterator[str]:
        """A role that may do what Odoo's own restore needs."""
        sql, password = self._bench.stack.sql, secrets.token_hex(16)
        sql(f"CREATE ROLE {name} LOGIN CREATEDB PASSWORD '{password}'")
        sql(f"GRANT CONNECT ON DATABASE postgres TO {name}")
        try:
            yield password
        finally:
            sql(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
            sql(f"REVOKE CONNECT ON DATABASE postgres FROM {name}")
            sql(f"DROP ROLE {name}")

    @contextlib.contextmanager
    def _start(self, name: str, password: str) -> Iterator[Running]:
        with contextlib.ExitStack() as made:
            odoo = self._bench.start(
                ODOO_IMAGE,
                made,
                volumes_from=[self._odoo.container.id],
                environment=self._bench.login(name, password),
            )
            made.callback(odoo.run, "rm", "-r", f"{STATE}/filestore/{name}")
            yield odoo


def find_makers(
    bench: Bench,
) -> dict[str, Callable[[], Copied | Dumped | Restored | Loaded]]:
    """What makes the arms, by their keys."""
    return {
        "F": lambda: Copied("F", bench.small),
        "G": lambda: Dumped("G", bench.small, "--no-filestore"),
        "H": lambda: Dumped("H", bench.small, "--format", "dump"),
        "I": lambda: Copied("I", bench.large),
        "J": lambda: Dumped("J", bench.large, "--no-filestore"),
        "K": lambda: Dumped("K", bench.large, "--format", "dump"),
        "L": lambda: Copied("L", bench.filed, changes=True),
        "M": lambda: Dumped("M", bench.filed),
        "N": lambda: Restored("N", bench, in_place=False),
        "O": lambda: Restored("O", bench, in_place=True),
        "P": lambda: Loaded("P", bench.small),
    }
