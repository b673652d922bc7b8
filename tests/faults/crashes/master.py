"""The master in a crash run: asks for things, and runs them as the queue would."""

from __future__ import annotations

import base64
import contextlib
import os
import signal
import time
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from world import IMAGE, MASTER, SOCKETS

from odoo import api, sql_db

from odoo.addons.queue_job.exception import RetryableJobError
from odoo.addons.saas.const import UNFINISHED
from odoo.addons.saas.engine import fail_points, sealing
from odoo.addons.saas.engine.driver import Phase
from odoo.addons.saas.engine.tenant_use import Use
from odoo.addons.saas.models import saas_server, saas_tenant_sleep, saas_tenant_steps

NOBODY = "http://127.0.0.1:9"
PAUSE = 0.2  # seconds at most between two tries


class Master:
    """One database, a server that is kept by ``world``, and a clock for each run."""

    def __init__(self, registry, world, points: Path) -> None:
        self.registry = registry
        self.world = world
        self._points = points
        self._use(world)
        with self.transaction() as env:
            self._furnish(env)

    @contextlib.contextmanager
    def transaction(self):
        with self.registry.cursor() as cr:
            yield api.Environment(cr, api.SUPERUSER_ID, {})

    # === RUNNING === #

    def run_due(self):
        """Give each operation under way one run; whether there were any."""
        with self.transaction() as env:
            due = env["saas.operation"].search(
                [("state", "in", UNFINISHED)], order="id"
            )
            ids = due.ids
        pauses = [self._run(operation) for operation in ids]
        time.sleep(min(pauses, default=0))
        return bool(ids)

    def _run(self, operation):
        """Run it as one job does; seconds until its next."""
        with self.transaction() as env:
            try:
                env["saas.operation"].browse(operation)._run()
            except RetryableJobError as error:
                return min(PAUSE, error.seconds)
        return 0

    def settle(self, limit):
        """Run until nothing is left to do; seconds that it took.

        :raise AssertionError: something is, after the limit
        """
        begun = time.monotonic()
        while self.run_due():
            if time.monotonic() - begun > limit:
                raise AssertionError(f"After {limit} s: {self._explain_unfinished()}")
        return time.monotonic() - begun

    def give_up(self):
        """Leave what is under way, so that it stands in nobody's way."""
        with self.transaction() as env:
            left = env["saas.operation"].search([("state", "in", UNFINISHED)])
            left.state = "cancelled"

    def _explain_unfinished(self):
        with self.transaction() as env:
            left = env["saas.operation"].search([("state", "in", UNFINISHED)])
            return "; ".join(f"{o.display_name}: {o.message}" for o in left)

    # === DYING === #

    def trace(self, limit):
        """Run until nothing is left to do; the names of the points that were passed."""
        trace = self._points / fail_points.TRACE
        trace.write_text("")
        try:
            self.settle(limit)
            return list(dict.fromkeys(trace.read_text().split()))
        finally:
            trace.unlink()

    def die_at(self, point, limit):
        """Have another process run what is due, which is killed at that point.

        :raise AssertionError: it did not come there
        """
        (self._points / point).touch()
        sql_db.close_all()  # no connection may be shared
        child = os.fork()
        if not child:
            with contextlib.suppress(BaseException):
                self.settle(limit)
            os._exit(1)
        _pid, status = os.waitpid(child, 0)
        if not os.WIFSIGNALED(status) or os.WTERMSIG(status) != signal.SIGKILL:
            (self._points / point).unlink(missing_ok=True)
            raise AssertionError("It ended without passing this point.")

    # === FURNITURE === #

    def _use(self, world):
        """Have records of this sort lead to the world outside."""
        field = self.registry["saas.server"]._fields["driver"]
        field.selection = [("fake", "Fake")]
        field._selection = {"fake": "Fake"}

        def answers(tenant):
            uid = tenant.uid
            route = tenant._proxy().list_routes().get(uid)
            led = bool(route and route.http and not route.pages)
            return led and world.driver.observe(uid).phase == Phase.RUNNING

        use = Use(idle=60, transactions=0)
        saas_tenant_sleep.SaasTenant._ask_uses = lambda found: dict.fromkeys(found, use)
        saas_server.SaasServer._get_driver = lambda _server: world.driver
        saas_tenant_steps.SaasTenant._answers = answers

    def _furnish(self, env):
        proxy = env["saas.proxy"].create(
            {
                "name": "Proxy",
                "directory": str(self.world.routes),
                "internal_url": NOBODY,
                "gateway_url": NOBODY,
            }
        )
        database_server = env["saas.database.server"].create(
            {
                "name": "PostgreSQL",
                "host": SOCKETS,
                "user": MASTER,
                "password": "secret",
                "tenant_host": SOCKETS,
            }
        )
        env["saas.server"].create(
            {
                "name": "Server",
                "driver": "fake",
                "proxy_id": proxy.id,
                "database_server_id": database_server.id,
            }
        )
        image = env["saas.image"].search([("reference", "=", IMAGE)])
        image = image or env["saas.image"].create({"name": "Odoo", "reference": IMAGE})
        env["saas.plan"].create({"name": "Basic", "image_id": image.id})
        env["saas.store"].create(
            {"name": "Directory", "kind": "directory", "volume": "crash-copies"}
        )
        customer = {"name": "Alfa Ltd", "email": "ann@alfa.example"}
        env["res.partner"].create(customer)


def make_keys(folder: Path) -> None:
    """All keys of web and worker, as the stack has them in its volumes."""
    private, public = sealing.new_key_pair()
    (folder / "sealing_private").write_text(private)
    (folder / "sealing_public").write_text(public)
    for name in ("login", "certificate"):
        key = Ed25519PrivateKey.generate()
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        raw = key.public_key().public_bytes_raw()
        (folder / f"{name}_key").write_bytes(pem)
        (folder / f"{name}_public").write_bytes(base64.b64encode(raw))
