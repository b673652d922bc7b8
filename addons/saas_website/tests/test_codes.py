import logging
from contextlib import ExitStack, contextmanager
from unittest.mock import patch

from lxml import html

from odoo.tests import tagged

from odoo.addons.saas.tests.common import new_user

from .common import PagesCommon


@tagged("post_install", "-at_install")
class TestCodesOverHttp(PagesCommon):
    def setUp(self):
        super().setUp()
        self.authenticate(None, None)

    def is_logged_in(self):
        return self.url_open("/my/tenants", allow_redirects=False).status_code == 200

    def test_the_code_of_another_sign_up_is_wrong(self):
        _first, _path, code = self.begin()
        second, path, own = self.begin(name="gamma", email="ben@beta.example")
        if code != own:
            self.assertIn(
                "not the code",
                self.text_of(self.post(f"{path}/code", {"code": code})),
            )
        self.assertEqual(second.state, "code_sent")

    def test_the_right_code_after_five_wrong_ones_is_refused(self):
        signup, path, code = self.begin()
        for _try in range(5):
            self.post(f"{path}/code", {"code": self.other(code)})
        response = self.post(f"{path}/code", {"code": code})
        self.assertIn("Too many wrong codes", self.text_of(response))
        self.assertEqual(signup.state, "code_sent")
        self.assertFalse(self.is_logged_in())

    def test_a_code_that_is_used_again_logs_nobody_in(self):
        signup, path, code = self.begin()
        self.post(f"{path}/code", {"code": code})
        tenants = self.env["saas.tenant"].search_count([])
        token = path.rpartition("/")[2]
        self.authenticate(None, None, session_extra={"saas_signups": [token]})
        response = self.post(f"{path}/code", {"code": code})
        self.assertIn("no code any more", self.text_of(response))
        self.assertFalse(self.is_logged_in())
        self.assertEqual(self.env["saas.tenant"].search_count([]), tenants)
        self.assertEqual(signup.state, "building")

    def test_the_form_for_another_name_is_taken_as_it_stands_on_the_page(self):
        signup, path, code = self.begin()
        self.create_tenant("beta")
        page = html.fromstring(self.post(f"{path}/code", {"code": code}).content)
        [form] = page.xpath(f"//form[@action='{path}/name']")
        self.assertFalse(self.is_logged_in(), "its session is another one already")
        response = self.url_open(
            form.action,
            {"csrf_token": form.fields["csrf_token"], "name": "beta2"},
            allow_redirects=False,
        )
        self.assertEqual(response.status_code, 303)
        self.assertEqual(signup.tenant_id.name, "beta2")
        self.assertTrue(self.is_logged_in())

    def test_more_codes_are_not_endless(self):
        signup, path, _code = self.begin()
        with self.mock_mail_gateway():
            answers = [self.post(f"{path}/resend") for _number in range(6)]
            mails = len(self._mails)
        self.assertEqual((mails, signup.codes_sent), (3, 4))
        self.assertIn("No more codes", self.text_of(answers[-1]))

    def test_nothing_tells_whether_an_address_is_known(self):
        customer = self.prove(email="cora@alfa.example", name="cora").user_id
        archived = self.prove(email="arno@alfa.example", name="arno").user_id
        archived.active = False
        staff = new_user(self.env, "sam", email="sam@host.example")
        self.assertTrue(customer and staff)
        addresses = (
            "nobody@new.example",
            customer.login,
            archived.login,
            staff.email,
            "ann@alfa.example",
        )
        self.sign_up("warm@up.example", "warmup")
        answers = {
            email: self.sign_up(email, f"same{number}")
            for number, email in enumerate(addresses)
        }
        for email in addresses:
            self.assertEqual(answers[email], answers[addresses[0]], email)

    def sign_up(self, email, name):
        """Return what a visitor could notice, and who reads along."""
        self.authenticate(None, None)
        csrf = self.csrf()
        form = {**self.form(email=email, name=name), "csrf_token": csrf}
        self.env.flush_all()
        self.env.invalidate_all()
        before = self.env.cr.sql_log_count
        with self.mock_mail_gateway():
            response = self.url_open(self.signup_url(), form, allow_redirects=False)
        queries = self.env.cr.sql_log_count - before
        page = self.url_open(response.headers["Location"])
        text = self.text_of(page).replace(email, "…").replace(name, "…")
        return response.status_code, page.status_code, text, queries, len(self._mails)

    def test_the_code_is_in_the_mail_and_nowhere_else(self):
        with self.hear_all() as heard, patch("secrets.randbelow", lambda _max: 814273):
            _signup, path, code = self.begin()
            wrong = self.post(f"{path}/code", {"code": "000000"})
            page = self.url_open(path)
            status = self.url_open(f"{path}/status")
            right = self.post(f"{path}/code", {"code": code})
        self.assertEqual((code, right.status_code), ("814273", 303))
        self.assertIn("POST /saas/signup/", "\n".join(heard))
        self.assertNotIn(code, "\n".join(heard))
        for response in (wrong, page, status, right):
            self.assertNotIn(code, response.text + str(response.headers))
        self.assert_kept_nowhere(code)

    @contextmanager
    def hear_all(self):
        """Give what all loggers say, however little they matter."""
        heard = []
        ear = logging.Handler()
        ear.setFormatter(logging.Formatter("%(message)s %(args)s"))
        ear.emit = lambda record: heard.append(ear.format(record))
        loggers = [logging.getLogger()] + [
            logger
            for logger in list(logging.Logger.manager.loggerDict.values())
            if isinstance(logger, logging.Logger) and logger.level
        ]
        with ExitStack() as stack:
            for logger in loggers:
                stack.callback(logger.setLevel, logger.level)
                logger.setLevel(logging.DEBUG)
            # This one writes what goes into the database, of which the mail is one.
            sql = logging.getLogger("odoo.sql_db")
            stack.callback(sql.setLevel, sql.level)
            sql.setLevel(logging.INFO)
            stack.enter_context(patch.object(loggers[0], "handlers", [ear]))
            yield heard

    def assert_kept_nowhere(self, code):
        for model, fields in (
            ("ir.logging", ("message",)),
            ("mail.message", ("subject", "body")),
            ("mail.mail", ("body_html",)),
            ("queue.job", ("name", "records", "args", "kwargs", "func_string")),
            ("saas.signup", tuple(self.env["saas.signup"].sudo()._fields)),
            ("saas.operation", ("message",)),
        ):
            for values in self.env[model].sudo().search([]).read(fields):
                self.assertNotIn(code, str(values), model)
