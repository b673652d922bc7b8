from unittest.mock import patch

from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.tests import tagged
from odoo.tools import mute_logger

from odoo.addons.base.models.ir_mail_server import MailDeliveryException

from ..engine.fake import LostDriver
from ..engine.setup_checks import Finding
from ..models import saas_setup_looks
from ..models.saas_setup_sentences import SENTENCES
from .common import SaasCommon

KNOWN = {
    "database_server": {
        "name": "PostgreSQL of the stack",
        "host": "db",
        "port": 5432,
        "user": "saas_provisioner",
        "tenant_host": "172.28.0.1",
    },
    "proxy": {
        "name": "Traefik of the stack",
        "port": 8080,
        "internal_url": "http://172.30.0.1:8080",
    },
    "server": {"name": "This machine", "driver": "fake"},
    "image_19": {"name": "Odoo of the stack", "reference": "stack-odoo:19.0"},
}


class SetupCommon(SaasCommon):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        parameters = cls.env["ir.config_parameter"]
        parameters.set_param("web.base.url", "https://saas.example")
        parameters.set_param("saas.tenant_domain", "tenants.test")
        # Whatever the database of these tests was set up with.
        stack = cls.env["ir.model.data"].search([("module", "=", "__setup__")])
        stack.unlink()
        cls.steps = cls.env["saas.setup.step"].with_user(cls.manager)
        cls.steps.sudo()._set_known(KNOWN)
        cls.env.company.email = "office@saas.example"
        cls.env["ir.mail_server"].search([]).active = False
        cls.manager.email = "mona@saas.example"

    def setUp(self):
        super().setUp()
        self.databases.prepare()
        self.found = {
            "check_dns": Finding(
                "ok",
                {
                    "domain": "tenants.test",
                    "master": "saas.example",
                    "addresses": "192.0.2.1",
                },
            ),
            "check_proxy": Finding("ok", {"master": "saas.example"}),
            "check_certificate": Finding("ok", {"host": "x.tenants.test", "days": 80}),
        }
        for name in self.found:
            self.patch(
                saas_setup_looks.setup_checks,
                name,
                lambda *_args, name=name, **_kwargs: self.found[name],
            )

    def empty(self):
        """Take away what other tests need, as on a master that was just made."""
        templates = self.env["saas.template"].search([])
        self.env["saas.operation"].search([]).filtered("template_id").unlink()
        templates.unlink()
        self.env["saas.server"].with_context(active_test=False).search([]).unlink()
        self.env["saas.proxy"].search([]).active = False
        self.env["saas.database.server"].search([]).active = False
        self.env["saas.plan"].search([]).active = False
        self.env["saas.image"].search([]).active = False

    def step(self, code):
        return self.steps.search([("code", "=", code)])

    def look(self, code):
        """Look as the worker does; what the page then shows."""
        step = self.step(code)
        step.action_check()
        self.assertEqual(step.check_state, "checking")
        step._check()
        return self.describe(code)

    def describe(self, code):
        [step] = [s for s in self.steps.get_setup()["steps"] if s["code"] == code]
        return step

    def assert_found(self, code, state, *parts):
        shown = self.look(code)
        self.assertEqual(shown["state"], state, shown)
        for part in parts:
            self.assertIn(part, f"{shown['found']} {shown['remedy']}")
        return shown

    def buttons(self, code):
        return [button["label"] for button in self.describe(code)["buttons"]]


