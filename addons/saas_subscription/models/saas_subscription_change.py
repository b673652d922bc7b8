from odoo import fields, models

from ..const import CHANGE_STATES, CHANGE_TIMES
from .saas_subscription import MONEY


class SaasSubscriptionChange(models.Model):
    """Other lines for a subscription, now or from its renewal on."""

    _name = "saas.subscription.change"
    _description = "Subscription Change"
    _order = "id desc"

    subscription_id = fields.Many2one(
        "saas.subscription",
        string="Subscription",
        required=True,
        readonly=True,
        ondelete="cascade",
        index=True,
    )
    company_id = fields.Many2one(related="subscription_id.company_id", store=True)
    currency_id = fields.Many2one(related="subscription_id.currency_id")
    when = fields.Selection(
        selection=list(CHANGE_TIMES.items()), required=True, readonly=True
    )
    state = fields.Selection(
        selection=list(CHANGE_STATES.items()),
        default="waiting",
        required=True,
        readonly=True,
    )
    line_ids = fields.One2many(
        "saas.subscription.change.line", "change_id", string="Lines", readonly=True
    )
    sale_order_id = fields.Many2one(
        "sale.order", string="Order", readonly=True, groups=MONEY
    )
    move_id = fields.Many2one(
        "account.move", string="Invoice", readonly=True, groups=MONEY
    )
    date_done = fields.Date(string="Since", readonly=True)

    _one_that_waits = models.UniqueIndex(
        "(subscription_id) WHERE state = 'waiting'",
        "A change of that subscription waits for its renewal already.",
    )

    def _drop(self):
        """Forget what waits; the newest wish counts."""
        self.state = "dropped"
        self.flush_recordset()  # the next one that waits must find room

    def _finish(self, day, move):
        self.write({"state": "done", "date_done": day, "move_id": move.id})


class SaasSubscriptionChangeLine(models.Model):
    """What a subscription has of a product after a change; 0: nothing any more."""

    _name = "saas.subscription.change.line"
    _description = "Subscription Change Line"
    _order = "change_id, id"

    change_id = fields.Many2one(
        "saas.subscription.change", required=True, ondelete="cascade", index=True
    )
    company_id = fields.Many2one(related="change_id.company_id", store=True)
    currency_id = fields.Many2one(related="change_id.currency_id")
    product_id = fields.Many2one(
        "product.product", string="Product", required=True, ondelete="restrict"
    )
    name = fields.Text(string="Description")
    quantity = fields.Float(digits="Product Unit", required=True)
    price_unit = fields.Float(string="Unit Price", digits="Product Price", groups=MONEY)
    discount = fields.Float(string="Discount (%)", digits="Discount", groups=MONEY)

    _quantity_not_negative = models.Constraint(
        "CHECK(quantity >= 0)", "A quantity is 0 or more."
    )

    def _as_wanted(self):
        self.ensure_one()
        return {
            "product": self.product_id,
            "quantity": self.quantity,
            "price_unit": self.price_unit,
            "discount": self.discount,
            "name": self.name,
        }
