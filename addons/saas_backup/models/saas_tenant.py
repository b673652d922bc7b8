import logging
from datetime import timedelta

from odoo import api, fields, models
from odoo.exceptions import UserError

from odoo.addons.saas.const import UNFINISHED
from odoo.addons.saas.engine.errors import RefusedError
from odoo.addons.saas.models import saas_tenant

from ..const import BACKED_UP, BACKED_UP_BEFORE
from ..engine.database import Database

_logger = logging.getLogger(__name__)

# Written by operations and actions only.
saas_tenant.PROTECTED.update(
    {
        "archive_backup_id",
        "archive_drill_id",
        "backup_key_sealed",
        "neutralized",
        "restore_backup_id",
        "restore_drill_id",
        "restore_wanted",
        "source_backup_id",
    }
)


class SaasTenant(models.Model):
    """What people, pages and programs may ask for about copies."""

    _inherit = "saas.tenant"

    backup_ids = fields.One2many("saas.backup", "tenant_id", string="Backups")
    backup_count = fields.Integer(compute="_compute_backup_count")
    source_backup_id = fields.Many2one(
        "saas.backup",
        string="Restored From",
        readonly=True,
        copy=False,
        ondelete="restrict",
        help="The copy that this tenant was made from.",
    )
    neutralized = fields.Boolean(
        string="Test Copy",
        readonly=True,
        copy=False,
        help="Sends no mail, takes no payments and runs no scheduled actions.",
    )

    backup_date = fields.Datetime(
        string="Newest Copy", compute="_compute_coverage", store=True, index=True
    )
    drill_date = fields.Datetime(
        string="Last Proven", compute="_compute_coverage", store=True, index=True
    )
    uncovered = fields.Boolean(
        string="Not Covered",
        compute="_compute_coverage",
        store=True,
        help="It has no good copy, or the last attempt to make or to prove one failed.",
    )
    coverage = fields.Selection(
        selection=[
            ("failed", "Backup failed"),
            ("unusable", "Copy cannot be restored"),
        ],
        string="Fault",
        compute="_compute_coverage",
        store=True,
        index=True,
        help="What became of the last attempt to make a copy, or to prove it.",
    )
    coverage_message = fields.Char(
        string="Why", compute="_compute_coverage_message", groups="saas.group_viewer"
    )

    @api.depends("backup_ids.state")
    def _compute_backup_count(self):
        for tenant in self:
            tenant.backup_count = len(
                tenant.backup_ids.filtered(lambda b: b.state == "done")
            )

    @api.depends(
        "backup_ids.state",
        "backup_ids.date",
        "backup_ids.confirmed",
        "backup_ids.drill_state",
        "drill_ids.state",
        "drill_ids.date_done",
    )
    def _compute_coverage(self):
        for tenant in self:
            good = tenant._get_good_backups()
            passed = tenant.drill_ids.filtered(lambda drill: drill.state == "passed")
            ended = tenant._get_ended_backups()[:1]
            moments = [copy.confirmed or copy.date for copy in good]
            tenant.backup_date = max(moments, default=False)
            tenant.drill_date = max(passed.mapped("date_done"), default=False)
            if ended.state == "failed":
                tenant.coverage = "failed"
            else:
                tenant.coverage = ended.drill_state == "failed" and "unusable"
            tenant.uncovered = not good or bool(tenant.coverage)

    @api.depends("uncovered", "backup_ids.message", "drill_ids.message")
    def _compute_coverage_message(self):
        for tenant in self.sudo():
            ended = tenant._get_ended_backups()[:1]
            drill = ended.drill_ids.filtered(lambda drill: drill.state == "failed")
            tenant.coverage_message = ended.message or drill[:1].message or False

    def _get_ended_backups(self):
        """Return the attempts that have ended, the newest first."""
        return self.backup_ids.filtered(
            lambda b: b.state in ("done", "failed")
        )._sort_newest_first()

    restore_backup_id = fields.Many2one(
        "saas.backup", readonly=True, copy=False, ondelete="restrict"
    )
    restore_safety_id = fields.Many2one(
        "saas.backup", readonly=True, copy=False, ondelete="set null"
    )
    restore_drill_id = fields.Many2one(
        "saas.drill", readonly=True, copy=False, ondelete="restrict"
    )

    # What was wanted of it before, for a restore that comes to nothing.
    restore_wanted = fields.Char(readonly=True, copy=False)

    # === ACTIONS === #

    def action_backup(self):
        """Make a copy of each tenant now; its work is not interrupted."""
        self.check_access("write")
        for tenant in self:
            tenant._check_backed_up()
        return self._back_up("staff")

    def action_restore(self, backup_id, as_new_name=None, neutralize=True):
        """Bring a copy back: in place, or as a tenant of its own.

        :param int backup_id: one of the tenant's copies
        :param str as_new_name: the subdomain of the new tenant; without it this one
            becomes what it was, after a copy of what it is; an archived one comes back
        :param bool neutralize: whether the new tenant is for tests, so that it does
            nothing in the customer's name; in place, all is as the copy has it
        """
        self.ensure_one()
        self.check_access("write")
        backup = self._find_restorable(backup_id)
        if as_new_name:
            return self._restore_as_new(backup, as_new_name, neutralize)
        if self.archived_on:
            return self._bring_back(backup)
        return self._restore_in_place(backup)

    def action_view_backups(self):
        self.ensure_one()
        action = self.env["ir.actions.act_window"]._for_xml_id(
            "saas_backup.saas_backup_action"
        )
        return {**action, "context": {"search_default_tenant_id": self.id}}

    # === ASKING === #

    def _check_backed_up(self):
        if self.state not in BACKED_UP:
            raise UserError(
                self.env._(
                    "%(name)s is %(state)s; there is nothing to back up.",
                    name=self.name,
                    state=self._get_state_label().lower(),
                )
            )

    def _back_up(self, reason):
        """Record a backup of each tenant, or return the one that is under way."""
        operations = self.env["saas.operation"]
        for tenant in self:
            operations |= tenant._find_running_backup() or operations._record(
                "backup", tenant._create_backup(reason)
            )
        return operations.sudo(self.env.su)

    def _create_backup(self, reason):
        store = self._get_store()
        values = {"tenant_id": self.id, "store_id": store.id, "reason": reason}
        if reason != "schedule":
            days = self._get_policy().demand_days
            values["keep_until"] = fields.Datetime.now() + timedelta(days=days)
        return self.env["saas.backup"].sudo().create(values)

    def _find_running_backup(self):
        backups = self.sudo().backup_ids.filtered(lambda b: b.state == "running")
        return backups.operation_ids.filtered(lambda o: o.state in UNFINISHED)[:1]

    def _get_store(self):
        """Return where new copies go."""
        if store := self._get_policy().store_id:
            return store
        try:
            return self.env["saas.store"].sudo()._get_default(self.company_id)
        except RefusedError as error:
            raise UserError(error.message) from error

    def _find_restorable(self, backup_id):
        backup = self.sudo().backup_ids.filtered(lambda b: b.id == backup_id)
        if not backup:
            raise UserError(self.env._("%s has no such copy.", self.name))
        if backup.state != "done":
            raise UserError(
                self.env._(
                    "The copy %s is not a good one; choose another.",
                    backup.display_name,
                )
            )
        return backup

    def _restore_as_new(self, backup, name, neutralize):
        images = self.env["saas.image"].sudo()
        image = images.search([("reference", "=", backup.image)], limit=1)
        tenant = self.create(
            {
                "name": name,
                "partner_id": self.partner_id.id,
                "company_id": self.company_id.id,
                "plan_id": self.plan_id.id,
                "image_id": (image or self.image_id).id,
                "lang": self.lang,
                "support_access": self.support_access,
            }
        )
        tenant.sudo().write({"source_backup_id": backup.id, "neutralized": neutralize})
        operation = tenant._request("restore_new", {"wanted": "running"})
        operation.sudo().backup_id = backup
        return operation

    def _restore_in_place(self, backup):
        self._check_request("restore")
        if self._is_under_way("undo_restore"):
            raise UserError(
                self.env._(
                    "%s is going back to what it was before its last restore; wait "
                    "until it has.",
                    self.name,
                )
            )
        if self._is_under_way("restore") and self.restore_backup_id != backup:
            raise UserError(
                self.env._("Another copy of %s is being restored now.", self.name)
            )
        operation = self._submit(
            "restore",
            {
                "wanted": "running",
                "restore_backup_id": backup.id,
                "restore_safety_id": False,
                "restore_drill_id": False,
                "restore_wanted": self.wanted,
            },
        )
        operation.sudo().backup_id = backup
        return operation

    def _submit(self, kind, vals=None):
        operations = super()._submit(kind, vals)
        if kind in BACKED_UP_BEFORE:
            self._back_up_before(kind)
        return operations

    def _back_up_before(self, reason):
        """Make a last copy; where that is not possible, what was asked goes on."""
        for tenant in self.filtered("provisioned_on"):
            try:
                tenant._back_up(reason)
            except UserError as error:
                _logger.warning("no copy of %s: %s", tenant.uid, error)

    # === HELPERS === #

    def _get_good_backups(self):
        """Return the copies that can be restored, the newest first."""
        return self.backup_ids.filtered(
            lambda backup: backup.state == "done" and backup.drill_state != "failed"
        )._sort_newest_first()

    def _check_has_data(self):
        """Refuse to copy what is not there any more, or never was."""
        if self.archived_on:
            raise RefusedError(self._explain_nothing_left(), reason="archived")
        self._check_has_copies()

    def _check_has_copies(self):
        """Refuse to try copies that go, or that never were."""
        if not self.provisioned_on or self.erased_on or self._is_under_way("erase"):
            raise RefusedError(self._explain_nothing_left(), reason="deleted")

    def _explain_nothing_left(self):
        return self.env._("%s has no data to copy any more.", self.name)

    def _prepare_database(self, uid, purpose="database"):
        """Return how a task reaches the database of that uid.

        :param str purpose: what the password is for
        """
        server = self.database_server_id
        return Database(
            host=server.tenant_host,
            port=server.tenant_port,
            name=uid,
            user=uid,
            password=self._derive_secret(purpose),
        )
