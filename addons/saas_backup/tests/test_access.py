from lxml import html

from odoo.exceptions import AccessError, UserError
from odoo.tests import HttpCase, tagged

from odoo.addons.saas.tests.common import new_user

from .common import BackupCommon


@tagged("post_install", "-at_install")
class TestBackupAccess(BackupCommon):
    def prepare(self):
        super().prepare()
        self.tenant = self.create_running_tenant()
        self.backup = self.create_backup(self.tenant)
        self.portal = new_user(self.env, "portal1", groups="base.group_portal")

    def test_a_viewer_sees_copies_and_does_nothing_with_them(self):
        backup = self.backup.with_user(self.viewer)
        self.assertEqual(backup.state, "done")
        for ask in (
            backup.action_hold,
            backup.action_remove,
            backup.action_drill,
            backup.tenant_id.action_backup,
            lambda: backup.tenant_id.action_restore(backup.id, "beta"),
        ):
            with self.assertRaises(AccessError):
                ask()

    def test_an_operator_backs_up_and_restores(self):
        tenant = self.tenant.with_user(self.operator)
        tenant.action_backup()
        self.run_operations()
        operation = tenant.action_restore(self.backup.id, "beta")
        self.run_operations()
        self.assertEqual(operation.state, "done")

    def test_nobody_writes_copies_by_hand(self):
        for user in (self.viewer, self.operator, self.manager):
            with self.subTest(user=user.login), self.assertRaises(AccessError):
                self.backup.with_user(user).write({"state": "failed"})
        with self.assertRaises(UserError):
            self.tenant.with_user(self.manager).write(
                {"source_backup_id": self.backup.id}
            )

    def test_only_managers_change_stores_and_nobody_reads_their_secret(self):
        self.store.with_user(self.manager).secret_key = "planted-secret"
        self.env.invalidate_all()
        self.assertFalse(self.store.with_user(self.manager).secret_key)
        self.assertNotIn("planted", self.store.sudo().secret_key_sealed)
        with self.assertRaises(AccessError):
            self.store.with_user(self.operator).name = "Mine"
        with self.assertRaises(AccessError):
            self.store.with_user(self.operator).action_check()
        with self.assertRaises(AccessError):
            self.store.with_user(self.manager).read(["secret_key_sealed"])

    def test_a_customer_sees_their_own_copies_and_not_where_they_lie(self):
        Backup = self.env["saas.backup"].with_user(self.portal)
        self.portal.partner_id.parent_id = self.customer
        self.assertEqual(Backup.search([]), self.backup)
        stranger = new_user(self.env, "stranger", groups="base.group_portal")
        self.assertFalse(Backup.with_user(stranger).search([]))
        with self.assertRaises(AccessError):
            self.backup.with_user(self.portal).read(["store_id"])
        with self.assertRaises(AccessError):
            self.tenant.with_user(self.portal).action_backup()

    def test_a_manager_makes_the_key_that_opens_the_next_copies(self):
        Wizard = self.env["saas.recovery.key"].with_user(self.manager)
        values = Wizard.default_get(["private", "public"])
        wizard = Wizard.create({"public": values["public"], "typed": values["private"]})
        wizard.action_use()
        self.create_backup(self.tenant)
        self.assertEqual(self.driver.jobs[-1]["recovery_public"], values["public"])


