from odoo import fields, models


class SaasPlan(models.Model):
    _inherit = "saas.plan"

    product_ids = fields.One2many(
        "product.template", "saas_plan_id", string="Prices", readonly=True
    )
    trial_days = fields.Integer(
        string="Trial (days)",
        help="How long a customer may try it before the first invoice. 0: no trial.",
    )

    _trial_days_not_negative = models.Constraint(
        "CHECK(trial_days >= 0)", "A trial has 0 days or more."
    )
