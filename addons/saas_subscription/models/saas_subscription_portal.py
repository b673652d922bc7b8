from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.fields import Domain

from ..const import CHANGEABLE, INVOICED

MOST_USERS = 9999


class SaasSubscription(models.Model):
    """What customers see and may do of their own subscriptions.

    To be called, as the system, for those of the current user's customer only.
    """

    _inherit = "saas.subscription"

    @api.model
    def _get_customer_domain(self):
        """Return what the current user sees as a customer, whatever their groups."""
        customer = self.env.user.partner_id.commercial_partner_id
        return Domain("commercial_partner_id", "=", customer.id) & Domain(
            "state", "!=", "draft"
        )

    # === WHAT THERE IS === #

    def _describe_period(self, months):
        """Return how often a price is paid, as it follows the amount."""
        if months == 1:
            return self.env._("each month")
        if months == 12:
            return self.env._("each year")
        return self.env._("every %s months", months)

    def _get_customer_invoices(self):
        return self.invoice_ids.filtered(lambda move: move.state == "posted").sorted(
            lambda move: (move.invoice_date, move.id), reverse=True
        )

    def _get_waiting_change(self):
        return self.change_ids.filtered(lambda change: change.state == "waiting")

    def _get_next_invoice(self):
        """Return its day, and its sums without what is metered; None where none comes.

        What is changed at the renewal is in it.
        """
        self.ensure_one()
        day = self._get_end()
        is_owed = self.state == "trial" or self.state in INVOICED
        ends = self.cancel_on and day and self.cancel_on <= day
        if not day or not is_owed or ends or self.billing_owner != "odoo":
            return None
        wanted = [line._as_wanted() for line in self._get_waiting_change().line_ids]
        return {"date": day, **self._sum_period(self._get_targets(wanted), day)}

    def _sum_period(self, targets, day):
        """Return the sums of a period's invoice from a day on."""
        return self._sum_lines(
            [
                {
                    "product_id": target.product.id,
                    "quantity": 1,
                    "price_unit": target.get_price(self.currency_id),
                    "tax_ids": [
                        fields.Command.set(
                            self._find_charged_taxes(target.product, day, False).ids
                        )
                    ],
                }
                for target in targets
            ]
        )

    # === CHANGE === #

    def _may_be_changed(self):
        return (
            self.state in CHANGEABLE
            and self.billing_owner == "odoo"
            and not self.cancel_on
        )

    def _get_plan_product(self):
        return self.line_ids.filtered(lambda line: line.kind == "plan").product_id

    def _count_users(self):
        """Return how many users it has beyond those in its plan's price."""
        users = self.line_ids.filtered(lambda line: line.kind == "user")
        return int(sum(users.mapped("quantity")))

    def _get_offered_domain(self):
        return Domain("sale_ok", "=", True) & Domain(
            "company_id", "in", (False, self.company_id.id)
        )

    def _get_offered_plans(self, website):
        """Return what sells the plans that it may have: its own, and published ones."""
        self.ensure_one()
        plans = self.env["saas.plan"]._get_published(website)
        products = self.env["product.product"].search(
            Domain("saas_kind", "=", "plan")
            & Domain("saas_months", ">", 0)
            & Domain("saas_plan_id", "in", plans.ids)
            & self._get_offered_domain()
        )
        products |= self._get_plan_product()
        plans |= products.saas_plan_id
        return products.sorted(
            lambda product: (
                plans.ids.index(product.saas_plan_id.id),
                product.saas_months,
            )
        )

    def _get_price_of(self, product):
        """Return what one of it costs in a period: as agreed, or by the price list."""
        [target] = self._complete([{"product": product, "quantity": 1}])
        return target.get_price(self.currency_id)

    def _is_own_plan(self, plan):
        return plan.saas_plan_id == self.plan_id

    def _find_user_product(self, plan):
        """Return what adds users to a plan's product.

        In its own plan what it has, in another one what belongs to that plan alone.
        """
        products = self.env["product.product"].search(
            Domain("saas_kind", "=", "user")
            & Domain("saas_months", "=", plan.saas_months)
            & Domain("saas_plan_id", "in", (False, plan.saas_plan_id.id))
            & self._get_offered_domain()
        )
        is_own = self._is_own_plan(plan)
        had = self.line_ids.product_id
        return products.sorted(
            lambda product: (is_own and product not in had, not product.saas_plan_id)
        )[:1]

    def _get_customer_wish(self, plan, users):
        """Return what changes, for ``_preview_change`` and ``_request_change``.

        :param product.product plan: one of ``_get_offered_plans``
        :param int users: how many beyond those in its price
        :raise UserError: nothing would change, or it is not sold so
        """
        self.ensure_one()
        wanted = []
        if plan != self._get_plan_product():
            wanted.append({"product": plan, "quantity": 1})
        if plan.saas_months != self.months:
            wanted += self._get_others_for(plan.saas_months)
        wanted += self._get_users_for(plan, users)
        if not wanted:
            raise UserError(self.env._("That is what you have already."))
        return wanted

    def _get_others_for(self, months):
        """Return what it has beside plan and users, for another billing period."""
        wanted = []
        for line in self.line_ids.filtered(lambda ln: ln.kind not in ("plan", "user")):
            variants = line.product_id.product_tmpl_id.product_variant_ids
            other = variants.filtered(lambda product: product.saas_months == months)
            if not other or line.metered:
                raise UserError(
                    self.env._(
                        "“%s” is not sold for that billing period. Please write to us.",
                        line.product_id.name,
                    )
                )
            wanted += [
                {"product": line.product_id, "quantity": 0},
                {"product": other[0], "quantity": line.quantity},
            ]
        return wanted

    def _get_users_for(self, plan, users):
        lines = self.line_ids.filtered(lambda line: line.kind == "user")
        product = self._find_user_product(plan)
        is_same = self._is_own_plan(plan) and plan.saas_months == self.months
        if users == self._count_users() and (is_same or lines.product_id <= product):
            return []
        if users and not product:
            raise UserError(
                self.env._(
                    "Users cannot be added to “%s” here. Please write to us.", plan.name
                )
            )
        gone = lines.product_id - product
        wanted = [{"product": other, "quantity": 0} for other in gone]
        if product and (users or product in lines.product_id):
            wanted.append({"product": product, "quantity": users})
        return wanted

    # === PAYMENT METHOD === #

    def _get_saved_methods(self):
        """Return the payment methods that the current user may have charged."""
        self.ensure_one()
        tokens = self.env["payment.token"]._get_available_tokens(
            [], self.env.user.partner_id.id, is_validation=True
        )
        return tokens.filtered(
            lambda token: (
                token.active
                and token.provider_id.company_id == self.company_id
                and token.provider_id.state != "disabled"
            )
        )

    def _use_saved_method(self, token):
        """Charge that one from now on."""
        self.ensure_one()
        if not token or token not in self._get_saved_methods():
            raise UserError(
                self.env._("Please choose one of your saved payment methods.")
            )
        self.payment_token_id = token

    # === END === #

    def _may_be_cancelled(self):
        return self._can("cancel") and not self.cancel_on

    def _ends_later(self):
        """Whether something is left that is paid for."""
        end = self._get_end()
        return bool(end and end > self._get_today())

    def _cancel_for_customer(self, reason):
        """End it with what is paid for.

        :param saas.close.reason reason: why, one of those that customers choose from
        """
        self.ensure_one()
        if self.cancel_on:
            return
        if not reason.for_customers:
            raise UserError(self.env._("Please choose why you leave."))
        self._cancel("renewal", reason)

    def _keep_for_customer(self):
        """Take back that it ends, as long as it has not."""
        self.ensure_one()
        if self.cancel_on:
            self.action_keep()
