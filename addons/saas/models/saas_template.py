import secrets
from datetime import timedelta

from odoo import api, fields, models

from ..engine import names, tenant_config
from ..engine.driver import Limits, TaskPhase, TaskSpec
from ..engine.errors import RefusedError, RetryableError
from .saas_plan import split_modules

INIT_MEMORY = 1024 * 1024 * 1024
INIT_TASK = "init"
BUILD_TIME = timedelta(minutes=30)


class SaasTemplate(models.Model):
    """A ready database and filestore that new tenants of its sort are cloned from."""

    _name = "saas.template"
    _description = "Template"
    _order = "id desc"

    uid = fields.Char(
        required=True,
        readonly=True,
        copy=False,
        default=lambda self: names.new_template_uid(),
    )
    name = fields.Char(compute="_compute_name")
    image_id = fields.Many2one(
        "saas.image", string="Image", required=True, ondelete="restrict"
    )
    modules = fields.Char(required=True, readonly=True, help="Sorted, by commas.")
    lang = fields.Char(string="Language", required=True, default="en_US")
    server_id = fields.Many2one(
        "saas.server", string="Server", required=True, ondelete="restrict"
    )
    database_server_id = fields.Many2one(
        "saas.database.server",
        string="Database Server",
        required=True,
        ondelete="restrict",
    )
    state = fields.Selection(
        selection=[("draft", "Not built"), ("ready", "Ready")],
        default="draft",
        readonly=True,
        copy=False,
    )
    built_on = fields.Datetime(readonly=True, copy=False)
    operation_ids = fields.One2many("saas.operation", "template_id")

    _uid_unique = models.Constraint("UNIQUE(uid)", "A template's id is unique.")
    _sort_unique = models.Constraint(
        "UNIQUE(image_id, modules, lang, server_id, database_server_id)",
        "There is such a template already.",
    )

    @api.depends("image_id.name", "modules", "lang")
    def _compute_name(self):
        for template in self:
            template.name = (
                f"{template.image_id.name} · {template.modules} · {template.lang}"
            )

    @api.depends("name")
    def _compute_display_name(self):
        for template in self:
            template.display_name = template.name

    @api.model_create_multi
    def create(self, vals_list):
        for vals in vals_list:
            vals["modules"] = ",".join(split_modules(vals["modules"]))
        return super().create(vals_list)

    @api.model
    def _get_or_create(self, *, image, modules, lang, server, database_server):
        """Return the template of that sort, which may still have to be built."""
        values = {
            "image_id": image.id,
            "modules": ",".join(modules),
            "lang": lang,
            "server_id": server.id,
            "database_server_id": database_server.id,
        }
        domain = [(name, "=", value) for name, value in values.items()]
        return self.search(domain, limit=1) or self.create(values)

    def action_build(self):
        """Build the template now, so that the first tenant need not wait."""
        self.check_access("write")
        return self.env["saas.operation"]._record("build", self)

    # === STEPS: each looks, then does what is missing === #

    def _step_build_place(self):
        """Refuse early what could never be built."""
        if not self.image_id.reference:
            raise RefusedError(
                self.env._("The image %s has no reference.", self.image_id.name),
                reason="image_missing",
            )

    def _step_build_start(self):
        if self.state == "ready":
            return
        driver = self.server_id._get_driver()
        if driver.observe_task(self.uid, INIT_TASK).phase != TaskPhase.ABSENT:
            return
        database_server = self.database_server_id._get_database_server()
        password = secrets.token_urlsafe(32)
        # The half-built database of a task that failed is of no use to the next one.
        database_server.drop_database(self.uid)
        database_server.ensure_role(self.uid, password, connection_limit=8)
        database_server.create_database(self.uid)
        driver.start_task(self.uid, self._prepare_init_task(password))

    def _prepare_init_task(self, password):
        config = tenant_config.make_config(
            uid=self.uid,
            database_host=self.database_server_id.tenant_host,
            database_port=self.database_server_id.tenant_port,
            password=password,
            admin_password=secrets.token_urlsafe(32),
        )
        return TaskSpec(
            key=INIT_TASK,
            image=self.image_id.reference,
            command=(
                "saas-init",
                "--modules",
                self.modules,
                "--language",
                self.lang,
            ),
            limits=Limits(memory=INIT_MEMORY, cpus=2.0),
            files={"odoo.conf": config},
            network=True,
        )

    def _step_build_wait(self):
        if self.state == "ready":
            return
        driver = self.server_id._get_driver()
        task = driver.observe_task(self.uid, INIT_TASK)
        if task.phase == TaskPhase.RUNNING and not self._is_overdue():
            raise RetryableError(
                self.env._("Odoo is being installed in the template."),
                reason="not_ready",
                seconds=2,
                waiting=True,
            )
        if task.phase != TaskPhase.DONE:
            driver.delete_task(self.uid, INIT_TASK)
            lines = task.log.strip().splitlines() or [self.env._("it left no log")]
            raise RefusedError(
                self.env._(
                    "The template %(name)s could not be built: %(cause)s",
                    name=self.name,
                    cause=lines[-1],
                ),
                reason="build_failed",
            )

    def _is_overdue(self):
        """Whether the running build has had its time; nobody waits for ever."""
        begun = self.operation_ids[:1].date_start
        return begun and begun + BUILD_TIME < fields.Datetime.now()

    def _step_seal(self):
        self.database_server_id._get_database_server().seal_template(self.uid)
        self.server_id._get_driver().delete_task(self.uid, INIT_TASK)
        self.write({"state": "ready", "built_on": fields.Datetime.now()})

    def _check_unused(self):
        if self.state == "ready":
            raise RefusedError(
                self.env._("The template %s is in use.", self.name), reason="in_use"
            )

    def _step_discard_files(self):
        self._check_unused()
        self.server_id._get_driver().delete(self.uid, keep_data=False)

    def _step_discard_database(self):
        self._check_unused()
        database_server = self.database_server_id._get_database_server()
        database_server.drop_database(self.uid)
        database_server.drop_role(self.uid)
