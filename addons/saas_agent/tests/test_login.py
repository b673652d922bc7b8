from __future__ import annotations

import base64
import logging
import time
import uuid
from unittest.mock import patch

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from odoo import http
from odoo.tests import HttpCase, tagged

from ..controllers import login
from ..hardening import HideToken
from ..settings import Settings
from ..token import EXPIRED, NOT_SET_UP, NOT_VALID, USED

UID = "t0123456789ab"
MASTER = Ed25519PrivateKey.generate()
LOGGER = "odoo.addons.saas_agent.controllers.login"


class LoginCommon(HttpCase):
    def setUp(self):
        super().setUp()
        key = MASTER.public_key().public_bytes_raw()
        self.settings = Settings(uid=UID, public_key=base64.b64encode(key).decode())
        patcher = patch.object(login, "read_settings", lambda _path: self.settings)
        self.startPatcher(patcher)
        self.admin = self.env["res.users"].browse(2)

    def make_token(self, key=MASTER, algorithm="EdDSA", **changes):
        now = int(time.time())
        claims = {
            "iss": "saas",
            "aud": UID,
            "sub": "admin",
            "iat": now,
            "nbf": now,
            "exp": now + 60,
            "jti": uuid.uuid4().hex,
            **changes,
        }
        return jwt.encode(claims, key, algorithm=algorithm)

    def follow(self, token, **kwargs):
        return self.url_open(
            f"/saas/login?token={token}", allow_redirects=False, **kwargs
        )

    def session_of(self, response):
        return http.root.session_store.get(response.cookies["session_id"])

    def assert_refused(self, token, message):
        with self.assertLogs(LOGGER, logging.WARNING) as logs:
            response = self.follow(token)
        self.assertEqual(response.status_code, 403)
        self.assertIn(message, response.text)
        self.assertEqual(response.headers["Cache-Control"], "no-store")
        self.assertNotIn(token, "".join(logs.output))
        backoffice = self.url_open("/odoo", allow_redirects=False)
        self.assertIn("/web/login", backoffice.headers["Location"])


@tagged("-at_install", "post_install")
class TestLogin(LoginCommon):
    def test_a_token_opens_the_back_office(self):
        response = self.follow(self.make_token())
        self.assertEqual(response.status_code, 303)
        self.assertEqual(response.headers["Location"], "/odoo")
        self.assertEqual(self.session_of(response).uid, self.admin.id)
        page = self.url_open("/odoo", allow_redirects=False)
        self.assertEqual(page.status_code, 200)
        self.assertIn('"uid": 2', page.text)

    def test_a_posted_token_opens_it_too(self):
        response = self.url_open(
            "/saas/login", data={"token": self.make_token()}, allow_redirects=False
        )
        self.assertEqual(response.status_code, 303)
        self.assertEqual(self.session_of(response).uid, self.admin.id)

    def test_the_answer_is_neither_stored_nor_told_to_others(self):
        headers = self.follow(self.make_token()).headers
        self.assertEqual(headers["Cache-Control"], "no-store")
        self.assertEqual(headers["Referrer-Policy"], "no-referrer")

    def test_the_session_before_the_login_is_worth_nothing_after_it(self):
        before = self.url_open("/web/login").cookies["session_id"]
        after = self.follow(self.make_token()).cookies["session_id"]
        self.assertNotEqual(before, after)
        self.assertFalse(http.root.session_store.get(before).uid)

    def test_who_is_logged_in_becomes_the_administrator(self):
        user = self.env["res.users"].create(
            {"name": "Other", "login": "other", "password": "other-password"}
        )
        self.authenticate("other", "other-password")
        self.assertEqual(self.session.uid, user.id)
        response = self.follow(self.make_token())
        self.assertEqual(self.session_of(response).uid, self.admin.id)

    def test_the_login_is_recorded_as_one_of_the_administrator(self):
        logs = self.env["res.users.log"].sudo()
        before = logs.search_count([("create_uid", "=", self.admin.id)])
        self.follow(self.make_token())
        after = logs.search_count([("create_uid", "=", self.admin.id)])
        self.assertEqual(after, before + 1)

    def test_a_token_is_good_once(self):
        token = self.make_token()
        self.assertEqual(self.follow(token).status_code, 303)
        self.opener.cookies.clear()
        self.assert_refused(token, USED)

    def test_a_late_token_is_refused(self):
        now = int(time.time())
        token = self.make_token(iat=now - 61, nbf=now - 61, exp=now - 1)
        self.assert_refused(token, EXPIRED)

    def test_a_foreign_token_is_refused(self):
        self.assert_refused(self.make_token(aud="tba9876543210"), NOT_VALID)

    def test_an_altered_token_is_refused(self):
        header, payload, signature = self.make_token().split(".")
        flipped = ("A" if signature[0] != "A" else "B") + signature[1:]
        self.assert_refused(f"{header}.{payload}.{flipped}", NOT_VALID)

    def test_an_unsigned_token_is_refused(self):
        token = self.make_token(key=None, algorithm="none")
        self.assert_refused(token, NOT_VALID)

    def test_a_token_of_another_key_is_refused(self):
        token = self.make_token(key=Ed25519PrivateKey.generate())
        self.assert_refused(token, NOT_VALID)

    def test_a_token_for_an_unknown_user_is_refused(self):
        self.assert_refused(self.make_token(sub="demo"), NOT_VALID)

    def test_no_token_is_refused(self):
        response = self.url_open("/saas/login", allow_redirects=False)
        self.assertEqual(response.status_code, 403)
        self.assertIn(NOT_VALID, response.text)

    def test_a_refused_token_is_not_used_up(self):
        # As when the administrator is switched on again a moment later.
        token = self.make_token()
        self.admin.active = False
        self.assert_refused(token, NOT_VALID)
        self.admin.active = True
        self.assertEqual(self.follow(token).status_code, 303)

    def test_a_system_without_a_key_says_so(self):
        self.settings = Settings()
        self.assert_refused(self.make_token(), NOT_SET_UP)

    def test_ids_of_expired_tokens_are_forgotten_and_others_kept(self):
        parameters = self.env["ir.config_parameter"].sudo()
        now = int(time.time())
        parameters.set_param("saas_agent.nonce.expired", str(now - 3600))
        parameters.set_param("saas_agent.nonce.valid", str(now + 30))
        self.follow(self.make_token())
        self.env.invalidate_all()
        keys = parameters.search([("key", "like", "saas_agent.nonce.")]).mapped("key")
        self.assertNotIn("saas_agent.nonce.expired", keys)
        self.assertIn("saas_agent.nonce.valid", keys)
        self.assertEqual(len(keys), 2)

    def test_the_second_factor_is_still_asked_for(self):
        users = type(self.admin)
        with patch.object(users, "_mfa_url", lambda _self: "/web/login/totp"):
            response = self.follow(self.make_token())
        self.assertEqual(response.headers["Location"], "/web/login/totp")
        session = self.session_of(response)
        self.assertFalse(session.uid)
        self.assertEqual(session["pre_uid"], self.admin.id)
        page = self.url_open("/odoo", allow_redirects=False)
        self.assertIn("/web/login", page.headers["Location"])


