from odoo import api, fields, models


class ProductProduct(models.Model):
    _inherit = "product.product"

    saas_months = fields.Integer(
        string="Billing Period (months)",
        compute="_compute_saas_months",
        store=True,
        help="After how many months it is charged anew. 0: it is charged once.",
    )

    @api.depends(
        "product_template_attribute_value_ids.product_attribute_value_id.saas_months"
    )
    def _compute_saas_months(self):
        for product in self:
            values = product.product_template_attribute_value_ids
            months = values.product_attribute_value_id.mapped("saas_months")
            product.saas_months = max(months, default=0)
