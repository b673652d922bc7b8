from urllib.parse import urlsplit

from odoo import fields
from odoo.http import Request
from odoo.tests import HttpCase, new_test_user, tagged

from odoo.addons.saas.tests.routes import describe, find_routes, read_table
from odoo.addons.saas_website.tests.common import PagesCommon

from .common import SubscriptionCommon

# stranger:  a customer, but not of this subscription
# colleague: another contact of this subscription's customer
# internal:  an employee without rights of ours
ROUTES = """
                                                      public stranger colleague internal salesperson operator
GET  /my/subscriptions                                login  200      200       200      200         200
POST /my/subscriptions                                login  200      200       200      200         200
GET  /my/subscriptions/page/<page>                    login  200      200       200      200         200
POST /my/subscriptions/page/<page>                    login  200      200       200      200         200
GET  /my/subscriptions/<subscription_id>              login  404      200       404      404         404
GET  /my/subscriptions/<subscription_id>/change       login  404      200       404      404         404
POST /my/subscriptions/<subscription_id>/change/confirm  login 404    422       404      404         404
POST /my/subscriptions/<subscription_id>/change/drop  login  404      303       404      404         404
POST /my/subscriptions/<subscription_id>/method       login  404      422       404      404         404
POST /my/subscriptions/<subscription_id>/cancel       login  404      422       404      404         404
POST /my/subscriptions/<subscription_id>/keep         login  404      303       404      404         404
"""  # noqa: E501


class PortalCommon(SubscriptionCommon, HttpCase):
    """A subscription that began today, so that its whole period is left."""

    post = PagesCommon.post
    csrf = PagesCommon.csrf
    text_of = PagesCommon.text_of

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.website = cls.env["website"].get_current_website()
        cls.website.company_id = cls.company
        cls.env["saas.plan"].search([]).is_published = False
        (cls.plan | cls.pro).is_published = True
        cls.ann = new_test_user(cls.env, "ann", groups="base.group_portal")
        cls.ann.partner_id.parent_id = cls.customer
        cls.bob = new_test_user(cls.env, "bob", groups="base.group_portal")

    def prepare(self):
        super().prepare()
        self.subscription = self.subscribe(fields.Date.to_string(self.today()))
        self.path = f"/my/subscriptions/{self.subscription.id}"

    def setUp(self):
        super().setUp()
        self.authenticate("ann", "ann")

    def today(self):
        return fields.Date.today()

    def renewal(self):
        return self.subscription.next_invoice_date

    def get_target(self, answer):
        self.assertEqual(answer.status_code, 303)
        return urlsplit(answer.headers["Location"]).path

    def wish(self, template=None, users=0, when="now", months=1):
        plan = self.variant(template or self.basic_product, months)
        return {"plan": str(plan.id), "users": str(users), "when": when}

    def preview(self, **wish):
        """Return the page that shows what a change costs."""
        query = "&".join(f"{key}={value}" for key, value in self.wish(**wish).items())
        return self.url_open(f"{self.path}/change?{query}")

    def confirm(self, shown, **wish):
        return self.post(
            f"{self.path}/change/confirm", self.wish(**wish) | {"shown": shown}
        )

    def get_quantities(self):
        lines = self.subscription.line_ids
        return {line.product_id.name: line.quantity for line in lines}


