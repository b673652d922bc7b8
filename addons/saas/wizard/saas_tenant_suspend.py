from odoo import fields, models


class SaasTenantSuspend(models.TransientModel):
    _name = "saas.tenant.suspend"
    _description = "Suspend Tenants"

    tenant_ids = fields.Many2many(
        "saas.tenant",
        string="Tenants",
        required=True,
        default=lambda self: self.env.context.get("active_ids", []),
    )
    reason = fields.Char(
        required=True, help="Shown on the tenant for as long as it is suspended."
    )

    def action_suspend(self):
        self.ensure_one()
        if len(self.tenant_ids) > 1:
            return self.tenant_ids._start_batch("suspend", self.reason)
        self.tenant_ids.action_suspend(self.reason)
        return {"type": "ir.actions.act_window_close"}
