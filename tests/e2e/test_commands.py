"""What a newcomer types, on the stack of these tests."""

import os
import re
import time

import pytest
import requests

from .program import load, make_stack

program, _settings, shell = load()

AGAIN = 30  # seconds
LINK = re.compile(r"logs in once, within a minute: (\S+)")


def find_tenants(master, name):
    return master.search(
        "saas.tenant", [("name", "=", name), ("state", "!=", "deleted")]
    )


def lands_in_odoo(said):
    """Whether the link in what was said logs in."""
    [link] = LINK.findall(said)
    answer = requests.get(link, timeout=60)
    return answer.ok and answer.url.rstrip("/").endswith("/odoo")


@pytest.fixture
def erased(master):
    """Names of tenants that are erased at the end, if they are there."""
    names = []
    yield names
    for name in names:
        for tenant in find_tenants(master, name):
            assert master.run(tenant, "action_delete", True)[0] == "done"


# Its customer stays: the name of one that is erased is taken for a long time, and on a
# stack that is kept for the next run nobody could sign up with it.
def test_the_demo_has_a_customer_who_signed_up_and_again_changes_nothing(
    master, tmp_path
):
    said = program.demo(make_stack(tmp_path / "log"))
    [alfa] = find_tenants(master, "alfa")
    assert master.read("saas.tenant", alfa, "state") == "running"
    [signup] = master.search("saas.signup", [("tenant_id", "=", alfa)])
    assert master.read("saas.signup", signup, "state") == "done"
    assert os.environ["SAAS_URL"] in said
    assert lands_in_odoo(said)
    operations = master.search("saas.operation", [("kind", "=", "provision")])

    began = time.monotonic()
    said = program.demo(make_stack(tmp_path / "log"))
    assert time.monotonic() - began < AGAIN
    assert find_tenants(master, "alfa") == [alfa]
    assert lands_in_odoo(said)
    assert operations == master.search("saas.operation", [("kind", "=", "provision")])


def test_one_more_tenant_is_one_command_and_a_name_that_is_taken_is_refused(
    master, names, erased, tmp_path
):
    erased.append(next(names))
    [name] = erased
    stack = make_stack(tmp_path / "log")
    said = program.add_tenant(stack.settings, name, "", stack.progress.note)
    [tenant] = find_tenants(master, name)
    assert master.read("saas.tenant", tenant, "state") == "running"
    assert lands_in_odoo(said)

    with pytest.raises(shell.StackError) as caught:
        program.add_tenant(stack.settings, name, "", stack.progress.note)
    assert caught.value.message == (
        f"There is a tenant {name} already: choose another NAME."
    )
    assert find_tenants(master, name) == [tenant]


def test_what_was_stopped_runs_again_with_all_that_it_had(stack, residents, tmp_path):
    before = stack.take_inventory()
    make_stack(tmp_path / "log").down()
    ours = {"label": f"saas.stack={stack.name}", "status": "running"}
    assert stack.engine.containers.list(filters=ours) == []

    make_stack(tmp_path / "log").up()
    until = time.monotonic() + AGAIN
    for resident in residents:
        while not requests.get(f"{resident.url}/web/login", timeout=60).ok:
            assert time.monotonic() < until, resident
            time.sleep(0.2)
    assert stack.take_inventory() == before