@tagged("post_install", "-at_install")
class TestPortal(PortalCommon):
    # === WHAT THERE IS === #

    def test_customers_see_their_company_s_subscriptions_and_no_others(self):
        text = self.text_of(self.url_open("/my/subscriptions"))
        self.assertIn("Basic · beta", text)
        self.authenticate("bob", "bob")
        text = self.text_of(self.url_open("/my/subscriptions"))
        self.assertIn("You have no subscription with us yet.", text)
        self.assertNotIn("beta", text)

    def test_the_card_counts_them(self):
        self.assertIn("/my/subscriptions", self.url_open("/my").text)
        response = self.url_open(
            "/my/counters", json={"params": {"counters": ["saas_subscription_count"]}}
        )
        self.assertEqual(response.json()["result"], {"saas_subscription_count": 1})

    def test_the_page_says_what_it_costs_and_when_the_next_invoice_comes(self):
        text = self.text_of(self.url_open(self.path))
        self.assertIn("Without taxes, each month $ 30.00", text)
        renewal = self.renewal().strftime("%m/%d/%Y")
        self.assertIn(f"$ 36.00 on {renewal}, of which $ 6.00 are taxes", text)
        self.assertIn("beta", text)

    def test_an_open_invoice_leads_to_its_payment(self):
        invoice = self.subscription.invoice_ids
        page = self.url_open(self.path)
        self.assertIn("To pay", self.text_of(page))
        self.assertIn(f"{invoice.access_url}?access_token=", page.text)
        self.assertIn("#portal_pay", page.text)
        self.pay(invoice)
        page = self.url_open(self.path)
        self.assertIn("Paid", self.text_of(page))
        self.assertNotIn("#portal_pay", page.text)

    def test_the_tenant_s_page_leads_to_it(self):
        page = self.url_open(f"/my/tenants/{self.subscription.tenant_id.id}")
        self.assertIn(f'href="{self.path}"', page.text)

    # === CHANGE === #

    def test_what_a_plan_costs_is_shown_before_and_charged_then(self):
        page = self.preview(template=self.pro_product)
        self.assertIn("To pay now $ 36.00", self.text_of(page))
        self.assertEqual(self.subscription.plan_id, self.plan)
        answer = self.confirm("36.00 60.00", template=self.pro_product)
        self.assertEqual(self.get_target(answer), self.path)
        self.assertEqual(self.subscription.plan_id, self.pro)
        self.assertEqual(self.subscription.invoice_ids[0].amount_total, 36)
        self.assertEqual(self.subscription.tenant_id.plan_id, self.pro)

    def test_what_costs_otherwise_than_shown_is_shown_again(self):
        answer = self.confirm("30.00 60.00", template=self.pro_product)
        self.assertEqual(answer.status_code, 422)
        text = self.text_of(answer)
        self.assertIn("What it costs has changed meanwhile.", text)
        self.assertIn("To pay now $ 36.00", text)
        self.assertEqual(self.subscription.plan_id, self.plan)

    def test_users_are_added_and_taken_away(self):
        self.assertIn("To pay now $ 24.00", self.text_of(self.preview(users=2)))
        self.confirm("24.00 50.00", users=2)
        self.assertEqual(self.get_quantities(), {"Basic": 1, "User": 2})
        text = self.text_of(self.preview(users=0))
        self.assertIn("Given back on your next invoice $ 24.00", text)
        self.confirm("-24.00 30.00", users=0)
        self.assertEqual(self.get_quantities(), {"Basic": 1})
        refund = self.subscription.invoice_ids[0]
        self.assertEqual(refund.move_type, "out_refund")
        self.assertIn("Credit note", self.text_of(self.url_open(self.path)))

    def test_a_year_begins_at_the_renewal_with_the_same_users(self):
        self.confirm("24.00 50.00", users=2)
        page = self.preview(users=2, months=12)
        self.assertEqual(page.status_code, 422)
        self.assertIn("It can be changed at the renewal.", self.text_of(page))
        page = self.preview(users=2, months=12, when="renewal")
        self.assertNotIn("To pay now", self.text_of(page))
        self.confirm("0.00 500.00", users=2, months=12, when="renewal")
        text = self.text_of(self.url_open(self.path))
        self.assertIn("From the renewal on it changes:", text)
        self.assertIn("$ 600.00 on", text)
        self.post(f"{self.path}/change/drop")
        self.assertIn("$ 60.00 on", self.text_of(self.url_open(self.path)))
        self.assertEqual(self.subscription.change_ids[0].state, "dropped")

    def test_a_plan_takes_users_of_its_own(self):
        self.pro_users = self.create_product("Pro User", 15, "user", self.pro)
        self.confirm("24.00 50.00", users=2)
        self.confirm("48.00 90.00", template=self.pro_product, users=2)
        self.assertEqual(self.get_quantities(), {"Pro": 1, "Pro User": 2})

    def test_plans_that_are_not_for_sale_are_not_offered(self):
        self.pro_product.sale_ok = False
        self.assertNotIn("Pro", self.text_of(self.url_open(f"{self.path}/change")))
        self.pro_product.sale_ok = True
        self.pro.is_published = False
        answer = self.confirm("36.00 60.00", template=self.pro_product)
        self.assertIn("Please choose one of these plans.", self.text_of(answer))
        self.assertEqual(self.subscription.plan_id, self.plan)

    def test_one_s_own_plan_stays_where_it_is_withdrawn(self):
        self.plan.is_published = False
        self.basic_product.sale_ok = False
        self.confirm("12.00 40.00", users=1)
        self.assertEqual(self.get_quantities(), {"Basic": 1, "User": 1})

    def test_nonsense_is_refused_in_a_sentence(self):
        for users in ("", "-1", "1.5", "²", "10000000", "<b>"):
            answer = self.confirm("0", users=users)
            self.assertEqual(answer.status_code, 422)
            self.assertIn("please write a number from 0 to 9999", self.text_of(answer))
        answer = self.confirm("0.00 30.00")
        self.assertIn("That is what you have already.", self.text_of(answer))
        self.assertEqual(len(self.subscription.invoice_ids), 1)

    def test_what_ends_is_not_changed(self):
        self.subscription._cancel("renewal", self.reason)
        answer = self.url_open(f"{self.path}/change", allow_redirects=False)
        self.assertEqual(self.get_target(answer), self.path)
        answer = self.confirm("12.00 40.00", users=1)
        self.assertIn("Keep it first", self.text_of(answer))
        self.assertEqual(self.get_quantities(), {"Basic": 1})

    # === PAYMENT METHOD === #

    def test_a_saved_method_is_charged_from_now_on(self):
        token = self._create_token(partner_id=self.ann.partner_id.id)
        text = self.text_of(self.url_open(self.path))
        self.assertIn("Nothing is charged by itself", text)
        self.post(f"{self.path}/method", {"method": token.id})
        self.assertEqual(self.subscription.payment_token_id, token)
        text = self.text_of(self.url_open(self.path))
        self.assertIn(f"Invoices are charged to {token.display_name}", text)

    def test_nobody_pays_with_what_is_somebody_else_s(self):
        token = self._create_token(partner_id=self.bob.partner_id.id)
        answer = self.post(f"{self.path}/method", {"method": token.id})
        self.assertIn("choose one of your saved", self.text_of(answer))
        self.assertFalse(self.subscription.payment_token_id)

    # === END === #

    def test_who_leaves_says_why_and_it_runs_as_long_as_it_is_paid(self):
        answer = self.post(f"{self.path}/cancel", {"reason": self.reason.id})
        self.assertEqual(self.get_target(answer), self.path)
        self.assertEqual(self.subscription.state, "active")
        self.assertEqual(self.subscription.cancel_on, self.renewal())
        self.assertEqual(self.subscription.close_reason_id, self.reason)
        text = self.text_of(self.url_open(self.path))
        self.assertIn("and is not renewed. Your Odoo runs until then.", text)
        self.assertIn("None is to come.", text)

    def test_who_has_left_can_take_it_back(self):
        self.subscription._cancel("renewal", self.reason)
        self.post(f"{self.path}/keep")
        self.assertFalse(self.subscription.cancel_on)
        self.assertFalse(self.subscription.close_reason_id)

    def test_what_has_ended_keeps_its_reason(self):
        self.subscription._cancel("now", self.reason)
        self.post(f"{self.path}/keep")
        self.assertEqual(self.subscription.close_reason_id, self.reason)
        text = self.text_of(self.url_open(self.path))
        self.assertIn("Write to us to have it back.", text)
        self.assertNotIn("Cancel this subscription", text)

    def test_a_reason_of_staff_s_is_no_customer_s(self):
        unpaid = self.env.ref("saas_subscription.close_reason_unpaid")
        for reason in ("", "x", unpaid.id):
            answer = self.post(f"{self.path}/cancel", {"reason": reason})
            self.assertIn("Please choose why you leave.", self.text_of(answer))
        self.assertFalse(self.subscription.cancel_on)

    def test_who_owes_reads_so_and_pays_there(self):
        self.subscription._apply("owe")
        text = self.text_of(self.url_open(self.path))
        self.assertIn("An invoice is not paid yet.", text)
        self.subscription._apply("hold")
        text = self.text_of(self.url_open(self.path))
        self.assertIn("Pay it below and it runs again.", text)
        self.assertNotIn("Change plan or users", text)


