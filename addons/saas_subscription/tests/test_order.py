from odoo.exceptions import UserError, ValidationError
from odoo.tests import tagged

from .common import SubscriptionCommon


@tagged("post_install", "-at_install")
class TestOrder(SubscriptionCommon):
    def test_a_salesperson_sells_a_plan_and_its_tenant_runs(self):
        with self.at("2026-01-15"):
            order = self.order_basic(users=2, user_id=self.salesperson.id)
            order.with_user(self.salesperson).action_confirm()
            self.run_operations()
        subscription = order.subscription_id
        tenant = subscription.tenant_id
        self.assertEqual(subscription.state, "active")
        self.assertEqual(subscription.partner_id, self.customer)
        self.assertEqual(subscription.user_id, self.salesperson)
        self.assertEqual(subscription.recurring_total, 50)
        self.assertEqual((tenant.name, tenant.state), ("beta", "running"))
        self.assertEqual((tenant.plan_id, order.saas_tenant_id), (self.plan, tenant))
        self.assertEqual(tenant.partner_id, self.customer)

    def test_its_first_invoice_has_the_first_period_and_the_set_up(self):
        with self.at("2026-01-31"):
            order = self.create_order(
                (self.variant(self.basic_product), 1),
                (self.setup_product.product_variant_id, 1),
            )
            order.action_confirm()
        invoice = order.subscription_id.invoice_ids
        self.assertEqual(invoice.state, "posted")
        self.assertEqual((invoice.amount_untaxed, invoice.amount_tax), (130, 26))
        self.assertEqual(invoice.invoice_origin, order.name)
        first = invoice.invoice_line_ids[0]
        self.assertEqual(str(first.saas_date_from), "2026-01-31")
        self.assertEqual(str(first.saas_date_to), "2026-02-27")
        self.assertIn("01/31/2026 to 02/27/2026", first.name)
        self.assertFalse(invoice.invoice_line_ids[1].saas_date_from)

    def test_the_order_itself_invoices_nothing_of_it_again(self):
        subscription = self.subscribe()
        order = subscription.sale_order_id
        self.assertEqual(order.invoice_ids, subscription.invoice_ids)
        self.assertFalse(order._get_invoiceable_lines())
        self.assertEqual(order.invoice_status, "invoiced")

    def test_confirming_again_makes_no_second_one(self):
        subscription = self.subscribe()
        order = subscription.sale_order_id
        with self.assertRaisesRegex(UserError, "not in a state requiring confirmation"):
            order.action_confirm()
        self.assertEqual(
            self.env["saas.subscription"].search_count(
                [("sale_order_id", "=", order.id)]
            ),
            1,
        )

    def test_a_trial_runs_and_has_no_invoice(self):
        subscription = self.subscribe("2026-01-15", saas_trial_days=14)
        self.assertEqual(subscription.state, "trial")
        self.assertEqual(str(subscription.trial_end), "2026-01-29")
        self.assertEqual(subscription.tenant_id.state, "running")
        self.assertFalse(subscription.invoice_ids)
        self.assertEqual(subscription.mrr, 0)

    def test_a_trial_that_converts_is_invoiced_from_that_day(self):
        subscription = self.subscribe("2026-01-15", saas_trial_days=14)
        with self.at("2026-01-29"):
            subscription._begin(subscription._get_today())
        self.assertEqual(subscription.state, "active")
        self.assertEqual(str(subscription.next_invoice_date), "2026-02-28")
        self.assertEqual(subscription.invoice_ids.amount_untaxed, 30)

    def test_a_tenant_that_is_there_gets_its_subscription(self):
        tenant = self.create_running_tenant("gamma")
        subscription = self.subscribe(saas_tenant_name=False, saas_tenant_id=tenant.id)
        self.assertEqual(subscription.tenant_id, tenant)

    def test_monthly_revenue_is_a_twelfth_of_a_year(self):
        self.assertEqual(self.subscribe(months=12).mrr, 25)

    # === BAD INPUT === #

    def refuse(self, order, message):
        with self.assertRaisesRegex(UserError, message), self.env.cr.savepoint():
            order.action_confirm()
        self.assertEqual(order.state, "draft")
        self.assertFalse(order.subscription_id)

    def test_a_name_that_is_taken_is_refused_in_the_quotation(self):
        self.create_tenant("beta")
        with self.assertRaisesRegex(ValidationError, "“beta” is taken"):
            self.order_basic()

    def test_a_name_that_was_taken_meanwhile_is_refused_when_it_is_confirmed(self):
        order = self.order_basic()
        self.create_tenant("beta")
        self.refuse(order, "“beta” is taken")

    def test_an_order_without_a_name_is_refused(self):
        self.refuse(self.order_basic(saas_tenant_name=False), "fill in the subdomain")

    def test_two_periods_in_one_order_are_refused(self):
        order = self.create_order(
            (self.variant(self.basic_product, 12), 1),
            (self.variant(self.user_product), 1),
        )
        self.refuse(order, "have the same billing period")

    def test_two_plans_in_one_order_are_refused(self):
        order = self.create_order(
            (self.variant(self.basic_product), 1), (self.variant(self.pro_product), 1)
        )
        self.refuse(order, "A subscription has one plan")
        order = self.create_order((self.variant(self.basic_product), 2))
        self.refuse(order, "A subscription has one plan")

    def test_users_without_a_plan_are_refused(self):
        order = self.create_order((self.variant(self.user_product), 2))
        self.refuse(order, "sells a plan too, or names the subscription")

    def test_a_plan_without_a_period_is_refused(self):
        product = self.create_product("Once", 30, "plan", self.plan, periods=False)
        order = self.create_order((product.product_variant_id, 1))
        self.refuse(order, "has no billing period")

    def test_what_goes_with_another_plan_is_refused(self):
        self.user_product.saas_plan_id = self.pro
        self.refuse(self.order_basic(users=1), "goes with the plan “Pro” only")

    def test_a_plan_withdrawn_from_sale_is_refused_and_runs_on_where_it_was_sold(self):
        subscription = self.subscribe()
        order = self.order_basic(saas_tenant_name="gamma")
        self.plan.active = False
        self.refuse(order, "The plan “Basic” is not sold any more")
        self.plan.active = True
        self.basic_product.active = False
        self.refuse(order, "is not sold any more")
        self.assertEqual(len(self.renew(subscription, "2026-02-15")), 1)

    def test_a_tenant_of_somebody_else_is_refused(self):
        stranger = self.env["res.partner"].create({"name": "Other Ltd"})
        tenant = self.create_tenant("gamma", partner_id=stranger.id)
        order = self.order_basic(saas_tenant_name=False, saas_tenant_id=tenant.id)
        self.refuse(order, "is another customer's")

    def test_a_tenant_that_has_a_subscription_is_refused(self):
        tenant = self.subscribe().tenant_id
        order = self.order_basic(saas_tenant_name=False, saas_tenant_id=tenant.id)
        self.refuse(order, "has a subscription already")

    def test_an_order_of_other_things_is_as_ever(self):
        order = self.create_order((self.product_a, 1), saas_tenant_name=False)
        order.action_confirm()
        self.assertEqual(order.state, "sale")
        self.assertFalse(order.subscription_id)
        self.assertEqual(order._get_invoiceable_lines(), order.order_line)
