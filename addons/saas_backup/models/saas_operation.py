from odoo import api, fields, models

from odoo.addons.saas.models.saas_operation import SUBJECTS

from ..const import BACKUP_KINDS

SUBJECTS["saas.backup"] = "backup_id"
SUBJECTS["saas.drill"] = "drill_id"
COPIES = ("backup", "verify")
DRILLS = ("drill", "discard_drill")


class SaasOperation(models.Model):
    _inherit = "saas.operation"

    kind = fields.Selection(
        selection_add=[(kind, spec.label) for kind, spec in BACKUP_KINDS.items()],
        ondelete=dict.fromkeys(BACKUP_KINDS, "cascade"),
    )
    backup_id = fields.Many2one(
        "saas.backup", string="Backup", ondelete="set null", readonly=True, index=True
    )

    drill_id = fields.Many2one(
        "saas.drill", string="Drill", ondelete="set null", readonly=True, index=True
    )

    @api.model_create_multi
    def create(self, vals_list):
        for vals in vals_list:
            if drill := self.env["saas.drill"].browse(vals.get("drill_id")):
                vals["backup_id"] = drill.backup_id.id
            if backup := self.env["saas.backup"].browse(vals.get("backup_id")):
                vals.setdefault("tenant_id", backup.tenant_id.id)
        return super().create(vals_list)

    def _get_subject(self):
        if self.kind in COPIES:
            return self.backup_id
        return self.drill_id if self.kind in DRILLS else super()._get_subject()

    def _ask_again(self):
        if self.kind == "restore":
            # With a copy of what the tenant is by now, not of what it was then.
            tenant = self.tenant_id
            return tenant._restore_in_place(tenant._find_restorable(self.backup_id.id))
        return super()._ask_again()

    def _clean_up(self):
        super()._clean_up()
        if self.state == "cancelled":
            return
        if self.kind == "backup":
            self.backup_id._set_failed(self.message)
        if self.kind == "verify":
            self.backup_id._set_verify_failed(self)
        if self.kind == "drill":
            self.drill_id._set_failed(self)
            self._create_for(self.drill_id, "discard_drill")
        if self.kind == "restore":
            self._clean_up_restore()
        if self.kind == "archive":
            self._clean_up_archive()
        if self.kind == "restore_archived":
            self._clean_up_return()
        if self._has_made_all_there_is():
            self._undo()

    def _has_made_all_there_is(self):
        """Whether what lies on the server of the tenant is this operation's own."""
        if self.tenant_id.provisioned_on:
            return False
        looked = self.step_ids.filtered(lambda step: step.name == "recover_look")
        return self.kind == "restore_new" or looked.state == "done"

    def _clean_up_restore(self):
        """Leave the tenant as it was; what was begun beside it goes."""
        tenant, drill = self.tenant_id, self.tenant_id.restore_drill_id
        tenant.restore_safety_id._set_failed(self.message)
        if tenant.last_operation_id == self:
            # Nobody has asked for anything else since.
            tenant.wanted = tenant.restore_wanted
        if drill.switching:
            self._create_for(tenant, "undo_restore").message = self.message
            # What people should see is why it failed, not that it was taken back.
            tenant.last_operation_id = self
        elif drill:
            self._discard(drill)

    def _clean_up_archive(self):
        """Leave the tenant as it was, stopped."""
        tenant = self.tenant_id
        tenant.archive_backup_id._set_failed(self.message)
        if drill := tenant.archive_drill_id.filtered(lambda d: not d.removed):
            self._discard(drill)

    def _clean_up_return(self):
        """Leave nothing on the server: the copy is still all there is."""
        tenant = self.tenant_id
        if tenant.archived_on and not self._find_unfinished(tenant):
            self._undo()

    def _discard(self, drill):
        drill._set_failed(self)
        self._create_for(drill, "discard_drill")
