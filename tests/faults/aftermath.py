"""What must hold after every fault, whatever it was."""

from __future__ import annotations

import dataclasses
import re
import time

from e2e.copies import Inside
from e2e.residents import run_python

SECONDS = 60
OURS = re.compile(r"(?<![a-z0-9])(?:t[0-9a-f]{12}|tpl[0-9a-f]{10})(?![a-z0-9])")
THINGS = {
    ("containers", "saas-{}"),
    ("volumes", "saas-{}-state"),
    ("volumes", "saas-{}-config"),
    ("databases", "{}"),
    ("roles", "{}"),
    ("routes", "{}.yml"),
}

PASSWORD = """
import configparser, json
config = configparser.RawConfigParser()
config.read("/etc/odoo/odoo.conf")
print(json.dumps(config["options"]["db_password"]))
"""


class Aftermath:
    """Takes down what tenants have before a fault, and compares afterwards."""

    def __init__(self, stack, master, residents, password: str) -> None:
        self._stack = stack
        self._master = master
        self._residents = residents
        self._canaries = {one.uid: self._read_canary(one.uid) for one in residents}
        self._secrets = {"the administrator's": password}
        for role in ("saas_master", "saas_provisioner"):
            shown = stack.container("db").exec_run(["cat", f"/run/saas/db/{role}"])
            assert shown.exit_code == 0
            self._secrets[role] = shown.output.decode().strip()
        for one in residents:
            self._secrets[one.uid] = run_python(one.container, PASSWORD)

    def check(self) -> str:
        """No orphan, no double; every tenant runs, is tried again, or says why not;
        all rows and files are there; no log has a secret.

        :return: a line about it
        """
        began = time.monotonic()
        while faults := [*self._find_strays(), *self._find_silent()]:
            assert time.monotonic() < began + SECONDS, faults
            time.sleep(0.5)
        seconds = time.monotonic() - began
        for one in self._residents:
            assert self._read_canary(one.uid) == self._canaries[one.uid], one.uid
        assert not self._find_secrets()
        return f"all as it should be after {seconds:.1f} s more"

    def _find_strays(self):
        """What is missing of tenants that run, or is there of nobody."""
        inventory = self._stack.take_inventory()
        tenants = self._read("saas.tenant", [], ["uid", "state"])
        for tenant in tenants:
            uid, state = tenant["uid"], tenant["state"]
            wanted = {(sort, name.format(uid)) for sort, name in THINGS}
            found = {thing for thing in inventory.of(uid) if "-seed" not in thing[1]}
            if state == "running" and found != wanted:
                yield f"{uid}: {sorted(found ^ wanted)}"
            if state == "deleted" and found:
                yield f"{uid}: {sorted(found)} of an erased tenant"
        known = {tenant["uid"] for tenant in tenants}
        known |= {one["uid"] for one in self._read("saas.template", [], ["uid"])}
        for field in dataclasses.fields(inventory):
            for name in getattr(inventory, field.name):
                yield from (
                    f"{name} is nobody's"
                    for uid in OURS.findall(name)
                    if uid not in known
                )

    def _find_silent(self):
        """Tenants that neither run nor are said why, and what should have ended."""
        fields = ["uid", "state", "wanted", "state_message", "last_operation_id"]
        for tenant in self._read("saas.tenant", [("state", "!=", "deleted")], fields):
            calm = (
                tenant["state"] in ("running", "sleeping", "draft", tenant["wanted"])
                or tenant["state_message"]
            )
            if not calm:
                yield f"{tenant['uid']} is {tenant['state']} and does not say why"
        domain = [("state", "in", ("pending", "running")), ("message", "=", False)]
        for operation in self._read("saas.operation", domain, ["display_name"]):
            yield f"{operation['display_name']} goes on and on"

    def _read(self, model, domain, names):
        return self._master.odoo.execute_kw(model, "search_read", [domain, names], {})

    def _read_canary(self, uid):
        inside = Inside(self._stack, uid)
        partners = (
            "SELECT count(*) FROM res_partner WHERE name = 'Made before the copy'"
        )
        return (
            self._stack.sql(partners, uid),
            inside.attachments(),
            inside.hashes(),
        )

    def _find_secrets(self):
        """Whose secret is in which log; never the secret itself."""
        label = {"label": f"saas.stack={self._stack.name}"}
        found = []
        for container in self._stack.engine.containers.list(all=True, filters=label):
            log = container.logs().decode(errors="replace")
            found += [
                f"{name} in the log of {container.name}"
                for name, secret in self._secrets.items()
                if secret in log
            ]
        return found