@tagged("-at_install", "post_install")
class TestHardening(LoginCommon):
    def cookie(self, response):
        values = response.raw.headers.getlist("Set-Cookie")
        return next(value for value in values if value.startswith("session_id="))

    def test_the_session_goes_to_this_site_alone(self):
        cookie = self.cookie(self.follow(self.make_token()))
        self.assertIn("; HttpOnly", cookie)
        self.assertIn("; SameSite=Lax", cookie)
        self.assertNotIn("; Secure", cookie)

    def test_the_session_goes_by_https_alone_where_there_is_https(self):
        with patch.object(
            http.HTTPRequest, "scheme", property(lambda _self: "https"), create=True
        ):
            response = self.follow(self.make_token())
        self.assertIn("; Secure", self.cookie(response))

    def test_who_comes_to_log_in_by_password_gets_the_same_cookie(self):
        cookie = self.cookie(self.url_open("/web/login", allow_redirects=False))
        self.assertIn("; HttpOnly", cookie)
        self.assertIn("; SameSite=Lax", cookie)

    def test_no_route_of_the_database_manager_is_left(self):
        modules = ["", "base", "web", "saas_agent"]
        for nodb_only in (True, False):
            urls = [url for url, _ in http._generate_routing_rules(modules, nodb_only)]
            self.assertIn("/web/health", urls)
            self.assertFalse([url for url in urls if url.startswith("/web/database")])

    def test_the_pages_of_the_database_manager_are_not_found(self):
        for page in ("manager", "selector", "list"):
            response = self.url_open(f"/web/database/{page}", allow_redirects=False)
            self.assertEqual(response.status_code, 404)
        for page in ("create", "drop", "backup", "restore", "change_password"):
            response = self.url_open(
                f"/web/database/{page}",
                data={"master_pwd": "admin", "name": "any"},
                allow_redirects=False,
            )
            self.assertEqual(response.status_code, 404)

    def test_the_log_of_requests_does_not_hold_the_token(self):
        token = self.make_token()
        with self.assertLogs("werkzeug", logging.INFO) as logs:
            self.follow(token)
        self.assertIn("/saas/login?...", logs.output[0])
        self.assertNotIn(token, logs.output[0])

    def test_the_filter_leaves_other_lines_alone(self):
        record = logging.LogRecord(
            "werkzeug", logging.INFO, "", 0, '"%s" %s', ("GET /odoo?a=b", 200), None
        )
        self.assertTrue(HideToken().filter(record))
        self.assertEqual(record.getMessage(), '"GET /odoo?a=b" 200')