@tagged("post_install", "-at_install")
class TestBackupPages(BackupCommon, HttpCase):
    def prepare(self):
        super().prepare()
        self.tenant = self.create_running_tenant()
        self.backup = self.create_backup(self.tenant)
        self.backup.action_drill()
        self.run_operations()
        self.portal = new_user(
            self.env, "ann", groups="base.group_portal", password="ann-ann-ann"
        )
        self.portal.partner_id.parent_id = self.customer
        self.path = f"/my/backups/{self.tenant.id}"

    def setUp(self):
        super().setUp()
        self.authenticate("ann", "ann-ann-ann")

    def post(self, path, **data):
        page = self.url_open(self.path).text
        token = page.partition('name="csrf_token" value="')[2].partition('"')[0]
        data["csrf_token"] = token
        return self.url_open(path, data=data, allow_redirects=False)

    def test_the_pages_show_copies_and_their_proof(self):
        self.assertIn("alfa", self.url_open("/my/backups").text)
        page = self.url_open(self.path)
        self.assertEqual(page.status_code, 200)
        self.assertIn("Proven", page.text)
        self.assertIn("Make a copy now", page.text)

    def test_a_customer_makes_a_copy(self):
        answer = self.post(f"{self.path}/make")
        self.assertEqual(answer.status_code, 303)
        self.run_operations()
        made = self.tenant.backup_ids - self.backup
        self.assertEqual((made.reason, made.state), ("customer", "done"))
        operation = made.operation_ids
        self.assertEqual((operation.origin, operation.state), ("portal", "done"))

    def test_the_page_follows_a_copy_without_loading_anew_what_somebody_types_into(
        self,
    ):
        self.post(f"{self.path}/make")
        page = html.fromstring(self.url_open(self.path).content)
        [refresh] = page.xpath("//meta[@http-equiv='refresh']")
        self.assertEqual(refresh.getparent().tag, "noscript")
        parts = page.xpath("//*[contains(@class, 'o_saas_live')]")
        self.assertEqual(
            [p.get("id") for p in parts], ["o_saas_copies", "o_saas_restore"]
        )
        self.assertEqual([part.get("data-busy") for part in parts], ["1", "1"])
        self.assertTrue(parts[1].xpath(".//input[@name='name']"))
        before = [part.get("data-fingerprint") for part in parts]
        self.run_operations()
        page = html.fromstring(self.url_open(self.path).content)
        parts = page.xpath("//*[contains(@class, 'o_saas_live')]")
        self.assertEqual([part.get("data-busy") for part in parts], [None, None])
        after = [part.get("data-fingerprint") for part in parts]
        self.assertNotEqual(after[0], before[0])
        self.assertEqual(after[1], before[1])
        self.assertFalse(page.xpath("//meta[@http-equiv='refresh']"))

    def test_the_form_to_restore_comes_back_when_the_restore_has_ended(self):
        self.post(f"{self.path}/restore", backup=self.backup.id, name="alfa")
        page = html.fromstring(self.url_open(self.path).content)
        part = page.get_element_by_id("o_saas_restore")
        self.assertEqual((part.get("data-busy"), part.xpath(".//input")), ("1", []))
        self.run_operations()
        page = html.fromstring(self.url_open(self.path).content)
        ended = page.get_element_by_id("o_saas_restore")
        self.assertTrue(ended.xpath(".//input[@name='name']"))
        self.assertNotEqual(ended.get("data-fingerprint"), part.get("data-fingerprint"))

    def test_a_customer_restores_by_typing_the_name(self):
        answer = self.post(f"{self.path}/restore", backup=self.backup.id, name="no")
        self.assertEqual(answer.status_code, 422)
        self.assertIn("Nothing was restored", answer.text)
        answer = self.post(f"{self.path}/restore", backup=self.backup.id, name="alfa")
        self.assertEqual(answer.status_code, 303)
        self.run_operations()
        self.assertEqual(self.tenant.last_operation_id.kind, "restore")
        self.assertEqual(self.tenant.last_operation_id.state, "done")

    def test_the_certificate_is_a_page_and_a_document(self):
        path = f"/my/backups/certificate/{self.backup.drill_ids.id}"
        page = self.url_open(path)
        self.assertIn(self.backup.drill_ids.name, page.text)
        report = self.env["ir.actions.report"]._render_qweb_html(
            "saas_backup.report_certificate", self.backup.drill_ids.ids
        )[0]
        self.assertIn(self.backup.drill_ids.name, report.decode())

    def assertPaper(self, answer):
        # What is in it is HTML here, as in all of Odoo's tests.
        self.assertEqual(answer.status_code, 200)
        self.assertEqual(answer.headers["Content-Type"], "application/pdf")

    def test_the_customer_and_the_staff_get_the_certificate_as_a_pdf(self):
        drill = self.backup.drill_ids
        path = f"/my/backups/certificate/{drill.id}"
        answer = self.url_open(f"{path}?report_type=pdf&download=1")
        self.assertPaper(answer)
        name = f"Certificate_{drill.name}.pdf"
        self.assertIn(name, answer.headers["Content-Disposition"])
        groups = "base.group_user,saas.group_viewer"
        new_user(self.env, "clerk", groups=groups, password="clerk-clerk")
        self.authenticate("clerk", "clerk-clerk")
        report = "saas_backup.report_certificate"
        self.assertPaper(self.url_open(f"/report/pdf/{report}/{drill.id}"))

    def test_what_belongs_to_others_is_not_found(self):
        other = self.env["res.partner"].create({"name": "Beta Ltd"})
        self.tenant.partner_id = other
        drill = self.backup.drill_ids.id
        for path in (
            self.path,
            f"/my/backups/certificate/{drill}",
            f"/my/backups/certificate/{drill}?report_type=pdf",
            "/my/backups/999999",
            "/my/backups/99999999999",
        ):
            with self.subTest(path=path):
                self.assertEqual(self.url_open(path).status_code, 404)
