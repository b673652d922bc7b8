from odoo import fields, models
from odoo.exceptions import UserError


class SaasBackupRestore(models.TransientModel):
    _name = "saas.backup.restore"
    _description = "Restore a Backup"

    backup_id = fields.Many2one(
        "saas.backup",
        string="Copy",
        required=True,
        default=lambda self: self.env.context.get("active_id"),
    )
    tenant_name = fields.Char(related="backup_id.tenant_id.name", string="Tenant")
    way = fields.Selection(
        selection=[("new", "As a new tenant"), ("place", "In place")],
        string="Restore",
        default="new",
        required=True,
    )
    purpose = fields.Selection(
        selection=[("test", "Test copy"), ("exact", "Exact copy")],
        string="For",
        default="test",
        required=True,
    )
    new_name = fields.Char(string="Subdomain")
    typed = fields.Char(string="To confirm, type")

    def action_restore(self):
        self.ensure_one()
        tenant = self.backup_id.tenant_id
        if self.way == "place" and (self.typed or "").strip() != tenant.name:
            raise UserError(
                self.env._("To restore in place, type “%s” to confirm.", tenant.name)
            )
        name = self.new_name if self.way == "new" else None
        operation = tenant.action_restore(
            self.backup_id.id, name, neutralize=self.purpose == "test"
        )
        return {
            "type": "ir.actions.act_window",
            "res_model": "saas.tenant",
            "res_id": operation.tenant_id.id,
            "view_mode": "form",
        }
