"""The ways to a customer's Odoo that are compared. Each removes all that it makes.

Those that copy and restore one are in ``backups``, those that wake one in ``wake``.

A: a tenant of ours with the module base, from the call to its logged-in page
B: the same with website and sale_management
C: Odoo's own way: a fresh container and an empty database, ``odoo -i base``, log in
D: a container of PostgreSQL and one of Odoo for each client, up to the login page
E: as A, but a visitor of the website: from the confirmed code to the logged-in page

C and D run without limits on memory and processor; a tenant has those of its plan.
"""

from __future__ import annotations

import contextlib
import itertools
import secrets
import time
from collections.abc import Iterator, Mapping
from typing import Protocol

import docker
from docker.errors import NotFound

from e2e.api_key import make_api_key
from e2e.mailbox import Mailbox, read_code
from e2e.stack import Stack

from . import backups, wake
from .client import (
    BenchError,
    Master,
    Visitor,
    address,
    answers,
    follow_link,
    log_in,
    wait,
)
from .report import Measured

DATABASE = "master"
LOGIN = "admin"
ODOO_IMAGE = "saas-odoo:19.0"
POSTGRES_IMAGE = "saas-postgres:latest"
LABEL = "saas.stack"
MODULES = {"A": "base", "B": "website,sale_management"}

# What the official image does on its first start: a cluster, a database, a restart.
CLUSTER = """
set -eu
export PGDATA=/var/lib/postgresql/data/17
printf %s "$PASSWORD" >/tmp/password
initdb --username=odoo --pwfile=/tmp/password --auth-local=trust \\
    --auth-host=scram-sha-256 --encoding=UTF8 --locale=C.UTF-8 >/dev/null
echo 'host all all all scram-sha-256' >>"$PGDATA/pg_hba.conf"
listen="-c unix_socket_directories=/tmp -c listen_addresses"
pg_ctl --wait --silent --options="$listen=" start
createdb --host=/tmp --username=odoo client
pg_ctl --wait --silent --mode=fast stop
exec postgres $listen=*
"""


class Arm(Protocol):
    key: str

    def measure(self) -> Measured:
        """One sample."""


class Tenant:
    """A tenant of the stack, asked for through its API."""

    def __init__(self, key: str, master: Master) -> None:
        self.key = key
        self._master = master
        self._plan = self._find_plan(MODULES[key])
        self._partner = master.create("res.partner", name=f"Bench {key}")
        self.measure()  # builds the template

    def _find_plan(self, modules: str) -> int:
        domain = [["modules", "=", modules]]
        found = self._master.call("saas.plan", "search", domain=domain, limit=1)
        if found:
            return found[0]
        return self._master.create("saas.plan", name=modules, modules=modules)

    def measure(self) -> Measured:
        master = self._master
        tenant = master.create(
            "saas.tenant",
            name=f"bench-{secrets.token_hex(5)}",
            partner_id=self._partner,
            plan_id=self._plan,
        )
        try:
            marks = [time.monotonic()]
            [operation] = master.call("saas.tenant", "action_provision", ids=[tenant])
            marks.append(time.monotonic())
            master.follow(operation)
            marks.append(time.monotonic())
            link = master.call("saas.tenant", "get_login_url", ids=[tenant])
            marks.append(time.monotonic())
            follow_link(link)
            marks.append(time.monotonic())
            return Measured(marks[-1] - marks[0], self._read_parts(operation, marks))
        finally:
            [erasing] = master.call(
                "saas.tenant", "action_delete", ids=[tenant], erase_now=True
            )
            master.follow(erasing)

    def _read_parts(self, operation: int, marks: list[float]) -> dict[str, float]:
        steps = self._master.read_steps(operation)
        called, followed, linked, opened = (
            after - before for before, after in itertools.pairwise(marks)
        )
        return {
            "call action_provision": called,
            **steps,
            "queue, commits and polling": followed - sum(steps.values()),
            "call get_login_url": linked,
            "log in and open /odoo": opened,
        }


class SignUp:
    """A tenant of the stack that a visitor signs up for."""

    key = "E"

    def __init__(self, master: Master, mailbox: Mailbox) -> None:
        self._master = master
        self._mailbox = mailbox
        self._plan = self._find_plan()
        self.measure()  # builds the template

    def _find_plan(self) -> str:
        domain = [["modules", "=", MODULES["A"]], ["is_published", "=", True]]
        plans = self._master.call(
            "saas.plan", "search_read", domain=domain, fields=["website_url"], limit=1
        )
        if not plans:
            raise BenchError(f"no plan with {MODULES['A']} is published")
        return plans[0]["website_url"]

    def measure(self) -> Measured:
        name = f"bench-{secrets.token_hex(5)}"
        email = f"{name}@{name}.example.com"
        with no_limits(self._master):
            visitor = Visitor(self._master.url)
            visitor.sign_up(self._plan, name, email)
            code = read_code(self._mailbox, email)
            try:
                marks = [time.monotonic()]
                visitor.confirm(code)
                marks.append(time.monotonic())
                wait(visitor.is_built)
                marks.append(time.monotonic())
                visitor.open()
                marks.append(time.monotonic())
            finally:
                self._erase(name)
        titles = ("confirm the code", "until it is built", "log in and open /odoo")
        parts = (after - before for before, after in itertools.pairwise(marks))
        return Measured(marks[-1] - marks[0], dict(zip(titles, parts, strict=True)))

    def _erase(self, name: str) -> None:
        domain = [["name", "=", name]]
        for tenant in self._master.call("saas.tenant", "search", domain=domain):
            [erasing] = self._master.call(
                "saas.tenant", "action_delete", ids=[tenant], erase_now=True
            )
            self._master.follow(erasing)


