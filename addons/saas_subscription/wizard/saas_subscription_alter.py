from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.fields import Command

from ..const import CHANGE_TIMES


class SaasSubscriptionAlter(models.TransientModel):
    """What a subscription is to have, and what that costs, before it is done."""

    _name = "saas.subscription.alter"
    _description = "Change a Subscription"

    subscription_id = fields.Many2one(
        "saas.subscription",
        string="Subscription",
        required=True,
        readonly=True,
        default=lambda self: self.env.context.get("active_id"),
    )
    currency_id = fields.Many2one(related="subscription_id.currency_id")
    when = fields.Selection(
        selection=list(CHANGE_TIMES.items()), required=True, default="now"
    )
    line_ids = fields.One2many(
        "saas.subscription.alter.line",
        "alter_id",
        string="Lines",
        compute="_compute_line_ids",
        store=True,
        readonly=False,
    )
    untaxed = fields.Monetary(string="Untaxed Amount", compute="_compute_difference")
    tax = fields.Monetary(string="Taxes", compute="_compute_difference")
    total = fields.Monetary(string="Charged Now", compute="_compute_difference")
    each_period = fields.Monetary(compute="_compute_difference")
    problem = fields.Char(compute="_compute_difference")

    @api.depends("subscription_id")
    def _compute_line_ids(self):
        for alter in self:
            alter.line_ids = [
                Command.create(
                    {
                        "product_id": line.product_id.id,
                        "quantity": line.quantity,
                        "price_unit": line.price_unit,
                    }
                )
                for line in alter.subscription_id.line_ids
            ]

    @api.depends(
        "when", "line_ids.product_id", "line_ids.quantity", "line_ids.price_unit"
    )
    def _compute_difference(self):
        for alter in self:
            shown = {}
            alter.problem = False
            try:
                shown = alter.subscription_id._preview_change(
                    alter._get_wanted(), alter.when
                )
            except UserError as error:
                alter.problem = str(error)
            for name in ("untaxed", "tax", "total", "each_period"):
                alter[name] = shown.get(name, 0)

    def _get_wanted(self):
        """Return all that it is to have; what it has and is not listed goes."""
        lines = self.line_ids.filtered("product_id")
        gone = self.subscription_id.line_ids.product_id - lines.product_id._origin
        return [
            *({"product": product, "quantity": 0} for product in gone),
            *(line._as_wanted() for line in lines),
        ]

    def action_confirm(self):
        self.ensure_one()
        self.subscription_id.check_access("write")
        self.subscription_id._request_change(self._get_wanted(), self.when)


class SaasSubscriptionAlterLine(models.TransientModel):
    _name = "saas.subscription.alter.line"
    _description = "Line of a Changed Subscription"

    alter_id = fields.Many2one(
        "saas.subscription.alter", required=True, ondelete="cascade"
    )
    currency_id = fields.Many2one(related="alter_id.currency_id")
    product_id = fields.Many2one(
        "product.product",
        string="Product",
        required=True,
        domain=[("saas_months", ">", 0)],
    )
    quantity = fields.Float(digits="Product Unit", default=1)
    price_unit = fields.Float(
        string="Unit Price",
        digits="Product Price",
        compute="_compute_price_unit",
        store=True,
        readonly=False,
    )

    @api.depends("product_id")
    def _compute_price_unit(self):
        for line in self.filtered("product_id"):
            subscription = line.alter_id.subscription_id
            [target] = subscription._complete(
                [{"product": line.product_id._origin, "quantity": line.quantity}]
            )
            line.price_unit = target.price_unit

    def _as_wanted(self):
        self.ensure_one()
        return {
            "product": self.product_id._origin,
            "quantity": self.quantity,
            "price_unit": self.price_unit,
        }
