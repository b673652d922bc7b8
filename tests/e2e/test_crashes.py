"""The worker is killed by SIGKILL after each step, and before each is recorded.

All kills of a kind happen in one run: every tenant has one of its own, and each also
hits what the worker was doing for the others. The end must be the same as without any.
"""

import contextlib
import time

import docker
import pytest

FAIL_POINTS = "/var/lib/odoo/fail-points"
LEFT = {"provision": 6, "delete": 5, "erase": 0}  # things of a tenant at the end
STATES = {"provision": "running", "delete": "deleting", "erase": "deleted"}
ACTIONS = {
    "provision": ("action_provision",),
    "delete": ("action_delete",),
    "erase": ("action_delete", True),
}


@pytest.fixture(scope="module")
def steps(master, plan, names):
    """The steps of each kind, as a tenant of its own had them."""
    tenant = master.create(
        "saas.tenant", {"name": next(names), "partner_id": 1, "plan_id": plan}
    )
    found = {}
    for kind, (action, *arguments) in ACTIONS.items():
        [operation] = master.call("saas.tenant", action, tenant, *arguments)
        assert master.follow(operation) == "done"
        rows = master.read("saas.operation", operation, "step_ids")
        found[kind] = [master.read("saas.operation.step", row, "name") for row in rows]
    return found


def lay_fail_points(stack, points):
    """Have the worker die at these points, each once."""
    names = " ".join(f"{FAIL_POINTS}/{point}" for point in points)
    run(stack, f"mkdir -p {FAIL_POINTS} && touch {names}")


def run(stack, script):
    result = stack.container("worker").exec_run(["sh", "-c", script])
    assert result.exit_code == 0, result.output
    return result.output.decode()


def wait_until_all_are_passed(stack, seconds=60):
    """The last kill comes after the operation is done: the worker may be away."""
    until = time.monotonic() + seconds
    left = "unknown"
    while time.monotonic() < until:
        with contextlib.suppress(docker.errors.APIError, AssertionError):
            left = run(stack, f"ls {FAIL_POINTS}")
            if not left:
                return
        time.sleep(0.5)
    raise AssertionError(f"not every point was passed: {left}")


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("kind", list(ACTIONS))
def test_killed_at_every_step_nothing_is_lost_or_left(
    master, stack, make_tenant, steps, kind, moment
):
    tenants = {step: make_tenant() for step in steps[kind]}
    uids = {
        step: master.read("saas.tenant", tenant, "uid")
        for step, tenant in tenants.items()
    }
    if kind != "provision":
        for tenant in tenants.values():
            master.provision(tenant)
    lay_fail_points(
        stack, [f"{uid}.{kind}.{step}.{moment}" for step, uid in uids.items()]
    )
    restarts = stack.container("worker").attrs["RestartCount"]
    action, *arguments = ACTIONS[kind]
    operations = {
        step: master.call("saas.tenant", action, tenant, *arguments)[0]
        for step, tenant in tenants.items()
    }
    for step, operation in operations.items():
        assert master.follow(operation, seconds=400) == "done", (kind, step)
    wait_until_all_are_passed(stack)
    assert stack.container("worker").attrs["RestartCount"] > restarts
    # A delete has a last copy made, which is an operation of its own.
    states = {
        step: master.settle(tenant, seconds=400) for step, tenant in tenants.items()
    }
    inventory = stack.take_inventory()
    for step, uid in uids.items():
        assert states[step] == STATES[kind], (kind, step)
        assert len(inventory.of(uid)) == LEFT[kind], (step, inventory.of(uid))
