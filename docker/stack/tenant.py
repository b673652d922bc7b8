"""A tenant, asked for exactly as an outside program would: through XML-RPC."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from .browser import Browser
from .master import as_ids
from .rpc import Master
from .shell import StackError

SECONDS_PER_OPERATION = 900
SECONDS_TO_LOGIN = 60
UNFINISHED = ("pending", "running")
LOGGED_IN = '"uid": '
LOGGED_OUT = ('"uid": null', '"uid": false')


def follow(master: Master, operation: int, note: Callable[[str], None]) -> None:
    """Wait until an operation has ended.

    :raise StackError: it failed or was refused; the sentence is the operation's own
    """
    deadline = time.monotonic() + SECONDS_PER_OPERATION
    while True:
        found = master.read(
            "saas.operation", operation, "state", "message", "step_ids", "kind"
        )
        if found["state"] == "done":
            return
        if found["state"] not in UNFINISHED:
            raise StackError(
                found["message"] or f"The operation {found['kind']} {found['state']}."
            )
        note(_progress(master, found))
        if time.monotonic() > deadline:
            raise StackError(
                f"The operation {found['kind']} has not ended after "
                f"{SECONDS_PER_OPERATION // 60} minutes: see make logs."
            )
        time.sleep(0.3)


def _progress(master: Master, operation: dict[str, Any]) -> str:
    steps = master.execute(
        "saas.operation.step", "read", operation["step_ids"], fields=["name", "state"]
    )
    current = next((step["name"] for step in steps if step["state"] != "done"), "")
    return f"{operation['kind']}: {current.replace('_', ' ')}".strip(": ")


def find(master: Master, name: str) -> int | None:
    """The tenant that has the name now."""
    found = master.search(
        "saas.tenant", [["name", "=", name], ["state", "!=", "deleted"]], limit=1
    )
    return found[0] if found else None


def expect(master: Master, name: str) -> int:
    """The tenant that has the name now.

    :raise StackError: there is none
    """
    number = find(master, name)
    if number is None:
        raise StackError(f"There is no tenant {name}: see make logs.")
    return number


def find_plan(master: Master, name: str = "") -> int:
    """The plan of that name; without one the first.

    :raise StackError: there is none
    """
    domain = [["name", "=ilike", name]] if name else []
    found = master.search("saas.plan", domain, limit=1)
    if found:
        return found[0]
    plans = master.execute("saas.plan", "search_read", [], fields=["name"])
    known = ", ".join(plan["name"] for plan in plans) or "none yet"
    raise StackError(f"There is no plan {name!r}: the plans are {known}.")


def create(master: Master, name: str, plan: str, note: Callable[[str], None]) -> int:
    """Make a tenant and have it provisioned; its id.

    :raise StackError: the name or the plan cannot be had, or it could not be made
    """
    plan_id = find_plan(master, plan)
    email = f"{name}@example.com"
    known = master.search("res.partner", [["email", "=", email]], limit=1)
    partner = (
        known[0]
        if known
        else master.create("res.partner", name=name.capitalize(), email=email)
    )
    try:
        tenant = master.create(
            "saas.tenant", name=name, partner_id=partner, plan_id=plan_id
        )
    except StackError:
        # A name that is refused leaves nothing behind, its customer included.
        if not known:
            master.execute("res.partner", "unlink", [partner])
        raise
    provision(master, tenant, note)
    return tenant


def provision(master: Master, tenant: int, note: Callable[[str], None]) -> None:
    for operation in as_ids(
        master.execute("saas.tenant", "action_provision", [tenant])
    ):
        follow(master, operation, note)


def bring_up(master: Master, tenant: int, note: Callable[[str], None]) -> None:
    """Have a tenant that is there running."""
    state = master.read("saas.tenant", tenant, "state")["state"]
    actions = {
        "stopped": "action_start",
        "sleeping": "action_wake",
        "suspended": "action_resume",
        "deleting": "action_resume",
        "archived": "action_resume",
    }
    if state in ("draft", "provisioning", "failed"):
        provision(master, tenant, note)
    elif state in actions:
        for operation in as_ids(
            master.execute("saas.tenant", actions[state], [tenant])
        ):
            follow(master, operation, note)
    else:
        note("is there already")


def wait_logged_in(master: Master, tenant: int) -> str:
    """Wait until a one-time link opens an Odoo that is logged in; its address.

    :raise StackError: it does not in time
    """
    url: str = master.read("saas.tenant", tenant, "url")["url"]
    deadline = time.monotonic() + SECONDS_TO_LOGIN
    seen = "nothing answered"
    while time.monotonic() < deadline:
        browser = Browser(master.authority)
        try:
            browser.get(login_url(master, tenant))
            answer = browser.get(f"{url}/odoo")
        except (OSError, ValueError) as error:
            seen = str(error)
        else:
            if is_logged_in(answer.status, answer.body):
                return url
            seen = f"{answer.url} answered {answer.status}"
        time.sleep(0.5)
    raise StackError(
        f"{url} serves no logged-in Odoo after {SECONDS_TO_LOGIN} s ({seen}): see make "
        "logs."
    )


def is_logged_in(status: int, body: str) -> bool:
    """Whether a page is Odoo's back office of a user."""
    public = any(mark in body for mark in LOGGED_OUT)
    return status == 200 and LOGGED_IN in body and not public


def login_url(master: Master, tenant: int) -> str:
    """A fresh link that logs in once, within 60 seconds."""
    return str(master.execute("saas.tenant", "get_login_url", [tenant]))
