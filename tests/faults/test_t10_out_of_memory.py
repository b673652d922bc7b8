"""T10: a tenant needs more memory than it may have, once and again and again."""

from __future__ import annotations

import re
import secrets
import time

import pytest
from whole import OBSERVE, answers, kill, run_scheduled, wait_for

TOLD = re.compile(r"ended by itself \d+ times within ten minutes and was stopped")
# Odoo's own process is the one that the kernel takes when memory is used up.
USE_UP = """
import os, pathlib
for stat in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
    if b"odoo" in stat.read_bytes() and int(stat.parent.name) != os.getpid():
        (stat.parent / "oom_score_adj").write_text("1000")
kept = []
while True:
    kept.append(b"x" * 2**24)
"""


@pytest.fixture
def manager(master):
    """The address of somebody whom the master tells."""
    address = f"manager-{secrets.token_hex(3)}@cloud.example"
    [group] = master.search(
        "ir.model.data", [("module", "=", "saas"), ("name", "=", "group_manager")]
    )
    user = master.create(
        "res.users",
        {
            "name": "Mary Manager",
            "login": address,
            "email": address,
            "group_ids": [(4, master.read("ir.model.data", group, "res_id"))],
        },
    )
    yield address
    master.call("res.users", "write", user, {"active": False})


@pytest.mark.case(
    did="all memory of a tenant is used up; when it is back, its Odoo is killed again "
    "and again",
    expected="the first time it is back by itself within 10 s; the fifth time within "
    "ten minutes it is stopped, its state says why and what to do, and managers get a "
    "mail; its neighbour does not notice; started again it has all that it had",
)
def test_t10_who_ends_again_and_again_is_stopped_and_told(
    stack, master, residents, values, load, manager, mailbox, aftermath, found
):
    one, other = residents
    restarts = count_restarts(one)
    began = time.monotonic()
    one.container.exec_run(["python3", "-c", USE_UP], detach=True)
    wait_for(lambda: count_restarts(one) > restarts, 60, "it was not out of memory")
    back = wait_for(lambda: answers(one, values), 30, "it does not come back")
    assert one.container.attrs["State"]["OOMKilled"]
    assert back < 10

    def is_stopped():
        one.container.reload()
        if one.container.status == "running":
            kill(one.container)
        run_scheduled(stack, "master", OBSERVE)
        return master.read("saas.tenant", one.id, "crashed_on")

    wait_for(is_stopped, 120, "it is started again and again")
    told = mailbox.find(TOLD, "text", manager, seconds=10)
    wait_for(lambda: not is_up(one), 30, "its container runs on")
    assert master.settle(one.id) == "stopped"
    message = master.read("saas.tenant", one.id, "state_message")
    assert "times within ten minutes" in message
    assert "then start it" in message
    assert not [fault for fault in load.faults if fault.uid == other.uid]
    stopped = time.monotonic() - began

    state, why = master.run(one.id, "action_start")
    assert state == "done", why
    assert answers(one, values)
    found(
        f"back {back:.1f} s after it was out of memory; stopped {stopped:.0f} s after "
        f"the first time: “{message}”; mailed: “{told}”; {aftermath.check()}"
    )


def count_restarts(resident):
    resident.container.reload()
    return resident.container.attrs["RestartCount"]


def is_up(resident):
    resident.container.reload()
    return resident.container.status in ("running", "restarting")
