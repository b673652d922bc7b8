import hashlib
import time
from datetime import timedelta

from odoo import api, fields, models
from odoo.exceptions import ValidationError

from odoo.addons.saas.engine import names
from odoo.addons.saas.engine.driver import (
    CONFIG_DIRECTORY,
    Limits,
    TaskPhase,
    TaskSpec,
)
from odoo.addons.saas.engine.errors import EngineError, RefusedError, RetryableError

from ..engine.directory import DirectoryConfig
from ..engine.job import JOB_FILE, STORE_DIRECTORY, make_job, parse_result
from ..engine.s3 import S3Config, resolve_credentials

# Any 32 bytes are a public key; the private one of these was never made. What is sealed
# for it is sealed anew with the first backup after the operator has made a real one.
NOBODY = hashlib.sha256(b"saas_backup: no recovery key yet").hexdigest()

MEGABYTE = 1024 * 1024
JOB_LIMITS = Limits(memory=768 * MEGABYTE, cpus=2.0)
JOB_TIME = timedelta(hours=6)
CHECK_SECONDS = 120
NAMED = 5  # tenants that a message names
WAIT_SECONDS = 3
SHORT = timedelta(seconds=12)  # most jobs are over by then: nobody takes turns before
WAIT_INTERVAL = 0.1
PAUSE = 1  # seconds between two looks at a task that takes longer


def wait_while_running(driver, uid, key, seconds):
    """Look at a task until it has ended or the time is over; what was seen last."""
    until = time.monotonic() + seconds
    while (task := driver.observe_task(uid, key)).phase == TaskPhase.RUNNING:
        if time.monotonic() > until:
            break
        time.sleep(WAIT_INTERVAL)
    return task


