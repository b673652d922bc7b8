"""The master's web, worker and database are down, and tenants have visitors."""

from __future__ import annotations

import os
import time

import pytest
import requests
from whole import OBSERVE, is_back, run_scheduled, wait_for

from e2e.residents import look_up

# Ten minutes: SAAS_MASTER_DOWN=600.
SECONDS = float(os.environ.get("SAAS_MASTER_DOWN", "20"))
pytestmark = pytest.mark.timeout(600 + SECONDS)


@pytest.fixture
def without_master(stack, master):
    """The master is away: both processes, and its database for everybody; what brings
    it back.

    The cluster stays, as it holds the tenants' databases in this stack.
    """
    processes = [stack.container(name) for name in ("web", "worker")]
    for container in processes:
        container.stop(timeout=5)
    stack.sql("ALTER DATABASE master ALLOW_CONNECTIONS false")
    stack.sql(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = 'master'"
    )

    def bring_back():
        stack.sql("ALTER DATABASE master ALLOW_CONNECTIONS true")
        for container in processes:
            container.start()

    yield bring_back
    bring_back()
    wait_for(lambda: is_back(master), 90, "the master does not come back")


@pytest.fixture
def sleeper(master, stack, make_tenant):
    """A tenant that sleeps."""
    tenant = make_tenant()
    master.provision(tenant)
    state, why = master.run(tenant, "action_sleep")
    assert state == "done", why
    found = look_up(master, stack, tenant)
    assert found.container.status == "paused"
    return found


@pytest.mark.case(
    did=f"web, worker and the master's database are away for {SECONDS:.0f} s, at 50 "
    "requests a second to the tenants; somebody visits one that sleeps",
    expected="not one request to a tenant fails, who slept is woken by its visitor; "
    "the master comes back by itself, takes note of that, and finds all as it was",
)
def test_master_is_down_and_no_tenant_notices(
    stack, master, values, sleeper, load, without_master, aftermath, found
):
    asked = len(load.answers)
    began = time.monotonic()
    visit = requests.get(
        f"http://127.0.0.1:{values.port}/web/login",
        headers={"Host": sleeper.host},
        timeout=30,
    )
    woken = time.monotonic() - began
    assert visit.status_code == 200
    sleeper.container.reload()
    assert sleeper.container.status == "running"
    time.sleep(SECONDS)
    away = requests.get(
        f"http://127.0.0.1:{values.port}/web/health",
        headers={"Host": values.host},
        timeout=30,
    )
    assert away.status_code >= 500
    met = load.answers[asked:]
    without_master()
    back = wait_for(lambda: is_back(master), 90, "the master does not come back")
    assert len(met) > 30 * SECONDS
    assert not load.faults

    def is_noted():
        run_scheduled(stack, "master", OBSERVE)
        return master.settle(sleeper.id) == "running"

    wait_for(is_noted, 90, "it does not take note of who was woken")
    found(
        f"{len(met)} requests, 0 failed; who slept answered after {woken:.2f} s; the "
        f"master was back after {back:.1f} s; {aftermath.check()}"
    )
