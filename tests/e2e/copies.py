"""A tenant as one sees it from within, and how it is copied, lost and found again."""

from __future__ import annotations

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
    left = {sort for sort, _name in stack.take_inventory().of(uid)}
    assert left <= {"routes"}, "the proxy is elsewhere"


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
