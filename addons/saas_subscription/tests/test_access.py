from odoo.exceptions import AccessError, UserError
from odoo.tests import new_test_user, tagged

from odoo.addons.saas.tests.rights import RightsCase

from .common import SubscriptionCommon

AMOUNTS = ("mrr", "recurring_total", "invoice_ids", "payment_token_id")


@tagged("post_install", "-at_install")
class TestAccess(SubscriptionCommon):
    def prepare(self):
        super().prepare()
        self.subscription = self.subscribe()
        self.operator.write(
            {"company_ids": [(6, 0, self.company.ids)], "company_id": self.company.id}
        )

    def test_sales_see_subscriptions_and_their_amounts(self):
        subscription = self.subscription.with_user(self.salesperson)
        self.assertEqual(subscription.read(["mrr"])[0]["mrr"], 30)
        self.assertEqual(subscription.line_ids.price_subtotal, 30)
        self.assertEqual(subscription.tenant_id.state, "running")

    def test_sales_pause_and_keep_and_change_no_amount(self):
        subscription = self.subscription.with_user(self.salesperson)
        subscription.action_pause()
        subscription.action_resume()
        self.assertEqual(subscription.state, "active")
        with self.assertRaises(AccessError):
            subscription.line_ids.price_unit = 1
        with self.assertRaises(AccessError):
            subscription.period_ids.unlink()
        with self.assertRaisesRegex(UserError, "by its actions"):
            subscription.next_invoice_date = "2030-01-01"

    def test_salespeople_see_their_own_and_those_that_nobody_has(self):
        colleague = self.create_user("colleague", "sales_team.group_sale_salesman")
        subscriptions = self.env["saas.subscription"].with_user(colleague)
        self.subscription.user_id = False
        self.assertEqual(subscriptions.search([]), self.subscription)
        self.subscription.user_id = self.salesperson
        self.assertFalse(subscriptions.search([]))
        self.assertFalse(subscriptions.env["saas.subscription.line"].search([]))
        lead = subscriptions.with_user(self.salesperson)
        self.assertEqual(lead.search([]), self.subscription)

    def test_sales_do_not_post_credit_notes(self):
        invoice = self.subscription.invoice_ids.with_user(self.salesperson)
        with self.assertRaises(AccessError):
            invoice.button_draft()

    def test_billing_sees_invoices_and_sells_nothing(self):
        subscription = self.subscription.with_user(self.biller)
        self.assertEqual(subscription.invoice_ids.amount_total, 36)
        with self.assertRaises(AccessError):
            self.order_basic(saas_tenant_name="gamma").with_user(self.biller).unlink()
        with self.assertRaises(AccessError):
            self.env["saas.subscription"].with_user(self.biller).create({})

    def test_an_operator_sees_what_runs_and_no_money(self):
        subscription = self.subscription.with_user(self.operator)
        self.assertEqual(subscription.read(["state"])[0]["state"], "active")
        for field in AMOUNTS:
            with self.subTest(field=field), self.assertRaises(AccessError):
                subscription.read([field])
        with self.assertRaises(AccessError):
            subscription.line_ids.read(["price_unit"])
        with self.assertRaises(AccessError):
            subscription.action_pause()

    def test_staff_of_another_company_see_nothing(self):
        company = self.env["res.company"].create({"name": "Elsewhere"})
        other = new_test_user(
            self.env,
            "elsewhere",
            groups="sales_team.group_sale_manager,account.group_account_manager",
            company_id=company.id,
            company_ids=[(6, 0, company.ids)],
        )
        for model in (
            "saas.subscription",
            "saas.subscription.line",
            "saas.subscription.period",
        ):
            self.assertFalse(self.env[model].with_user(other).search([]), model)

    def test_customers_see_their_own_alone(self):
        owner = new_test_user(self.env, "owner", groups="base.group_portal")
        owner.partner_id.parent_id = self.customer
        stranger = new_test_user(self.env, "stranger", groups="base.group_portal")
        subscriptions = self.env["saas.subscription"]
        self.assertEqual(subscriptions.with_user(owner).search([]), self.subscription)
        self.assertFalse(subscriptions.with_user(stranger).search([]))
        for method in ("action_pause", "action_keep", "action_reactivate"):
            with self.subTest(method=method), self.assertRaises(AccessError):
                getattr(self.subscription.with_user(owner), method)()


@tagged("post_install", "-at_install")
class TestRights(RightsCase, SubscriptionCommon):
    addons = ("saas_subscription",)
    sample = ("saas.subscription", "action_pause")
    own = frozenset({"saas.subscription", "saas.subscription.line"})

    def prepare(self):
        super().prepare()
        self.subscription = self.subscribe()
        self.tenant = self.subscription.tenant_id
        self.subscription._request_change(
            [{"product": self.variant(self.user_product), "quantity": 1}], "renewal"
        )

    def get_own_records(self):
        return {
            "saas.subscription": self.subscription,
            "saas.subscription.line": self.subscription.line_ids[:1],
            "saas.subscription.period": self.subscription.period_ids,
        }
