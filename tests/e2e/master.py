"""The master as outside programs see it, by OdooRPC."""

from __future__ import annotations

import time

import odoorpc

SECONDS = 180
UNFINISHED = ("pending", "running")


def is_many2one(value):
    """Whether it is what ``read`` gives for a link: ``[id, name]``."""
    return isinstance(value, list) and len(value) == 2 and isinstance(value[1], str)


class Master:
    """The external API, with words for what the tests do again and again."""

    def __init__(self, host: str, port: int, password: str) -> None:
        self.odoo = odoorpc.ODOO(host, port=port, timeout=120)
        self.odoo.login("master", "admin", password)

    def call(self, model, method, *args):
        return self.odoo.execute(model, method, *args)

    def search(self, model, domain, **options):
        return self.odoo.execute_kw(model, "search", [domain], options)

    def create(self, model, values):
        return self.odoo.execute(model, "create", values)

    def read(self, model, record, field):
        [values] = self.odoo.execute(model, "read", [record], [field])
        value = values[field]
        return value[0] if is_many2one(value) else value

    def follow(self, operation, seconds=SECONDS):
        """Wait until the operation has ended; its final state."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            state = self.read("saas.operation", operation, "state")
            if state not in UNFINISHED:
                return state
            time.sleep(0.1)
        message = self.read("saas.operation", operation, "message")
        raise AssertionError(f"operation {operation} did not end: {message}")

    def run(self, tenant, action, *args):
        """Ask for something and wait for its end; (state, message)."""
        [operation] = self.call("saas.tenant", action, tenant, *args)
        state = self.follow(operation)
        return state, self.read("saas.operation", operation, "message")

    def provision(self, tenant):
        state, message = self.run(tenant, "action_provision")
        assert state == "done", message

    def settle(self, tenant, seconds=SECONDS):
        """Wait until nothing is under way for the tenant; its state."""
        until = time.monotonic() + seconds
        domain = [("tenant_id", "=", tenant), ("state", "in", UNFINISHED)]
        while self.search("saas.operation", domain):
            assert time.monotonic() < until, "operations did not end"
            time.sleep(0.2)
        return self.read("saas.tenant", tenant, "state")
