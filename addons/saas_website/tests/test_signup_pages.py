import json
from datetime import timedelta
from unittest.mock import patch

from lxml import html

from odoo import fields
from odoo.exceptions import ValidationError
from odoo.tests import tagged

from ..models.saas_signup_build import RETRIES_AN_HOUR
from .common import PagesCommon


@tagged("post_install", "-at_install")
class TestSignupPages(PagesCommon):
    def setUp(self):
        super().setUp()
        self.authenticate(None, None)

    # === PLANS === #

    def test_only_published_plans_are_shown(self):
        self.plan.copy({"name": "Secret plan"})
        text = self.text_of(self.url_open("/plans"))
        self.assertIn("Basic", text)
        self.assertNotIn("Secret plan", text)

    def test_an_unpublished_or_unknown_plan_is_not_found(self):
        self.plan.is_published = False
        for path in (self.signup_url(), "/plans/nothing/signup", "/plans/x-999/signup"):
            self.assertEqual(self.url_open(path).status_code, 404, path)

    def test_a_page_without_plans_says_so(self):
        self.plan.is_published = False
        self.assertIn("nothing to choose", self.text_of(self.url_open("/plans")))

    def test_who_edits_plans_is_led_there_from_an_empty_page(self):
        self.plan.is_published = False
        self.assertNotIn("Publish a plan", self.url_open("/plans").text)
        self.authenticate("manager", "manager")
        self.assertIn("Publish a plan", self.url_open("/plans").text)

    def test_a_plan_of_one_website_or_company_is_not_shown_on_another(self):
        website = self.env["website"].create({"name": "Other"})
        self.plan.website_id = website
        self.assertIn("nothing to choose", self.text_of(self.url_open("/plans")))
        self.assertEqual(self.url_open(self.signup_url()).status_code, 404)
        self.plan.website_id = False
        self.plan.company_id = self.env["res.company"].create({"name": "Other"})
        self.assertIn("nothing to choose", self.text_of(self.url_open("/plans")))
        self.assertEqual(self.url_open(self.signup_url()).status_code, 404)

    def test_what_search_engines_read_can_be_changed_on_the_website(self):
        page = html.fromstring(self.url_open("/plans").content)
        self.assertIn("Plans", page.findtext(".//title"))
        [text] = page.xpath("//meta[@name='description']/@content")
        self.assertIn("Choose a plan", text)
        self.env.ref("saas_website.plans").write(
            {
                "website_meta_title": "Odoo for bakers",
                "website_meta_description": "Bread",
            }
        )
        page = html.fromstring(self.url_open("/plans").content)
        self.assertEqual(page.findtext(".//title"), "Odoo for bakers")
        [text] = page.xpath("//meta[@name='description']/@content")
        self.assertEqual(text, "Bread")

    def test_the_page_can_be_edited_with_the_website_builder(self):
        self.authenticate("admin", "admin")
        page = html.fromstring(self.url_open("/plans").content)
        [name] = page.xpath("//article//*[@data-oe-field='name']")
        self.assertEqual(name.get("data-oe-model"), "saas.plan")
        areas = page.xpath("//*[starts-with(@id, 'oe_structure_saas_plans')]/section")
        self.assertEqual(len(areas), 2)

    # === FORM === #

    def test_a_visitor_becomes_a_customer(self):
        signup, path, code = self.begin()
        page = self.url_open(path)
        self.assertIn("Check your mail", self.text_of(page))
        self.assertNotIn(code, page.text)
        response = self.post(f"{path}/code", {"code": code})
        self.assertEqual(response.status_code, 303)
        self.assertIn("Building your Odoo", self.text_of(self.url_open(path)))
        self.run_operations()
        status = self.url_open(f"{path}/status").json()
        self.assertEqual((status["state"], status["percent"]), ("done", 100))
        response = self.post(f"{path}/open")
        self.assertEqual(response.status_code, 303)
        self.assertTrue(
            response.headers["Location"].startswith(
                "http://beta.odoo.localhost:8080/saas/login?token="
            )
        )
        origins = signup.tenant_id.operation_ids.mapped("origin")
        self.assertEqual(set(origins), {"portal"})
        self.assertIn("beta", self.text_of(self.url_open("/my/tenants")))

    def test_every_bad_field_is_explained_and_nothing_is_kept(self):
        self.create_tenant("alfa")
        for field, value, message in (
            ("company_name", "", "company's name"),
            ("contact_name", "  ", "your name"),
            ("email", "nonsense", "does not look like"),
            ("email", "x@mailinator.com", "permanent e-mail address"),
            ("name", "alfa", "taken"),
            ("name", "admin", "reserved"),
            ("name", "../etc", "2 to 63 letters"),
            ("lang", "xx_XX", "choose a language"),
            ("country_id", "99999999999999999999", "choose a country"),
        ):
            with self.subTest(field=field, value=value), self.mock_mail_gateway():
                response = self.post(self.signup_url(), self.form(**{field: value}))
                self.assertEqual(response.status_code, 422)
                self.assertIn(message, self.text_of(response))
                self.assertEqual(self._mails, [])
        self.assertFalse(self.env["saas.signup"].search([]))

    def test_bad_fields_are_listed_at_the_top_which_has_the_focus(self):
        form = self.form(email="nonsense", country_id="")
        page = html.fromstring(self.post(self.signup_url(), form).content)
        [summary] = page.xpath("//*[@autofocus]")
        self.assertEqual(summary.get("role"), "alert")
        fields = [link.get("href") for link in summary.findall(".//a")]
        self.assertEqual(fields, ["#email", "#country_id"])
        for name in ("email", "country_id"):
            [field] = page.xpath(f"//*[@id='{name}']")
            self.assertEqual(field.get("aria-invalid"), "true")
            [message] = page.xpath(f"//*[@id='{field.get('aria-describedby')}']")
            self.assertTrue(message.text_content().strip())

    def test_every_field_has_a_label(self):
        _signup, path, _code = self.begin()
        for where in (self.signup_url(), path, "/saas/login-link"):
            page = html.fromstring(self.url_open(where).content)
            for field in page.xpath("//main//*[self::input or self::select][@id]"):
                labels = page.xpath(f"//label[@for='{field.get('id')}']")
                self.assertEqual(len(labels), 1, field.get("id"))

    def test_known_and_unknown_addresses_see_the_same(self):
        pages = []
        for email, name in (("ann@alfa.example", "one1"), ("x@new.example", "two2")):
            _signup, path, _code = self.begin(email=email, name=name)
            pages.append(self.text_of(self.url_open(path)).replace(email, "…"))
        self.assertEqual(pages[0], pages[1])

    def test_what_visitors_type_is_never_markup(self):
        response = self.post(
            self.signup_url(),
            self.form(company_name='"><script>alert(1)</script>', email="bad"),
        )
        self.assertNotIn("<script>alert(1)", response.text)

    def test_a_flood_from_one_address_is_stopped(self):
        self.env["ir.config_parameter"].set_param("saas_website.limit_address", "1")
        self.begin()
        response = self.post(self.signup_url(), self.form(name="gamma"))
        self.assertEqual(response.status_code, 429)
        self.assertIn("too many sign-ups", self.text_of(response))

    def test_a_captcha_that_fails_stops_the_sign_up(self):
        def verify(env_http, _action):
            raise ValidationError(env_http.env._("Are you a robot?"))

        ir_http = self.env.registry["ir.http"]
        with patch.object(ir_http, "_verify_request_recaptcha_token", verify):
            response = self.post(self.signup_url(), self.form())
        self.assertEqual(response.status_code, 422)
        self.assertIn("Are you a robot?", self.text_of(response))
        self.assertFalse(self.env["saas.signup"].search([]))

    def test_a_form_without_csrf_token_is_refused(self):
        response = self.url_open(self.signup_url(), data=self.form())
        self.assertEqual(response.status_code, 400)
        self.assertFalse(self.env["saas.signup"].search([]))

    def test_hostile_host_headers_never_reach_a_mail(self):
        headers = {
            "X-Forwarded-Host": "evil.example",
            "X-Forwarded-Proto": "https",
            "Referer": "https://evil.example/",
        }
        with self.mock_mail_gateway():
            self.post(self.signup_url(), self.form(), headers=headers)
        [mail] = self._mails
        self.assertNotIn("evil.example", mail["body"] + str(mail["headers"]))

    # === CODE === #

    def test_a_wrong_code_is_said_to_be_wrong_and_reveals_nothing(self):
        signup, path, code = self.begin()
        response = self.post(f"{path}/code", {"code": self.other(code)})
        self.assertIn("not the code we sent", self.text_of(response))
        self.assertNotIn(code, response.text)
        self.assertEqual(signup.state, "code_sent")
        self.assertFalse(signup.tenant_id)

    def test_a_new_code_can_be_had(self):
        signup, path, _code = self.begin()
        with self.mock_mail_gateway():
            response = self.post(f"{path}/resend")
        self.assertIn("sent a new code", self.text_of(response))
        self.post(f"{path}/code", {"code": self.read_code()})
        self.assertEqual(signup.state, "building")

    def test_another_browser_does_not_find_the_sign_up(self):
        signup, path, code = self.begin()
        self.authenticate(None, None)
        self.assertEqual(self.url_open(path).status_code, 404)
        self.assertEqual(self.url_open(f"{path}/status").status_code, 404)
        for action in ("code", "resend", "name", "retry", "open"):
            response = self.post(f"{path}/{action}", {"code": code, "name": "x1"})
            self.assertEqual(response.status_code, 404, action)
        self.assertEqual(signup.state, "code_sent")

    def test_made_up_tokens_are_not_found(self):
        for token in ("1", "x" * 32, "..%2f"):
            self.assertEqual(self.url_open(f"/saas/signup/{token}").status_code, 404)

    def test_the_tenant_opens_for_its_customer_only(self):
        _signup, path, code = self.begin()
        self.post(f"{path}/code", {"code": code})
        self.run_operations()
        tokens = self.env["saas.signup"]._find_by_token(path.rpartition("/")[2])
        self.assertTrue(tokens)
        self.authenticate(
            "viewer",
            "viewer",
            session_extra={"saas_signups": [path.rpartition("/")[2]]},
        )
        response = self.post(f"{path}/open")
        self.assertTrue(response.headers["Location"].endswith("/saas/login-link"))

    # === BUILDING === #

    def test_a_name_taken_between_check_and_code_is_replaced_on_the_same_page(self):
        signup, path, code = self.begin()
        self.create_tenant("beta")
        response = self.post(f"{path}/code", {"code": code})
        self.assertIn("Choose another address", self.text_of(response))
        self.assertIn("Choose another address", self.text_of(self.url_open(path)))
        response = self.post(f"{path}/name", {"name": "beta"})
        self.assertIn("taken", self.text_of(response))
        self.assertEqual(self.post(f"{path}/name", {"name": "Beta2"}).status_code, 303)
        self.assertEqual(signup.tenant_id.name, "beta2")

    def test_without_scripts_the_progress_page_renews_itself(self):
        _signup, path, code = self.begin()
        self.post(f"{path}/code", {"code": code})
        self.assertIn('http-equiv="refresh"', self.url_open(path).text)
        self.run_operations()
        page = self.url_open(path)
        self.assertNotIn('http-equiv="refresh"', page.text)
        self.assertIn("Open my Odoo", self.text_of(page))

    def test_who_waits_reads_the_place_in_the_queue(self):
        self.env["ir.config_parameter"].set_param("saas_website.limit_building", "1")
        self.assertFalse(
            self.prove(name="first1", email="f@f.example")._claim("first1")
        )
        _signup, path, code = self.begin()
        self.post(f"{path}/code", {"code": code})
        page = html.fromstring(self.url_open(path).content)
        self.assertEqual(page.findtext(".//h1"), "Your place in the queue: 1")
        self.assertNotIn("Building", page.find(".//main").text_content())
        self.assertFalse(page.xpath("//*[@role='progressbar']"))
        status = self.url_open(f"{path}/status").json()
        self.assertEqual(status["title"], "Your place in the queue: 1")

    def test_the_page_of_the_code_says_how_long_it_is_good_for(self):
        signup, path, _code = self.begin()
        for seconds, sentence in (
            (15 * 60, "It is good for 15 minutes."),
            (59, "It is good for 1 more minute."),
            (-1, "It is too old by now: send another one."),
        ):
            with self.subTest(seconds=seconds):
                signup.code_expiry = fields.Datetime.now() + timedelta(seconds=seconds)
                self.assertIn(sentence, self.text_of(self.url_open(path)))

    def test_a_plan_says_its_limits_in_whole_sentences(self):
        self.set_archive_days(0)
        for values, said in (
            ({"memory": 768}, ["768 MB of memory"]),
            (
                {"memory": 1024, "cpus": 1, "grace_days": 1},
                ["1 GB of memory", "1 CPU core", "1 day to take it back"],
            ),
            (
                {"memory": 1536, "cpus": 0.5, "grace_days": 14},
                ["1.5 GB of memory", "0.5 CPU cores", "14 days to take it back"],
            ),
        ):
            self.plan.write(values)
            text = self.text_of(self.url_open("/plans"))
            for sentence in said:
                self.assertIn(sentence, text)
        self.plan.grace_days = 0
        self.assertNotIn("by mistake", self.text_of(self.url_open("/plans")))
        self.set_archive_days(30)
        self.assertIn("30 days to take it back", self.text_of(self.url_open("/plans")))

    def test_a_failure_is_said_and_can_be_tried_again(self):
        refusing = self.refuse_to_build()
        signup, path, code = self.begin()
        self.post(f"{path}/code", {"code": code})
        self.run_operations()
        text = self.text_of(self.url_open(path))
        self.assertIn("could not be built", text)
        self.assertNotIn("The server is full", text)
        refusing.stop()
        self.post(f"{path}/retry")
        self.run_operations()
        self.assertEqual(signup.state, "done")

    def test_a_browser_that_was_closed_finds_the_tenant_on_the_portal(self):
        signup, path, code = self.begin()
        self.post(f"{path}/code", {"code": code})
        self.authenticate(None, None)
        self.assertEqual(self.url_open(path).status_code, 404)
        token = self.env["saas.login.link"]._create_for(signup.user_id)
        self.post(f"/saas/login-link/{token}")
        tenant_path = f"/my/tenants/{signup.tenant_id.id}"
        page = self.url_open(tenant_path)
        self.assertIn("Provisioning", self.text_of(page))
        self.assertIn('http-equiv="refresh"', page.text)
        self.run_operations()
        self.assertIn("Running", self.text_of(self.url_open(tenant_path)))
        self.assertEqual(self.post(f"{tenant_path}/open").status_code, 303)

    def test_what_failed_can_be_tried_again_from_the_portal(self):
        refusing = self.refuse_to_build()
        signup, path, code = self.begin()
        self.post(f"{path}/code", {"code": code})
        self.run_operations()
        tenant_path = f"/my/tenants/{signup.tenant_id.id}"
        text = self.text_of(self.url_open(tenant_path))
        self.assertIn("could not be built", text)
        self.assertIn("Try again", text)
        self.assertNotIn("The server is full", text)
        refusing.stop()
        self.assertEqual(self.post(f"{tenant_path}/retry").status_code, 303)
        self.run_operations()
        self.assertEqual((signup.state, signup.tenant_id.state), ("done", "running"))
        self.assertFalse(signup.tenant_id.activity_ids)

    def test_tries_are_counted_together_wherever_they_are_asked_for(self):
        self.refuse_to_build()
        signup, path, code = self.begin()
        self.post(f"{path}/code", {"code": code})
        self.run_operations()
        tenant_path = f"/my/tenants/{signup.tenant_id.id}"
        for number in range(RETRIES_AN_HOUR):
            self.post(f"{tenant_path if number % 2 else path}/retry")
            self.run_operations()
        tries = len(signup.tenant_id.operation_ids)
        for where in (tenant_path, path):
            response = self.post(f"{where}/retry")
            self.assertIn("Please try later", self.text_of(response))
        self.assertEqual(len(signup.tenant_id.operation_ids), tries)

    def test_who_waits_reads_the_place_on_the_portal_too(self):
        self.env["ir.config_parameter"].set_param("saas_website.limit_building", "1")
        self.assertFalse(
            self.prove(name="first1", email="f@f.example")._claim("first1")
        )
        signup, path, code = self.begin()
        self.post(f"{path}/code", {"code": code})
        text = self.text_of(self.url_open(f"/my/tenants/{signup.tenant_id.id}"))
        self.assertIn("Your place in the queue: 1", text)

    # === NAMES === #

    def check(self, **params):
        response = self.url_open(
            "/saas/signup/available",
            data=json.dumps({"jsonrpc": "2.0", "params": params}),
            headers={"Content-Type": "application/json"},
        )
        return response.json()["result"]

    def test_a_free_name_is_free_and_a_taken_one_comes_with_suggestions(self):
        self.create_tenant("alfa")
        self.assertTrue(self.check(name="gamma")["available"])
        answer = self.check(name="Alfa")
        self.assertFalse(answer["available"])
        self.assertTrue(answer["suggestions"])
        self.assertIn("omega-ltd", self.check(company="Omega Ltd")["suggestions"])

    def test_checks_are_limited(self):
        self.patch(self.env.registry["saas.rate"], "_allow", lambda *_args: False)
        self.assertEqual(self.check(name="gamma"), {"limited": True})

    def test_strange_types_do_not_break_the_check(self):
        for name in (None, 7, ["x"], {"a": 1}, "\x00", "x" * 10000):
            self.assertFalse(self.check(name=name)["available"])
