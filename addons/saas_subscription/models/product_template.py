from odoo import api, fields, models
from odoo.exceptions import ValidationError

from ..const import PLAN_OPTIONS, PRODUCT_KINDS


class ProductTemplate(models.Model):
    _inherit = "product.template"

    saas_kind = fields.Selection(
        selection=list(PRODUCT_KINDS.items()),
        string="Sells",
        help="What of a subscription it sells. Empty: nothing of it.",
    )
    saas_plan_id = fields.Many2one(
        "saas.plan",
        string="Plan",
        index="btree_not_null",
        ondelete="restrict",
        help="The plan that it sells, or can be added to. Empty: any plan.",
    )
    saas_included_users = fields.Integer(
        string="Included Users", help="How many users the plan's price is for."
    )
    saas_included = fields.Integer(
        string="Included (GB)", help="How many GB the plan's price is for."
    )
    saas_option = fields.Selection(
        selection=list(PLAN_OPTIONS.items()), string="Option"
    )

    _saas_included_not_negative = models.Constraint(
        "CHECK(saas_included_users >= 0 AND saas_included >= 0)",
        "What a plan's price includes is 0 or more.",
    )

    @api.constrains("saas_kind", "saas_plan_id", "saas_option", "type")
    def _check_saas_kind(self):
        for template in self:
            if template.saas_kind == "plan" and not template.saas_plan_id:
                raise ValidationError(
                    self.env._("Please choose which plan “%s” sells.", template.name)
                )
            if template.saas_kind == "option" and not template.saas_option:
                raise ValidationError(
                    self.env._(
                        "Please choose which option “%s” switches on.", template.name
                    )
                )
            if template.saas_kind and template.type != "service":
                raise ValidationError(
                    self.env._(
                        "“%s” is part of a subscription, so it has to be a service.",
                        template.name,
                    )
                )
