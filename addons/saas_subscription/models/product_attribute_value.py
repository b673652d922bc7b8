from odoo import fields, models


class ProductAttributeValue(models.Model):
    _inherit = "product.attribute.value"

    saas_months = fields.Integer(
        string="Billing Period (months)",
        help="A product with this value is charged anew after so many months. 0: once.",
    )

    _saas_months_not_negative = models.Constraint(
        "CHECK(saas_months >= 0)", "A billing period has 0 months or more."
    )
