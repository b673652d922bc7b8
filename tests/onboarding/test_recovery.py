"""The machine with the master is lost, and all that was on it.

What is left are the copies in their store, and the recovery key in a safe.
"""

import contextlib
import time

import pytest

from e2e.copies import (
    ATTACH,
    ATTACHMENTS,
    Inside,
    back_up,
    log_in,
)
from e2e.master import Master
from e2e.stack import Stack

TOOLBOX = "saas-toolbox"
FOLDER = "/mnt/store"
KNOWN = ("database_server", "proxy", "server", "plan")
LOOKED_AT = ("saas.database.server", "saas.proxy", "saas.server")
SECONDS = 120


class Store:
    """The volume with the copies, as somebody keeps it elsewhere."""

    def __init__(self, engine, stack):
        self._engine = engine
        self._name = f"{stack}-backups"
        # As the stack itself makes it; one that somebody else makes has none.
        self._labels = {"saas.stack": stack, "saas.kind": "shared"}

    def take(self):
        with self._container() as container:
            stream, _facts = container.get_archive(FOLDER)
            return b"".join(stream)

    def lay(self, archive):
        assert self._name not in {found.name for found in self._engine.volumes.list()}
        self._engine.volumes.create(self._name, labels=self._labels)
        with self._container() as container:
            assert container.put_archive("/mnt", archive)

    @contextlib.contextmanager
    def _container(self):
        """One that never starts: the engine reads and writes for it."""
        container = self._engine.containers.create(
            TOOLBOX, volumes=[f"{self._name}:{FOLDER}"], labels=self._labels
        )
        try:
            yield container
        finally:
            container.remove()


@pytest.fixture
def connect(empty):
    return lambda: Master(empty.host, empty.port, empty.admin_password)


def set_up(master):
    """What an operator takes on the page *Get Started*, and a plan."""
    for code in KNOWN:
        [step] = master.search("saas.setup.step", [("code", "=", code)])
        master.call("saas.setup.step", "action_use_known", [step])
    for model in LOOKED_AT:
        expect_works(master, model)
    [image] = master.search("saas.image", [])
    if not master.search("saas.plan", []):
        master.create("saas.plan", {"name": "First", "image_id": image})


def have_tenant(master):
    """The first tenant, which the operator may have made by hand."""
    if found := master.search("saas.tenant", [("state", "=", "running")]):
        return found[0]
    set_up(master)
    partner = {"name": "First Customer", "email": "first@example.com"}
    [plan] = master.search("saas.plan", [], limit=1)
    values = {"name": "first", "plan_id": plan}
    values["partner_id"] = master.create("res.partner", partner)
    tenant = master.create("saas.tenant", values)
    master.provision(tenant)
    return tenant


def make_recovery_key(master):
    """The private half, which the operator is shown once and keeps."""
    model = "saas.recovery.key"
    pair = master.call(model, "default_get", ["private", "public"])
    typed = {"public": pair["public"], "typed": pair["private"]}
    wizard = master.create(model, typed)
    master.call(model, "action_use", [wizard])
    return pair["private"]


def test_a_new_master_takes_a_tenant_up_from_the_store_and_the_recovery_key(
    empty_stack, empty, engine, connect
):
    stack, store = Stack(engine, empty.stack), Store(engine, empty.stack)
    old = connect()
    tenant = have_tenant(old)
    recovery_key = make_recovery_key(old)
    uid = old.read("saas.tenant", tenant, "uid")
    name = old.read("saas.tenant", tenant, "name")
    before = Inside(stack, uid)
    before.shell(ATTACH)
    back_up(old, tenant)
    hashes, counts = before.hashes(), before.counts()
    attached = before.attachments()
    assert len(attached) == ATTACHMENTS
    archive = store.take()

    empty_stack.remove()
    assert not [found.name for found in engine.volumes.list() if uid in found.name]
    empty_stack.up()
    new = connect()
    assert not new.search("saas.tenant", [])
    assert not new.call(
        "ir.config_parameter", "get_param", "saas_backup.recovery_public"
    )
    store.lay(archive)
    set_up(new)
    recovery = look_into_the_store(new, recovery_key)
    [operation] = new.call("saas.recovery", "action_recover", [recovery])
    state = new.follow(operation)
    assert state == "done", new.read("saas.operation", operation, "message")

    [tenant] = new.search("saas.tenant", [])
    assert new.read("saas.tenant", tenant, "uid") == uid
    assert new.read("saas.tenant", tenant, "name") == name
    assert new.read("saas.tenant", tenant, "state") == "running"
    partner = new.read("saas.tenant", tenant, "partner_id")
    assert new.read("res.partner", partner, "name") == "First Customer"
    log_in(new, tenant)
    assert (before.counts(), before.attachments()) == (counts, attached)
    assert {name: before.hashes().get(name) for name in hashes} == hashes
    # The key in the safe goes on opening what is copied from now on.
    back_up(new, tenant)
    assert new.call("ir.config_parameter", "get_param", "saas_backup.recovery_public")


def expect_works(master, model):
    """Wait until the worker has looked: only then has it the stack's passwords."""
    until = time.monotonic() + SECONDS
    [record] = master.search(model, [])
    while master.read(model, record, "check_state") != "ok":
        message = master.read(model, record, "check_message")
        assert time.monotonic() < until, message
        time.sleep(0.5)


def look_into_the_store(master, recovery_key):
    [store] = master.search("saas.store", [("kind", "=", "directory")], limit=1)
    [server] = master.search("saas.server", [], limit=1)
    values = {"store_id": store, "server_id": server, "recovery_key": recovery_key}
    recovery = master.create("saas.recovery", values)
    master.call("saas.recovery", "action_look", [recovery])
    until = time.monotonic() + SECONDS
    while master.read("saas.recovery", recovery, "check_state") == "checking":
        assert time.monotonic() < until
        time.sleep(0.5)
    message = master.read("saas.recovery", recovery, "check_message")
    assert master.read("saas.recovery", recovery, "check_state") == "ok", message
    return recovery
