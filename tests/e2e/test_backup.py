"""Copies for real: made beside a tenant, and all that is left when it is lost."""

from __future__ import annotations

import json
import time

import pytest
import requests

ATTACHMENTS = 20

# In the tenant's own container, as its Odoo: files of several sizes, one of them empty.
ATTACH = f"""
import os
env["ir.attachment"].create([
    {{"name": f"e2e-{{number}}", "raw": os.urandom(number * 7000)}}
    for number in range({ATTACHMENTS})
])
env["res.partner"].create({{"name": "Made before the copy"}})
env.cr.commit()
print("attached")
"""

COUNTED = ("res_partner", "res_users", "ir_model_data", "ir_ui_view", "res_groups")


class Inside:
    """A tenant as one sees it from within its container and its database."""

    def __init__(self, stack, uid):
        self.stack = stack
        self.uid = uid

    def run(self, *command):
        result = self.stack.tenant_container(self.uid).exec_run(list(command))
        output = result.output.decode()
        assert result.exit_code == 0, output
        return output

    def shell(self, code):
        self.run(
            "sh",
            "-c",
            'printf %s "$1" | odoo shell --no-http --log-level=error',
            "shell",
            code,
        )

    def hashes(self):
        """SHA-256 of each file of the filestore, by its name."""
        folder = f"/var/lib/odoo/filestore/{self.uid}"
        output = self.run(
            *("sh", "-c", 'cd "$1" && find ?? -type f -exec sha256sum {} +', "sh"),
            folder,
        )
        return dict(line.split(None, 1)[::-1] for line in output.splitlines())

    def counts(self):
        return {
            table: self.stack.sql(f"SELECT count(*) FROM {table}", self.uid)[0]
            for table in COUNTED
        }

    def attachments(self):
        """Name and checksum of what the test has attached."""
        return self.stack.sql(
            "SELECT name, checksum, file_size FROM ir_attachment"
            " WHERE name LIKE 'e2e-%' ORDER BY name",
            self.uid,
        )


def lose(engine, stack, uid):
    """Have all of a tenant vanish from the server, as by a disk that died."""
    engine.containers.get(f"saas-{uid}").remove(force=True, v=True)
    for kind in ("state", "config"):
        engine.volumes.get(f"saas-{uid}-{kind}").remove()
    stack.sql(f"DROP DATABASE {uid} WITH (FORCE)")
    stack.sql(f"DROP ROLE {uid}")
    assert not stack.take_inventory().of(uid) - {("routes", f"{uid}.yml")}


def log_in(master, tenant):
    """Follow a one-time link into the tenant; the page at its end."""
    url = master.call("saas.tenant", "get_login_url", tenant)
    answer = requests.get(url, timeout=60)
    assert answer.status_code == 200, answer.text[:500]
    assert "/odoo" in answer.url, answer.url


def back_up(master, tenant):
    state, message = master.run(tenant, "action_backup")
    assert state == "done", message
    [backup] = master.search(
        "saas.backup",
        [("tenant_id", "=", tenant), ("state", "=", "done")],
        limit=1,
        order="date desc",
    )
    return backup


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

    def restore(tenant, backup, name):
        [operation] = master.call("saas.tenant", "action_restore", tenant, backup, name)
        state = master.follow(operation)
        assert state == "done", master.read("saas.operation", operation, "message")
        made.append(master.read("saas.operation", operation, "tenant_id"))
        return made[-1]

    yield restore
    for tenant in made:
        master.run(tenant, "action_delete", True)


def test_a_lost_tenant_comes_back_under_another_name(
    master, engine, stack, filled, restored, names
):
    uid = master.read("saas.tenant", filled, "uid")
    before = Inside(stack, uid)
    backup = back_up(master, filled)
    hashes, counts, attached = before.hashes(), before.counts(), before.attachments()
    assert master.run(filled, "action_stop")[0] == "done"
    lose(engine, stack, uid)

    began = time.monotonic()
    other = restored(filled, backup, next(names))
    log_in(master, other)
    print(f"restored and logged in to after {time.monotonic() - began:.1f} s")

    after = Inside(stack, master.read("saas.tenant", other, "uid"))
    assert after.counts() == counts
    assert after.attachments() == attached
    found = after.hashes()
    assert {name: found.get(name) for name in hashes} == hashes


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
    copies = master.search("saas.backup", [("tenant_id", "=", filled)])
    assert len(copies) == 2, "a copy of what it was is made first"
    drill = master.read("saas.tenant", filled, "restore_drill_id")
    uid = master.read("saas.drill", drill, "uid")
    assert not stack.take_inventory().of(uid)


def test_a_drill_proves_a_copy_and_leaves_nothing(master, stack, filled):
    backup = back_up(master, filled)
    [operation] = master.call("saas.backup", "action_drill", backup)
    state = master.follow(operation)
    assert state == "done", master.read("saas.operation", operation, "message")
    assert master.read("saas.backup", backup, "drill_state") == "passed"
    [drill] = master.search("saas.drill", [("backup_id", "=", backup)])
    assert not stack.take_inventory().of(master.read("saas.drill", drill, "uid"))
    print(json.dumps(master.call("saas.drill", "read", [drill])[0], default=str))


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
        ["find", "/mnt/store/tenants", "-path", f"*{uid}*", "-type", "f"],
        entrypoint="",
        volumes={f"{stack.name}-backups": {"bind": "/mnt/store", "mode": "ro"}},
        network_mode="none",
        remove=True,
    )
    return output.decode().split()
