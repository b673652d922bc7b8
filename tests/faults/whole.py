"""A whole stack with two tenants, for faults that only a whole stack can show."""

from __future__ import annotations

import os
import signal
import time

import pytest
import requests
from aftermath import Aftermath
from load import PATH, Load

from e2e.conftest import (
    _names_of_this_machine,
    engine,
    mailbox,
    make_tenant,
    names,
    plan,
)
from e2e.copies import ATTACH, Inside
from e2e.master import Master
from e2e.own import OwnStack
from e2e.residents import look_up
from e2e.stack import Stack
from stack import settings
from stack.testing import keeps

__all__ = (
    "_names_of_this_machine",
    "aftermath",
    "engine",
    "load",
    "mailbox",
    "make_tenant",
    "master",
    "names",
    "plan",
    "residents",
    "stack",
    "values",
)

# What a visitor reads holds the tenant's uid, and no other's.
MARK = 'env["ir.config_parameter"].set_param("web.web_app_name", "{uid}")\n'


@pytest.fixture(scope="session")
def values():
    """The settings of the stack, which is brought up for whoever needs it first."""
    own = OwnStack(settings.load_faults())
    own.up()
    with pytest.MonkeyPatch.context() as patch:
        # As the end-to-end tests are told about theirs.
        for name, value in own.values.compose_values().items():
            patch.setenv(name, value)
        yield own.values
    if not keeps():
        own.remove()


@pytest.fixture(scope="session")
def stack(engine, values):
    return Stack(engine, values.stack)


@pytest.fixture(scope="session")
def master(values):
    return Master(values.host, values.port, values.admin_password)


@pytest.fixture(scope="session")
def residents(master, stack, plan, names):
    found = have_residents(master, stack, plan, names)
    yield found
    for resident in found:
        master.run(resident.id, "action_delete", True)


def have_residents(master, stack, plan, names):
    """Two tenants that run, with rows and files that have to stay."""
    made = []
    for _each in range(2):
        name = next(names)
        partner = master.create("res.partner", {"name": f"Customer {name}"})
        tenant = {"name": name, "partner_id": partner, "plan_id": plan}
        made.append(master.create("saas.tenant", tenant))
        master.provision(made[-1])
    found = [look_up(master, stack, tenant) for tenant in made]
    for one in found:
        Inside(stack, one.uid).shell(MARK.format(uid=one.uid) + ATTACH)
    return found


@pytest.fixture(scope="session")
def aftermath(stack, master, residents, values):
    return Aftermath(stack, master, residents, values.admin_password)


@pytest.fixture
def load(residents, values):
    with Load(residents, values.port) as made:
        made.wait_until_all_answer(time.monotonic(), 60)
        yield made


# === WHAT BEFALLS A STACK === #


def kill(container) -> None:
    """Kill its first process as the kernel would: the engine starts it again."""
    container.reload()
    process = container.attrs["State"]["Pid"]
    # Zero, of one that has just ended, would mean ourselves.
    if process > 1:
        os.kill(process, signal.SIGKILL)


OBSERVE = "SELECT res_id FROM ir_model_data WHERE name = 'ir_cron_observe'"
RESYNC = "SELECT res_id FROM ir_model_data WHERE name = 'ir_cron_resync'"
VACUUM = "SELECT res_id FROM ir_model_data WHERE name = 'autovacuum_job'"


def run_scheduled(stack, database, action, seconds: float = 30) -> float:
    """Have an Odoo do a scheduled action now, and wait until it has; the seconds."""
    stack.sql(
        "UPDATE ir_cron SET nextcall = now() AT TIME ZONE 'UTC', lastcall = NULL"
        f" WHERE id IN ({action})",
        database,
    )
    stack.sql(f"NOTIFY cron_trigger, '{database}'", database)
    done = f"SELECT 1 FROM ir_cron WHERE lastcall IS NOT NULL AND id IN ({action})"
    return wait_for(
        lambda: stack.sql(done, database), seconds, f"{database} runs nothing scheduled"
    )


def wait_for(look, seconds: float, what: str) -> float:
    """Wait until it is so; the seconds that it took."""
    began = time.monotonic()
    while not look():
        assert time.monotonic() < began + seconds, what
        time.sleep(0.2)
    return time.monotonic() - began


def is_back(master) -> bool:
    """Whether the master answers programs."""
    try:
        return bool(master.search("saas.server", []))
    except Exception:  # noqa: BLE001 (whatever it is, it is not back yet)
        return False


def answers(resident, values) -> bool:
    """Whether that tenant gives its own page, through the proxy."""
    answer = visit(resident, values, PATH)
    return bool(answer) and resident.uid in answer.text


def is_served(resident, values) -> bool:
    """Whether a visitor gets the login page of that tenant."""
    return bool(visit(resident, values, "/web/login"))


def visit(resident, values, path):
    """What a visitor gets there; nothing where nobody answers."""
    try:
        return requests.get(
            f"http://127.0.0.1:{values.port}{path}",
            headers={"Host": resident.host},
            timeout=30,
        )
    except requests.RequestException:
        return None
