from odoo import api, fields, models

WHOSE_CONTACT = {"is_company", "parent_id"}


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

    def write(self, vals):
        result = super().write(vals)
        if vals.keys() & WHOSE_CONTACT and self._find_users():
            # Record rules are kept in memory with whose contact their reader was.
            self.env.registry.clear_cache()
        return result

    def _find_users(self):
        """Return the users who are these or contacts of theirs."""
        users = self.env["res.users"].sudo()
        return users.search([("partner_id", "child_of", self.ids)])

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
