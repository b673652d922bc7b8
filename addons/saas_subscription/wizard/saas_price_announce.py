from datetime import timedelta

from odoo import fields, models

from ..const import NOTICE_DAYS


class SaasPriceAnnounce(models.TransientModel):
    _name = "saas.price.announce"
    _description = "Announce a Price"

    subscription_ids = fields.Many2many(
        "saas.subscription",
        string="Subscriptions",
        required=True,
        default=lambda self: self.env.context.get("active_ids"),
    )
    product_id = fields.Many2one(
        "product.product",
        string="Product",
        required=True,
        domain=[("saas_months", ">", 0)],
    )
    price_unit = fields.Float(string="New Price", digits="Product Price", required=True)
    date = fields.Date(
        string="From",
        required=True,
        default=lambda self: fields.Date.today() + timedelta(days=NOTICE_DAYS),
        help="It counts from each one's first renewal on that day or later.",
    )

    def action_confirm(self):
        self.ensure_one()
        self.subscription_ids.check_access("write")
        self.subscription_ids._announce_price(
            self.product_id, self.price_unit, self.date
        )
