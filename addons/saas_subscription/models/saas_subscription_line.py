from odoo import api, fields, models
from odoo.exceptions import UserError

from ..targets import Target
from .saas_subscription import MONEY


class SaasSubscriptionLine(models.Model):
    """What a subscription charges in each of its periods."""

    _name = "saas.subscription.line"
    _description = "Subscription Line"
    _order = "subscription_id, sequence, id"

    subscription_id = fields.Many2one(
        "saas.subscription",
        string="Subscription",
        required=True,
        ondelete="cascade",
        index=True,
    )
    company_id = fields.Many2one(related="subscription_id.company_id", store=True)
    currency_id = fields.Many2one(related="subscription_id.currency_id")
    sequence = fields.Integer(default=10)
    product_id = fields.Many2one(
        "product.product", string="Product", required=True, ondelete="restrict"
    )
    kind = fields.Selection(related="product_id.saas_kind", store=True)
    name = fields.Text(string="Description", required=True)
    quantity = fields.Float(digits="Product Unit", default=1)
    price_unit = fields.Float(
        string="Unit Price", digits="Product Price", required=True, groups=MONEY
    )
    discount = fields.Float(string="Discount (%)", digits="Discount", groups=MONEY)
    tax_ids = fields.Many2many(
        "account.tax", string="Taxes", compute="_compute_tax_ids", groups=MONEY
    )
    price_subtotal = fields.Monetary(
        string="Untaxed Amount", compute="_compute_price_subtotal", groups=MONEY
    )
    sale_line_id = fields.Many2one(
        "sale.order.line", readonly=True, ondelete="set null", index="btree_not_null"
    )
    metered = fields.Boolean(
        help="What was used is charged, after the period in which it was."
    )
    used = fields.Float(
        digits="Product Unit", help="Used since it was charged last.", readonly=True
    )

    _quantity_not_negative = models.Constraint(
        "CHECK(quantity >= 0 AND used >= 0)", "A quantity is 0 or more."
    )

    @api.depends(
        "product_id",
        "subscription_id.fiscal_position_id",
        "subscription_id.company_id",
    )
    def _compute_tax_ids(self):
        """As they are now: a tax that changes does so in the next invoice."""
        for line in self:
            subscription = line.subscription_id
            taxes = line.product_id.taxes_id._filter_taxes_by_company(line.company_id)
            line.tax_ids = subscription.fiscal_position_id.map_tax(taxes)

    @api.depends("quantity", "price_unit", "discount", "metered")
    def _compute_price_subtotal(self):
        for line in self:
            line.price_subtotal = line._get_period_price()

    def _get_period_price(self):
        """Return what it costs in a whole period, without taxes."""
        self.ensure_one()
        if self.metered:
            return 0.0
        price = self.price_unit * self.quantity * (1 - self.discount / 100)
        return self.currency_id.round(price)

    # === INVOICES === #

    def _get_quantity_to_invoice(self):
        """Return how much of it the next invoice charges."""
        self.ensure_one()
        return self.used if self.metered else self.quantity

    def _prepare_invoice_line(self, days, order):
        """Return its line of the invoice for a period.

        :param Period days: the period
        :param sale.order order: from which the invoice comes, or none
        """
        self.ensure_one()
        if self.metered:
            days = self.subscription_id._get_days_before(days)
        sold = self.sale_line_id.filtered(lambda line: line.order_id == order)
        return {
            "product_id": self.product_id.id,
            "product_uom_id": self.product_id.uom_id.id,
            "name": self._describe(days),
            "quantity": self._get_quantity_to_invoice(),
            "price_unit": self.price_unit,
            "discount": self.discount,
            "tax_ids": [fields.Command.set(self.tax_ids.ids)],
            "saas_date_from": days.start,
            "saas_date_to": days.last,
            "sale_line_ids": [fields.Command.link(line.id) for line in sold],
        }

    def _describe(self, days):
        """Return what the customer reads of it: what it is, and for which days."""
        self.ensure_one()
        return f"{self.name}\n{self.subscription_id._describe_days(days)}"

    # === CHANGES === #

    def _as_target(self):
        """Return it as what a change compares."""
        self.ensure_one()
        return Target(
            product=self.product_id,
            quantity=self.quantity,
            price_unit=self.price_unit,
            discount=self.discount,
            name=self.name,
            metered=self.metered,
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

    def _add_usage(self, quantity):
        """Count what was used of it; the next invoice charges it."""
        self.ensure_one()
        if not self.metered or quantity < 0:
            raise UserError(
                self.env._("Only metered lines count what is used, and only upwards.")
            )
        self.lock_for_update()
        self.sudo().used += quantity
