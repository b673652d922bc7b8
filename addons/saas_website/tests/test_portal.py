from datetime import timedelta

from lxml import html

from odoo import fields
from odoo.exceptions import AccessError
from odoo.tests import tagged
from odoo.tools import format_date

from odoo.addons.saas.tests.common import new_user

from .common import PagesCommon


@tagged("post_install", "-at_install")
class TestPortal(PagesCommon):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.ann = new_user(cls.env, "ann", groups="base.group_portal")
        cls.ann.partner_id.parent_id = cls.customer
        cls.bob = new_user(cls.env, "bob", groups="base.group_portal")

    def prepare(self):
        super().prepare()
        self.tenant = self.create_running_tenant()
        self.path = f"/my/tenants/{self.tenant.id}"

    def setUp(self):
        super().setUp()
        self.authenticate("ann", "ann")

    def test_visitors_are_asked_to_log_in(self):
        self.authenticate(None, None)
        response = self.url_open(self.path, allow_redirects=False)
        self.assertIn("/web/login", response.headers["Location"])

    def test_customers_see_their_company_s_tenants_and_no_others(self):
        self.create_tenant("foreign", partner_id=self.bob.partner_id.id)
        text = self.text_of(self.url_open("/my/tenants"))
        self.assertIn("alfa.odoo.localhost", text)
        self.assertNotIn("foreign", text)

    def test_the_card_counts_them(self):
        self.assertIn("/my/tenants", self.url_open("/my").text)
        response = self.url_open(
            "/my/counters", json={"params": {"counters": ["saas_tenant_count"]}}
        )
        self.assertEqual(response.json()["result"], {"saas_tenant_count": 1})

    def test_foreign_and_missing_tenants_are_not_found(self):
        foreign = self.create_running_tenant(
            "foreign", partner_id=self.bob.partner_id.id
        )
        before = foreign.operation_ids
        for tenant_id in (foreign.id, foreign.id + 1000, 0, 2**31, 10**30):
            path = f"/my/tenants/{tenant_id}"
            self.assertEqual(self.url_open(path).status_code, 404, path)
            for action in ("open", "restart", "retry", "delete", "support"):
                response = self.post(f"{path}/{action}", {"name": "foreign"})
                self.assertEqual(response.status_code, 404, f"{path}/{action}")
        self.assertEqual(foreign.operation_ids, before)

    def test_staff_are_customers_of_nothing_here(self):
        self.authenticate("manager", "manager")
        self.assertEqual(self.url_open(self.path).status_code, 404)

    def test_the_page_tells_state_plan_address_and_steps(self):
        text = self.text_of(self.url_open(self.path))
        for words in ("Running", "Basic", "alfa.odoo.localhost", "Clone the database"):
            self.assertIn(words, text)

    def test_open_logs_in_by_post_only(self):
        self.assertIn(self.url_open(f"{self.path}/open").status_code, (404, 405))
        response = self.post(f"{self.path}/open")
        self.assertEqual(response.status_code, 303)
        self.assertTrue(
            response.headers["Location"].startswith(
                "http://alfa.odoo.localhost:8080/saas/login?token="
            )
        )
        [login] = self.tenant.operation_ids.filtered(lambda o: o.kind == "login")
        self.assertEqual((login.user_id, login.origin), (self.ann, "portal"))

    def test_customers_decide_whether_our_staff_may_log_in(self):
        self.assertNotIn("Help from our staff", self.url_open(self.path).text)
        self.env["ir.config_parameter"].set_param("saas.login_consent", True)
        self.assertIn("Our staff may log in", self.text_of(self.url_open(self.path)))
        response = self.post(f"{self.path}/support", {"allow": "0"})
        self.assertEqual(response.status_code, 303)
        self.assertFalse(self.tenant.support_access)
        page = self.text_of(self.url_open(self.path))
        self.assertIn("Our staff may not log in", page)
        operator = new_user(self.env, "op", groups="saas.group_operator")
        with self.assertRaisesRegex(AccessError, "does not let our staff log in"):
            self.tenant.with_user(operator).get_login_url()
        self.post(f"{self.path}/support", {"allow": "1"})
        self.assertTrue(self.tenant.support_access)

    def test_a_stopped_tenant_says_why_it_does_not_open(self):
        self.tenant.action_stop()
        self.run_operations()
        response = self.post(f"{self.path}/open")
        self.assertIn("only while it runs", self.text_of(response))

    def test_restart_is_recorded_for_the_customer(self):
        response = self.post(f"{self.path}/restart")
        self.assertEqual(response.status_code, 303)
        operation = self.tenant.last_operation_id
        self.assertEqual(
            (operation.kind, operation.user_id, operation.origin),
            ("restart", self.ann, "portal"),
        )
        self.assertIn("Restart", self.text_of(self.url_open(self.path)))
        self.run_operations()
        self.assertEqual(self.tenant.state, "running")

    def test_delete_needs_the_name(self):
        for typed in ("", "alf", "alfa.odoo.localhost"):
            response = self.post(f"{self.path}/delete", {"name": typed})
            self.assertIn("type “alfa” to confirm", self.text_of(response))
        self.assertEqual(self.tenant.state, "running")
        self.post(f"{self.path}/delete", {"name": " Alfa "})
        self.assertEqual(self.tenant.state, "deleting")
        self.assertTrue(self.tenant.erase_on)
        self.run_operations()
        self.assertIn("deleted for good on", self.text_of(self.url_open(self.path)))

    def test_an_archived_one_says_until_when_it_can_be_taken_back(self):
        now = fields.Datetime.now()
        until = now + timedelta(days=9)
        self.tenant.sudo().write(
            {"wanted": "deleted", "archived_on": now, "erase_on": until}
        )
        self.env.flush_all()
        text = self.text_of(self.url_open(self.path))
        self.assertIn("Archived", text)
        self.assertIn("Write to us to take it back", text)
        self.assertIn(format_date(self.env, until, lang_code="en_US"), text)
        self.assertNotIn("Delete this tenant", text)

    def test_what_a_delete_does_is_said_in_whole_sentences(self):
        for grace, archive, sentence in (
            (0, 0, "It stops, and all its data are erased at once."),
            (1, 0, "For 1 day it can be taken back;"),
            (14, 30, "For 44 days it can be taken back;"),
        ):
            self.plan.grace_days = grace
            self.set_archive_days(archive)
            text = self.text_of(self.url_open(self.path))
            self.assertIn(sentence, text)
        self.assertIn("Type “alfa” to confirm", text)

    def test_a_suspended_tenant_says_why(self):
        self.tenant.action_suspend("The invoice is not paid")
        self.run_operations()
        text = self.text_of(self.url_open(self.path))
        self.assertIn("Its data are kept. Write to us to have it back.", text)
        self.assertIn("Reason: The invoice is not paid", text)

    def test_what_did_not_fail_is_not_tried_again(self):
        response = self.post(f"{self.path}/retry")
        self.assertIn("nothing to try again", self.text_of(response))

    def test_a_suspended_tenant_cannot_be_restarted_by_its_customer(self):
        self.tenant.action_suspend("Unpaid")
        self.run_operations()
        response = self.post(f"{self.path}/restart")
        self.assertIn("not possible now", self.text_of(response))
        self.assertEqual(self.tenant.state, "suspended")

    def test_actions_without_a_csrf_token_are_refused(self):
        for action in ("open", "restart", "retry", "delete", "support"):
            response = self.url_open(f"{self.path}/{action}", data={"name": "alfa"})
            self.assertEqual(response.status_code, 400, action)
        self.assertEqual(self.tenant.state, "running")

    # === LIST === #

    def names(self, query=""):
        """The tenants that the list shows, in order."""
        page = html.fromstring(self.url_open(f"/my/tenants{query}").content)
        links = page.xpath("//ul[contains(@class, 'o_saas_tenants')]//a")
        return [link.text_content() for link in links]

    def test_the_list_is_sorted(self):
        self.create_tenant("zulu")
        self.create_tenant("mike")
        self.assertEqual(self.names(), ["mike", "zulu", "alfa"])
        self.assertEqual(self.names("?sortby=name"), ["alfa", "mike", "zulu"])

    def test_the_list_is_searched_by_address_and_by_plan(self):
        self.create_tenant("zulu", plan_id=self.plan.copy({"name": "Gold"}).id)
        self.assertEqual(self.names("?search=ZUL"), ["zulu"])
        self.assertEqual(self.names("?search=zulu.odoo.localhost"), ["zulu"])
        self.assertEqual(self.names("?search=gold&search_in=plan"), ["zulu"])
        text = self.text_of(self.url_open("/my/tenants?search=nothing"))
        self.assertIn("Nothing of yours is like that", text)

    def test_a_search_finds_nothing_of_others(self):
        self.create_tenant("foreign", partner_id=self.bob.partner_id.id)
        self.assertEqual(self.names("?search=foreign"), [])

    def test_the_list_is_filtered_by_state(self):
        self.create_tenant("zulu")
        self.assertEqual(self.names("?filterby=running"), ["alfa"])
        self.assertEqual(self.names("?filterby=building"), ["zulu"])
        self.assertEqual(self.names("?filterby=down"), [])

    def test_the_list_is_grouped_by_state(self):
        self.create_tenant("zulu")
        page = html.fromstring(self.url_open("/my/tenants?groupby=state").content)
        groups = page.xpath("//ul[contains(@class, 'o_saas_tenants')]//h2")
        self.assertEqual([h.text_content() for h in groups], ["Draft", "Running"])

    def test_nonsense_in_the_search_bar_shows_the_list(self):
        for query in (
            "?sortby=name;drop&filterby=x&groupby=name&search_in=uid",
            "?search=%00&sortby=",
            "?search=%25_%5C",
        ):
            response = self.url_open(f"/my/tenants{query}")
            self.assertEqual(response.status_code, 200, query)
        self.assertEqual(self.names("?sortby=x&filterby=x&groupby=x"), ["alfa"])

    def test_the_pages_of_a_search_keep_it(self):
        for number in range(21):
            self.create_tenant(f"more{number}")
        page = self.url_open("/my/tenants?search=more&sortby=name")
        self.assertIn("/my/tenants/page/2?", page.text)
        self.assertIn("search=more", page.text)
        self.assertEqual(len(self.names("/page/2?search=more&sortby=name")), 1)

    def test_the_number_of_queries_does_not_grow_with_the_list(self):
        def create(names):
            self.env["saas.tenant"].create(
                [
                    {
                        "name": name,
                        "partner_id": self.customer.id,
                        "plan_id": self.plan.id,
                    }
                    for name in names
                ]
            )

        paths = ("/my/tenants", "/my/tenants?groupby=state&search=more")
        create(f"more{number}" for number in range(20))
        few = [self.count_queries(path) for path in paths]
        create(f"many-more{number}" for number in range(980))
        many = [self.count_queries(path) for path in paths]
        self.assertEqual(many, few)
        self.assertLess(max(many), 40)

    def count_queries(self, path):
        self.url_open(path)  # what is kept in memory is there after one visit
        self.env.flush_all()
        self.env.invalidate_all()
        before = self.env.cr.sql_log_count
        self.assertEqual(self.url_open(path).status_code, 200)
        return self.env.cr.sql_log_count - before
