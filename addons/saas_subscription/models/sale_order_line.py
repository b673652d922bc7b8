from odoo import api, fields, models


class SaleOrderLine(models.Model):
    _inherit = "sale.order.line"

    saas_kind = fields.Selection(related="product_id.saas_kind")
    saas_months = fields.Integer(related="product_id.saas_months")

    @api.depends("order_id.subscription_id", "saas_months")
    def _compute_qty_to_invoice(self):
        """What recurs is in the subscription's invoices, and not in the order's."""
        subscribed = self.filtered(lambda line: line.order_id._is_subscribed(line))
        subscribed.qty_to_invoice = 0
        return super(SaleOrderLine, self - subscribed)._compute_qty_to_invoice()

    def _prepare_subscription_line(self):
        self.ensure_one()
        return {
            "product_id": self.product_id.id,
            "name": self.name,
            "quantity": self.product_uom_qty,
            "price_unit": self.price_unit,
            "discount": self.discount,
            "sale_line_id": self.id,
        }
