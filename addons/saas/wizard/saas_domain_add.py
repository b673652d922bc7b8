from odoo import fields, models


class SaasDomainAdd(models.TransientModel):
    _name = "saas.domain.add"
    _description = "Add a Domain"

    tenant_id = fields.Many2one("saas.tenant", string="Tenant", required=True)
    name = fields.Char(string="Host Name", required=True)

    def action_add(self):
        """Add it, and show what its owner has to do now."""
        self.ensure_one()
        domain = self.tenant_id.action_add_domain((self.name or "").strip().lower())
        return domain.get_formview_action()
