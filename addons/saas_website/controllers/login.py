from datetime import timedelta

from odoo import http
from odoo.exceptions import AccessDenied, UserError
from odoo.http import request
from odoo.tools import email_normalize

from ..engine import mailbox
from ..models.saas_signup import clean
from .signup import ROUTE, get_address

REQUESTS_AN_HOUR = 20  # from one address


class LoginLink(http.Controller):
    @http.route("/saas/login-link", methods=["GET"], **ROUTE)
    def login_link_form(self, **_kwargs):
        return request.render("saas_website.login_link_form", {})

    @http.route("/saas/login-link", methods=["POST"], **ROUTE)
    def login_link_send(self, email="", **_kwargs):
        """Answer alike whoever is asked for; a job looks the address up."""
        address = get_address()
        source = mailbox.get_source(address)
        allow = request.env["saas.rate"]._allow
        if not allow("login_link", source, REQUESTS_AN_HOUR, timedelta(hours=1)):
            error = request.env._("Too many requests. Please try again in an hour.")
            return self._render_form(error, 429)
        try:
            request.env["ir.http"]._verify_request_recaptcha_token("saas_login_link")
        except UserError as error:
            return self._render_form(str(error), 422)
        email = email_normalize(clean(email)[:254])
        if not email:
            error = request.env._("That does not look like an e-mail address.")
            return self._render_form(error, 422)
        if request.env["saas.signup"]._is_mailbox_allowed(email, address):
            links = request.env["saas.login.link"].sudo()
            links.with_delay(description="Mail a login link", priority=1)._send(email)
        return request.render("saas_website.login_link_sent", {"email": email})

    @http.route("/saas/login-link/<string:token>", methods=["GET"], **ROUTE)
    def login_link_page(self, token, **_kwargs):
        """Show a button: programs that look at mails follow links, but press none."""
        return request.render("saas_website.login_link_page", {"token": token})

    @http.route("/saas/login-link/<string:token>", methods=["POST"], **ROUTE)
    def login_link_use(self, token, **_kwargs):
        user = request.env["saas.login.link"]._find(token).user_id
        credential = {"type": "saas_link", "login": user.login, "saas_token": token}
        try:
            if not user:
                raise AccessDenied()
            request.session.authenticate(request.env, credential)
        except AccessDenied:
            return self._render_form(
                request.env._("That link is too old or was used. Ask for a new one."),
                403,
            )
        return request.redirect(user._mfa_url() or "/my/tenants", 303)

    def _render_form(self, error, status):
        response = request.render("saas_website.login_link_form", {"error": error})
        response.status_code = status
        return response
