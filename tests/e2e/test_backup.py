"""Copies for real: made beside a tenant, and all that is left when it is lost."""

from __future__ import annotations

import json
import os
import socket
import threading
import time

import boto3
import docker
import moto.server
import pytest

from .copies import (
    ATTACH,
    ATTACHMENTS,
    Inside,
    back_up,
    log_in,
    lose,
)
from .web import Session


class Bucket:
    """A bucket of a stand-in for S3 and KMS, on the gateway of the tenants."""

    NAME = "copies"

    def __init__(self, endpoint):
        self.endpoint = endpoint
        login = {
            "endpoint_url": endpoint,
            "region_name": "us-east-1",
            "aws_access_key_id": "planted",
            "aws_secret_access_key": "planted-secret",
        }
        self.client = boto3.client("s3", **login)
        self.client.create_bucket(Bucket=self.NAME)
        self.key = boto3.client("kms", **login).create_key()["KeyMetadata"]["KeyId"]

    def heads(self):
        """What the service says of each object."""
        pages = self.client.get_paginator("list_objects_v2")
        for page in pages.paginate(Bucket=self.NAME):
            for entry in page.get("Contents", ()):
                yield self.client.head_object(Bucket=self.NAME, Key=entry["Key"])


# In the firewall's container: a chain of another stack's name, which ours leaves first.
OPEN = """
for program in iptables-nft iptables-legacy; do
    $program -w -S DOCKER-USER >/dev/null 2>&1 || continue
    $program -w -N SAAS-e2es3-IN
    $program -w -A SAAS-e2es3-IN -d "$1" -p tcp --dport "$2" -j ACCEPT
    $program -w -I INPUT 1 -j SAAS-e2es3-IN
done
"""
CLOSE = """
for program in iptables-nft iptables-legacy; do
    $program -w -D INPUT -j SAAS-e2es3-IN
    $program -w -F SAAS-e2es3-IN
    $program -w -X SAAS-e2es3-IN
done
true
"""


@pytest.fixture
def bucket(stack):
    """S3 for the tests, which tasks can reach."""
    gateway = os.environ["SAAS_TENANT_GATEWAY"]
    with socket.create_server((gateway, 0)) as free:
        port = free.getsockname()[1]
    server = moto.server.ThreadedMotoServer(ip_address=gateway, port=port)
    server.start()
    firewall = stack.container("firewall")
    firewall.exec_run(["sh", "-c", CLOSE])
    done = firewall.exec_run(["sh", "-c", OPEN, "open", gateway, str(port)])
    assert done.exit_code == 0, done.output
    yield Bucket(f"http://{gateway}:{port}")
    firewall.exec_run(["sh", "-c", CLOSE])
    server.stop()


@pytest.fixture
def plan_in_s3(master, plan, bucket):
    """A plan whose tenants are backed up to the bucket; its store has been tested."""
    store = master.create(
        "saas.store",
        {
            "name": "Bucket",
            "sequence": 99,
            "kind": "s3",
            "bucket": bucket.NAME,
            "prefix": "e2e",
            "endpoint": bucket.endpoint,
            "region": "us-east-1",
            "path_style": True,
            "access_key": "planted",
            "secret_key": "planted-secret",
            "encryption": "aws:kms",
            "kms_key": bucket.key,
        },
    )
    master.call("saas.store", "action_check", [store])
    until = time.monotonic() + 120
    while master.read("saas.store", store, "check_state") == "checking":
        assert time.monotonic() < until
        time.sleep(0.5)
    message = master.read("saas.store", store, "check_message")
    assert master.read("saas.store", store, "check_state") == "ok", message
    policy = master.create(
        "saas.backup.policy", {"name": "Bucket", "sequence": 99, "store_id": store}
    )
    values = {
        "name": "In a bucket",
        "image_id": master.read("saas.plan", plan, "image_id"),
        "modules": master.read("saas.plan", plan, "modules"),
        "backup_policy_id": policy,
    }
    made = master.create("saas.plan", values)
    yield made
    for model, record in (("saas.plan", made), ("saas.store", store)):
        master.call(model, "write", [record], {"active": False})


@pytest.fixture
def filled(master, stack, tenant):
    """A running tenant with attachments."""
    inside = Inside(stack, master.read("saas.tenant", tenant, "uid"))
    inside.shell(ATTACH)
    assert len(inside.attachments()) == ATTACHMENTS
    return tenant


@pytest.fixture
def restored(master):
    """Restore a copy as a new tenant, which is erased after the test."""
    made = []

    def restore(tenant, backup, name, *options):
        [operation] = master.call(
            "saas.tenant", "action_restore", tenant, backup, name, *options
        )
        state = master.follow(operation)
        assert state == "done", master.read("saas.operation", operation, "message")
        made.append(master.read("saas.operation", operation, "tenant_id"))
        return made[-1]

    yield restore
    for tenant in made:
        master.run(tenant, "action_delete", True)


