import threading
from datetime import timedelta
from unittest.mock import patch

from odoo import SUPERUSER_ID, api, fields
from odoo.tests import tagged
from odoo.tools import config

from ..engine import mailbox
from .common import PagesCommon, SignupCommon

HOUR = timedelta(hours=1)


class TestFloods(SignupCommon):
    def set_limit(self, name, value):
        parameters = self.env["ir.config_parameter"]
        parameters.set_param(f"saas_website.limit_{name}", str(value))

    def is_allowed(self, address, email="bea@beta.example"):
        return self.env["saas.signup"]._is_allowed(email, address)

    def count_rows(self):
        return self.env["saas.rate"].search_count([])

    # === ADDRESSES === #

    def test_what_one_address_is_refused_uses_up_nothing_of_others(self):
        self.set_limit("address", 2)
        self.set_limit("network", 3)
        self.set_limit("domain", 3)
        flood = [self.is_allowed("203.0.113.1") for _number in range(50)]
        self.assertEqual(flood.count(True), 2)
        self.assertTrue(self.is_allowed("203.0.113.2"), "its network is locked out")
        self.set_limit("network", 100)
        self.set_limit("domain", 4)
        self.assertTrue(self.is_allowed("198.51.100.1"), "its mail domain is, too")

    def test_a_network_of_version_6_is_one_visitor(self):
        self.set_limit("address", 2)
        flood = [self.is_allowed(f"2001:db8:1:2::{n:x}") for n in range(1, 20)]
        self.assertEqual(flood.count(True), 2)
        self.assertTrue(self.is_allowed("2001:db8:1:3::1"))

    def test_an_address_written_as_version_6_counts_with_its_network(self):
        self.set_limit("network", 1)
        self.assertTrue(self.is_allowed("203.0.113.1"))
        self.assertFalse(self.is_allowed("::ffff:203.0.113.2"))

    def test_a_flood_from_one_address_keeps_as_many_rows_as_it_is_allowed(self):
        rates = self.env["saas.rate"]
        for _day in range(3):
            for _number in range(100):
                rates._allow("address", "203.0.113.1", 7, HOUR)
            self.assertEqual(self.count_rows(), 7)
            rates.search([]).date = fields.Datetime.now() - 2 * HOUR

    def test_a_limit_that_was_lowered_counts_what_was_counted_before(self):
        rates = self.env["saas.rate"]
        for _number in range(5):
            rates._allow("address", "x", 10, HOUR)
        self.assertFalse(rates._allow("address", "x", 4, HOUR))
        self.assertTrue(rates._allow("address", "x", 6, HOUR))

    def test_no_address_of_a_visitor_lies_in_the_table(self):
        self.is_allowed("203.0.113.1")
        rows = str(self.env["saas.rate"].search([]).read())
        self.assertNotIn("203.0.113", rows)
        self.assertNotIn("beta", rows)

    # === MAILBOXES === #

    def is_mailed(self, email, address):
        return self.env["saas.signup"]._is_mailbox_allowed(email, address)

    def test_one_address_does_not_shut_the_owner_out_of_a_mailbox(self):
        self.set_limit("mailbox", 6)
        flood = [self.is_mailed("bea@beta.example", "203.0.113.1") for _n in range(50)]
        self.assertEqual(flood.count(True), 3)
        self.assertTrue(self.is_mailed("bea@beta.example", "198.51.100.1"))

    def test_all_addresses_together_keep_to_the_limit_of_a_mailbox(self):
        self.set_limit("mailbox", 6)
        flood = [
            self.is_mailed("bea@beta.example", f"203.0.113.{n}") for n in range(20)
        ]
        self.assertEqual(flood.count(True), 6)

    def test_spellings_of_one_mailbox_are_one(self):
        for one, other, same in (
            ("b.e.a@gmail.com", "bea+x@googlemail.com", True),
            ("b.e.a@proton.me", "bea@proton.me", True),
            ("Bea+a+b@beta.example", "bea@BETA.example.", True),
            ("b.ea@beta.example", "bea@beta.example", False),
            ("bea@beta.example", "bea@sub.beta.example", False),
        ):
            with self.subTest(one=one, other=other):
                keys = mailbox.count_key(one), mailbox.count_key(other)
                self.assertEqual(keys[0] == keys[1], same)

    def test_a_code_that_was_not_mailed_is_none(self):
        self.set_limit("mailbox", 1)
        self.open_signup()
        signups = self.env["saas.signup"]
        with (
            self.mock_mail_gateway(),
            patch("secrets.randbelow", lambda _limit: 123456),
        ):
            signup, _token = signups._open(
                self.plan, self.website, signups._parse(self.form())
            )
        self.assertEqual(self._mails, [])
        self.assertIn("not the code", signup._prove("123456"))

    # === AT ONE MOMENT === #

    def test_two_at_one_moment_do_not_both_take_the_last_place(self):
        answers = []
        with self.env.registry.cursor() as one, self.env.registry.cursor() as other:
            for cr in (one, other):
                cr.execute("SELECT 1 FROM saas_rate")  # what is seen, is seen now
            rates = api.Environment(other, SUPERUSER_ID, {})["saas.rate"]

            def ask():
                answers.append(rates._allow("race", "x", 1, HOUR))
                other.commit()

            first = api.Environment(one, SUPERUSER_ID, {})["saas.rate"]
            answers.append(first._allow("race", "x", 1, HOUR))
            second = threading.Thread(target=ask)
            second.start()
            second.join(0.5)
            self.assertEqual(len(answers), 1, "the second did not wait")
            one.commit()
            second.join(10)
            first.search([("scope", "=", "race")]).unlink()
            one.commit()
        self.assertEqual(answers, [True, False])


