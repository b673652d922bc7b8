import json
from unittest.mock import patch

from odoo.tests import tagged
from odoo.tools import config

from .common import PagesCommon

EVIL = "evil.example"
# Without X-Forwarded-Proto: a cookie for HTTPS would not come back by plain HTTP.
HEADERS = {
    "X-Forwarded-Host": EVIL,
    "X-Forwarded-For": "192.0.2.99",
    "X_Forwarded_Host": EVIL,
    "Forwarded": f"for=192.0.2.99;host={EVIL};proto=https",
    "Referer": f"https://{EVIL}/",
    "Origin": f"https://{EVIL}",
    "X-HTTP-Method-Override": "DELETE",
}


@tagged("post_install", "-at_install")
class TestHostileHeaders(PagesCommon):
    def setUp(self):
        super().setUp()
        self.authenticate(None, None)
        self.startPatcher(patch.dict(config.options, {"proxy_mode": True}))
        # Whatever an operator forgot, no visitor moves the address of the master.
        parameters = self.env["ir.config_parameter"]
        parameters.set_param("web.base.url.freeze", False)

    def read_base_url(self):
        self.env.invalidate_all()
        return self.env["ir.config_parameter"].get_param("web.base.url")

    def test_no_header_moves_an_address_in_a_mail_or_the_master_itself(self):
        with self.mock_mail_gateway():
            response = self.post(self.signup_url(), self.form(), headers=HEADERS)
        self.assertEqual(response.status_code, 303)
        [mail] = self._mails
        self.assertNotIn("evil", mail["body"] + str(mail["headers"]))
        code = self.read_code()
        path = "/saas/" + response.headers["Location"].partition("/saas/")[2]
        self.post(f"{path}/code", {"code": code}, headers=HEADERS)
        self.assertEqual(self.read_base_url(), "http://master.example")
        user = self.env["saas.signup"].search([], limit=1).user_id
        self.assertEqual(user.login, "bea@beta.example")

    def test_a_login_link_leads_to_the_master_whatever_host_was_named(self):
        self.prove()
        self.post("/saas/login-link", {"email": "bea@beta.example"}, headers=HEADERS)
        job = self.env["queue.job"].search(
            [("model_name", "=", "saas.login.link")], order="id desc", limit=1
        )
        self.assertNotIn("evil", str(job.read()))
        with self.mock_mail_gateway():
            self.env["saas.login.link"]._send("bea@beta.example")
        [mail] = self._mails
        self.assertIn("http://master.example/saas/login-link/", mail["body"])
        self.assertNotIn("evil", mail["body"])

    def test_a_host_of_strangers_gets_no_other_host_s_addresses(self):
        for path in ("/plans", self.signup_url(), "/saas/login-link"):
            response = self.url_open(path, headers={"Host": EVIL})
            self.assertEqual(response.status_code, 200, path)
        self.assertEqual(self.read_base_url(), "http://master.example")

    def test_no_parameter_leads_away_from_here(self):
        away = {name: f"https://{EVIL}/" for name in ("redirect", "next", "url", "r")}
        _signup, path, code = self.begin()
        response = self.post(f"{path}/code", {"code": code, **away}, headers=HEADERS)
        self.assertNotIn("evil", response.headers["Location"].partition("?")[0])
        self.assertIn("/saas/signup/", response.headers["Location"])
        user = self.env["saas.signup"].search([], limit=1).user_id
        for target in (f"https://{EVIL}/", f"//{EVIL}", f"/\\{EVIL}", "javascript:1"):
            token = self.env["saas.login.link"]._create_for(user)
            self.authenticate(None, None)
            response = self.post(
                f"/saas/login-link/{token}?redirect={target}", {"redirect": target}
            )
            self.assertEqual(response.status_code, 303)
            self.assertTrue(response.headers["Location"].endswith("/my/tenants"))

    def test_pages_of_others_may_not_read_our_answers(self):
        response = self.url_open(
            "/saas/signup/available",
            json={"params": {"name": "gamma"}},
            headers={"Origin": f"https://{EVIL}"},
        )
        self.assertTrue(response.json()["result"]["available"])
        self.assertNotIn("Access-Control-Allow-Origin", response.headers)

    def test_forms_of_others_are_refused_on_every_route_that_changes_something(self):
        _signup, path, code = self.begin()
        values = {"code": code, "name": "gamma", "email": "x@y.example"}
        actions = ("code", "resend", "name", "retry", "open")
        for target in (
            self.signup_url(),
            "/saas/login-link",
            "/saas/login-link/made-up",
            *(f"{path}/{action}" for action in actions),
        ):
            for token in ({}, {"csrf_token": "0" * 40}, {"csrf_token": ""}):
                response = self.url_open(target, {**values, **token})
                self.assertEqual(response.status_code, 400, target)

    def test_other_types_of_content_are_no_way_round_the_check(self):
        body = json.dumps(self.form())
        for kind in ("application/json", "text/plain", "application/xml", "x/y; z=\0"):
            response = self.url_open(
                self.signup_url(),
                body.encode(),
                headers={"Content-Type": kind.replace("\0", "")},
            )
            self.assertIn(response.status_code, (400, 415), kind)
        self.assertFalse(self.env["saas.signup"].search([]))


