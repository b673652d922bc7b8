from odoo import fields, models


class SaasTenantRename(models.TransientModel):
    _name = "saas.tenant.rename"
    _description = "Rename a Tenant"

    tenant_id = fields.Many2one("saas.tenant", string="Tenant", required=True)
    name = fields.Char(string="New Subdomain", required=True)

    def action_rename(self):
        self.ensure_one()
        self.tenant_id.action_rename((self.name or "").strip())
        return {"type": "ir.actions.act_window_close"}
