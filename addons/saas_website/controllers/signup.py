from datetime import timedelta

from werkzeug.exceptions import NotFound

from odoo import http
from odoo.exceptions import UserError
from odoo.http import request

from ..const import SESSION_KEY
from ..engine import mailbox

KEPT_IN_SESSION = 5
CHECKS_A_MINUTE = 60
ROUTE = {"type": "http", "auth": "public", "website": True, "sitemap": False}


def get_address():
    """Return the visitor's network address."""
    return request.httprequest.remote_addr or ""


class Signup(http.Controller):
    # === FORM === #

    @http.route("/plans/<string:plan>/signup", methods=["GET"], **ROUTE)
    def signup_form(self, plan, **_kwargs):
        plan = self._get_plan(plan)
        user = request.env.user
        contact = user.partner_id if not user._is_public() else user.browse()
        values = {
            "company_name": contact and contact.sudo().commercial_company_name,
            "contact_name": contact and contact.name,
            "email": contact and contact.email,
            "lang": request.env.lang,
            "country_id": self._guess_country(contact),
        }
        return self._render_form(plan, values, {})

    @http.route("/plans/<string:plan>/signup", methods=["POST"], **ROUTE)
    def signup_submit(self, plan, **form):
        plan = self._get_plan(plan)
        signups = request.env["saas.signup"]
        values = signups._parse(form)
        errors = self._check_captcha() or signups._check_values(values)
        if errors:
            return self._render_form(plan, values, errors, status=422)
        if not signups._is_allowed(values["email"], get_address()):
            return self._render_form(plan, values, self._too_many(), status=429)
        _signup, token = signups._open(plan, request.website, values, get_address())
        tokens = request.session.get(SESSION_KEY, [])
        request.session[SESSION_KEY] = [*tokens, token][-KEPT_IN_SESSION:]
        return request.redirect(f"/saas/signup/{token}", 303)

    @http.route("/saas/signup/available", type="jsonrpc", auth="public", website=True)
    def available(self, name="", company=""):
        """Say whether a name is free, with names that are."""
        allow = request.env["saas.rate"]._allow
        window = timedelta(minutes=1)
        source = mailbox.get_source(get_address())
        if not allow("check", source, CHECKS_A_MINUTE, window):
            return {"limited": True}
        tenants = request.env["saas.tenant"].sudo()
        name = name.strip().lower()[:64] if isinstance(name, str) else ""
        message = tenants._explain_name(name) if name else False
        free = bool(name) and not message
        if free:
            message = request.env._("This address is free.")
        wanted = name or str(company)[:100]
        return {
            "available": free,
            "message": message or "",
            "suggestions": [] if free else tenants._suggest_names(wanted),
        }

    # === PAGES OF ONE SIGN-UP === #

    @http.route("/saas/signup/<string:token>", methods=["GET"], **ROUTE)
    def signup_page(self, token, **_kwargs):
        return self._render_page(self._get_signup(token), token)

    @http.route("/saas/signup/<string:token>/code", methods=["POST"], **ROUTE)
    def signup_code(self, token, code="", **_kwargs):
        signup = self._get_signup(token)
        if not signup._is_guess_allowed(get_address()):
            error = request.env._("Too many codes. Please try again tomorrow.")
            return self._render_page(signup, token, error=error)
        error = signup._prove(code)
        if error:
            return self._render_page(signup, token, error=error)
        return self._claim(signup, token, signup.name)

    @http.route("/saas/signup/<string:token>/resend", methods=["POST"], **ROUTE)
    def signup_resend(self, token, **_kwargs):
        signup = self._get_signup(token)
        error = signup._resend(get_address())
        notice = not error and request.env._("We sent a new code; older ones are void.")
        return self._render_page(signup, token, error=error, notice=notice)

    @http.route("/saas/signup/<string:token>/name", methods=["POST"], **ROUTE)
    def signup_name(self, token, name="", **_kwargs):
        signup = self._get_signup(token)
        return self._claim(signup, token, str(name).strip().lower())

    @http.route("/saas/signup/<string:token>/status", methods=["GET"], **ROUTE)
    def signup_status(self, token, **_kwargs):
        progress = self._get_signup(token)._get_progress()
        headers = [("Cache-Control", "no-store")]
        return request.make_json_response(progress, headers=headers)

    @http.route("/saas/signup/<string:token>/retry", methods=["POST"], **ROUTE)
    def signup_retry(self, token, **_kwargs):
        signup = self._get_signup(token)
        if not signup._is_retry_allowed():
            error = request.env._("Our staff are looking into it. Please try later.")
            return self._render_page(signup, token, error=error)
        signup._retry()
        return request.redirect(f"/saas/signup/{token}", 303)

    @http.route("/saas/signup/<string:token>/open", methods=["POST"], **ROUTE)
    def signup_open(self, token, **_kwargs):
        signup = self._get_signup(token)
        if not signup.tenant_id:
            return request.redirect(f"/saas/signup/{token}", 303)
        if request.env.user != signup.user_id:
            return request.redirect("/saas/login-link", 303)
        try:
            url = signup.tenant_id.with_user(request.env.user).get_login_url()
        except UserError:
            return request.redirect(f"/my/tenants/{signup.tenant_id.id}", 303)
        return request.redirect(url, 303, local=False)

    # === HELPERS === #

    def _get_plan(self, slug):
        plan = request.env["saas.plan"]._find_published(slug, request.website)
        if not plan:
            raise NotFound()
        return plan

    def _get_signup(self, token):
        """Return the sign-up of this browser; any other one is not found."""
        if token not in request.session.get(SESSION_KEY, []):
            raise NotFound()
        signup = request.env["saas.signup"]._find_by_token(token)
        if not signup:
            raise NotFound()
        return signup

    def _guess_country(self, contact):
        country = contact and contact.country_id
        if not country:
            code = request.geoip.country_code
            country = request.env["res.country"].sudo().search([("code", "=", code)])
        return (country or request.website.company_id.sudo().country_id).id

    def _claim(self, signup, token, name):
        error = signup._claim(name)
        if error:
            return self._render_page(signup, token, error=error)
        # Last: a session must not outlive a user whom an error rolled back, and forms
        # of a page that is shown now would not be taken from the new one.
        self._log_in(signup.user_id)
        return request.redirect(f"/saas/signup/{token}", 303)

    def _check_captcha(self):
        try:
            request.env["ir.http"]._verify_request_recaptcha_token("saas_signup")
        except UserError as error:
            return {"form": str(error)}
        return {}

    def _too_many(self):
        return {
            "form": request.env._(
                "There were too many sign-ups from your network or mail domain today. "
                "Please try again tomorrow, or write to us."
            )
        }

    def _log_in(self, user):
        """Log in who has just proved to read the customer's mailbox."""
        if not user or not request.env.user._is_public():
            return
        token = request.env["saas.login.link"]._create_for(user)
        request.session.authenticate(
            request.env,
            {"type": "saas_link", "login": user.login, "saas_token": token},
        )

    def _render_form(self, plan, values, errors, status=200):
        response = request.render(
            "saas_website.signup_form",
            {
                "plan": plan,
                "values": values,
                "errors": errors,
                "languages": request.env["res.lang"].sudo().get_installed(),
                "countries": request.env["res.country"].sudo().search([]),
                "tenant_domain": self._get_tenant_domain(),
            },
        )
        response.status_code = status
        return response

    def _get_tenant_domain(self):
        tenants = request.env["saas.tenant"].sudo()
        return tenants.new({"name": "x"})._make_host().partition(".")[2]

    def _render_page(self, signup, token, error=False, notice=False):
        pages = {"code_sent": "signup_code", "expired": "signup_expired"}
        page = pages.get(signup.state, "signup_progress")
        if signup.state == "confirmed" and not signup.tenant_id:
            page = "signup_name"
        values = {
            "signup": signup,
            "token": token,
            "error": error,
            "notice": notice,
            "progress": signup._get_progress(),
            "tenant_domain": self._get_tenant_domain(),
        }
        if page == "signup_name":
            tenants = request.env["saas.tenant"].sudo()
            # Who took the name at this very moment is not seen by a search yet.
            names = tenants._suggest_names(signup.name, but=signup.name)
            values["suggestions"] = names
        return request.render(f"saas_website.{page}", values)