@pytest.fixture
def comes_back(master, engine, stack, restored, names):
    """Back a tenant up, lose it, restore it as new, and compare the two."""

    def come_back(tenant):
        uid = master.read("saas.tenant", tenant, "uid")
        before = Inside(stack, uid)
        backup = back_up(master, tenant)
        hashes, counts = before.hashes(), before.counts()
        attached = before.attachments()
        assert master.run(tenant, "action_stop")[0] == "done"
        lose(engine, stack, uid)

        began = time.monotonic()
        other = restored(tenant, backup, next(names))
        log_in(master, other)
        print(f"restored and logged in to after {time.monotonic() - began:.1f} s")

        after = Inside(stack, master.read("saas.tenant", other, "uid"))
        assert after.counts() == counts
        assert after.attachments() == attached
        found = after.hashes()
        assert {name: found.get(name) for name in hashes} == hashes

    return come_back


def test_a_lost_tenant_comes_back_under_another_name(filled, comes_back):
    comes_back(filled)


def test_a_lost_tenant_comes_back_from_a_bucket_that_kms_encrypts(
    master, stack, bucket, plan_in_s3, make_tenant, comes_back
):
    tenant = make_tenant(plan_id=plan_in_s3)
    master.provision(tenant)
    Inside(stack, master.read("saas.tenant", tenant, "uid")).shell(ATTACH)
    comes_back(tenant)
    heads = list(bucket.heads())
    assert len(heads) > 3
    for head in heads:
        assert head["ServerSideEncryption"] == "aws:kms"
        assert bucket.key in head["SSEKMSKeyId"]


def test_a_test_copy_sends_no_mail_and_an_exact_one_does(
    master, stack, filled, restored, names
):
    """The same copy, once as a test copy and once as an exact one."""
    before = Inside(stack, master.read("saas.tenant", filled, "uid"))
    before.shell(
        'env["ir.mail_server"].create({"name": "Mine", "smtp_host": "mail.example"})\n'
        "env.cr.commit()\n"
    )
    crons, ids = count_crons(stack, before.uid), read_ids(stack, before.uid)
    backup = back_up(master, filled)
    test = master.read("saas.tenant", restored(filled, backup, next(names)), "uid")
    exact = restored(filled, backup, next(names), False)
    exact = master.read("saas.tenant", exact, "uid")

    sends = "SELECT name FROM ir_mail_server WHERE active ORDER BY id"
    assert "Mine" not in stack.sql(sends, test)
    assert stack.sql(sends, exact) == ["Mine"]
    assert count_crons(stack, test) == 1, "Odoo's own vacuum alone"
    assert count_crons(stack, exact) == crons > 1
    seen = [*ids, *read_ids(stack, test), *read_ids(stack, exact)]
    assert len(set(seen)) == len(seen) == 6


def count_crons(stack, uid):
    return int(stack.sql("SELECT count(*) FROM ir_cron WHERE active", uid)[0])


def read_ids(stack, uid):
    """What tells a database from all others."""
    return stack.sql(
        "SELECT value FROM ir_config_parameter"
        " WHERE key IN ('database.uuid', 'database.secret') ORDER BY key",
        uid,
    )


def test_a_restore_in_place_takes_back_what_was_done_since(master, stack, filled):
    inside = Inside(stack, master.read("saas.tenant", filled, "uid"))
    backup = back_up(master, filled)
    attached = inside.attachments()
    inside.shell(
        'env["ir.attachment"].search([("name", "like", "e2e-%")]).unlink()\n'
        "env.cr.commit()\n"
    )
    assert not inside.attachments()

    [operation] = master.call("saas.tenant", "action_restore", filled, backup)
    state = master.follow(operation)
    assert state == "done", master.read("saas.operation", operation, "message")

    assert inside.attachments() == attached
    log_in(master, filled)
    # At night there is a scheduled one, too.
    domain = [("tenant_id", "=", filled), ("reason", "=", "restore")]
    [_copy_of_what_it_was] = master.search("saas.backup", domain)
    drill = master.read("saas.tenant", filled, "restore_drill_id")
    uid = master.read("saas.drill", drill, "uid")
    assert not stack.take_inventory().of(uid)


