import re
from types import SimpleNamespace
from unittest.mock import patch

from lxml import html

from odoo.http import Request
from odoo.tests import HttpCase

from odoo.addons.mail.tests.common import MockEmail
from odoo.addons.saas.engine.errors import RefusedError
from odoo.addons.saas.tests.common import SaasCommon


class SignupCommon(SaasCommon, MockEmail):
    """A published plan, and helpers that read the code from the outgoing mail."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.website = cls.env["website"].get_current_website()
        cls.env["saas.plan"].search([]).is_published = False
        cls.plan.is_published = True
        cls.country = cls.env.ref("base.br")
        cls.website.company_id.email = "hello@host.example"
        parameters = cls.env["ir.config_parameter"]
        parameters.set_param("web.base.url", "http://master.example")
        parameters.set_param("web.base.url.freeze", "True")

    def set_archive_days(self, days):
        """Have the plans keep a last copy so long, whatever keeps copies here."""
        self.patch(
            self.env.registry["saas.plan"], "_get_archive_days", lambda _plan: days
        )

    def form(self, **values):
        return {
            "company_name": "Beta Ltd",
            "contact_name": "Bea Beta",
            "email": "bea@beta.example",
            "name": "beta",
            "lang": "en_US",
            "country_id": str(self.country.id),
            **values,
        }

    def open_signup(self, **values):
        """Return a new sign-up and the code that its mail holds."""
        signups = self.env["saas.signup"]
        with self.mock_mail_gateway(mail_unlink_sent=True):
            signup, _token = signups._open(
                self.plan, self.website, signups._parse(self.form(**values))
            )
        return signup, self.read_code()

    def prove(self, **values):
        """Return a sign-up whose address is proved and whose customer is known."""
        signup, code = self.open_signup(**values)
        self.assertFalse(signup._prove(code))
        signup._attach_customer()
        return signup

    def read_code(self):
        [mail] = self._mails
        [code] = re.findall(r">\s*(\d{6})\s*<", mail["body"])
        return code

    def other(self, code):
        return "000000" if code != "000000" else "111111"

    def refuse_to_build(self):
        """Let the server refuse whatever is asked of it, until that is stopped."""

        def refuse(*_args, **_kwargs):
            raise RefusedError("The server is full.", reason="quota")

        refusing = patch.object(self.driver, "ensure", refuse)
        refusing.start()
        return refusing


class PagesCommon(SignupCommon, HttpCase):
    def post(self, path, data=None, follow=False, **kwargs):
        csrf = {"csrf_token": self.csrf()}
        return self.url_open(
            path, data={**csrf, **(data or {})}, allow_redirects=follow, **kwargs
        )

    def csrf(self):
        """Return the token of the session that the browser has, without a page."""
        sids = [c.value for c in self.opener.cookies if c.name == "session_id"]
        if not sids:
            self.authenticate(None, None)
            sids = [self.session.sid]
        session = SimpleNamespace(sid=sids[-1])
        return Request.csrf_token(SimpleNamespace(env=self.env, session=session))

    def signup_url(self):
        return f"/plans/{self.env['ir.http']._slug(self.plan)}/signup"

    def begin(self, **values):
        """Send the form; return the sign-up, its path and the code from its mail."""
        with self.mock_mail_gateway(mail_unlink_sent=True):
            response = self.post(self.signup_url(), self.form(**values))
        self.assertEqual(response.status_code, 303, response.text[:2000])
        signup = self.env["saas.signup"].search([], limit=1)
        path = response.headers["Location"].partition("/saas/")[2]
        return signup, f"/saas/{path}", self.read_code()

    def text_of(self, response):
        body = html.fromstring(response.content).find(".//main")
        return " ".join(body.text_content().split())
