"""What somebody changes by hand past the master is as it was within seconds."""

import contextlib
import time

import pytest
import requests

from .residents import look_up
from .test_stack import run_scheduled

BY_EVENT = 30
BY_RESYNC = 60  # from its start; it begins every five minutes
MEBIBYTE = 2**20
CRON = (
    "(SELECT res_id FROM ir_model_data"
    " WHERE module = 'saas' AND name = 'ir_cron_observe')"
)


@pytest.fixture
def resident(master, stack, tenant):
    return look_up(master, stack, tenant)


def answers(resident):
    with contextlib.suppress(requests.RequestException):
        url = f"{resident.url}/web/health"
        return requests.get(url, timeout=5).status_code == 200
    return False


def wait_until_mended(master, resident, is_wrong, seconds):
    """Wait until it is as it should be, and nothing is under way any more."""
    until = time.monotonic() + seconds
    while is_wrong() or not answers(resident):
        assert time.monotonic() < until, f"not mended within {seconds} s"
        time.sleep(0.2)
    assert master.settle(resident.id) == "running"


def memory_of(stack, resident):
    host = stack.tenant_container(resident.uid).attrs["HostConfig"]
    return host["Memory"], host["MemorySwap"]


def route_of(resident):
    return f"/var/lib/saas/routes/{resident.uid}.yml"


def has_route(stack, resident):
    found = stack.container("worker").exec_run(["test", "-e", route_of(resident)])
    return found.exit_code == 0


def is_gone(stack, resident):
    name = f"saas-{resident.uid}"
    return not stack.engine.containers.list(filters={"name": name})


@contextlib.contextmanager
def nobody_looks(stack):
    """Let whatever is heard lie, as if it had been lost on its way."""
    stack.sql(f"UPDATE ir_cron SET active = false WHERE id = {CRON}", "master")
    try:
        yield
    finally:
        stack.sql(f"UPDATE ir_cron SET active = true WHERE id = {CRON}", "master")


def test_what_was_changed_by_hand_is_mended_by_event_and_else_by_resync(
    master, stack, resident
):
    memory = memory_of(stack, resident)
    stack.sql("UPDATE res_partner SET street = 'kept' WHERE id = 1", resident.uid)

    stack.tenant_container(resident.uid).remove(force=True)
    gone = lambda: is_gone(stack, resident)
    wait_until_mended(master, resident, gone, BY_EVENT)

    container = stack.tenant_container(resident.uid)
    began = container.attrs["State"]["StartedAt"]
    container.update(mem_limit=300 * MEBIBYTE, memswap_limit=400 * MEBIBYTE)
    changed = lambda: memory_of(stack, resident) != memory
    assert changed()
    wait_until_mended(master, resident, changed, BY_EVENT)
    container.reload()
    assert container.attrs["State"]["StartedAt"] == began

    stack.container("worker").exec_run(["rm", route_of(resident)])
    closed = lambda: not has_route(stack, resident)
    wait_until_mended(master, resident, closed, BY_EVENT)

    container.stop()
    wait_until_mended(master, resident, gone, BY_EVENT)

    with nobody_looks(stack):
        stack.tenant_container(resident.uid).remove(force=True)
        run_scheduled(stack, "ir_cron_resync")
        wait_until_mended(master, resident, gone, BY_RESYNC)

    street = "SELECT street FROM res_partner WHERE id = 1"
    assert stack.sql(street, resident.uid) == ["kept"]
    domain = [("tenant_id", "=", resident.id), ("state", "!=", "done")]
    assert master.search("saas.operation", domain) == []