@tagged("post_install", "-at_install")
class TestRoutes(PortalCommon):
    def prepare(self):
        super().prepare()
        colleague = new_test_user(self.env, "colleague", groups="base.group_portal")
        colleague.partner_id.parent_id = self.customer
        new_test_user(self.env, "stranger", groups="base.group_portal")
        new_test_user(self.env, "internal", groups="base.group_user")

    def ask(self, role, method, route):
        login = None if role == "public" else role
        self.authenticate(login, login)
        path = route.replace("<page>", "1")
        path = path.replace("<subscription_id>", str(self.subscription.id))
        token = {"csrf_token": Request.csrf_token(self)}
        data = token if method == "POST" else None
        return self.url_open(path, data=data, allow_redirects=False)

    def test_every_route_answers_every_role_as_the_table_says(self):
        table, found = read_table(ROUTES), find_routes(self.env, ("saas_subscription",))
        self.assertEqual(set(found), set(table), "a route is missing in the table")
        for key in table:
            answers = {role: describe(self.ask(role, *key)) for role in table[key]}
            self.assertEqual(answers, table[key], key)

    def test_foreign_and_missing_ones_are_not_found_and_stay_as_they_are(self):
        self.authenticate("bob", "bob")
        known = self.subscription.read()
        wish = self.wish(self.pro_product) | {
            "reason": self.reason.id,
            "shown": "36.00 60.00",
        }
        for number in (
            self.subscription.id,
            self.subscription.id + 1000,
            0,
            2**31,
            10**30,
        ):
            path = f"/my/subscriptions/{number}"
            for page in ("", "/change"):
                self.assertEqual(self.url_open(path + page).status_code, 404, path)
            for action in ("change/confirm", "change/drop", "method", "cancel", "keep"):
                answer = self.post(f"{path}/{action}", wish)
                self.assertEqual(answer.status_code, 404, f"{path}/{action}")
        self.assertEqual(self.subscription.read(), known)