@contextlib.contextmanager
def no_limits(master: Master) -> Iterator[None]:
    """Let one address sign up as often as it wants."""
    keys = [f"saas_website.limit_{name}" for name in ("address", "network", "domain")]
    before = {
        key: master.call("ir.config_parameter", "get_param", key=key) for key in keys
    }
    for key in keys:
        master.call("ir.config_parameter", "set_param", key=key, value="0")
    try:
        yield
    finally:
        for key, value in before.items():
            master.call("ir.config_parameter", "set_param", key=key, value=value)


class Initialised:
    """``odoo -i base`` in a fresh container, in a database of its own."""

    key = "C"

    def __init__(self, stack: Stack, gateway: str) -> None:
        self._stack = stack
        self._gateway = gateway

    def measure(self) -> Measured:
        name = f"bench{secrets.token_hex(5)}"
        password = secrets.token_hex(16)
        with contextlib.ExitStack() as made:
            started = time.monotonic()
            made.callback(self._stack.sql, f"DROP ROLE IF EXISTS {name}")
            self._stack.sql(f"CREATE ROLE {name} LOGIN PASSWORD '{password}'")
            made.callback(
                self._stack.sql, f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"
            )
            self._stack.sql(f"CREATE DATABASE {name} OWNER {name} TEMPLATE template0")
            container = self._stack.engine.containers.run(
                ODOO_IMAGE,
                ["odoo", "--database", name, "--init", "base"],
                environment={
                    "HOST": self._gateway,
                    "USER": name,
                    "PASSWORD": password,
                },
                network=f"{self._stack.name}_tenants",
                labels={LABEL: self._stack.name},
                detach=True,
            )
            made.callback(container.remove, force=True, v=True)
            url = f"http://{address(container)}:8069"
            wait(lambda: answers(f"{url}/web/login"))
            served = time.monotonic()
            log_in(url, "admin", "admin")
            ended = time.monotonic()
        parts = {
            "until /web/login": served - started,
            "log in and open /odoo": ended - served,
        }
        return Measured(ended - started, parts)


class Kit:
    """PostgreSQL and Odoo of a client's own, as a Compose file for each client does."""

    key = "D"

    def __init__(self, stack: Stack) -> None:
        self._stack = stack

    def measure(self) -> Measured:
        name = f"{self._stack.name}-bench-{secrets.token_hex(4)}"
        password = secrets.token_hex(16)
        engine, labels = self._stack.engine, {LABEL: self._stack.name}
        with contextlib.ExitStack() as made:
            started = time.monotonic()
            network = engine.networks.create(name, labels=labels)
            made.callback(network.remove)
            database = engine.containers.run(
                POSTGRES_IMAGE,
                ["sh", "-c", CLUSTER],
                environment={"PASSWORD": password},
                network=name,
                name=f"{name}-db",
                labels=labels,
                detach=True,
            )
            made.callback(database.remove, force=True, v=True)
            odoo = engine.containers.run(
                ODOO_IMAGE,
                ["odoo", "--database", "client", "--init", "base"],
                environment={
                    "HOST": f"{name}-db",
                    "USER": "odoo",
                    "PASSWORD": password,
                },
                network=name,
                labels=labels,
                detach=True,
            )
            made.callback(odoo.remove, force=True, v=True)
            url = f"http://{address(odoo)}:8069"
            wait(lambda: answers(f"{url}/web/login"))
            ended = time.monotonic()
        return Measured(ended - started)


@contextlib.contextmanager
def make_all(keys: str, environment: Mapping[str, str]) -> Iterator[list[Arm]]:
    """The arms of those keys, with what they share."""
    url = environment["SAAS_URL"]
    engine = docker.from_env()
    stack = Stack(engine, environment["SAAS_STACK"])
    password = environment["SAAS_ADMIN_PASSWORD"]
    try:
        master = Master(url, DATABASE, make_api_key(url, DATABASE, LOGIN, password))
        gateway = find_gateway(stack)
        mailbox = Mailbox(f"http://127.0.0.1:{environment['SAAS_MAIL_PORT']}")
        makers = {
            "A": lambda: Tenant("A", master),
            "B": lambda: Tenant("B", master),
            "C": lambda: Initialised(stack, gateway),
            "D": lambda: Kit(stack),
            "E": lambda: SignUp(master, mailbox),
        }
        with contextlib.ExitStack() as made:
            bench = backups.Bench(stack, master, gateway, made)
            makers |= backups.find_makers(bench)
            makers |= wake.find_makers(bench)
            yield [makers[key]() for key in keys]
    finally:
        engine.close()


def find_gateway(stack: Stack) -> str:
    """Where the tenants' network reaches PostgreSQL."""
    try:
        network = stack.engine.networks.get(f"{stack.name}_tenants")
    except NotFound as error:
        raise SystemExit(f"The stack {stack.name} is not up.") from error
    return network.attrs["IPAM"]["Config"][0]["Gateway"]
