"""T04: the Docker engine is restarted without live-restore, and all containers end."""

from __future__ import annotations

import signal
import time

import pytest
from whole import is_back, is_served, wait_for

from e2e.residents import look_up

# A whole stack comes up before the first of them.
pytestmark = pytest.mark.timeout(1200)

SECONDS = 60


@pytest.fixture
def resting(master, stack, make_tenant):
    """A tenant that sleeps, and one that was stopped."""
    found = []
    for action in ("action_sleep", "action_stop"):
        tenant = make_tenant()
        master.provision(tenant)
        state, why = master.run(tenant, action)
        assert state == "done", why
        found.append(look_up(master, stack, tenant))
    return found


@pytest.mark.case(
    did="the engine is restarted while a tenant is made; all containers end, those of "
    "the master, of its database and of the proxy too",
    expected="all who ran answer again within 60 s of the engine's return, and the new "
    "one comes up, without anybody's help; who slept sleeps on and is woken by its "
    "visitor, who was stopped stays stopped; nothing is there twice",
)
def test_t04_all_is_as_it_was_when_the_engine_is_back(
    own_engine,
    stack,
    master,
    values,
    load,
    resting,
    make_tenant,
    aftermath,
    found,
):
    own_engine.set_live_restore(False)
    sleeper, stopped = resting
    tenant = make_tenant()
    [operation] = master.call("saas.tenant", "action_provision", tenant)
    wait_for(
        lambda: master.read("saas.operation", operation, "state") == "running",
        30,
        "nothing begins",
    )
    own_engine.end(signal.SIGTERM)
    own_engine.start()
    began = time.monotonic()
    seconds = load.wait_until_all_answer(began, SECONDS)
    wait_for(lambda: is_back(master), SECONDS, "the master does not come back")
    assert master.follow(operation) == "done"
    new = look_up(master, stack, tenant)
    wait_for(lambda: is_served(new, values), SECONDS, "the new one does not answer")
    came = time.monotonic() - began

    said = aftermath.check()
    assert [master.settle(one.id) for one in resting] == ["sleeping", "stopped"]
    for one in resting:
        one.container.reload()
        assert one.container.status == "exited"
    began = time.monotonic()
    assert is_served(sleeper, values)
    woken = time.monotonic() - began
    assert not is_served(stopped, values)
    assert not load.strange
    found(
        f"all answered {seconds:.1f} s after the engine's return, the new one after "
        f"{came:.1f} s; who slept answered its visitor after {woken:.1f} s; {said}"
    )
