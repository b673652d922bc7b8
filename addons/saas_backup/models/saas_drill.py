import json

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from odoo import api, fields, models
from odoo.tools import file_open

from odoo.addons.saas.engine import names, tenant_config
from odoo.addons.saas.engine.driver import (
    CONFIG_DIRECTORY,
    STATE_DIRECTORY,
    Limits,
    TaskPhase,
    TaskSpec,
)
from odoo.addons.saas.engine.errors import RefusedError

from ..const import DRILL_RESULTS
from .saas_backup_verify import COPY_FAULTS
from .saas_store import MEGABYTE
from .saas_tenant_restore import RESTORE_KEY

BOOT_KEY = "boot"
GATE_KEY = "gate"
GATE_LIMITS = Limits(memory=128 * MEGABYTE, cpus=0.5)
GATE = f"{STATE_DIRECTORY}/database.socket"
# Where a throwaway finds its database, which the gate leads to.
LOOPBACK = ("127.0.0.1", 5432)

BOOT, RELAY = "boot.py", "relay.py"


class SaasDrill(models.Model):
    """A copy restored to a throwaway, booted and logged in to: the proof that it works.

    A restore in place is the same, until the throwaway takes the tenant's place.
    """

    _name = "saas.drill"
    _description = "Drill"
    _order = "id desc"

    name = fields.Char(
        string="Certificate",
        required=True,
        readonly=True,
        default=lambda self: self._next_number(),
    )
    uid = fields.Char(
        required=True, readonly=True, default=lambda self: names.new_uid()
    )
    backup_id = fields.Many2one(
        "saas.backup", string="Copy", required=True, readonly=True, ondelete="restrict"
    )
    tenant_id = fields.Many2one(related="backup_id.tenant_id", store=True, index=True)
    company_id = fields.Many2one(related="tenant_id.company_id", store=True)
    state = fields.Selection(
        selection=list(DRILL_RESULTS.items()),
        default="running",
        required=True,
        readonly=True,
    )
    message = fields.Char(readonly=True, groups="saas.group_viewer")
    date_done = fields.Datetime(string="Proven On", readonly=True)
    restore_seconds = fields.Float(readonly=True, digits=(12, 3))
    boot_seconds = fields.Float(readonly=True, digits=(12, 3))
    login_seconds = fields.Float(readonly=True, digits=(12, 3))
    tables = fields.Integer(readonly=True, help="Tables whose rows were counted.")
    row_count = fields.Integer(string="Rows", readonly=True)
    files = fields.Integer(readonly=True)
    odoo_version = fields.Char(readonly=True)
    removed = fields.Boolean(
        readonly=True, help="Nothing of the throwaway is left on the server."
    )
    # From here on it holds what the tenant was; see the steps of a restore.
    switching = fields.Boolean(readonly=True)
    operation_ids = fields.One2many("saas.operation", "drill_id", string="Operations")

    _uid_unique = models.Constraint("UNIQUE(uid)", "A throwaway's uid is unique.")

    @api.model
    def _next_number(self):
        return self.env["ir.sequence"].sudo().next_by_code("saas.drill")

    # === STEPS: each looks, then does what is missing === #

    def _step_drill_start(self):
        tenant = self.tenant_id
        tenant._check_has_copies()
        tenant._database_server().ensure_role(
            self.uid,
            tenant._derive_secret("database"),
            connection_limit=tenant.plan_id.connections,
        )
        self.backup_id._ensure_restore(tenant, self.uid)

    def _step_drill_load(self):
        if self.tables:
            return
        self._step_drill_start()
        # The restore itself compares the rows and the files with the manifest.
        result = self.backup_id._wait_for_restore(
            self.tenant_id, self.uid, self.create_date
        )
        self.write(
            {
                "restore_seconds": result["seconds"],
                "tables": len(result["rows"]),
                "row_count": sum(result["rows"].values()),
                "files": result["files"],
                "odoo_version": result["odoo_version"],
            }
        )

    def _step_drill_boot(self):
        if self.state == "passed":
            return
        tenant, driver = self.tenant_id, self.tenant_id._driver()
        self._open_gate(driver)
        if driver.observe_task(self.uid, BOOT_KEY).phase == TaskPhase.ABSENT:
            driver.start_task(self.uid, self._prepare_boot())
        result = self.env["saas.store"]._wait_for_job(
            tenant.server_id, self.uid, BOOT_KEY, self.create_date
        )
        for key in (BOOT_KEY, GATE_KEY, RESTORE_KEY):
            driver.delete_task(self.uid, key)
        self.write(
            {
                "boot_seconds": result["ready_seconds"],
                "login_seconds": result["login_seconds"],
            }
        )
        self._set_result("passed")

    def _open_gate(self, driver):
        """Have the one way out of the throwaway, which itself has no network.

        What the copy would do in its customer's name (mail, payments, its users' own
        servers) reaches nothing: the gate leads to the database server and nowhere
        else.
        """
        if driver.observe_task(self.uid, GATE_KEY).phase != TaskPhase.RUNNING:
            driver.delete_task(self.uid, GATE_KEY)
            driver.start_task(self.uid, self._prepare_gate())

    def _prepare_gate(self):
        server = self.tenant_id.database_server_id
        return TaskSpec(
            key=GATE_KEY,
            image=self.tenant_id.server_id.toolbox_image,
            command=(
                "python3",
                f"{CONFIG_DIRECTORY}/{RELAY}",
                GATE,
                f"{server.tenant_host}/.s.PGSQL.{server.tenant_port}"
                if server.beside
                else f"{server.tenant_host}:{server.tenant_port}",
            ),
            limits=GATE_LIMITS,
            files={RELAY: _read_program(RELAY)},
            network=True,
            database=self.tenant_id._get_task_database(),
        )

    def _prepare_boot(self):
        tenant, plan = self.tenant_id, self.tenant_id.plan_id
        # A key pair for this one start: no drill holds what a real login takes.
        key = Ed25519PrivateKey.generate()
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        config = tenant_config.make_config(
            uid=self.uid,
            database_host=LOOPBACK[0],
            database_port=LOOPBACK[1],
            password=tenant._derive_secret("database"),
            admin_password=tenant._derive_secret("admin"),
            public_key=key.public_key().public_bytes_raw().hex(),
            connections=plan.connections,
        )
        job = {"uid": self.uid, "key": pem.decode(), "database": GATE}
        files = {
            "odoo.conf": config,
            BOOT: _read_program(BOOT),
            RELAY: _read_program(RELAY),
            "boot.json": json.dumps(job).encode(),
        }
        return TaskSpec(
            key=BOOT_KEY,
            image=self.backup_id.image or tenant.image_id.reference,
            command=("python3", f"{CONFIG_DIRECTORY}/{BOOT}"),
            limits=Limits(
                memory=plan.memory * MEGABYTE,
                cpus=plan.cpus,
                processes=plan.processes,
            ),
            files=files,
            network=False,
        )

    def _step_drill_remove(self):
        """Remove all of the throwaway, unless it holds what the tenant was."""
        if self.switching:
            raise RefusedError(
                self.env._("The throwaway holds the data of before the restore."),
                reason="in_use",
            )
        tenant = self.tenant_id
        tenant._driver().delete(self.uid, keep_data=False)
        database_server = tenant._database_server()
        database_server.drop_database(self.uid)
        database_server.drop_role(self.uid)
        self.removed = True

    # === RESULTS === #

    def _set_result(self, state, message=False):
        self.write(
            {"state": state, "message": message, "date_done": fields.Datetime.now()}
        )
        self.backup_id._set_proof(state, message)
        self.tenant_id._plan_drill(state)
        if state == "failed":
            self.backup_id._raise_alarm()

    def _set_failed(self, operation):
        """Without a proof: was it the copy, or could it only not be tried?"""
        if self.state == "running":
            fault = operation.reason in COPY_FAULTS
            self._set_result("failed" if fault else "undecided", operation.message)


def _read_program(name):
    with file_open(f"saas_backup/programs/{name}", "rb") as program:
        return program.read()
