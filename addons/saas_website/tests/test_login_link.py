import re
from datetime import timedelta

from odoo import fields
from odoo.tests import tagged

from odoo.addons.saas.tests.common import new_user

from .common import PagesCommon


@tagged("post_install", "-at_install")
class TestLoginLink(PagesCommon):
    def setUp(self):
        super().setUp()
        self.user = self.prove().user_id
        self.authenticate(None, None)

    def ask(self, email, **headers):
        jobs = self.env["queue.job"].search_count([])
        response = self.post("/saas/login-link", {"email": email}, headers=headers)
        return response, self.env["queue.job"].search_count([]) - jobs

    def send(self, email="bea@beta.example"):
        """Run the job that mails a link; return the token, if one was sent."""
        with self.mock_mail_gateway():
            self.env["saas.login.link"]._send(email)
        if not self._mails:
            return None
        [mail] = self._mails
        return re.search(
            r'"http://master\.example/saas/login-link/([\w-]+)"', mail["body"]
        )[1]

    def is_logged_in(self):
        return self.url_open("/my/tenants", allow_redirects=False).status_code == 200

    def test_known_and_unknown_addresses_get_the_same_answer_and_the_same_job(self):
        known, jobs = self.ask("bea@beta.example")
        unknown, other_jobs = self.ask("nobody@beta.example")
        answers = [
            self.text_of(response).replace(email, "…")
            for response, email in (
                (known, "bea@beta.example"),
                (unknown, "nobody@beta.example"),
            )
        ]
        self.assertEqual(answers[0], answers[1])
        self.assertEqual((jobs, other_jobs), (1, 1))

    def test_a_link_logs_in_once(self):
        token = self.send()
        self.assertEqual(self.url_open(f"/saas/login-link/{token}").status_code, 200)
        self.assertFalse(self.is_logged_in(), "looking at the link logged in")
        response = self.post(f"/saas/login-link/{token}")
        self.assertEqual(response.status_code, 303)
        self.assertTrue(response.headers["Location"].endswith("/my/tenants"))
        self.assertTrue(self.is_logged_in())
        self.authenticate(None, None)
        self.assertEqual(self.post(f"/saas/login-link/{token}").status_code, 403)
        self.assertFalse(self.is_logged_in())

    def test_a_late_link_is_refused(self):
        token = self.send()
        self.env["saas.login.link"].search([]).date_expiry = (
            fields.Datetime.now() - timedelta(seconds=1)
        )
        response = self.post(f"/saas/login-link/{token}")
        self.assertEqual(response.status_code, 403)
        self.assertIn("too old", self.text_of(response))

    def test_a_new_link_makes_the_old_one_void(self):
        old, new = self.send(), self.send()
        self.assertEqual(self.post(f"/saas/login-link/{old}").status_code, 403)
        self.assertEqual(self.post(f"/saas/login-link/{new}").status_code, 303)

    def test_staff_and_strangers_are_sent_nothing(self):
        new_user(self.env, "sam", email="sam@host.example")
        self.assertIsNone(self.send("sam@host.example"))
        self.assertIsNone(self.send("nobody@beta.example"))
        self.assertIsNone(self.send("nonsense"))

    def test_a_made_up_link_is_refused(self):
        response = self.post("/saas/login-link/made-up")
        self.assertEqual(response.status_code, 403)

    def test_a_password_form_cannot_pretend_to_be_a_link(self):
        token = self.send()
        self.post(
            "/web/login",
            {
                "login": self.user.login,
                "password": token,
                "type": "saas_link",
                "saas_token": token,
            },
        )
        self.assertFalse(self.is_logged_in())

    def test_asking_without_a_csrf_token_is_refused(self):
        response = self.url_open("/saas/login-link", data={"email": "x@y.example"})
        self.assertEqual(response.status_code, 400)

    def test_one_address_cannot_ask_without_end(self):
        rates = self.env["saas.rate"]
        for _number in range(20):
            rates._allow("login_link", "127.0.0.1", 0, timedelta(hours=1))
            rates._allow("login_link", "127.0.0.1", 20, timedelta(hours=1))
        response, jobs = self.ask("bea@beta.example")
        self.assertEqual((response.status_code, jobs), (429, 0))