@tagged("post_install", "-at_install")
class TestHostileFields(PagesCommon):
    def setUp(self):
        super().setUp()
        self.authenticate(None, None)

    def test_names_cannot_add_a_header_to_a_mail(self):
        inject = "Bea\r\nBcc: victim@evil.example\r\n\r\n<p>"
        with self.mock_mail_gateway():
            response = self.post(
                self.signup_url(), self.form(contact_name=inject, company_name=inject)
            )
        self.assertEqual(response.status_code, 303)
        [mail] = self._mails
        self.assertEqual(mail["email_to"], ["bea@beta.example"])
        self.assertFalse(mail["email_cc"])
        self.assertNotIn("evil", mail["subject"] + str(mail["headers"]))
        signup = self.env["saas.signup"].search([], limit=1)
        self.assertNotIn("\n", signup.contact_name + signup.company_name)

    def test_an_address_with_a_second_one_is_none(self):
        for email in (
            "bea@beta.example\r\nBcc: x@evil.example",
            "bea@beta.example, x@evil.example",
            "bea@beta.example;x@evil.example",
            "bea@beta.example\x00@evil.example",
            "béa@beta.example",
            "bea@bеta.example",  # noqa: RUF001 (a Cyrillic letter)
        ):
            with self.subTest(email=email), self.mock_mail_gateway():
                self.post(self.signup_url(), self.form(email=email))
                self.assertEqual(self._mails, [])

    def test_what_nobody_sees_is_taken_out_of_names(self):
        for typed, kept in (
            ("Be\x00ta", "Beta"),
            ("\u202eatleB\u202c", "atleB"),
            ("B\u200be\ufeffta", "Beta"),
            ("  Be \t ta\u2028Ltd ", "Be ta Ltd"),
            ("株式会社", "株式会社"),
            ("x" * 100_000, "x" * 100),
        ):
            with self.subTest(typed=typed[:20]):
                values = self.env["saas.signup"]._parse({"company_name": typed})
                self.assertEqual(values["company_name"], kept)

    def test_a_name_of_nothing_that_is_seen_is_missing(self):
        response = self.post(self.signup_url(), self.form(company_name="\u200b\x00"))
        self.assertEqual(response.status_code, 422)
        self.assertIn("company's name", self.text_of(response))

    def test_markup_in_names_is_text_in_pages_and_mails(self):
        markup = "<img src=x onerror=alert(1)>"
        signup, path, code = self.begin(contact_name=markup, company_name=markup)
        [mail] = self._mails
        self.assertNotIn("<img", mail["body"])
        self.assertIn("&lt;img", mail["body"])
        self.post(f"{path}/code", {"code": code})
        self.run_operations()
        for page in (path, "/my/tenants", f"/my/tenants/{signup.tenant_id.id}", "/my"):
            self.assertNotIn("<img src=x", self.url_open(page).text, page)

    def test_names_of_machines_are_of_plain_letters(self):
        for name in ("xn--beta-9ta", "bèta", "bеta", "be--ta", "be_ta", "beta.x"):  # noqa: RUF001
            response = self.post(self.signup_url(), self.form(name=name))
            self.assertEqual(response.status_code, 422, name)
        with self.mock_mail_gateway():
            response = self.post(self.signup_url(), self.form(name="BETA"))
        self.assertEqual(response.status_code, 303)
        self.assertEqual(self.env["saas.signup"].search([], limit=1).name, "beta")

    def test_files_and_lists_in_place_of_text_are_missing_values(self):
        form = {**self.form(), "csrf_token": self.csrf()}
        company = form.pop("company_name")
        response = self.url_open(
            self.signup_url(), form, files={"company_name": ("x.txt", company)}
        )
        self.assertEqual(response.status_code, 422)
        self.assertIn("company's name", self.text_of(response))

    def test_a_form_of_many_megabytes_is_turned_away(self):
        form = {**self.form(), "csrf_token": self.csrf(), "company_name": "x" * 11**7}
        response = self.url_open(self.signup_url(), form)
        self.assertEqual(response.status_code, 413)

    def test_strange_tokens_and_codes_break_nothing(self):
        _signup, path, _code = self.begin()
        for token in ("%00", "%ff%fe", "x" * 4000, "%F0%9F%92%A9", "a%0d%0ab"):
            for prefix in ("/saas/signup", "/saas/login-link"):
                response = self.post(f"{prefix}/{token}")
                self.assertIn(response.status_code, (403, 404, 405), token)
        for code in ("\x00", "\u202e123456", "9" * 100_000, "１２３４５６"):  # noqa: RUF001
            response = self.post(f"{path}/code", {"code": code})
            self.assertEqual(response.status_code, 200)
        response = self.url_open(
            "/saas/signup/available", json={"params": {"company": "\ud800", "x": 1}}
        )
        self.assertEqual(response.status_code, 200)
        self.assertIn("result", response.json())
