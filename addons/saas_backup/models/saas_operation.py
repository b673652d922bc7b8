from odoo import api, fields, models

from odoo.addons.saas.models.saas_operation import SUBJECTS

from ..const import BACKUP_KINDS

SUBJECTS["saas.backup"] = "backup_id"


class SaasOperation(models.Model):
    _inherit = "saas.operation"

    kind = fields.Selection(
        selection_add=[(kind, spec.label) for kind, spec in BACKUP_KINDS.items()],
        ondelete=dict.fromkeys(BACKUP_KINDS, "cascade"),
    )
    backup_id = fields.Many2one(
        "saas.backup", string="Backup", ondelete="set null", readonly=True, index=True
    )

    @api.model_create_multi
    def create(self, vals_list):
        for vals in vals_list:
            if backup := self.env["saas.backup"].browse(vals.get("backup_id")):
                vals.setdefault("tenant_id", backup.tenant_id.id)
        return super().create(vals_list)

    def _get_subject(self):
        return self.backup_id if self.kind == "backup" else super()._get_subject()

    def _clean_up(self):
        super()._clean_up()
        if self.state == "cancelled":
            return
        if self.kind == "backup":
            self.backup_id._set_failed(self.message)
        if self.kind == "restore_new" and not self.tenant_id.provisioned_on:
            self._undo()
