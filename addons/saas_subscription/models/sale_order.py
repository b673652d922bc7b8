from odoo import api, fields, models
from odoo.exceptions import ValidationError

from ..const import CHANGEABLE, ENDED


class SaleOrder(models.Model):
    _inherit = "sale.order"

    subscription_id = fields.Many2one(
        "saas.subscription",
        string="Subscription",
        copy=False,
        check_company=True,
        index="btree_not_null",
        help="The one that this order changes, or that was made from it.",
    )
    saas_tenant_id = fields.Many2one(
        "saas.tenant",
        string="Tenant",
        copy=False,
        check_company=True,
        help="A tenant that is there already. Empty: a new one is made.",
    )
    saas_tenant_name = fields.Char(
        string="Subdomain", copy=False, help="Of the new tenant, e.g. alfa."
    )
    saas_trial_days = fields.Integer(
        string="Trial (days)",
        copy=False,
        help="How long the customer may try it before the first invoice. 0: no trial.",
    )

    _saas_trial_days_not_negative = models.Constraint(
        "CHECK(saas_trial_days >= 0)", "A trial has 0 days or more."
    )

    @api.constrains("saas_tenant_name")
    def _check_saas_tenant_name(self):
        for order in self.filtered("saas_tenant_name"):
            error = self.env["saas.tenant"]._explain_name(order.saas_tenant_name)
            if error:
                raise ValidationError(error)

    @api.depends("subscription_id")
    def _compute_require_payment(self):
        """A change is charged by the days that are left, not by the order's sum."""
        changes = self.filtered("subscription_id")
        changes.require_payment = False
        return super(SaleOrder, self - changes)._compute_require_payment()

    # === WHAT IT SELLS === #

    def _get_recurring_lines(self):
        return self.order_line.filtered("saas_months")

    def _get_plan_lines(self):
        return self.order_line.filtered(lambda line: line.saas_kind == "plan")

    def _starts_subscription(self):
        """Whether confirming it makes a subscription."""
        self.ensure_one()
        # Once made, it is the order's own.
        if self.subscription_id and self.subscription_id.sudo().sale_order_id != self:
            return False
        return bool(self._get_plan_lines())

    def _changes_subscription(self):
        """Whether confirming it changes a subscription that is there."""
        self.ensure_one()
        if not self.subscription_id or self._starts_subscription():
            return False
        return bool(self._get_recurring_lines())

    # === CONFIRMATION === #

    def _confirmation_error_message(self):
        return super()._confirmation_error_message() or self._explain_no_subscription()

    def _action_confirm(self):
        result = super()._action_confirm()
        for order in self:
            if order._starts_subscription():
                self.env["saas.subscription"]._create_from_order(order)
            elif order._changes_subscription():
                order.subscription_id._change_by_order(order)
        return result

    def _explain_no_subscription(self):
        """Return why it cannot be sold like that, False where it can."""
        self.ensure_one()
        sold = self.order_line.filtered(lambda line: line.saas_kind or line.saas_months)
        if not sold:
            return False
        if cause := self._explain_no_periods(sold):
            return cause
        if self.subscription_id:
            return self._explain_no_change()
        return self._explain_no_start()

    def _explain_no_periods(self, sold):
        for line in sold:
            if line.saas_kind not in (False, "setup") and not line.saas_months:
                return self.env._(
                    "“%s” has no billing period. Give the product the attribute "
                    "Billing Period, or choose another one.",
                    line.product_id.display_name,
                )
            if not line.product_id.active or not line.product_id.sale_ok:
                return self.env._(
                    "“%s” is not sold any more.", line.product_id.display_name
                )
        if len(set(self._get_recurring_lines().mapped("saas_months"))) > 1:
            return self.env._(
                "All recurring lines of an order have the same billing period. Please "
                "choose one for all, or make an order for each."
            )
        return False

    def _explain_no_start(self):
        plan_lines = self._get_plan_lines()
        if not plan_lines:
            if not self._get_recurring_lines():
                return False
            return self.env._(
                "An order with recurring lines sells a plan too, or names the "
                "subscription to which they are added."
            )
        if len(plan_lines) > 1 or plan_lines.product_uom_qty != 1:
            return self.env._(
                "A subscription has one plan. Please make an order for each tenant."
            )
        return self._explain_no_plan(plan_lines.product_id.saas_plan_id) or (
            self._explain_no_tenant()
        )

    def _explain_no_plan(self, plan):
        """Return why these lines do not go with the plan, False where they do."""
        plan = plan.sudo()
        if not plan.active:
            return self.env._("The plan “%s” is not sold any more.", plan.name)
        if plan.company_id and plan.company_id != self.company_id:
            return self.env._("The plan “%s” is another company's.", plan.name)
        for product in self.order_line.product_id:
            if product.saas_plan_id.sudo() not in (plan.browse(), plan):
                return self.env._(
                    "“%(product)s” goes with the plan “%(plan)s” only.",
                    product=product.display_name,
                    plan=product.saas_plan_id.sudo().name,
                )
        return False

    def _explain_no_tenant(self):
        tenant = self.saas_tenant_id.sudo()
        if not tenant:
            if not self.saas_tenant_name:
                return self.env._(
                    "Please fill in the subdomain of the new tenant, or choose a "
                    "tenant that is there already."
                )
            return tenant._explain_name(self.saas_tenant_name)
        customer = self.partner_id.commercial_partner_id
        if tenant.partner_id.commercial_partner_id != customer:
            return self.env._("The tenant %s is another customer's.", tenant.name)
        if tenant.subscription_ids.filtered(lambda s: s.state not in ENDED):
            return self.env._(
                "The tenant %s has a subscription already. Please choose that one "
                "instead of the tenant.",
                tenant.name,
            )
        return False

    def _explain_no_change(self):
        subscription = self.subscription_id.sudo()
        customer = self.partner_id.commercial_partner_id
        if subscription.commercial_partner_id != customer:
            return self.env._("%s is another customer's.", subscription.name)
        if subscription.currency_id != self.currency_id:
            return self.env._(
                "%(name)s is charged in %(currency)s. Please choose a price list in "
                "that currency.",
                name=subscription.name,
                currency=subscription.currency_id.name,
            )
        if subscription.state not in CHANGEABLE:
            return self.env._(
                "%(name)s is %(state)s, so nothing can be added to it.",
                name=subscription.name,
                state=subscription._get_state_label(subscription.state).lower(),
            )
        plan_lines = self._get_plan_lines()
        plan = plan_lines.product_id.saas_plan_id or subscription.plan_id
        if len(plan_lines) > 1:
            return self.env._("A subscription has one plan.")
        return self._explain_no_plan(plan) or subscription._explain_other_period(
            self._get_recurring_lines().mapped("saas_months")
        )

    def _tell_paid_in_vain(self, cause):
        """Have people look at what was paid and cannot be had as it was sold."""
        for order in self:
            order.activity_schedule(
                "mail.mail_activity_data_warning",
                summary=self.env._("It is paid and cannot be confirmed"),
                note=cause,
                user_id=order.user_id.id or self.env.ref("base.user_root").id,
            )

    # === INVOICES === #

    def _get_invoiceable_lines(self, final=False):
        """What recurs is in the subscription's invoices."""
        lines = super()._get_invoiceable_lines(final=final)
        return lines.filtered(lambda line: not line.order_id._is_subscribed(line))

    def _is_subscribed(self, line):
        self.ensure_one()
        return bool(self.subscription_id and line.saas_months)

    def _get_setup_lines(self):
        """Return what is charged once and was not yet."""
        return self._get_invoiceable_lines()
