"""Two workers run at once, and one of them is killed."""

from __future__ import annotations

import pytest
from whole import kill, wait_for

TENANTS = 3


@pytest.fixture
def second_worker(stack, engine):
    """Another one beside the stack's own, with all that that one has."""
    own = stack.container("worker")
    config, host = own.attrs["Config"], own.attrs["HostConfig"]
    container = engine.containers.create(
        config["Image"],
        config["Cmd"],
        name=f"{stack.name}-second-worker",
        environment=config["Env"],
        volumes_from=[own.id],
        group_add=host["GroupAdd"],
        network=f"{stack.name}_control",
        labels={"saas.stack": stack.name},
        tmpfs=host["Tmpfs"],
        healthcheck=config["Healthcheck"],
        init=True,
    )
    container.start()
    yield container
    container.remove(force=True, v=True)


def is_up(container):
    container.reload()
    return (container.attrs["State"].get("Health") or {}).get("Status") == "healthy"


@pytest.mark.case(
    did=f"a second worker runs beside the first; {TENANTS} tenants are asked for, and "
    "the first worker is killed while it makes them",
    expected="all of them run; each step was done once, nothing is there twice",
)
def test_workers_share_the_work_and_make_nothing_twice(
    stack, master, make_tenant, residents, second_worker, aftermath, found
):
    wait_for(lambda: is_up(second_worker), 90, "the second worker does not come up")
    tenants = [make_tenant() for _each in range(TENANTS)]
    operations = [
        master.call("saas.tenant", "action_provision", tenant)[0] for tenant in tenants
    ]
    wait_for(
        lambda: any(
            master.read("saas.operation", operation, "state") == "running"
            for operation in operations
        ),
        30,
        "nothing begins",
    )
    kill(stack.container("worker"))
    assert [master.follow(operation) for operation in operations] == ["done"] * TENANTS
    for tenant in tenants:
        assert master.read("saas.tenant", tenant, "state") == "running"
        kinds = master.search("saas.operation", [("tenant_id", "=", tenant)])
        assert len(kinds) == 1, "each was asked for once, and cleaned up never"
    wait_for(lambda: is_up(stack.container("worker")), 90, "the first is not back")
    log = second_worker.logs().decode(errors="replace")
    shared = log.count("operation provision of")
    found(f"{shared} of the steps by the second worker; {aftermath.check()}")
