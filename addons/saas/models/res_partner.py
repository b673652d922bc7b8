from odoo import api, fields, models


class ResPartner(models.Model):
    _inherit = "res.partner"

    saas_tenant_ids = fields.One2many(
        "saas.tenant", "partner_id", string="Tenants", groups="saas.group_viewer"
    )
    saas_tenant_count = fields.Integer(
        compute="_compute_saas_tenant_count", groups="saas.group_viewer"
    )

    @api.depends("saas_tenant_ids")
    def _compute_saas_tenant_count(self):
        for partner in self:
            partner.saas_tenant_count = len(partner.saas_tenant_ids)

    def action_view_saas_tenants(self):
        self.ensure_one()
        action = self.env["ir.actions.act_window"]._for_xml_id(
            "saas.saas_tenant_action"
        )
        return {
            **action,
            "domain": [("partner_id", "=", self.id)],
            "context": {"default_partner_id": self.id},
        }
