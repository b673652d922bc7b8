from odoo import api, fields, models
from odoo.fields import Domain
from odoo.tools import get_lang


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

    def _get_features(self):
        """Return what the page of plans says of its limits, a sentence each."""
        self.ensure_one()
        gigabytes = self._format_number(self.memory / 1024)
        cpus = self._format_number(self.cpus)
        return [
            self.env._("%s MB of memory", str(self.memory))
            if self.memory < 1024
            else self.env._("%s GB of memory", gigabytes),
            self.env._("1 CPU core")
            if self.cpus == 1
            else self.env._("%s CPU cores", cpus),
            *self._get_grace_feature(),
        ]

    def _get_grace_feature(self):
        days = self._get_days_to_take_back()
        if not days:
            return []
        if days == 1:
            return [self.env._("Deleted by mistake? 1 day to take it back")]
        return [self.env._("Deleted by mistake? %s days to take it back", str(days))]

    @api.model
    def _format_number(self, number):
        """Return a number as it is written in the visitor's language, without zeros
        at its end.
        """
        language = self.env["res.lang"].browse(get_lang(self.env).id)
        return language.format("%g", number)
