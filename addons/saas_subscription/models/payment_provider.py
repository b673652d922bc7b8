from odoo import models


class PaymentProvider(models.Model):
    _inherit = "payment.provider"

    def _is_tokenization_required(self, sale_order_id=None, **kwargs):
        """What is charged again has to be saved when it is paid first."""
        if sale_order_id:
            order = self.env["sale.order"].sudo().browse(int(sale_order_id)).exists()
            if order and order._starts_subscription():
                return True
        return super()._is_tokenization_required(sale_order_id=sale_order_id, **kwargs)
