"""Bad input and failing parts: one clear sentence each, and nothing is left behind."""

import concurrent.futures
import contextlib
import time

import docker
import odoorpc
import pytest

STRANGER = "debian:trixie-slim"


def try_to_provision(master, stack, tenant):
    """Provision what must not succeed; its message, when all is cleaned up."""
    [operation] = master.call("saas.tenant", "action_provision", tenant)
    state = master.follow(operation)
    assert state in ("refused", "failed")
    assert master.settle(tenant) == "failed"
    return master.read("saas.operation", operation, "message")


@pytest.mark.parametrize(
    "name",
    ["www", "Alfa", "a" * 64, "xn--alfa", "-alfa", "al'fa", "al;fa", "al\nfa", "al fa"],
)
def test_an_unusable_name_is_refused_in_words(master, plan, name):
    values = {"name": name, "partner_id": 1, "plan_id": plan}
    with pytest.raises(odoorpc.error.RPCError) as caught:
        master.create("saas.tenant", values)
    assert "Traceback" not in str(caught.value)
    assert len(str(caught.value)) > 20
    assert not master.search("saas.tenant", [("name", "=", name)])


def test_of_twenty_who_want_one_name_at_once_one_gets_it(
    master, new_master, stack, plan, names
):
    name = next(names)

    def want(number):
        mine = new_master()
        values = {"name": name, "partner_id": 1, "plan_id": plan}
        try:
            tenant = mine.create("saas.tenant", values)
        except odoorpc.error.RPCError as error:
            return None, str(error)
        return tenant, mine.run(tenant, "action_provision")

    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(want, range(20)))
    won = [answer for answer in answers if answer[0]]
    lost = [message for tenant, message in answers if not tenant]
    assert [result for _tenant, result in won] == [("done", False)]
    assert len(lost) == 19
    assert all("That address is already taken" in message for message in lost), lost
    [[tenant, _result]] = won
    uid = master.read("saas.tenant", tenant, "uid")
    assert stack.take_inventory().of(uid) == {
        ("containers", f"saas-{uid}"),
        ("volumes", f"saas-{uid}-state"),
        ("volumes", f"saas-{uid}-config"),
        ("databases", uid),
        ("roles", uid),
        ("routes", f"{uid}.yml"),
    }
    assert master.run(tenant, "action_delete", True)[0] == "done"


def test_a_missing_image_is_named(master, stack, make_tenant):
    image = master.create(
        "saas.image", {"name": "None", "sequence": 1000, "reference": "no-image:1"}
    )
    tenant = make_tenant(image_id=image)
    assert "no-image:1" in try_to_provision(master, stack, tenant)
    uid = master.read("saas.tenant", tenant, "uid")
    assert not stack.take_inventory().of(uid)


@pytest.mark.parametrize(
    ("model", "values", "words"),
    [
        ("saas.server", {"docker_url": "unix:///run/no-engine.sock"}, "no-engine"),
        ("saas.database.server", {"port": 9}, "nothing listens at db:9"),
    ],
)
def test_a_part_that_is_down_is_named_and_tried_again(
    master, stack, make_tenant, model, values, words
):
    [record] = master.search(model, [])
    tenant = make_tenant()
    uid = master.read("saas.tenant", tenant, "uid")
    with contextlib.ExitStack() as down:
        before = {name: master.read(model, record, name) for name in values}
        master.call(model, "write", record, values)
        down.callback(master.call, model, "write", record, before)
        [operation] = master.call("saas.tenant", "action_provision", tenant)
        message = wait_for_message(master, operation)
        assert words in message
        assert master.read("saas.tenant", tenant, "state_message") == message
    assert master.follow(operation) == "done"
    assert master.read("saas.tenant", tenant, "state") == "running"
    assert stack.take_inventory().of(uid)


def test_a_database_server_out_of_connections_is_named_and_tried_again(
    master, stack, make_tenant
):
    tenant = make_tenant()
    stack.sql("ALTER ROLE saas_provisioner CONNECTION LIMIT 0")
    try:
        [operation] = master.call("saas.tenant", "action_provision", tenant)
        assert "connection" in wait_for_message(master, operation)
    finally:
        stack.sql("ALTER ROLE saas_provisioner CONNECTION LIMIT -1")
    assert master.follow(operation) == "done"


def wait_for_message(master, operation, seconds=60):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if message := master.read("saas.operation", operation, "message"):
            return message
        time.sleep(0.1)
    raise AssertionError("nothing was said")


def test_a_foreign_container_is_neither_adopted_nor_removed(
    master, stack, engine, make_tenant
):
    tenant = make_tenant()
    uid = master.read("saas.tenant", tenant, "uid")
    foreign = engine.containers.create(STRANGER, ["sleep", "60"], name=f"saas-{uid}")
    try:
        assert f"saas-{uid}" in try_to_provision(master, stack, tenant)
        assert stack.take_inventory().of(uid) == {("containers", f"saas-{uid}")}
        assert engine.containers.get(foreign.id).attrs["Path"] == "sleep"
    finally:
        foreign.remove(force=True)


def test_a_foreign_volume_is_neither_adopted_nor_removed(
    master, stack, engine, make_tenant
):
    tenant = make_tenant()
    uid = master.read("saas.tenant", tenant, "uid")
    foreign = engine.volumes.create(f"saas-{uid}-state")
    try:
        assert f"saas-{uid}-state" in try_to_provision(master, stack, tenant)
        assert stack.take_inventory().of(uid) == {("volumes", f"saas-{uid}-state")}
    finally:
        foreign.remove()


@pytest.mark.parametrize("sort", ["database", "role"])
def test_a_foreign_database_or_role_is_neither_adopted_nor_dropped(
    master, stack, make_tenant, sort
):
    tenant = make_tenant()
    uid = master.read("saas.tenant", tenant, "uid")
    stack.sql(f"CREATE {sort} {uid}")
    try:
        assert uid in try_to_provision(master, stack, tenant)
        assert stack.take_inventory().of(uid) == {(f"{sort}s", uid)}
    finally:
        stack.sql(f"DROP {sort} {uid}")


def test_a_foreign_network_is_neither_adopted_nor_removed(master, engine):
    [server] = master.search("saas.server", [])
    values = {
        "name": "Elsewhere",
        "docker_network": "saas-foreign-network",
        "docker_subnet": "172.28.200.0/24",
        "docker_bridge": "saasforeign0",
        "active": False,
    }
    [other] = master.odoo.execute("saas.server", "copy", [server], values)
    foreign = engine.networks.create("saas-foreign-network")
    try:
        master.call("saas.server", "action_check", other)
        until = time.monotonic() + 30
        while master.read("saas.server", other, "check_state") == "checking":
            assert time.monotonic() < until
            time.sleep(0.2)
        assert master.read("saas.server", other, "check_state") == "failed"
        message = master.read("saas.server", other, "check_message")
        assert "saas-foreign-network" in message
        assert engine.networks.get(foreign.id).name == "saas-foreign-network"
    finally:
        foreign.remove()
        master.call("saas.server", "unlink", other)
    with pytest.raises(docker.errors.NotFound):
        engine.networks.get("saas-foreign-network")
