"""The worker is killed by SIGKILL after each step, and before each is recorded.

All kills happen in one run: every tenant has one of its own, and each also hits what
the worker was doing for the others. The end must be the same as without any.
"""

import pytest

PROVISION = (
    "place",
    "template",
    "files",
    "role",
    "database",
    "identity",
    "route",
    "container",
    "ready",
)
ERASE = (
    "unroute",
    "remove_container",
    "remove_database",
    "remove_role",
    "release",
    "forget",
)


def kill_worker_at(stack, points):
    """Have the worker die at these points, each once."""
    directory = "/var/lib/odoo/fail-points"
    names = " ".join(f"{directory}/{point}" for point in points)
    script = f"mkdir -p {directory} && touch {names}"
    result = stack.container("worker").exec_run(["sh", "-c", script])
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize("moment", ["before", "after"])
def test_killed_at_every_step_of_provision_and_erase_nothing_is_lost_or_left(
    master, stack, make_tenant, moment
):
    restarts = stack.container("worker").attrs["RestartCount"]
    for kind, steps in (("provision", PROVISION), ("erase", ERASE)):
        tenants = {step: make_tenant() for step in steps}
        uids = {
            step: master.read("saas.tenant", tenant, "uid")
            for step, tenant in tenants.items()
        }
        if kind == "erase":
            for tenant in tenants.values():
                master.provision(tenant)
        kill_worker_at(
            stack, [f"{uid}.{kind}.{step}.{moment}" for step, uid in uids.items()]
        )
        operations = {}
        for step, tenant in tenants.items():
            if kind == "provision":
                [operations[step]] = master.call(
                    "saas.tenant", "action_provision", tenant
                )
            else:
                [operations[step]] = master.call(
                    "saas.tenant", "action_delete", tenant, True
                )
        for step, operation in operations.items():
            assert master.follow(operation, seconds=400) == "done", (kind, step)
        killed = stack.container("worker").attrs["RestartCount"] - restarts
        restarts += killed
        assert killed == len(steps), kind
        inventory = stack.take_inventory()
        for step, uid in uids.items():
            state = master.read("saas.tenant", tenants[step], "state")
            if kind == "provision":
                assert state == "running", step
                assert len(inventory.of(uid)) == 6, (step, inventory.of(uid))
            else:
                assert state == "deleted", step
                assert not inventory.of(uid), step
