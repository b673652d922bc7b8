"""From a bare machine to a customer who is logged in, phase by phase."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

from . import (
    clean,
    compose,
    downloads,
    engine,
    images,
    master,
    preflight,
    signup,
    tenant,
)
from .browser import Browser
from .packages import Apt
from .rpc import LOGIN, Master
from .settings import Settings
from .shell import Progress, Shell, StackError

ALFA = "alfa"
STACK_PHASES = 9
DEMO_PHASES = STACK_PHASES + 2
SECONDS_TO_CERTIFICATE = 120


class Stack:
    """One stack on this machine, and the ways to bring it up."""

    def __init__(self, settings: Settings, shell: Shell, progress: Progress) -> None:
        self.settings = settings
        self.shell = shell
        self.progress = progress
        self.apt = Apt(shell)
        self.compose = compose.Compose(settings, shell)

    def up(self) -> None:
        """Have everything but tenants: phases 1 to 9.

        :raise StackError: something cannot be had
        """
        self.have_images()
        with self.progress.phase("database and keys"):
            self._start_database()
        with self.progress.phase("master database"):
            changed = master.ensure(
                self.settings, self.shell, self.compose, self.progress.note
            )
        with self.progress.phase("stack"):
            self._start_all(recreate=changed)
        with self.progress.phase("template"):
            self.progress.note(
                master.build_templates(Master(self.settings), self._follow)
            )

    def have_images(self) -> None:
        """Phases 1 to 5: a machine with an engine and our images."""
        self.have_engine()
        with self.progress.phase("base image"):
            images.ensure_base(self.settings, self.shell, self.apt, self.progress.note)
        with self.progress.phase("downloads"):
            downloads.ensure(self.settings, self.shell, self.apt, self.progress.note)
            self.progress.note("complete")
        with self.progress.phase("images"):
            images.ensure(self.settings, self.shell, self.progress.note)

    def have_engine(self) -> None:
        """Phases 1 and 2: a machine with an engine."""
        with self.progress.phase("preflight"):
            self._preflight()
        with self.progress.phase("Docker engine"):
            self.progress.note(engine.ensure(self.shell, self.apt))

    def _preflight(self) -> None:
        self.settings.cache.mkdir(exist_ok=True)
        docker = engine.answers(self.shell)
        running = docker and bool(self.compose.container("proxy"))
        facts = preflight.gather(
            docker=docker,
            built=docker and images.all_built(self.shell),
            own_ports=frozenset(self.settings.ports.values() if running else []),
            sudo=engine.may_sudo(self.shell),
            ports=self.settings.ports.values(),
        )
        preflight.check(facts, self.settings)

    def _start_database(self) -> None:
        clean.refuse_stranger(self.shell, self.settings.stack)
        compose.ensure_network(self.settings, self.shell)
        self.compose.run(
            *("up", "--detach", "--no-build", "db", "firewall"),
            failure="The stack's database does not start; the lines below say why.",
        )
        self.compose.wait_healthy(self.progress.note, ("db",))
        self.progress.note("healthy")

    def _start_all(self, *, recreate: bool) -> None:
        if recreate:
            self.compose.run(
                *("up", "--detach", "--no-build", "--no-deps", "--force-recreate"),
                *("web", "worker"),
                failure="The master does not start; the lines below say why.",
            )
        self.compose.run(
            *("up", "--detach", "--no-build"),
            failure="The stack does not start; the lines below say why.",
        )
        self.compose.wait_healthy(self.progress.note)
        if self.settings.has_https:
            self._wait_for_certificate()
        self._restart_tenants()
        self.progress.note("all healthy")

    def _wait_for_certificate(self) -> None:
        """Wait until the master has a certificate that this machine trusts.

        :raise StackError: it has none in time
        """
        browser = Browser(self.settings.authority)
        deadline = time.monotonic() + SECONDS_TO_CERTIFICATE
        while True:
            try:
                browser.get(f"{self.settings.url}/web/health")
            except OSError as error:
                cause = str(error)
            else:
                return
            self.progress.note("waiting for a certificate")
            if time.monotonic() > deadline:
                raise StackError(
                    f"{self.settings.url} has no certificate that this machine trusts "
                    f"({cause}): see make logs SERVICE=proxy, and HTTPS in "
                    "docs/operating.md."
                )
            time.sleep(1)

    def _restart_tenants(self) -> None:
        """Start the tenants that ``down`` has stopped."""
        path = self._stopped_file()
        if not path.exists():
            return
        for name in json.loads(path.read_text()):
            self.shell.docker("start", name, check=False)
        path.unlink()

    def _stopped_file(self) -> Path:
        return self.settings.cache / f"{self.settings.stack}.stopped.json"

    def _follow(self, connection: Master, operation: int) -> None:
        tenant.follow(connection, operation, self.progress.note)

    def down(self) -> None:
        """Stop everything and keep all data."""
        # The worker first: it starts what should run.
        running = clean.tenant_containers(self.shell, self.settings.stack)
        if self.compose.containers():
            self.compose.run("stop", "worker", failure="The worker cannot be stopped.")
        if running:
            self._stopped_file().write_text(json.dumps(running))
            clean.stop(self.settings, self.shell)
        if self.compose.containers():
            self.compose.run(
                *("down", "--timeout", "20"),
                failure="The stack cannot be stopped; the lines below say why.",
            )
        clean.remove_firewall(self.shell, self.settings.stack)


def demo(stack: Stack) -> str:
    """Bring the stack up with a customer in it; what to tell the newcomer."""
    stack.up()
    if not stack.settings.has_first_server:
        return greet_operator(stack.settings)
    connection = Master(stack.settings)
    with stack.progress.phase(f"tenant {ALFA}"):
        number = have_tenant(stack.settings, connection, ALFA, stack.progress.note)
    with stack.progress.phase("logged in"):
        address = tenant.wait_logged_in(connection, number)
        stack.progress.note(address)
    return welcome(stack.settings, address, tenant.login_url(connection, number))


def have_tenant(
    settings: Settings, connection: Master, name: str, note: Callable[[str], None]
) -> int:
    """Have that tenant running; one that is missing is signed up for by a visitor.

    :raise StackError: it cannot be had
    """
    number = tenant.find(connection, name)
    if number is not None:
        tenant.bring_up(connection, number, note)
        return number
    if not settings.has_mailbox:
        return tenant.create(connection, name, "", note)
    signup.sign_up(settings, name, note)
    return tenant.expect(connection, name)


def welcome(settings: Settings, address: str, link: str) -> str:
    mailbox = f"\n  Mailbox  {settings.mailbox_url}" if settings.has_mailbox else ""
    return f"""
  Website  {settings.url}
  Master   {settings.url}/odoo   login: {LOGIN}   password: {settings.admin_password}
           (also in .env as SAAS_ADMIN_PASSWORD){mailbox}
  {ALFA}     {address}
           logs in once, within a minute: {link}

  One more client: make tenant NAME=beta   Stop: make down   Remove all: make clean"""


def greet_operator(settings: Settings) -> str:
    """What to tell whoever sets the master up by hand."""
    return f"""
  Set up   {settings.url}/odoo/saas-setup
           login: {LOGIN}   password: {settings.admin_password}

  Stop: make down   Remove all: make clean"""


def add_tenant(
    settings: Settings, name: str, plan: str, note: Callable[[str], None]
) -> str:
    """One more client; a name that is taken is refused.

    :raise StackError: the name or the plan cannot be had, or it could not be made
    """
    connection = Master(settings)
    if tenant.find(connection, name) is not None:
        raise StackError(f"There is a tenant {name} already: choose another NAME.")
    number = tenant.create(connection, name, plan, note)
    address = tenant.wait_logged_in(connection, number)
    link = tenant.login_url(connection, number)
    return f"  {name}  {address}\n  logs in once, within a minute: {link}"
