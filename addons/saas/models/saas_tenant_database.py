import json
import time

from odoo import models

from ..engine.driver import CONFIG_DIRECTORY, DatabaseSpec, Limits, TaskPhase, TaskSpec
from ..engine.errors import RetryableError
from .saas_plan import MEGABYTE

BRING_TASK = "bring"
BRING_LIMITS = Limits(memory=256 * MEGABYTE, cpus=1.0)
DATABASE_PROCESSES = 50
# Of the master, of copies, and those that PostgreSQL keeps for its superuser.
MORE_CONNECTIONS = 16
START_SECONDS = 15
START_INTERVAL = 0.1


class SaasTenant(models.Model):
    """A database server beside the tenant, where its plan wants one as it is placed."""

    _inherit = "saas.tenant"

    def _get_own_database_server(self):
        """Return the record of the database server beside it, if it has one."""
        server = self.database_server_id
        return server if server.beside and server.owner_tenant_id == self else None

    def _get_shared_database_server(self):
        """Return the one that others have too, or that an operator has given it."""
        own = self._get_own_database_server()
        return self.server_id.database_server_id if own else self.database_server_id

    def _get_task_database(self):
        """Return whose own database server the tenant's tasks have to reach."""
        return self.uid if self._get_own_database_server() else ""

    def _have_own_database_server(self):
        """Have the record where the plan wants one; its container comes with its role.

        One that staff chose is left.
        """
        chosen = self.database_server_id - self.server_id.database_server_id
        if self.plan_id.own_database and not chosen:
            servers = self.env["saas.database.server"]
            self.database_server_id = servers._create_beside(self)

    def _prepare_own_database_server(self):
        server, plan = self._get_own_database_server(), self.plan_id
        if not server:
            return None
        # A drill of a copy has as many as the tenant.
        connections = 2 * plan.connections + MORE_CONNECTIONS
        password = self._unseal(server.sudo().password_sealed)
        return DatabaseSpec(
            uid=self.uid,
            image=self.server_id.postgres_image,
            port=server.port,
            limits=Limits(
                memory=plan.database_memory * MEGABYTE,
                cpus=plan.cpus,
                processes=connections + DATABASE_PROCESSES,
            ),
            connections=connections,
            files={"saas_provisioner": password.encode()},
        )

    def _ensure_own_database_server(self):
        """Have it run, where there is one, and wait until it answers."""
        spec = self._prepare_own_database_server()
        if not spec:
            return
        self._driver().ensure_database(spec)
        until = time.monotonic() + START_SECONDS
        while True:
            try:
                self._database_server().check()
                return
            except RetryableError:
                if time.monotonic() > until:
                    raise
            time.sleep(START_INTERVAL)

    def _bring_database(self):
        """Bring the template to the database server beside the tenant.

        Nothing can be cloned from one server to another, and nobody may connect to a
        template: a task copies a clone of it, which is removed then.
        """
        driver, shared = self._driver(), self._get_shared_database_server()
        shared = shared._get_database_server()
        if driver.observe_task(self.uid, BRING_TASK).phase == TaskPhase.ABSENT:
            self._ensure_role(login=True)
            own = self._database_server()
            # What a task that failed has left is of no use to the next one.
            own.drop_database(self.uid)
            own.create_database(self.uid)
            shared.ensure_role(
                self.uid,
                self._derive_secret("database"),
                connection_limit=self.plan_id.connections,
            )
            shared.clone(self.template_id.uid, self.uid)
            driver.start_task(self.uid, self._prepare_bring())
        self._wait_for_task(
            BRING_TASK,
            RetryableError(
                self.env._("The template could not be copied to its own PostgreSQL."),
                reason="bring_failed",
            ),
            self.env._("The template is being copied to its own PostgreSQL."),
        )
        shared.drop_database(self.uid)
        shared.drop_role(self.uid)
        driver.delete_task(self.uid, BRING_TASK)

    def _prepare_bring(self):
        places = {
            "source": self._get_shared_database_server(),
            "target": self.database_server_id,
        }
        job = {
            name: {
                "host": server.tenant_host,
                "port": server.tenant_port,
                "name": self.uid,
                "user": self.uid,
                "password": self._derive_secret("database"),
            }
            for name, server in places.items()
        }
        return TaskSpec(
            key=BRING_TASK,
            image=self.server_id.toolbox_image,
            command=("saas-bring", f"{CONFIG_DIRECTORY}/bring.json"),
            limits=BRING_LIMITS,
            files={"bring.json": json.dumps(job).encode()},
            network=True,
            database=self.uid,
        )

    def _forget_own_database_server(self):
        """Remove the record of what went with the tenant's container."""
        if own := self._get_own_database_server():
            self.database_server_id = self.server_id.database_server_id
            own.unlink()