class TestOneName(SignupCommon):
    def test_who_wants_a_name_at_the_moment_it_is_taken_reads_why_and_goes_on(self):
        signup, code = self.open_signup()
        signup._prove(code)
        host = signup._get_host_name()
        with self.env.registry.cursor() as other:
            domains = api.Environment(other, SUPERUSER_ID, {})["saas.domain"]
            domains.create({"name": host})
            domains.env.flush_all()
            # The first one has not committed: only the unique index knows of it.
            commit = threading.Timer(0.5, other.commit)
            commit.start()
            answer = signup._claim("beta")
            commit.join()
            domains.search([("name", "=", host)]).unlink()
            other.commit()
        self.assertIn("“beta” is taken. Please choose another", answer)
        self.assertEqual(signup.state, "confirmed")
        self.assertFalse(self.env["saas.tenant"].search([("name", "=", "beta")]))
        self.assertFalse(signup.partner_id, "a customer without a tenant is none")
        self.assertFalse(signup._claim("beta2"))
        self.assertEqual(signup.tenant_id.name, "beta2")

    def test_a_name_that_was_just_taken_is_not_suggested(self):
        suggest = self.env["saas.tenant"]._suggest_names
        self.assertIn("beta", suggest("beta"))
        self.assertNotIn("beta", suggest("beta", but="beta"))
        self.assertEqual(len(suggest("beta", but="beta")), 3)


@tagged("post_install", "-at_install")
class TestFloodOfPages(PagesCommon):
    """Floods as they come in, through a proxy that says from where."""

    def setUp(self):
        super().setUp()
        self.authenticate(None, None)
        self.startPatcher(patch.dict(config.options, {"proxy_mode": True}))

    def post_from(self, address, path, data):
        headers = {"X-Forwarded-For": address, "X-Forwarded-Host": "127.0.0.1"}
        return self.post(path, data, headers=headers)

    def sign_up(self, address, **values):
        with self.mock_mail_gateway():
            return self.post_from(address, self.signup_url(), self.form(**values))

    def test_a_flood_stops_its_address_and_nobody_else(self):
        parameters = self.env["ir.config_parameter"]
        parameters.set_param("saas_website.limit_address", "3")
        statuses = [
            self.sign_up("203.0.113.1", name=f"flood{n}", email=f"x{n}@f.example")
            for n in range(10)
        ]
        statuses = [answer.status_code for answer in statuses]
        self.assertEqual(statuses, [303] * 3 + [429] * 7)
        self.assertEqual(self.env["saas.signup"].search_count([]), 3)
        self.assertEqual(self.sign_up("203.0.113.2").status_code, 303)

    def test_the_last_proxy_is_believed_and_not_what_the_visitor_adds(self):
        parameters = self.env["ir.config_parameter"]
        parameters.set_param("saas_website.limit_address", "1")
        self.assertEqual(self.sign_up("192.0.2.1, 203.0.113.1").status_code, 303)
        answer = self.sign_up("192.0.2.2, 203.0.113.1", name="gamma")
        self.assertEqual(answer.status_code, 429)

    def test_the_login_page_is_flooded_for_one_address_alone(self):
        asked = [
            self.post_from(
                address, "/saas/login-link", {"email": f"x{number}@f.example"}
            ).status_code
            for number, address in enumerate(["203.0.113.1"] * 22 + ["203.0.113.2"])
        ]
        self.assertEqual(asked, [200] * 20 + [429] * 2 + [200])

    def test_codes_are_not_guessed_from_one_address_over_many_sign_ups(self):
        parameters = self.env["ir.config_parameter"]
        parameters.set_param("saas_website.limit_address", "1")
        signup, path, code = self.begin()
        answers = [
            self.post_from("203.0.113.1", f"{path}/code", {"code": guess})
            for guess in (self.other(code), self.other(code), code)
        ]
        texts = [self.text_of(answer) for answer in answers]
        self.assertIn("not the code", texts[1])
        self.assertIn("Too many codes", texts[2])
        self.assertEqual(signup.state, "code_sent")
        self.post_from("203.0.113.2", f"{path}/code", {"code": code})
        self.assertEqual(signup.state, "building")