def test_a_drill_proves_a_copy_and_leaves_nothing(master, stack, filled):
    backup = back_up(master, filled)
    [operation] = master.call("saas.backup", "action_drill", backup)
    state = master.follow(operation)
    assert state == "done", master.read("saas.operation", operation, "message")
    assert master.read("saas.backup", backup, "drill_state") == "passed"
    drill = master.read("saas.operation", operation, "drill_id")
    assert not stack.take_inventory().of(master.read("saas.drill", drill, "uid"))
    print(json.dumps(master.call("saas.drill", "read", [drill])[0], default=str))
    staff = Session(os.environ["SAAS_URL"])
    staff.log_in("admin", os.environ["SAAS_ADMIN_PASSWORD"])
    path = f"/report/pdf/saas_backup.report_certificate/{drill}"
    paper = staff.get(f"{staff.url}{path}", timeout=120)
    assert paper.content.startswith(b"%PDF"), paper.content[:200]


# In a container: greetings from the host by the gateway, and PostgreSQL's answer.
PROBE = """
import socket, struct, sys
def hear(host, port, ask=b""):
    try:
        with socket.create_connection((host, int(port)), timeout=2) as connection:
            connection.sendall(ask)
            return connection.recv(5).decode()
    except OSError:
        return "-"
ask = struct.pack("!II", 8, 80877103)
gateway, port = sys.argv[1:]
print(hear(gateway, port), hear(gateway, 5432, ask), hear("127.0.0.1", 5432, ask))
"""


@pytest.fixture
def greeter(stack):
    """A listener on the host that tenants are let through to."""
    gateway = os.environ["SAAS_TENANT_GATEWAY"]
    listener = socket.create_server((gateway, 0))
    port = str(listener.getsockname()[1])

    def greet():
        while True:
            try:
                connection, _address = listener.accept()
            except OSError:
                return
            with connection:
                connection.sendall(b"hello")

    threading.Thread(target=greet, daemon=True).start()
    firewall = stack.container("firewall")
    firewall.exec_run(["sh", "-c", CLOSE])
    done = firewall.exec_run(["sh", "-c", OPEN, "open", gateway, port])
    assert done.exit_code == 0, done.output
    yield gateway, port
    firewall.exec_run(["sh", "-c", CLOSE])
    listener.close()


def test_a_drilled_copy_reaches_its_database_and_nothing_else(
    master, engine, stack, filled, greeter
):
    command = ["python3", "-c", PROBE, *greeter]
    inside = Inside(stack, master.read("saas.tenant", filled, "uid"))
    heard, database, own = inside.run(*command).split()
    assert (heard, database in "SN", own) == ("hello", True, "-")

    backup = back_up(master, filled)
    [operation] = master.call("saas.backup", "action_drill", backup)
    drill = master.read("saas.operation", operation, "drill_id")
    name = f"saas-{master.read('saas.drill', drill, 'uid')}-boot"
    answer = None
    until = time.monotonic() + 120
    while answer is None:
        assert time.monotonic() < until, "the throwaway was never seen"
        answer = probe(engine, name, command)
        time.sleep(0.05)
    heard, database, own = answer.split()
    assert (heard, database, own in "SN") == ("-", "-", True)
    state = master.follow(operation)
    assert state == "done", master.read("saas.operation", operation, "message")


def probe(engine, name, command):
    """What the throwaway answers once its database does; None until then."""
    try:
        result = engine.containers.get(name).exec_run(command)
    except (docker.errors.NotFound, docker.errors.APIError):
        return None
    answer = result.output.decode()
    return None if result.exit_code or answer.split()[-1] == "-" else answer


def test_erasing_a_tenant_removes_its_copies_from_the_store(
    master, engine, stack, filled
):
    uid = master.read("saas.tenant", filled, "uid")
    back_up(master, filled)
    assert list_copies(engine, stack, uid)
    assert master.run(filled, "action_delete", True)[0] == "done"
    assert not list_copies(engine, stack, uid)


def list_copies(engine, stack, uid):
    """The objects of a tenant in the store of the stack."""
    output = engine.containers.run(
        "saas-toolbox",
        ["find", "/mnt/store", "-path", f"*{uid}*", "-type", "f"],
        entrypoint="",
        volumes={f"{stack.name}-backups": {"bind": "/mnt/store", "mode": "ro"}},
        network_mode="none",
        remove=True,
    )
    return output.decode().split()


@pytest.mark.parametrize(
    ("action", "status"), [("action_sleep", "paused"), ("action_stop", "exited")]
)
def test_who_sleeps_or_is_stopped_is_copied_and_not_started(
    master, engine, stack, tenant, action, status
):
    uid = master.read("saas.tenant", tenant, "uid")
    assert master.run(tenant, action)[0] == "done"
    container = engine.containers.get(f"saas-{uid}")
    started = container.attrs["State"]["StartedAt"]
    assert container.status == status

    backup = back_up(master, tenant)
    assert master.read("saas.backup", backup, "size") > 0
    container.reload()
    assert container.status == status
    assert container.attrs["State"]["StartedAt"] == started
