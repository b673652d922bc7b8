from datetime import timedelta

from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.tools import email_normalize

from odoo.addons.saas.engine.errors import RefusedError

from ..engine import keys
from .saas_backup import BYTES, parse_date

SURVEY_SECONDS = 1800
KEPT_DAYS = 7
PARAMETER = "saas_backup.recovery_public"


class SaasRecovery(models.Model):
    """Takes up the tenants whose copies lie in a store and that this master has not.

    The recovery key is sealed for the worker as it is entered, and forgotten as soon as
    the worker has looked: from then on each tenant's own key is kept, sealed.
    """

    _name = "saas.recovery"
    _inherit = ["saas.sealed.mixin", "saas.checked.mixin"]
    _description = "Recovery from a Store"
    _order = "id desc"

    store_id = fields.Many2one(
        "saas.store",
        string="Store",
        required=True,
        ondelete="cascade",
        default=lambda self: self.env["saas.store"].search([], limit=1),
    )
    server_id = fields.Many2one(
        "saas.server",
        string="Server",
        required=True,
        ondelete="cascade",
        default=lambda self: self.env["saas.server"].search([], limit=1),
        help="Where the tenants will run. A store that is a directory has to be there.",
    )
    recovery_key = fields.Char(
        compute="_compute_recovery_key",
        inverse="_inverse_recovery_key",
        groups="saas.group_manager",
        help="The private half. Sealed as it is saved, and forgotten after the look.",
    )
    recovery_key_sealed = fields.Char(groups=fields.NO_ACCESS, copy=False)
    line_ids = fields.One2many("saas.recovery.line", "recovery_id", string="Tenants")
    waiting_count = fields.Integer(compute="_compute_waiting_count")

    @api.depends("store_id", "create_date")
    def _compute_display_name(self):
        for recovery in self:
            date = fields.Datetime.to_string(recovery.create_date) or ""
            recovery.display_name = f"{recovery.store_id.name or ''} {date}".strip()

    @api.depends("line_ids.selected", "line_ids.message", "line_ids.tenant_id")
    def _compute_waiting_count(self):
        for recovery in self:
            recovery.waiting_count = len(recovery._get_waiting())

    def _compute_recovery_key(self):
        self.recovery_key = False

    def _inverse_recovery_key(self):
        for recovery in self.filtered("recovery_key"):
            try:
                keys.public_of(recovery.recovery_key)
            except RefusedError as error:
                raise UserError(error.message) from error
            recovery.sudo().recovery_key_sealed = self._seal(
                recovery.recovery_key.strip()
            )

    def _get_waiting(self):
        return self.line_ids.filtered(
            lambda line: line.selected and not line.message and not line.tenant_id
        )

    @api.autovacuum
    def _gc_old(self):
        """Forget the keys of tenants that nobody has taken up."""
        long_ago = fields.Datetime.now() - timedelta(days=KEPT_DAYS)
        self.search([("create_date", "<", long_ago)]).unlink()

    # === LOOKING === #

    def action_look(self):
        """Have the worker list whose copies lie in the store."""
        self.ensure_one()
        self.check_access("write")
        if not self.sudo().recovery_key_sealed:
            raise UserError(self.env._("Enter the recovery key first."))
        return self.action_check()

    def _check(self):
        # The queue runs a job again that it took for dead; the key is forgotten then.
        if not self.sudo().recovery_key_sealed:
            return None
        return super()._check()

    def _write_check(self, state, message):
        self.sudo().recovery_key_sealed = False
        return super()._write_check(state, message)

    def _check_connection(self):
        recovery_key = self._unseal(self.sudo().recovery_key_sealed)
        public = keys.public_of(recovery_key)
        rows = self.store_id._run_beside(
            self.server_id, "survey", SURVEY_SECONDS, recovery_key=recovery_key
        )["tenants"]
        if not rows:
            raise RefusedError(
                self.env._(
                    "There are no copies in %s. Look at its name and its prefix.",
                    self.store_id.name,
                ),
                reason="empty",
            )
        if all(row.get("reason") == "key_wrong" for row in rows):
            raise RefusedError(rows[0]["message"], reason="key_wrong")
        # Nobody makes or removes lines by hand.
        lines = self.sudo().line_ids
        lines.filtered(lambda line: not line.tenant_id).unlink()
        known = self._find_known([row["uid"] for row in rows])
        there = self._find_what_is_there()
        lines.create(
            [self._prepare_line(row, recovery_key, known, there) for row in rows]
        )
        self._adopt(public)
        if len(rows) == 1:
            return self.env._("Copies of one tenant were found.")
        return self.env._("Copies of %s tenants were found.", len(rows))

    def _find_known(self, uids):
        tenants = self.env["saas.tenant"].sudo().search([("uid", "in", uids)])
        return set(tenants.mapped("uid"))

    def _find_what_is_there(self):
        """Return the uids of which the server has data, where no copy may go."""
        driver = self.server_id._get_driver()
        databases = self.server_id.database_server_id._get_database_server()
        running = {observation.uid for observation in driver.list_tenants()}
        return running | driver.list_state() | databases.list_databases().keys()

    def _prepare_line(self, row, recovery_key, known, there):
        uid = row["uid"]
        values = {"recovery_id": self.id, "uid": uid, "message": row.get("message")}
        if "message" in row:
            return values
        values |= self._prepare_tenant(row["about"], row["image"])
        values |= {
            "backup": row["backup"],
            "date": parse_date(row["date"]),
            "copies": row["copies"],
            "size": row["size"],
            "files": row["files"],
            "missing": row["missing"],
            "reason": row["reason"],
            "image": row["image"],
            "odoo_version": row["odoo_version"],
        }
        if uid in known:
            return values | {"message": self.env._("This master has it already.")}
        if uid in there:
            message = self.env._("Its data are still there on %s.", self.server_id.name)
            return values | {"message": message}
        backup_key = keys.unwrap(row["key"].encode(), uid, recovery_key)
        return values | {"backup_key_sealed": self._seal(backup_key), "selected": True}

    def _prepare_tenant(self, about, image):
        """Return what is proposed for the tenant, as far as its copy says it."""
        email = about.get("email")
        partners = self.env["res.partner"].sudo()
        plans = self.env["saas.plan"].sudo()
        images = self.env["saas.image"].sudo()
        plan = plans.search([("name", "=", about.get("plan"))], limit=1)
        return {
            "name": about.get("name"),
            "customer": about.get("customer"),
            "email": email,
            "lang": about.get("lang"),
            "partner_id": email
            and partners.search(
                [("email_normalized", "=", email_normalize(email))], limit=1
            ).id,
            "plan_id": (plan or plans.search([], limit=1)).id,
            "image_id": images.search([("reference", "=", image)], limit=1).id,
        }

    def _adopt(self, public):
        """Keep using the operator's recovery key, where this master has none yet.

        Otherwise the first backup would seal the tenants' keys for nobody.
        """
        parameters = self.env["ir.config_parameter"].sudo()
        if not parameters.get_param(PARAMETER):
            parameters.set_param(PARAMETER, public)

    # === TAKING UP === #

    def action_recover(self):
        """Create the chosen tenants and restore their newest copies."""
        self.ensure_one()
        self.check_access("write")
        lines = self._get_waiting()
        if not lines:
            raise UserError(self.env._("Choose the tenants to recover."))
        return lines._recover()


