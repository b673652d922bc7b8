from odoo import api, fields, models
from odoo.fields import Domain


class SaasPlan(models.Model):
    _name = "saas.plan"
    _inherit = ["saas.plan", "website.published.multi.mixin"]

    website_tagline = fields.Char(
        translate=True, help="One line under the plan's name on the page of plans."
    )
    website_description = fields.Html(
        translate=True,
        sanitize_overridable=True,
        sanitize_attributes=False,
        sanitize_form=False,
        help="What the plan offers, on the page of plans.",
    )
    website_highlight = fields.Boolean(
        string="Recommended", help="Stands out on the page of plans."
    )

    @api.depends("name")
    def _compute_website_url(self):
        slug = self.env["ir.http"]._slug
        for plan in self:
            plan.website_url = f"/plans/{slug(plan)}/signup" if plan.id else "#"

    @api.model
    def _get_published(self, website):
        """Return the plans that a visitor of the website may choose."""
        return self.sudo().search(
            Domain("is_published", "=", True)
            & Domain(website.website_domain())
            & Domain("company_id", "in", (False, website.company_id.id))
        )

    @api.model
    def _find_published(self, slug, website):
        """Return the published plan that is called so in addresses, or none."""
        plan_id = self.env["ir.http"]._unslug(slug)[1]
        return self._get_published(website).filtered(lambda plan: plan.id == plan_id)
