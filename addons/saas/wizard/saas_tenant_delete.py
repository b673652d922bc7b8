from odoo import api, fields, models
from odoo.exceptions import UserError


class SaasTenantDelete(models.TransientModel):
    _name = "saas.tenant.delete"
    _description = "Delete Tenants"

    tenant_ids = fields.Many2many(
        "saas.tenant",
        string="Tenants",
        required=True,
        default=lambda self: self.env.context.get("active_ids", []),
    )
    erase_now = fields.Boolean(help="No grace: all of it goes at once and for good.")
    # One word to type for one tenant; for several, how many they are.
    expected = fields.Char(compute="_compute_expected")
    typed = fields.Char(string="To confirm, type")

    @api.depends("tenant_ids")
    def _compute_expected(self):
        for wizard in self:
            tenants = wizard.tenant_ids
            wizard.expected = tenants.name if len(tenants) == 1 else str(len(tenants))

    def action_delete(self):
        self.ensure_one()
        if self.erase_now and (self.typed or "").strip() != self.expected:
            raise UserError(
                self.env._("To erase at once, type “%s” to confirm.", self.expected)
            )
        if len(self.tenant_ids) > 1:
            return self.tenant_ids._start_batch("erase" if self.erase_now else "delete")
        self.tenant_ids.action_delete(erase_now=self.erase_now)
        return {"type": "ir.actions.act_window_close"}