class SaasRecoveryLine(models.Model):
    """A tenant that was found in a store."""

    _name = "saas.recovery.line"
    _inherit = ["saas.sealed.mixin"]
    _description = "Tenant Found in a Store"
    _order = "recovery_id, message desc, name, uid"

    recovery_id = fields.Many2one(
        "saas.recovery", required=True, ondelete="cascade", index=True
    )
    selected = fields.Boolean(string="Recover")
    uid = fields.Char(string="UID", required=True, readonly=True)
    name = fields.Char(string="Subdomain")
    customer = fields.Char(help="As the copy says. Made where no contact is chosen.")
    email = fields.Char()
    lang = fields.Char(readonly=True)
    partner_id = fields.Many2one("res.partner", string="Contact", ondelete="set null")
    plan_id = fields.Many2one("saas.plan", string="Plan", ondelete="set null")
    image_id = fields.Many2one("saas.image", string="Image", ondelete="set null")
    backup = fields.Char(string="Copy", readonly=True)
    date = fields.Datetime(string="Newest Copy", readonly=True)
    copies = fields.Integer(readonly=True)
    size = fields.Float(digits=BYTES, readonly=True)
    files = fields.Integer(readonly=True)
    missing = fields.Integer(readonly=True)
    reason = fields.Char(readonly=True)
    image = fields.Char(string="Ran On", readonly=True)
    odoo_version = fields.Char(readonly=True)
    message = fields.Char(string="Why Not", readonly=True)
    backup_key_sealed = fields.Char(groups=fields.NO_ACCESS, copy=False)
    tenant_id = fields.Many2one(
        "saas.tenant", string="Tenant", readonly=True, ondelete="set null"
    )
    state = fields.Selection(related="tenant_id.state")

    def _recover(self):
        operations = self.env["saas.operation"]
        for line in self:
            line._check_complete()
            line.tenant_id = line._create_tenant()
            operations |= line.tenant_id._request("recover", {"wanted": "running"})
            line.sudo().backup_key_sealed = False
        return operations

    def _check_complete(self):
        missing = [
            self._fields[name].get_description(self.env)["string"]
            for name in ("name", "plan_id", "image_id")
            if not self[name]
        ]
        if not (self.partner_id or self.customer):
            missing.append(self.env._("Contact"))
        if missing:
            raise UserError(
                self.env._(
                    "%(uid)s cannot be recovered yet. Fill in: %(fields)s.",
                    uid=self.uid,
                    fields=", ".join(missing),
                )
            )

    def _create_tenant(self):
        # As the system: only here does a tenant get the uid of its copies.
        tenants = self.env["saas.tenant"].sudo()
        known = dict(tenants._get_languages())
        values = {
            "uid": self.uid,
            "name": self.name,
            "partner_id": (self.partner_id or self._create_partner()).id,
            "company_id": self.recovery_id.store_id.company_id.id
            or self.env.company.id,
            "plan_id": self.plan_id.id,
            "image_id": self.image_id.id,
            "server_id": self.recovery_id.server_id.id,
            "database_server_id": self.recovery_id.server_id.database_server_id.id,
        }
        if self.lang in known:
            values["lang"] = self.lang
        tenant = tenants.create(values)
        tenant.backup_key_sealed = self.sudo().backup_key_sealed
        tenant.source_backup_id = tenant._register_copy(
            self.recovery_id.store_id, self._prepare_copy()
        )
        return tenant.sudo(self.env.su)

    def _create_partner(self):
        values = {"name": self.customer, "email": self.email}
        return self.env["res.partner"].sudo().create(values)

    def _prepare_copy(self):
        """Return the newest copy in the words of the program that found it."""
        return {
            "backup": self.backup,
            "date": fields.Datetime.to_string(self.date) + "+00:00",
            "size": self.size,
            "files": self.files,
            "missing": self.missing,
            "reason": self.reason,
            "image": self.image,
            "odoo_version": self.odoo_version,
        }