class SaasStore(models.Model):
    """A place where copies lie. What touches data runs in tasks beside the data."""

    _name = "saas.store"
    _inherit = ["saas.sealed.mixin", "saas.checked.mixin"]
    _description = "Store of Backups"
    _order = "sequence, name"

    name = fields.Char(required=True)
    sequence = fields.Integer(default=10)
    active = fields.Boolean(default=True)
    company_id = fields.Many2one("res.company", help="Empty: for all companies.")
    kind = fields.Selection(
        selection=[("directory", "Directory"), ("s3", "S3")],
        required=True,
        default="directory",
    )
    volume = fields.Char(
        help="Name of the volume on each server; made where it is missing. One that "
        "leads to a network drive is used as it is.",
    )
    bucket = fields.Char()
    prefix = fields.Char(help="What the names of all objects begin with.")
    endpoint = fields.Char(help="Empty: Amazon S3. Otherwise where the service is.")
    region = fields.Char()
    path_style = fields.Boolean(
        help="The bucket stands in the path and not in the host name."
    )
    access_key = fields.Char(help="Empty: what the worker's environment or role gives.")
    secret_key = fields.Char(
        compute="_compute_secret_key",
        inverse="_inverse_secret_key",
        groups="saas.group_manager",
        help="Sealed as it is saved: it can be replaced, never read.",
    )
    secret_key_sealed = fields.Char(groups=fields.NO_ACCESS, copy=False)
    storage_class = fields.Char(help="Empty: the bucket's own, e.g. STANDARD_IA.")
    encryption = fields.Selection(
        selection=[("AES256", "SSE-S3"), ("aws:kms", "SSE-KMS")],
        help="By the service, on top of our own encryption. Empty: as the bucket says.",
    )
    kms_key = fields.Char(string="KMS Key", help="Id or ARN; empty: the account's own.")
    ca = fields.Text(
        string="Certificate Authority", help="PEM; empty: the usual authorities."
    )
    backup_ids = fields.One2many("saas.backup", "store_id", string="Backups")

    @api.constrains("kind", "volume", "bucket")
    def _check_place(self):
        for store in self:
            if not (store.volume if store.kind == "directory" else store.bucket):
                raise ValidationError(
                    self.env._("%s needs the name of its volume or bucket.", store.name)
                )

    def _compute_secret_key(self):
        self.secret_key = False

    def _inverse_secret_key(self):
        for store in self.filtered("secret_key"):
            store.sudo().secret_key_sealed = self._seal(store.secret_key)

    @api.model
    def _get_default(self, company):
        """Return the store for a company's tenants, its own before the shared ones.

        :raise RefusedError: ``store_missing``
        """
        stores = self.search([("company_id", "in", (False, company.id))])
        found = stores.filtered("company_id")[:1] or stores[:1]
        if not found:
            raise RefusedError(
                self.env._("There is no store for backups yet. Add one."),
                reason="store_missing",
            )
        return found

    @api.model
    def _get_recovery_public(self):
        """Return the key that tenants' keys are sealed for: nobody's without one."""
        parameters = self.env["ir.config_parameter"].sudo()
        return parameters.get_param("saas_backup.recovery_public") or NOBODY

    # === JOBS: what runs in a task === #

    def _get_config(self):
        """Return what a task needs to use the store; works in the worker alone."""
        self.ensure_one()
        store = self.sudo()
        if store.kind == "directory":
            return DirectoryConfig(path=STORE_DIRECTORY)
        sealed = store.secret_key_sealed
        return resolve_credentials(
            S3Config(
                bucket=store.bucket,
                prefix=store.prefix or "",
                endpoint=store.endpoint or "",
                region=store.region or "",
                path_style=store.path_style,
                access_key=store.access_key or "",
                secret_key=self._unseal(sealed) if sealed else "",
                storage_class=store.storage_class or "",
                encryption=store.encryption or "",
                kms_key=store.kms_key or "",
                ca=store.ca or "",
            )
        )

    def _ensure_job(self, server, uid, key, command, /, database_of="", **values):
        """Start a job beside the state of ``uid``; one of that key is left alone.

        :param str database_of: uid of whose own database server it has to reach
        :param values: what the job says besides command and store
        """
        driver = server._get_driver()
        if driver.observe_task(uid, key).phase != TaskPhase.ABSENT:
            return
        driver.start_task(
            uid,
            TaskSpec(
                key=key,
                image=server.toolbox_image,
                command=("saas-backup", f"{CONFIG_DIRECTORY}/{JOB_FILE}"),
                limits=JOB_LIMITS,
                files={JOB_FILE: make_job(command, self._get_config(), **values)},
                network=True,
                volumes=self._get_volumes(),
                database=database_of,
            ),
        )

    def _get_volumes(self):
        return {self.volume: STORE_DIRECTORY} if self.kind == "directory" else {}

    @api.model
    def _wait_for_job(self, server, uid, key, since):
        """Return what a job said at its end; one that went wrong is removed.

        :param since: moment from which it has its time
        :raise RetryableError: it takes its time, or has to be started again
        """
        driver = server._get_driver()
        left = (since + SHORT - fields.Datetime.now()).total_seconds()
        task = wait_while_running(driver, uid, key, max(left, WAIT_SECONDS))
        if task.phase == TaskPhase.RUNNING:
            if since + JOB_TIME < fields.Datetime.now():
                driver.delete_task(uid, key)
                raise RefusedError(
                    self.env._("It took too long and was stopped."),
                    reason="took_too_long",
                )
            raise RetryableError(
                self.env._("It is under way."),
                reason="not_ready",
                seconds=PAUSE,
                waiting=True,
            )
        try:
            return parse_result(task.log, task.exit_code)
        except EngineError:
            driver.delete_task(uid, key)
            raise

    # === TEST CONNECTION === #

    @api.model
    def _cron_check(self):
        """Test every store, and the keys in it, as somebody would by its button."""
        if self.env["saas.server"].search_count([], limit=1):
            self.search([]).action_check()

    def _check_connection(self):
        servers = self._get_servers()
        # A directory is another one on each server, a bucket is the same for all.
        tested = servers if self.kind == "directory" else servers[:1]
        said = [self._run_beside(server, "check")["message"] for server in tested]
        tenants = self._find_tenants_with_copies()
        for server in tested:
            here = tenants if self.kind == "s3" else tenants & server.tenant_ids
            if here:
                said.append(self._check_keys(server, here))
        return " · ".join(said)

    def _get_servers(self):
        servers = self.env["saas.server"].search([])
        if not servers:
            raise RefusedError(
                self.env._("There is no server yet on which this could be tried."),
                reason="no_server",
            )
        return servers

    def _find_tenants_with_copies(self):
        groups = self.env["saas.backup"]._read_group(
            [
                ("store_id", "=", self.id),
                ("state", "=", "done"),
                ("tenant_id.erased_on", "=", False),
            ],
            ["tenant_id"],
        )
        return self.env["saas.tenant"].union(*(tenant for (tenant,) in groups))

    def _check_keys(self, server, tenants):
        """Return a sentence about the keys of all copies here; lost ones are mended.

        The worker's key has to open the tenants' data keys, and what lies sealed in the
        store has to be made of them, for the recovery key in use.

        :raise RefusedError: ``key_wrong``
        """
        keys, wrong = {}, {}
        for tenant in tenants:
            try:
                keys[tenant.uid] = tenant._derive_secret("backup")
            except RefusedError as error:
                wrong[tenant.uid] = error.message
        public = self._get_recovery_public()
        result = self._run_beside(server, "seal", keys=keys, recovery_public=public)
        wrong |= result["wrong"]
        if wrong:
            named = tenants.filtered(lambda t: t.uid in wrong).mapped("name")
            raise RefusedError(
                self.env._(
                    "Copies of these tenants cannot be trusted to open again: "
                    "%(names)s. %(message)s",
                    names=", ".join(named[:NAMED]) + (" …" if named[NAMED:] else ""),
                    message=next(iter(wrong.values())),
                ),
                reason="key_wrong",
            )
        return self.env._(
            "keys that open: %(count)s, sealed anew: %(sealed)s",
            count=len(tenants),
            sealed=len(result["sealed"]),
        )

    def _run_beside(self, server, command, /, seconds=CHECK_SECONDS, **values):
        """Run a job to its end beside the state of nobody; what it answers.

        :param values: what the job says besides command and store
        """
        driver = server._get_driver()
        uid, since = names.new_uid(), fields.Datetime.now()
        until = time.monotonic() + seconds
        try:
            self._ensure_job(server, uid, command, command, **values)
            while True:
                try:
                    return self._wait_for_job(server, uid, command, since)
                except RetryableError as error:
                    if not error.waiting or time.monotonic() > until:
                        raise
        finally:
            driver.delete(uid, keep_data=False)
