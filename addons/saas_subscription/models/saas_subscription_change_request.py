import dataclasses

from odoo import fields, models
from odoo.exceptions import UserError

from ..const import CHANGEABLE
from ..engine import proration
from ..targets import Target, merge


class SaasSubscription(models.Model):
    """Changes of what it has: asked for, shown before, and carried out."""

    _inherit = "saas.subscription"

    # === ASKING === #

    def _request_change(self, wanted, when, order=None):
        """Change what it has now, or have it changed at the renewal.

        :param list wanted: for each product that changes a dict with ``product``,
            ``quantity`` (0: not any more) and, where they are agreed, ``price_unit``
            and ``discount``
        :param str when: ``now`` or ``renewal``
        :param sale.order order: by which it was sold, if it was
        :return: the ``saas.subscription.change``
        """
        self.ensure_one()
        subscription = self.sudo()
        subscription.lock_for_update()
        targets = subscription._get_targets(wanted)
        subscription._check_change(targets, when)
        subscription._drop_waiting_change()
        change = self.env["saas.subscription.change"].sudo()
        change = change.create(
            subscription._prepare_change(wanted, when, order or self.env["sale.order"])
        )
        if when == "now":
            subscription._carry_out(change)
        return change

    def _prepare_change(self, wanted, when, order):
        return {
            "subscription_id": self.id,
            "when": when,
            "state": "waiting" if when == "renewal" else "done",
            "sale_order_id": order.id,
            "line_ids": [
                fields.Command.create(
                    {
                        "product_id": target.product.id,
                        "name": target.name,
                        "quantity": target.quantity,
                        "price_unit": target.price_unit,
                        "discount": target.discount,
                    }
                )
                for target in self._complete(wanted)
            ],
        }

    def _change_by_order(self, order):
        """Add what an order sells; its plan takes the place of the one there was."""
        self.ensure_one()
        subscription = self.sudo()
        wanted = []
        for line in order._get_recurring_lines():
            sold = line._prepare_subscription_line()
            wanted.append(
                {
                    "product": line.product_id,
                    "quantity": line.product_uom_qty,
                    "price_unit": line.price_unit,
                    "discount": line.discount,
                    "name": sold["name"],
                }
            )
        # What there is of the same products stays beside it.
        kept = subscription.line_ids.filtered(
            lambda line: (
                line.product_id in order.order_line.product_id and line.kind != "plan"
            )
        )
        wanted += [line._as_wanted() for line in kept]
        return subscription._request_change(wanted, "now", order)

    def _drop_waiting_change(self):
        self.change_ids.filtered(lambda change: change.state == "waiting")._drop()

    # === WHAT IT LEADS TO === #

    def _complete(self, wanted):
        """Return what is wanted with names and prices where nothing was agreed."""
        return [self._complete_one(Target(**item)) for item in wanted]

    def _complete_one(self, target):
        line = self.line_ids.filtered(lambda line: line.product_id == target.product)
        return dataclasses.replace(
            target,
            name=target.name or line[:1].name or target.product.display_name,
            metered=line[:1].metered,
            price_unit=(
                self._find_price(target, line)
                if target.price_unit is None
                else target.price_unit
            ),
            discount=(
                line[:1].discount if target.discount is None else target.discount
            ),
        )

    def _find_price(self, target, line):
        """Return the price that was agreed before, else that of the price list."""
        if line:
            return line[0].price_unit
        return self.pricelist_id._get_product_price(
            target.product,
            target.quantity or 1,
            currency=self.currency_id,
            date=fields.Datetime.now(),
        )

    def _get_targets(self, wanted):
        """Return all that it has after a change."""
        self.ensure_one()
        new = self._complete(wanted)
        products = {target.product for target in new}
        sells_plan = any(
            target.product.saas_kind == "plan" and target.quantity for target in new
        )
        kept = [
            line._as_target()
            for line in self.line_ids
            if line.product_id not in products
            and not (sells_plan and line.kind == "plan")
        ]
        return merge([*kept, *new])

    def _check_change(self, targets, when):
        """Refuse what cannot be, in words that say what to do.

        :raise UserError: the change is not possible
        """
        if self.state not in CHANGEABLE:
            raise UserError(
                self.env._(
                    "%(name)s is %(state)s, so nothing can be changed.",
                    name=self.name,
                    state=self._get_state_label(self.state).lower(),
                )
            )
        self._check_billing_owner("odoo")
        plans = [t.product for t in targets if t.product.saas_kind == "plan"]
        if len(plans) != 1:
            raise UserError(self.env._("A subscription has one plan."))
        for target in targets:
            if target.quantity < 0:
                raise UserError(self.env._("A quantity is 0 or more."))
            plan = target.product.saas_plan_id
            if plan not in (plan.browse(), plans[0].saas_plan_id):
                raise UserError(
                    self.env._(
                        "“%(product)s” goes with the plan “%(plan)s” only.",
                        product=target.product.display_name,
                        plan=plan.name,
                    )
                )
        months = {target.product.saas_months for target in targets}
        if cause := self._explain_other_period(months, when):
            raise UserError(cause)

    def _explain_other_period(self, months, when="now"):
        """Return why products of those periods cannot be its own, False if they can."""
        if len(set(months)) > 1:
            return self.env._(
                "All that a subscription has is charged for the same period. Please "
                "choose the same billing period for all."
            )
        if when == "now" and self.state != "trial" and set(months) - {self.months}:
            return self.env._(
                "%s is charged for another period. It can be changed at the renewal.",
                self.name,
            )
        return False

    # === THE DIFFERENCE === #

    def _preview_change(self, wanted, when):
        """Return what a change would charge at once, by the code that charges it.

        :return: a dict with ``untaxed``, ``tax`` and ``total`` (below zero: given
            back), ``lines`` (name and amount) and ``each_period``, without taxes
        """
        self.ensure_one()
        subscription = self.sudo()
        targets = subscription._get_targets(wanted)
        subscription._check_change(targets, when)
        lines = subscription._prepare_change_lines(targets) if when == "now" else []
        currency = subscription.currency_id
        return {
            **subscription._sum_lines(lines),
            "lines": [(line["name"], line["price_unit"]) for line in lines],
            "each_period": sum(target.get_price(currency) for target in targets),
        }

    def _sum_lines(self, lines):
        """Return the sums of an invoice with these lines, as Odoo will reckon them."""
        taxes = self.env["account.tax"]
        base_lines = [
            taxes._prepare_base_line_for_taxes_computation(
                {},
                price_unit=line["price_unit"],
                quantity=line["quantity"],
                tax_ids=taxes.browse(line["tax_ids"][0][2]),
                product_id=self.env["product.product"].browse(line["product_id"]),
                partner_id=self.partner_invoice_id,
                currency_id=self.currency_id,
            )
            for line in lines
        ]
        taxes._add_tax_details_in_base_lines(base_lines, self.company_id)
        taxes._round_base_lines_tax_details(base_lines, self.company_id)
        sums = taxes._get_tax_totals_summary(
            base_lines, self.currency_id, self.company_id
        )
        return {
            "untaxed": sums["base_amount_currency"],
            "tax": sums["tax_amount_currency"],
            "total": sums["total_amount_currency"],
        }

    def _prepare_change_lines(self, targets):
        """Return the invoice's lines for the rest of the period that is paid for."""
        period = self._find_period(self._get_today())
        if not period:
            return []
        old = merge([line._as_target() for line in self.line_ids])
        known = {target.key: target for target in (*old, *targets)}
        parts = proration.list_parts(
            self._price(old),
            self._price(targets),
            self._get_recurrence().whole_period(period._get_days()),
            self._get_today(),
            self.currency_id.rounding,
        )
        return [self._prepare_part(part, known[part.key].product) for part in parts]

    def _price(self, targets):
        return {target.key: target.get_price(self.currency_id) for target in targets}

    def _find_period(self, day):
        """Return the invoiced period in which a day lies, or none."""
        return self.period_ids.filtered(lambda p: p.date_from <= day <= p.date_to)[:1]

    def _prepare_part(self, part, product):
        name = product.display_name
        days = self._describe_days(part.period)
        if part.amount < 0:
            days = self.env._("%s, given back", days)
        taxes = self._find_charged_taxes(product, part.period.start, part.amount < 0)
        return {
            "product_id": product.id,
            "product_uom_id": product.uom_id.id,
            "name": f"{name}\n{days}",
            "quantity": 1,
            "price_unit": part.amount,
            "tax_ids": [fields.Command.set(taxes.ids)],
            "saas_date_from": part.period.start,
            "saas_date_to": part.period.last,
        }

    def _find_charged_taxes(self, product, day, back):
        """Return a product's taxes; what is given back has those of its invoice."""
        charged = self.env["account.move.line"].search(
            [
                ("move_id", "in", self.invoice_ids.ids),
                ("move_id.state", "=", "posted"),
                ("product_id", "=", product.id),
                ("saas_date_from", "<=", day),
                ("saas_date_to", ">=", day),
            ],
            order="id desc",
            limit=1,
        )
        if back and charged:
            return charged.tax_ids
        taxes = product.taxes_id._filter_taxes_by_company(self.company_id)
        return self.fiscal_position_id.map_tax(taxes)

    # === CARRYING OUT === #

    def _carry_out(self, change):
        """Have the subscription as a change says, and charge or give back the rest."""
        self.ensure_one()
        targets = self._get_targets([line._as_wanted() for line in change.line_ids])
        order = change.sale_order_id
        lines = self._prepare_change_lines(targets) if change.when == "now" else []
        lines += [line._prepare_invoice_line() for line in order._get_setup_lines()]
        self._write_lines(targets)
        move = self.env["account.move"]
        if lines:
            move = self._invoice_change(lines, order)
        change._finish(self._get_today(), move)

    def _carry_out_waiting_change(self):
        change = self.change_ids.filtered(lambda change: change.state == "waiting")
        if change:
            self._carry_out(change)

    def _invoice_change(self, lines, order):
        """Charge the difference, or give it back by a credit note."""
        coin = self.currency_id.rounding
        amounts = [line["price_unit"] * line["quantity"] for line in lines]
        if proration.total(amounts, coin) >= 0:
            return self._make_invoice(lines, self.sale_order_id.browse())
        back = [line | {"price_unit": -line["price_unit"]} for line in lines]
        vals = self._prepare_invoice(back, self.sale_order_id.browse())
        moves = self.env["account.move"].with_company(self.company_id)
        move = moves.create(vals | {"move_type": "out_refund"})
        move.action_post()
        move._queue_saas_mail()
        return move

    def _write_lines(self, targets):
        """Have exactly these lines; nobody else changes lines."""
        self.ensure_one()
        wanted = {target.key: target for target in targets}
        for line in self.line_ids:
            target = wanted.pop(line._as_target().key, None)
            if target:
                line.quantity = target.quantity
            else:
                line.unlink()
        self.line_ids = [
            fields.Command.create(self._prepare_line(target))
            for target in wanted.values()
        ]
        plan = self.line_ids.filtered(lambda line: line.kind == "plan").product_id
        self.write({"plan_id": plan.saas_plan_id.id, "months": plan.saas_months})
        self.tenant_id._use_plan(self.plan_id)
        self._tell_lines()

    def _prepare_line(self, target):
        return {
            "product_id": target.product.id,
            "name": target.name,
            "quantity": target.quantity,
            "price_unit": target.price_unit,
            "discount": target.discount,
            "metered": target.metered,
        }

    def _tell_lines(self):
        self.message_post(
            body=self.env._(
                "It has now: %s",
                ", ".join(
                    f"{line.quantity:g} x {line.product_id.display_name}"
                    for line in self.line_ids
                ),
            )
        )
