from datetime import timedelta

from lxml import html

from odoo import fields
from odoo.http import Request
from odoo.tests import HttpCase, tagged
from odoo.tools import mute_logger

from odoo.addons.saas.tests.common import new_user
from odoo.addons.saas.tests.routes import find_routes

from .common import BackupCommon

QUIET = mute_logger("odoo.addons.saas.models.saas_operation")
NO_ONE = 100_000  # more than any id in these tests


@tagged("post_install", "-at_install")
class TestBackupPortal(BackupCommon, HttpCase):
    """What customers get of their copies, and nobody else by any way."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.other = cls.env["res.partner"].create({"name": "Beta", "is_company": True})
        cls.ann = cls.new_contact("ann", cls.customer)
        cls.bea = cls.new_contact("bea", cls.other)

    @classmethod
    def new_contact(cls, name, company):
        user = new_user(cls.env, name, groups="base.group_portal")
        user.partner_id.parent_id = company
        return user

    def prepare(self):
        super().prepare()
        self.tenant = self.create_running_tenant()
        self.backup = self.create_backup(self.tenant)
        self.backup.action_drill()
        self.run_operations()
        self.drill = self.backup.drill_ids
        self.path = f"/my/backups/{self.tenant.id}"

    def setUp(self):
        super().setUp()
        self.authenticate("ann", "ann")

    # === HELPERS === #

    def get(self, path):
        return self.url_open(path, allow_redirects=False)

    def post(self, path, **data):
        token = Request.csrf_token(self)
        data = {"csrf_token": token, **data}
        return self.url_open(path, data=data, allow_redirects=False)

    def text_of(self, response):
        body = html.fromstring(response.content).find(".//main")
        return " ".join(body.text_content().split())

    def get_pages(self, tenant_id, drill_id):
        certificate = f"/my/backups/certificate/{drill_id}"
        return (
            f"/my/backups/{tenant_id}",
            certificate,
            f"{certificate}?report_type=pdf",
            f"{certificate}?report_type=pdf&download=1",
        )

    def get_actions(self, tenant_id):
        """Return what can be sent about a tenant, with all that it takes."""
        return {
            f"/my/backups/{tenant_id}/make": {},
            f"/my/backups/{tenant_id}/restore": {
                "backup": str(self.backup.id),
                "name": "alfa",
            },
        }

    def count_asked(self):
        return (
            self.env["saas.operation"].search_count([]),
            self.env["saas.backup"].search_count([]),
        )

    def count_queries(self, path):
        self.url_open(path)  # what is kept in memory is there after one visit
        self.env.flush_all()
        self.env.invalidate_all()
        before = self.env.cr.sql_log_count
        answer = self.url_open(path)
        return self.env.cr.sql_log_count - before, answer

    # === WHOSE === #

    def test_each_contact_of_the_customer_has_all_of_the_pages(self):
        office = self.env["res.partner"].create(
            {"name": "Alfa Office", "parent_id": self.customer.id}
        )
        self.new_contact("aki", office)
        self.tenant.partner_id = self.ann.partner_id
        for login in ("ann", "aki"):
            self.authenticate(login, login)
            with self.subTest(login=login):
                self.assertIn("alfa", self.text_of(self.get("/my/backups")))
                for page in self.get_pages(self.tenant.id, self.drill.id):
                    self.assertEqual(self.get(page).status_code, 200, page)
                answer = self.post(f"{self.path}/make")
                self.assertEqual(answer.status_code, 303)
        self.assertEqual(self.tenant.operation_ids[:1].user_id, self.ann)

    def test_to_others_the_pages_and_what_they_do_are_not_there(self):
        before = self.count_asked()
        for login in ("bea", "manager"):
            self.authenticate(login, login)
            with self.subTest(login=login):
                self.assertNotIn("alfa", self.text_of(self.get("/my/backups")))
                for page in self.get_pages(self.tenant.id, self.drill.id):
                    self.assertEqual(self.get(page).status_code, 404, page)
                for path, data in self.get_actions(self.tenant.id).items():
                    answer = self.post(path, **data)
                    self.assertEqual(answer.status_code, 404, path)
        self.assertEqual(self.count_asked(), before)

    def test_what_there_is_not_is_not_found(self):
        before = self.count_asked()
        for number in (0, NO_ONE, 2**31, 10**30):
            for page in self.get_pages(number, number):
                self.assertEqual(self.get(page).status_code, 404, page)
            for path, data in self.get_actions(number).items():
                self.assertEqual(self.post(path, **data).status_code, 404, path)
        self.assertEqual(self.count_asked(), before)

    def test_what_is_foreign_looks_like_what_is_missing(self):
        self.authenticate("bea", "bea")
        pages = zip(
            self.get_pages(self.tenant.id, self.drill.id),
            self.get_pages(NO_ONE, NO_ONE),
            strict=True,
        )
        for foreign, missing in pages:
            answers = []
            for path in (foreign, missing):
                queries, answer = self.count_queries(path)
                text = answer.text.replace(path.partition("?")[0], "/…")
                lines = [li for li in text.splitlines() if "csrf_token" not in li]
                answers.append((answer.status_code, queries, lines))
            with self.subTest(page=foreign):
                self.assertEqual(answers[0], answers[1])
                self.assertEqual(answers[0][0], 404)

    def test_visitors_are_asked_to_log_in(self):
        self.authenticate(None, None)
        before = self.count_asked()
        pages = self.get_pages(self.tenant.id, self.drill.id)
        for page in ("/my/backups", *pages):
            self.assertIn("/web/login", self.get(page).headers["Location"], page)
        for path, data in self.get_actions(self.tenant.id).items():
            answer = self.post(path, **data)
            self.assertIn("/web/login", answer.headers["Location"], path)
        self.assertEqual(self.count_asked(), before)

    def test_a_contact_who_has_gone_to_another_customer_has_them_no_more(self):
        self.assertEqual(self.get(self.path).status_code, 200)
        self.ann.partner_id.parent_id = self.other
        for page in self.get_pages(self.tenant.id, self.drill.id):
            self.assertEqual(self.get(page).status_code, 404, page)
        for path, data in self.get_actions(self.tenant.id).items():
            self.assertEqual(self.post(path, **data).status_code, 404, path)

    def test_an_erased_tenant_has_no_pages_any_more(self):
        self.tenant.with_user(self.manager).action_delete(erase_now=True)
        self.run_operations()
        for page in self.get_pages(self.tenant.id, self.drill.id):
            self.assertEqual(self.get(page).status_code, 404, page)
        for path, data in self.get_actions(self.tenant.id).items():
            self.assertEqual(self.post(path, **data).status_code, 404, path)

    def test_the_card_counts_the_customer_s_own_good_copies(self):
        for login, count in (("ann", 1), ("bea", 0)):
            self.authenticate(login, login)
            answer = self.url_open(
                "/my/counters", json={"params": {"counters": ["saas_backup_count"]}}
            )
            self.assertEqual(answer.json()["result"], {"saas_backup_count": count})

    # === TOKENS === #

    def test_what_is_sent_without_a_token_of_this_session_is_refused(self):
        self.authenticate("bea", "bea")
        foreign = Request.csrf_token(self)
        self.authenticate("ann", "ann")
        before = self.count_asked()
        late = Request.csrf_token(self, time_limit=-60)
        good = Request.csrf_token(self)
        forged = good[:-1] + ("0" if good[-1] != "0" else "1")
        for token in ("", "0" * 40, late, foreign, forged):
            for path, data in self.get_actions(self.tenant.id).items():
                answer = self.url_open(path, data={**data, "csrf_token": token})
                self.assertEqual(answer.status_code, 400, (path, token))
        for path, data in self.get_actions(self.tenant.id).items():
            answer = self.url_open(path, data=data, method="POST")
            self.assertEqual(answer.status_code, 400, path)
            answer = self.url_open(path, json={"params": data})
            self.assertIn(answer.status_code, (400, 415), path)
        self.assertEqual(self.count_asked(), before)

    def test_what_changes_something_answers_no_get(self):
        before = self.count_asked()
        for path, data in self.get_actions(self.tenant.id).items():
            answer = self.url_open(
                path, params=data, headers={"X-HTTP-Method-Override": "POST"}
            )
            self.assertIn(answer.status_code, (404, 405), path)
        self.assertEqual(self.count_asked(), before)
        found = find_routes(self.env, ("saas_backup",))
        asking = {route for method, route in found if ("GET", route) not in found}
        tried = self.get_actions("<tenant_id>").keys()
        self.assertEqual(asking, set(tried), "a route is missing here")

    def test_the_link_of_a_certificate_opens_no_page_of_the_portal(self):
        token = self.drill.access_token
        self.authenticate("bea", "bea")
        for page in self.get_pages(self.tenant.id, self.drill.id):
            page += ("&" if "?" in page else "?") + f"access_token={token}"
            self.assertEqual(self.get(page).status_code, 404, page)

    # === ASKING === #

    def test_a_copy_of_somebody_or_something_else_is_not_restored(self):
        foreign = self.create_running_tenant("foreign", partner_id=self.other.id)
        another = self.create_running_tenant("another")
        before = self.count_asked()
        numbers = [self.create_backup(t).id for t in (foreign, another)]
        asked = self.count_asked()
        self.assertGreater(asked, before)
        for number in (*numbers, NO_ONE, -1, "", "x", f"{self.backup.id}x", "9" * 5000):
            answer = self.post(f"{self.path}/restore", backup=number, name="alfa")
            with self.subTest(number=str(number)[:20]):
                self.assertEqual(answer.status_code, 422)
                self.assertIn("alfa has no such copy", self.text_of(answer))
        self.assertEqual(self.count_asked(), asked)

    def test_a_name_that_is_not_typed_restores_nothing(self):
        before = self.count_asked()
        for typed in ("", "alf", "alfa.odoo.localhost", "alfa\0", "a" * 100_000):
            answer = self.post(
                f"{self.path}/restore", backup=self.backup.id, name=typed
            )
            self.assertEqual(answer.status_code, 422)
            self.assertIn("type “alfa” to confirm", self.text_of(answer))
        self.assertEqual(self.count_asked(), before)

    def test_a_plan_s_allowance_is_what_a_customer_may_ask_for_in_a_day(self):
        self.tenant._get_policy().allowance = 2
        self.create_backup(self.tenant)  # what staff make does not count
        for left in ("for 1 more today", "for 0 more today"):
            answer = self.post(f"{self.path}/make")
            self.assertEqual(answer.status_code, 303)
            self.run_operations()
            self.assertIn(left, self.text_of(self.get(self.path)))
        page = html.fromstring(self.get(self.path).content)
        [button] = page.xpath(f"//form[@action='{self.path}/make']//button")
        self.assertTrue(button.get("disabled"))
        before = self.count_asked()
        answer = self.post(f"{self.path}/make")
        self.assertEqual(answer.status_code, 422)
        self.assertIn("as many copies today as your plan has", self.text_of(answer))
        self.assertEqual(self.count_asked(), before)
        yesterday = fields.Datetime.now() - timedelta(hours=25)
        self.env.cr.execute("UPDATE saas_backup SET create_date = %s", [yesterday])
        self.env.invalidate_all()
        self.assertEqual(self.post(f"{self.path}/make").status_code, 303)

    def test_who_presses_twice_gets_one_copy(self):
        for _time in range(2):
            self.assertEqual(self.post(f"{self.path}/make").status_code, 303)
        self.assertEqual(len(self.tenant.backup_ids - self.backup), 1)

    def test_a_suspended_tenant_is_copied_and_not_restored(self):
        self.tenant.action_suspend("Unpaid")
        self.run_operations()
        self.assertEqual(self.post(f"{self.path}/make").status_code, 303)
        self.run_operations()
        answer = self.post(f"{self.path}/restore", backup=self.backup.id, name="alfa")
        self.assertEqual(answer.status_code, 422)
        self.assertIn("“Restore” is not possible now", self.text_of(answer))
        self.assertEqual(self.tenant.state, "suspended")

    # === CERTIFICATES === #

    @QUIET
    def fail_a_drill(self):
        self.driver.faults["boot"] = [("login", 1)]
        backup = self.create_backup(self.tenant)
        backup.action_drill()
        self.run_operations()
        self.assertEqual(backup.drill_ids.state, "failed")
        return backup.drill_ids

    def test_a_drill_that_failed_has_no_certificate_by_any_way(self):
        failed = self.fail_a_drill()
        for page in self.get_pages(self.tenant.id, failed.id)[1:]:
            self.assertEqual(self.get(page).status_code, 404, page)
        report = f"saas_backup.report_certificate/{failed.id}"
        for login in ("ann", "manager"):
            self.authenticate(login, login)
            for kind in ("html", "pdf"):
                answer = self.get(f"/report/{kind}/{report}")
                with self.subTest(login=login, kind=kind):
                    self.assertEqual(answer.status_code, 422)
                    self.assertIn(f"no certificate of {failed.name}", answer.text)

    def test_odoo_s_own_way_to_the_certificate_is_closed_to_others(self):
        report = f"saas_backup.report_certificate/{self.drill.id}"
        for login in ("bea", None):
            self.authenticate(login, login)
            for kind in ("html", "pdf", "text"):
                answer = self.get(f"/report/{kind}/{report}")
                with self.subTest(login=login, kind=kind):
                    self.assertIn(answer.status_code, (303, 403))
                    self.assertNotIn(self.drill.name, answer.text)

    # === SPEED === #

    def add_copies(self, tenant, number):
        """Add that many good copies, each with its proof."""
        copies = self.env["saas.backup"].create(
            [
                {
                    "tenant_id": tenant.id,
                    "store_id": self.store.id,
                    "reason": "schedule",
                    "state": "done",
                    "drill_state": "passed",
                }
                for _copy in range(number)
            ]
        )
        proof = {"state": "passed", "date_done": fields.Datetime.now()}
        self.env["saas.drill"].create([{**proof, "backup_id": c.id} for c in copies])

    def test_the_number_of_queries_grows_neither_with_copies_nor_with_tenants(self):
        paths = ("/my/backups", self.path)
        self.add_copies(self.tenant, 2)
        few = [self.count_queries(path)[0] for path in paths]
        self.add_copies(self.tenant, 200)
        more = self.env["saas.tenant"].create(
            [
                {
                    "name": f"more{number}",
                    "partner_id": self.customer.id,
                    "plan_id": self.plan.id,
                }
                for number in range(19)
            ]
        )
        for tenant in more:
            self.add_copies(tenant, 1)
        many = [self.count_queries(path)[0] for path in paths]
        self.assertEqual(many, few)
        self.assertLess(max(many), 50)
