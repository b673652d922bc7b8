from odoo.exceptions import UserError
from odoo.tests import tagged

from .common import SubscriptionCommon


@tagged("post_install", "-at_install")
class TestChange(SubscriptionCommon):
    """A month of 30 days: April, from its first day on."""

    def prepare(self):
        super().prepare()
        self.subscription = self.subscribe("2026-04-01", users=2)

    def want(self, template, quantity, months=1, **values):
        product = self.variant(template, months)
        return [{"product": product, "quantity": quantity, **values}]

    def change(self, wanted, when="now", day="2026-04-11"):
        """Change it after a third of the month; return the new invoices."""
        known = self.subscription.invoice_ids
        with self.at(day):
            self.subscription._request_change(wanted, when)
        return self.subscription.invoice_ids - known

    def preview(self, wanted, when="now", day="2026-04-11"):
        with self.at(day):
            return self.subscription._preview_change(wanted, when)

    # === NOW === #

    def test_more_users_are_charged_for_the_days_that_are_left(self):
        [invoice] = self.change(self.want(self.user_product, 5))
        self.assertEqual(invoice.move_type, "out_invoice")
        amounts = invoice.invoice_line_ids.mapped("price_subtotal")
        self.assertEqual(amounts, [-13.33, 33.33])
        self.assertEqual(invoice.amount_untaxed, 20)
        self.assertEqual(str(invoice.invoice_line_ids[0].saas_date_from), "2026-04-11")
        self.assertEqual(self.subscription.recurring_total, 80)
        [renewal] = self.renew(self.subscription, "2026-05-01")
        self.assertEqual(renewal.amount_untaxed, 80)

    def test_an_upgrade_changes_plan_invoice_and_tenant(self):
        tenant = self.subscription.tenant_id
        [invoice] = self.change(self.want(self.pro_product, 1))
        self.assertEqual(invoice.amount_untaxed, 20)
        self.assertEqual(self.subscription.plan_id, self.pro)
        self.assertEqual(tenant.plan_id, self.pro)
        self.assertEqual(tenant.last_operation_id.kind, "restart")
        self.run_operations()
        self.assertEqual(tenant.state, "running")

    def test_a_downgrade_now_is_given_back_and_used_for_the_next_invoice(self):
        self.pay(self.subscription.invoice_ids)
        [refund] = self.change(self.want(self.user_product, 0))
        self.assertEqual(refund.move_type, "out_refund")
        self.assertEqual(refund.state, "posted")
        self.assertEqual(refund.amount_untaxed, 13.33)
        [renewal] = self.renew(self.subscription, "2026-05-01")
        self.assertEqual(renewal.amount_untaxed, 30)
        self.assertEqual(
            renewal.amount_residual, renewal.amount_total - refund.amount_total
        )
        self.assertEqual(refund.payment_state, "paid")

    def test_there_and_back_on_one_day_costs_nothing(self):
        [more] = self.change(self.want(self.user_product, 7))
        [back] = self.change(self.want(self.user_product, 2))
        self.assertEqual(more.amount_total, back.amount_total)

    def test_what_is_given_back_has_the_taxes_it_was_sold_with(self):
        self.user_product.taxes_id = self.tax.copy({"name": "50%", "amount": 50})
        [invoice] = self.change(self.want(self.user_product, 5))
        back, more = invoice.invoice_line_ids
        self.assertEqual(back.tax_ids, self.tax)
        self.assertEqual(more.tax_ids.amount, 50)

    def test_what_is_shown_before_is_what_is_charged(self):
        for wanted in (
            self.want(self.user_product, 5),
            self.want(self.user_product, 0),
            self.want(self.pro_product, 1) + self.want(self.user_product, 9),
        ):
            with self.subTest(wanted=wanted), self.env.cr.savepoint() as savepoint:
                shown = self.preview(wanted)
                [move] = self.change(wanted)
                sign = -1 if move.move_type == "out_refund" else 1
                self.assertEqual(shown["untaxed"], sign * move.amount_untaxed)
                self.assertEqual(shown["tax"], sign * move.amount_tax)
                self.assertEqual(shown["total"], sign * move.amount_total)
                self.assertEqual(
                    shown["each_period"], self.subscription.recurring_total
                )
                savepoint.rollback()
                self.env.invalidate_all()

    def test_looking_changes_nothing(self):
        shown = self.preview(self.want(self.user_product, 5))
        self.assertEqual(shown["total"], 24)
        self.assertEqual(self.subscription.recurring_total, 50)
        self.assertFalse(self.subscription.change_ids)

    def test_a_trial_is_changed_without_an_invoice(self):
        trial = self.subscribe(
            "2026-04-01", saas_trial_days=30, saas_tenant_name="gamma"
        )
        with self.at("2026-04-11"):
            trial._request_change(self.want(self.user_product, 4), "now")
        self.assertFalse(trial.invoice_ids)
        self.assertEqual(trial.recurring_total, 70)

    # === AT THE RENEWAL === #

    def test_a_change_waits_for_the_renewal(self):
        self.assertFalse(self.change(self.want(self.user_product, 0), "renewal"))
        self.assertEqual(self.subscription.recurring_total, 50)
        self.assertEqual(
            self.preview(self.want(self.user_product, 0), "renewal")["total"], 0
        )
        [renewal] = self.renew(self.subscription, "2026-05-01")
        self.assertEqual(renewal.amount_untaxed, 30)
        change = self.subscription.change_ids
        self.assertEqual((change.state, str(change.date_done)), ("done", "2026-05-01"))

    def test_the_newest_wish_counts(self):
        self.change(self.want(self.user_product, 0), "renewal")
        self.change(self.want(self.user_product, 4), "renewal")
        self.assertEqual(
            self.subscription.change_ids.sorted("id").mapped("state"),
            ["dropped", "waiting"],
        )
        [renewal] = self.renew(self.subscription, "2026-05-01")
        self.assertEqual(renewal.amount_untaxed, 70)

    def test_from_months_to_years_at_the_renewal_only(self):
        wanted = [
            *self.want(self.basic_product, 1, 12),
            *self.want(self.user_product, 0),
            *self.want(self.user_product, 2, 12),
        ]
        with self.assertRaisesRegex(UserError, "can be changed at the renewal"):
            self.change(wanted)
        self.change(wanted, "renewal")
        [renewal] = self.renew(self.subscription, "2026-05-01")
        self.assertEqual(renewal.amount_untaxed, 500)
        self.assertEqual(self.subscription.months, 12)
        self.assertEqual(str(self.subscription.next_invoice_date), "2027-05-01")

    def test_another_price_counts_from_the_renewal_on(self):
        self.change(self.want(self.basic_product, 1, price_unit=35), "renewal")
        [renewal] = self.renew(self.subscription, "2026-05-01")
        self.assertEqual(renewal.amount_untaxed, 55)

    # === BY AN ORDER === #

    def sell(self, *lines, day="2026-04-11"):
        order = self.create_order(
            *lines, saas_tenant_name=False, subscription_id=self.subscription.id
        )
        known = self.subscription.invoice_ids
        with self.at(day):
            order.with_user(self.salesperson).action_confirm()
        return order, self.subscription.invoice_ids - known

    def test_staff_sell_users_and_set_up_to_a_running_tenant(self):
        order, invoice = self.sell(
            (self.variant(self.user_product), 3),
            (self.setup_product.product_variant_id, 1),
        )
        self.assertEqual(invoice.amount_untaxed, 120)
        self.assertEqual(self.subscription.recurring_total, 80)
        self.assertEqual(
            self.subscription.order_ids, order + self.subscription.sale_order_id
        )
        self.assertEqual(self.subscription.change_ids.sale_order_id, order)
        self.assertFalse(order._get_invoiceable_lines())
        self.assertFalse(order.require_payment)

    def test_staff_sell_an_option_at_another_price(self):
        order = self.create_order(
            (self.variant(self.user_product), 1),
            saas_tenant_name=False,
            subscription_id=self.subscription.id,
        )
        order.order_line.price_unit = 4
        with self.at("2026-04-11"):
            order.action_confirm()
        self.assertEqual(self.subscription.recurring_total, 54)
        self.assertEqual(len(self.subscription.line_ids), 3)

    def test_a_plan_that_is_sold_takes_the_place_of_the_other(self):
        self.sell((self.variant(self.pro_product), 1))
        self.assertEqual(self.subscription.plan_id, self.pro)
        self.assertEqual(self.subscription.recurring_total, 80)

    # === BAD INPUT === #

    def refuse(self, wanted, message, when="now"):
        with self.assertRaisesRegex(UserError, message), self.env.cr.savepoint():
            self.change(wanted, when)
        self.assertEqual(self.subscription.recurring_total, 50)

    def test_what_cannot_be_is_refused_in_words(self):
        self.refuse(self.want(self.basic_product, 0), "has one plan")
        self.refuse(self.want(self.user_product, -1), "0 or more")
        self.refuse(self.want(self.user_product, 2, 12), "the same billing period")
        self.storage_product.saas_plan_id = self.pro
        self.refuse(self.want(self.storage_product, 1), "with the plan “Pro” only")

    def test_what_is_over_is_not_changed(self):
        self.subscription._cancel("now", self.reason)
        self.refuse(self.want(self.user_product, 5), "is cancelled, so nothing")

    def test_another_customer_s_subscription_is_not_sold_to(self):
        self.customer = self.env["res.partner"].create({"name": "Other Ltd"})
        with self.assertRaisesRegex(UserError, "is another customer's"):
            self.sell((self.variant(self.user_product), 1))

    def test_an_order_in_another_currency_is_refused(self):
        euro = self.setup_other_currency("EUR", rates=[("2020-01-01", 2.0)])
        pricelist = self.env["product.pricelist"].create(
            {"name": "Euro", "currency_id": euro.id, "company_id": self.company.id}
        )
        order = self.create_order(
            (self.variant(self.user_product), 1),
            saas_tenant_name=False,
            subscription_id=self.subscription.id,
            pricelist_id=pricelist.id,
        )
        with self.assertRaisesRegex(UserError, "is charged in USD"):
            order.action_confirm()
