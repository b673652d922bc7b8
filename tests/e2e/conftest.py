"""One stack for all tests here: brought up before them, and theirs alone.

``make test-e2e`` starts it and tells about it in the environment.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import secrets
import socket
import urllib.parse

import docker
import pytest
from playwright.sync_api import sync_playwright

from .desk import CHROMIUM, FLAGS, Desk
from .mailbox import Mailbox
from .master import Master
from .residents import look_up
from .stack import Stack
from .visitor import Visitor


@pytest.fixture(scope="session", autouse=True)
def _names_of_this_machine():
    """Resolve ``*.localhost`` to this machine, as browsers do and libraries do not."""
    resolve = socket.getaddrinfo

    def getaddrinfo(host, *args, **kwargs):
        if isinstance(host, str) and host.endswith(".localhost"):
            host = "127.0.0.1"
        return resolve(host, *args, **kwargs)

    patch = pytest.MonkeyPatch()
    patch.setattr(socket, "getaddrinfo", getaddrinfo)
    yield
    patch.undo()


@pytest.fixture(scope="session")
def engine():
    client = docker.from_env()
    yield client
    client.close()


@pytest.fixture(scope="session")
def stack(engine):
    return Stack(engine, os.environ["SAAS_STACK"])


@pytest.fixture(scope="session")
def master():
    url = urllib.parse.urlsplit(os.environ["SAAS_URL"])
    return Master(url.hostname, url.port, os.environ["SAAS_ADMIN_PASSWORD"])


@pytest.fixture(scope="session")
def mailbox():
    return Mailbox(f"http://127.0.0.1:{os.environ['SAAS_MAIL_PORT']}")


@pytest.fixture
def new_master():
    """Log in once more: one connection serves one caller at a time."""
    url = urllib.parse.urlsplit(os.environ["SAAS_URL"])
    return lambda: Master(url.hostname, url.port, os.environ["SAAS_ADMIN_PASSWORD"])


@pytest.fixture(scope="session")
def plan(master):
    [plan] = master.search("saas.plan", [("name", "=", "Basic")])
    return plan


@pytest.fixture(scope="session")
def names():
    """Host names that no other test has; those of erased tenants stay taken."""
    # The letter before it: six digits alone would be taken for a code in a mail.
    run = secrets.token_hex(3)
    return (f"e2e-x{run}-{number}" for number in itertools.count())


@contextlib.contextmanager
def tenants_made(master, plan, names):
    """Make tenants that are erased afterwards, whatever became of them."""
    made = []

    def make(name=None, customer=None, **values):
        name = name or next(names)
        partner = {"name": customer or f"Customer {name}"}
        partner["email"] = f"{name}@example.com"
        partner = master.create("res.partner", partner)
        values = {"plan_id": plan, **values, "name": name, "partner_id": partner}
        made.append(master.create("saas.tenant", values))
        return made[-1]

    yield make
    erasing = []
    for tenant in made:
        if master.read("saas.tenant", tenant, "state") != "deleted":
            erasing += master.call("saas.tenant", "action_delete", tenant, True)
    for operation in erasing:
        master.follow(operation)


@pytest.fixture
def make_tenant(master, plan, names):
    with tenants_made(master, plan, names) as make:
        yield make


@pytest.fixture
def tenant(master, make_tenant):
    """One running tenant."""
    number = make_tenant()
    master.provision(number)
    return number


@pytest.fixture(scope="session")
def browser():
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=list(FLAGS),
            headless=True,
            # Its helpers leave the family of who runs the tests, and would show to all
            # on this machine the secrets that the tests are told.
            env={name: os.environ[name] for name in ("HOME", "PATH")},
        )
        yield browser
        browser.close()


@pytest.fixture
def new_desk(browser):
    """Open browsers of people who share nothing."""
    with contextlib.ExitStack() as desks:
        yield lambda **options: desks.enter_context(
            contextlib.closing(Desk(browser, **options))
        )


@pytest.fixture
def desk(new_desk):
    return new_desk()


@pytest.fixture
def new_visitor(master, stack, names):
    """Think of visitors; the tenants that they get are erased after the test."""
    # All come from one address: what earlier tests asked for counts no more.
    stack.sql("TRUNCATE saas_rate", "master")
    made = []

    def new(name=None, **values):
        name = name or next(names)
        values = {
            "company": f"Company {name}",
            "contact": f"Visitor {name}",
            "email": f"{name}@example.com",
            **values,
        }
        made.append(name)
        return Visitor(name, **values)

    yield new
    domain = [("name", "in", made), ("state", "!=", "deleted")]
    for tenant in master.search("saas.tenant", domain):
        master.settle(tenant)
        assert master.run(tenant, "action_delete", True)[0] == "done"


@pytest.fixture(scope="session")
def residents(master, stack, plan, names):
    """Two running tenants of different customers, for tests that only look."""
    made = []
    for _each in range(2):
        name = next(names)
        values = {"name": f"Customer {name}", "email": f"{name}@example.com"}
        values = {"name": name, "partner_id": master.create("res.partner", values)}
        made.append(master.create("saas.tenant", {**values, "plan_id": plan}))
        master.provision(made[-1])
    yield tuple(look_up(master, stack, tenant) for tenant in made)
    for tenant in made:
        master.run(tenant, "action_delete", True)
