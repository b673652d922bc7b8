from __future__ import annotations

import logging
import time

from odoo import http
from odoo.http import request
from odoo.tools import config, html_escape

from ..settings import read_settings
from ..token import NOT_VALID, USED, TokenError, check_token, load_public_key

_logger = logging.getLogger(__name__)

ADMINISTRATOR_ID = 2
NONCE_PREFIX = "saas_agent.nonce."
KEPT = 60
"""Seconds that the id of an expired token is still remembered, as clocks may jump."""

PAGE = """<!DOCTYPE html>
<html lang="{lang}">
<head>
<meta charset="utf-8"/>
<meta name="viewport" content="width=device-width, initial-scale=1"/>
<title>{title}</title>
<style>
body {{ font: 1.1rem/1.6 sans-serif; color: #374151; background: #f3f4f6;
  margin: 20vh auto; max-width: 32rem; padding: 0 1rem; text-align: center; }}
a {{ color: #714b67; }}
</style>
</head>
<body><p>{message}</p><p><a href="/web/login">{password}</a></p></body>
</html>
"""


class Login(http.Controller):
    # The token itself proves who sends it, and it comes from another site.
    @http.route(
        "/saas/login",
        type="http",
        auth="none",
        methods=["GET", "POST"],
        readonly=False,
        csrf=False,
        sitemap=False,
    )
    def login(self, token="", **_kwargs):
        """Log the administrator in who brings a one-time token of the master."""
        try:
            user = self._use_token(token)
        except TokenError as error:
            _logger.warning(
                "Login link refused, from %s: %s",
                request.httprequest.remote_addr,
                error.reason,
            )
            page = self._make_page(str(error))
            return self._answer(request.make_response(page, status=403))
        _logger.info("Login link used, from %s", request.httprequest.remote_addr)
        return self._answer(request.redirect(self._log_in(user), 303))

    def _use_token(self, token):
        """Check a token and make sure that it is never accepted again.

        :return: the user whom it logs in
        :raise TokenError: whatever is wrong with it
        """
        settings = read_settings(config["config"])
        claims = check_token(
            token,
            public_key=load_public_key(settings.public_key),
            audience=settings.uid,
        )
        user = request.env["res.users"].sudo().browse(ADMINISTRATOR_ID).exists()
        if not user.active:
            raise TokenError(NOT_VALID, reason="no active administrator")
        self._remember(claims)
        return user.with_user(user)

    def _remember(self, claims):
        # Not by the ORM: of two requests at one moment exactly one must insert.
        cr = request.env.cr
        cr.execute(
            """
            INSERT INTO ir_config_parameter
                        (key, value, create_uid, create_date, write_uid, write_date)
                 VALUES (%s, %s, 1, now() AT TIME ZONE 'UTC',
                         1, now() AT TIME ZONE 'UTC')
            ON CONFLICT DO NOTHING
            """,
            [NONCE_PREFIX + claims.jti, str(claims.expires)],
        )
        if not cr.rowcount:
            raise TokenError(USED, reason="used already")
        # Ten digits each until the year 2286, so the order of texts is that of numbers.
        cr.execute(
            """
            DELETE FROM ir_config_parameter
                  WHERE starts_with(key, %s)
                    AND value < %s
            """,
            [NONCE_PREFIX, str(int(time.time()) - KEPT)],
        )

    def _log_in(self, user):
        """Begin a fresh session, as a login by password does.

        :return: where to go next: the back office, or the page of the second factor
        """
        session = request.session
        session.logout(keep_db=True)
        session["pre_login"] = user.login
        session["pre_uid"] = user.id
        user._update_last_login()
        second_factor = user._mfa_url()
        if second_factor:
            return second_factor
        session.finalize(request.env)
        request.update_env(user=session.uid)
        request.update_context(**session.context)
        return "/odoo"

    def _make_page(self, sentence):
        """Return the page that says why nobody was logged in."""
        env = request.env
        return PAGE.format(
            lang=(env.lang or "en_US").replace("_", "-"),
            title=html_escape(env._("Login link")),
            message=html_escape(env._(sentence)),
            password=html_escape(env._("Log in with a password")),
        )

    def _answer(self, response):
        response.headers["Cache-Control"] = "no-store"
        response.headers["Referrer-Policy"] = "no-referrer"
        response.headers["X-Frame-Options"] = "DENY"
        return response