@tagged("post_install", "-at_install")
class TestSetup(SetupCommon):
    def test_the_steps_are_shown_in_the_order_of_the_work(self):
        self.assertEqual(
            [step["code"] for step in self.steps.get_setup()["steps"]],
            [
                "domain",
                "database_server",
                "proxy",
                "server",
                "certificate",
                "mail",
                "plan",
                "tenant",
            ],
        )

    def test_an_empty_master_misses_everything_and_says_what_to_do(self):
        self.empty()
        for code, part in (
            ("database_server", "There is no PostgreSQL yet"),
            ("proxy", "There is no proxy yet that leads visitors"),
            ("server", "First set up the database server and the proxy."),
            ("certificate", "First set up the proxy."),
            ("mail", "There is no outgoing mail server"),
        ):
            with self.subTest(code):
                self.assert_found(code, "missing", part)
        self.assertIn("There is no image yet", self.describe("plan")["found"])
        self.assertIn("First have a plan", self.describe("tenant")["remedy"])

    def test_the_stack_offers_itself_with_all_values_and_makes_the_records(self):
        self.empty()
        shown = self.look("database_server")
        self.assertIn(["Host", "db"], shown["known"])
        self.assertIn(["Port", "5432"], shown["known"])
        self.assertEqual(
            self.buttons("database_server"),
            ["Use This One", "Enter Another", "Check Again"],
        )
        for code in ("database_server", "proxy", "server", "plan"):
            self.step(code).action_use_known()
        server = self.env["saas.server"].search([])
        self.assertEqual(server.name, "This machine")
        self.assertEqual(server.proxy_id.internal_url, "http://172.30.0.1:8080")
        self.assertEqual(server.database_server_id.host, "db")
        self.assertEqual(self.describe("server")["known"], [])
        self.assertIn("There is no plan yet", self.describe("plan")["found"])

    def test_what_waited_for_a_step_is_looked_at_again_with_it(self):
        self.empty()
        self.look("certificate")
        self.assertEqual(self.describe("certificate")["state"], "missing")
        self.step("proxy").action_use_known()
        self.assertEqual(self.step("certificate").check_state, "checking")
        self.step("certificate")._check()
        self.assertEqual(self.describe("certificate")["state"], "ok")

    def test_a_server_waits_for_what_it_has_to_name(self):
        self.empty()
        with self.assertRaisesRegex(UserError, "First set up the database server"):
            self.step("server").action_use_known()
        self.assertEqual(self.buttons("server"), ["Check Again"])

    def test_what_is_known_is_made_once_and_brought_to_what_is_known_later(self):
        proxy = self.steps._ensure_known("proxy")
        self.steps._set_known({**KNOWN, "proxy": {**KNOWN["proxy"], "port": 9090}})
        self.assertEqual(self.steps._ensure_known("proxy"), proxy)
        self.assertEqual(proxy.port, 9090)

    def test_without_a_stack_nothing_is_offered(self):
        self.empty()
        self.steps.sudo()._set_known({})
        self.assertEqual(self.look("proxy")["known"], [])
        self.assertEqual(self.buttons("proxy"), ["Enter It", "Check Again"])
        with self.assertRaisesRegex(UserError, "enter it by hand"):
            self.step("proxy").action_use_known()

    def test_the_worker_takes_the_stacks_password_from_its_own_keys(self):
        self.empty()
        (self.keys / "provisioner_password").write_text("from-the-keys\n")
        self.step("database_server").action_use_known()
        record = self.steps._find_known("database_server").sudo()
        self.assertFalse(record.password_sealed, "web has nothing to write there")
        self.assert_found("database_server", "ok", "PostgreSQL of the stack works")
        self.assertEqual(record._unseal(record.password_sealed), "from-the-keys")

    def test_the_stacks_password_goes_to_the_stacks_address_only(self):
        (self.keys / "provisioner_password").write_text("from-the-keys")
        record = self.steps._ensure_known("database_server").sudo()
        record.host = "elsewhere.example"
        self.look("database_server")
        self.assertFalse(record.password_sealed)
        self.look("database_server")
        self.assertEqual(
            self.database_server._unseal(self.database_server.password_sealed),
            "provisioner-secret",
        )

    def test_a_password_that_changed_among_the_keys_is_taken_over(self):
        record = self.steps._ensure_known("database_server").sudo()
        for password in ("first", "second"):
            (self.keys / "provisioner_password").write_text(password)
            self.look("database_server")
            self.assertEqual(record._unseal(record.password_sealed), password)

    def test_what_works_is_said_with_what_it_is(self):
        self.assert_found("database_server", "ok", "PostgreSQL works: ")
        self.assert_found("server", "ok", "First server works: ")
        self.assert_found("proxy", "ok", "Traefik leads to saas.example")
        self.assertTrue(self.driver.prepared)

    def test_what_does_not_work_is_said_with_the_cause(self):
        self.driver = LostDriver()
        shown = self.assert_found(
            "server", "failed", "First server does not work: ", "check again"
        )
        self.assertEqual(self.server.check_state, "failed")
        self.assertEqual(shown["buttons"][0]["label"], "Open “First server”")

    def test_every_finding_has_a_sentence_with_its_facts(self):
        facts = dict.fromkeys(
            (
                *("domain", "master", "cause", "addresses", "proxy", "parent", "name"),
                *("message", "url", "status", "port", "host", "days", "company"),
                *("sender", "receiver", "plan", "image", "modules", "tenant"),
                *("state", "seconds"),
            ),
            "FACT",
        )
        for reason, (state, _found, remedy) in SENTENCES.items():
            with self.subTest(reason):
                said = self.steps._say(reason, facts)
                self.assertEqual(said["state"], state)
                self.assertNotIn("%(", said["found"] + said["remedy"])
                if state != "ok":
                    self.assertTrue(remedy, "what is wrong can be mended")

    # === DOMAIN === #

    def test_a_domain_with_its_wildcard_is_ready(self):
        self.assert_found("domain", "ok", "under tenants.test leads to 192.0.2.1")

    def test_what_the_name_server_says_is_what_is_shown(self):
        facts = self.found["check_dns"].facts
        for reason, state, part in (
            ("dns_missing", "missing", "add a wildcard record *.tenants.test"),
            ("dns_master_missing", "missing", "saas.example, the name of the master"),
            ("dns_elsewhere", "failed", "and saas.example to 192.0.2.9"),
            ("dns_silent", "failed", "no answer in time"),
            ("ok_local", "ok", "for trials only"),
        ):
            self.found["check_dns"] = Finding(
                reason, {**facts, "proxy": "192.0.2.9", "cause": "no answer in time"}
            )
            with self.subTest(reason):
                self.assert_found("domain", state, part)

    def test_a_domain_is_entered_on_the_page(self):
        self.steps.set_tenant_domain(" Shops.Example ")
        self.assertEqual(self.steps.get_setup()["domain"], "shops.example")
        self.assertEqual(self.create_tenant("beta")._get_host(), "beta.shops.example")

    def test_a_domain_in_which_the_master_is_gets_refused_and_changes_nothing(self):
        for domain, part in (
            ("example", "has no domain"),
            ("saas.example", "could set cookies for the master"),
            ("", "There is no domain for tenants yet"),
        ):
            with self.subTest(domain), self.assertRaisesRegex(ValidationError, part):
                self.steps.set_tenant_domain(domain)
        self.assertEqual(self.steps.get_setup()["domain"], "tenants.test")

    # === PROXY AND CERTIFICATE === #

    def test_a_proxy_that_takes_no_notice_of_routes_is_said(self):
        url = self.proxy.internal_url
        self.found["check_proxy"] = Finding(
            "proxy_ignores_routes", {"url": url, "master": "saas.example"}
        )
        self.assert_found("proxy", "failed", f"{url}, but takes no notice", "watches")

    def test_plain_http_is_ready_and_said_to_be_for_trials(self):
        self.assert_found(
            "certificate", "ok", "http://….tenants.test:8080", "for trials only"
        )

    def test_a_certificate_is_shown_with_its_days(self):
        self.proxy.write({"scheme": "https", "port": 443})
        self.env["saas.proxy"].search([("scheme", "=", "http")]).active = False
        self.assert_found("certificate", "ok", "*.tenants.test is good for 80 more")

    def test_a_certificate_that_browsers_refuse_is_said_with_what_to_do(self):
        self.proxy.write({"scheme": "https", "port": 443})
        self.env["saas.proxy"].search([("scheme", "=", "http")]).active = False
        facts = {"host": "x.tenants.test", "port": 443, "cause": "self-signed"}
        for reason, part in (
            ("certificate_expired", "has expired. Renew it"),
            ("certificate_wrong_name", "Get one for *.tenants.test and saas.example"),
            ("certificate_untrusted", "self-signed. Get one from a known authority"),
            ("certificate_silent", "Nobody speaks HTTPS for x.tenants.test"),
        ):
            self.found["check_certificate"] = Finding(reason, facts)
            with self.subTest(reason):
                self.assert_found("certificate", "failed", part)

    # === MAIL === #

    def add_mail_server(self):
        server = self.env["ir.mail_server"].create(
            {"name": "Relay", "smtp_host": "relay.test"}
        )
        self.cause = None

        def test_smtp_connection(_server):
            if self.cause:
                raise UserError(self.cause)

        model = self.env.registry["ir.mail_server"]
        self.patch(model, "test_smtp_connection", test_smtp_connection)
        return server

    def test_mail_needs_a_server_that_answers_and_a_sender(self):
        self.assert_found("mail", "missing", "no outgoing mail server")
        self.add_mail_server()
        self.assert_found("mail", "ok", "Relay takes mail from office@saas.example")
        self.cause = "Connection refused."
        self.assert_found("mail", "failed", "Relay does not take mail: Connection")
        self.env.company.email = False
        self.assert_found("mail", "missing", "has no e-mail address")

    def test_a_test_mail_goes_to_whoever_asks(self):
        self.add_mail_server()
        self.look("mail")
        self.step("mail").action_send_test_mail()
        self.step("mail")._send_test_mail()
        mail = self.env["mail.mail"].search([], limit=1)
        self.assertEqual(mail.email_to, "mona@saas.example")
        shown = self.describe("mail")
        self.assertEqual(shown["state"], "ok")
        self.assertIn("a test mail to mona@saas.example", shown["found"])
        self.assertIn("not into spam", shown["remedy"])

    def test_a_test_mail_that_is_not_taken_says_why(self):
        self.add_mail_server()
        refusal = MailDeliveryException("Mailbox unknown")
        model = self.env.registry["mail.mail"]
        with patch.object(model, "send", side_effect=refusal):
            self.step("mail")._send_test_mail()
        self.assertIn("Mailbox unknown", self.describe("mail")["found"])
        self.assertEqual(self.describe("mail")["state"], "failed")

    def test_who_has_no_address_is_told_before_a_mail_is_sent(self):
        self.manager.email = False
        with self.assertRaisesRegex(UserError, "You have no e-mail address"):
            self.step("mail").action_send_test_mail()
        self.add_mail_server()
        self.look("mail")
        self.assertIn("Enter Your Own E-Mail", self.buttons("mail"))

    def test_mail_is_tried_from_the_companys_address(self):
        server = self.env["ir.mail_server"].create({"name": "R", "smtp_host": "r.test"})
        server = server.with_user(self.manager).sudo()
        self.assertEqual(server._get_test_email_from(), "mona@saas.example")
        server = server.with_context(saas_test_from="office@saas.example")
        self.assertEqual(server._get_test_email_from(), "office@saas.example")

    def test_only_administrators_are_offered_the_mail_servers(self):
        self.add_mail_server()
        self.look("mail")
        offered = ["Send a Test Mail to Me", "Check Again"]
        self.assertEqual(self.buttons("mail"), offered)
        self.manager.group_ids += self.env.ref("base.group_system")
        self.assertEqual(self.buttons("mail"), ["Open “Relay”", *offered])

    # === PLAN AND TENANT === #

    def make_only_plan(self):
        self.env["saas.plan"].search([("id", "!=", self.plan.id)]).active = False
        self.plan.modules = "crm,sale"
        return self.plan

    def test_a_plan_is_ready_once_its_template_is_built(self):
        plan = self.make_only_plan()
        self.assertIn("Nothing is built yet", self.describe("plan")["found"])
        self.step("plan").action_continue(plan.id)
        shown = self.describe("plan")
        self.assertEqual(shown["state"], "checking")
        self.assertEqual(shown["progress"][0]["label"], "Check the image")
        self.run_operations()
        shown = self.describe("plan")
        self.assertEqual(shown["state"], "ok")
        self.assertIn("The plan Basic is ready: Odoo 19.0", shown["found"])

    @mute_logger("odoo.addons.saas.models.saas_operation")
    def test_a_template_that_cannot_be_built_is_said_and_built_again(self):
        self.make_only_plan()
        self.driver.images.clear()
        self.step("plan").action_build_template()
        self.run_operations()
        shown = self.describe("plan")
        self.assertEqual(shown["state"], "failed")
        self.assertIn("cannot be built: ", shown["found"])
        self.assertEqual(shown["buttons"][0]["label"], "Build It")
        self.driver.images.add(self.image.reference)
        self.step("plan").action_build_template()
        self.run_operations()
        self.assertEqual(self.describe("plan")["state"], "ok")

    def test_the_first_tenant_is_made_and_opened_from_the_page(self):
        self.make_only_plan()
        self.env["saas.tenant"].search([("state", "=", "draft")]).unlink()
        self.assertEqual(self.describe("tenant")["buttons"], [])
        self.step("plan").action_build_template()
        self.run_operations()
        self.assertEqual(self.buttons("tenant"), ["Make the First Tenant"])
        tenant = self.create_tenant("first")
        self.step("tenant").action_continue(tenant.id)
        shown = self.describe("tenant")
        self.assertEqual(shown["state"], "checking")
        self.assertEqual(len(shown["progress"]), 10)
        self.run_operations()
        shown = self.describe("tenant")
        self.assertEqual(shown["state"], "ok")
        self.assertIn("http://first.tenants.test:8080", shown["found"])
        self.assertEqual(shown["buttons"][0]["method"], "action_login")

    @mute_logger("odoo.addons.saas.models.saas_operation")
    def test_a_tenant_that_could_not_be_made_is_said_with_the_cause(self):
        self.make_only_plan()
        self.server.draining = True
        self.env["saas.tenant"].search([("state", "=", "draft")]).unlink()
        tenant = self.create_tenant("first")
        self.step("tenant").action_continue(tenant.id)
        self.run_operations()
        shown = self.describe("tenant")
        self.assertEqual(shown["state"], "failed")
        self.assertIn("No server has room", shown["found"])
        self.assertEqual(shown["buttons"][0]["label"], "Provision")

    # === COMING BACK, ROLES, MENU === #

    def test_who_comes_back_finds_what_was_done(self):
        self.empty()
        self.step("database_server").action_use_known()
        self.look("database_server")
        self.env.invalidate_all()
        other = self.env["saas.setup.step"].with_user(self.env.ref("base.user_admin"))
        states = {s["code"]: s["state"] for s in other.get_setup()["steps"]}
        self.assertEqual(states["database_server"], "ok")
        self.assertEqual(states["plan"], "missing")

    def test_a_worker_that_does_not_come_is_said_after_a_minute(self):
        step = self.step("domain")
        step.action_check()
        self.assertEqual(self.describe("domain")["state"], "checking")
        self.env.flush_all()
        self.env.cr.execute(
            "UPDATE saas_setup_step SET write_date = now() at time zone 'UTC'"
            " - interval '61 seconds' WHERE id = %s",
            (step.id,),
        )
        step.invalidate_recordset()
        shown = self.describe("domain")
        self.assertEqual(shown["state"], "failed")
        self.assertIn("make ps", shown["remedy"])
        self.assertEqual(self.buttons("domain"), ["Check Again"])

    def test_an_error_that_nobody_foresaw_is_shown_on_the_step(self):
        step = self.step("domain")
        step.action_check()
        step._on_check_failure("ValueError", "odd")
        self.assertEqual(self.describe("domain")["found"], "ValueError: odd")

    def test_the_set_up_is_for_managers_only(self):
        for user in (self.viewer, self.operator):
            steps = self.env["saas.setup.step"].with_user(user)
            step = self.step("proxy").with_user(user)
            for what, call in (
                ("look", lambda steps=steps: steps.get_setup()),
                ("check", step.action_check),
                ("use", step.action_use_known),
                ("mail", step.action_send_test_mail),
                ("build", step.action_build_template),
                ("domain", lambda steps=steps: steps.set_tenant_domain("a.example")),
            ):
                with self.subTest(f"{user.login}: {what}"):
                    self.assertRaises(AccessError, call)

    def test_nobody_adds_or_removes_steps(self):
        with self.assertRaises(AccessError):
            self.steps.create({"code": "x", "name": "X"})
        with self.assertRaises(AccessError):
            self.step("mail").unlink()

    def test_the_app_begins_with_the_set_up_only_while_there_is_no_server(self):
        first = self.env.ref("saas.saas_setup_first_menu")
        later = self.env.ref("saas.saas_setup_menu")
        menus = self.env["ir.ui.menu"].with_user(self.manager)
        self.assertNotIn(first.id, menus.load_menus(False))
        self.empty()
        self.assertIn(first.id, menus.load_menus(False))
        operators = self.env["ir.ui.menu"].with_user(self.operator)
        self.assertNotIn(first.id, operators.load_menus(False))
        for code in ("database_server", "proxy", "server"):
            self.step(code).action_use_known()
        self.assertNotIn(first.id, menus.load_menus(False))
        self.assertIn(later.id, menus.load_menus(False))
