import secrets
import unicodedata
from datetime import timedelta

from odoo import api, fields, models
from odoo.fields import Domain
from odoo.tools import consteq, email_normalize, hmac

from ..engine import mailbox
from .res_config_settings import LIMITS
from .saas_login_link import hash_token

STATES = {
    "code_sent": "Code Sent",
    "confirmed": "Confirmed",
    "building": "Building",
    "done": "Done",
    "failed": "Failed",
    "expired": "Expired",
}
CODE_DIGITS = 6
CODE_VALID = timedelta(minutes=15)
CODE_TRIES = 5
MAX_CODES = 4  # for one sign-up, the first one included
MAX_NAMES = 20  # tries of other names after one was taken
UNPROVED_KEPT = timedelta(days=1)
EXPIRED_KEPT = timedelta(days=30)
DAY = timedelta(days=1)
LONGEST_TEXT = 100


def clean(value):
    """Return typed text as one line without what nobody sees, e.g. a change of the
    direction of writing; empty for what is no text, as a file.
    """
    words = value.split() if isinstance(value, str) else ()
    return "".join(c for c in " ".join(words) if unicodedata.category(c)[0] != "C")


class SaasSignup(models.Model):
    """A visitor on the way to a tenant; nothing is built before the code is proved."""

    _name = "saas.signup"
    _inherit = ["bus.listener.mixin"]
    _description = "Sign-up"
    _order = "id desc"
    _rec_name = "company_name"

    state = fields.Selection(
        selection=list(STATES.items()), default="code_sent", required=True, index=True
    )
    plan_id = fields.Many2one("saas.plan", required=True, ondelete="restrict")
    website_id = fields.Many2one("website", ondelete="set null")
    company_id = fields.Many2one("res.company", required=True)
    company_name = fields.Char(required=True)
    contact_name = fields.Char(required=True)
    email = fields.Char(required=True)
    name = fields.Char(string="Subdomain", required=True)
    lang = fields.Char(string="Language", required=True)
    country_id = fields.Many2one("res.country")
    partner_id = fields.Many2one("res.partner", string="Customer", ondelete="set null")
    user_id = fields.Many2one("res.users", ondelete="set null")
    tenant_id = fields.Many2one("saas.tenant", index=True, ondelete="set null")
    token_hash = fields.Char(required=True, groups="base.group_system")
    code_hash = fields.Char(groups="base.group_system")
    code_salt = fields.Char(groups="base.group_system")
    code_expiry = fields.Datetime()
    code_tries = fields.Integer(string="Wrong Codes")
    codes_sent = fields.Integer()
    date_confirmed = fields.Datetime(string="Address Proved")
    date_failed = fields.Datetime(string="Failed First")
    slot = fields.Integer(default=-1, help="Its place among those built at once.")

    _token_unique = models.Constraint("UNIQUE(token_hash)", "Tokens are unique.")
    _slot_unique = models.UniqueIndex(
        "(slot) WHERE slot >= 0", "That place is taken by another sign-up."
    )

    @api.model
    def _get_limit(self, name):
        """Return a limit of the settings; 0 is no limit."""
        key = f"saas_website.limit_{name}"
        value = self.env["ir.config_parameter"].sudo().get_param(key)
        return int(value) if value not in (None, False, "") else LIMITS[key]

    # === BEGINNING === #

    @api.model
    def _check_values(self, values):
        """Return what is wrong with a form, by field; empty where nothing is."""
        errors = {}
        if not values["company_name"]:
            errors["company_name"] = self.env._("Please tell us your company's name.")
        if not values["contact_name"]:
            errors["contact_name"] = self.env._("Please tell us your name.")
        email = email_normalize(values["email"])
        if not email or not email.isascii() or email != values["email"].lower():
            errors["email"] = self.env._("That does not look like an e-mail address.")
        elif mailbox.is_disposable(email):
            errors["email"] = self.env._(
                "Please use a permanent e-mail address: you log in with it."
            )
        error = self.env["saas.tenant"]._explain_name(values["name"])
        if error:
            errors["name"] = error
        if values["lang"] not in dict(self.env["res.lang"].get_installed()):
            errors["lang"] = self.env._("Please choose a language.")
        if not values["country_id"]:
            errors["country_id"] = self.env._("Please choose a country.")
        return errors

    @api.model
    def _parse(self, form):
        """Return the values of a form as they came from a browser."""

        def text(name):
            return clean(form.get(name))[:LONGEST_TEXT]

        country_id = text("country_id")
        country = self.env["res.country"].sudo()
        if country_id.isdecimal() and len(country_id) < 9:
            country = country.browse(int(country_id)).exists()
        return {
            "company_name": text("company_name"),
            "contact_name": text("contact_name"),
            "email": text("email"),
            "name": text("name").lower(),
            "lang": text("lang"),
            "country_id": country.id,
        }

    @api.model
    def _is_allowed(self, email, address):
        """Count one more sign-up from there; tell whether that is not too many.

        What is said of a network or a mail domain says nothing of one mailbox. What is
        refused to one address uses up nothing of what it shares with others.
        """
        counted = [
            ("address", mailbox.get_source(address)),
            ("network", mailbox.get_network(address)),
        ]
        if not mailbox.is_public_provider(email):
            counted.append(("domain", mailbox.get_domain(email)))
        allow = self.env["saas.rate"]._allow
        return all(
            allow(name, key, self._get_limit(name), DAY) for name, key in counted
        )

    @api.model
    def _is_guess_allowed(self, address):
        """Count one more code from there: two for each sign-up that it may have."""
        limit = 2 * self._get_limit("address")
        return self.env["saas.rate"]._allow(
            "guess", mailbox.get_source(address), limit, DAY
        )

    @api.model
    def _open(self, plan, website, values, address=""):
        """Begin a sign-up: mail the code, and return the token of its pages.

        :param str address: from where it was asked for
        :return: the sign-up and its token, which is stored nowhere
        """
        token = secrets.token_urlsafe(24)
        signup = self.sudo().create(
            {
                **values,
                "email": email_normalize(values["email"]),
                "plan_id": plan.id,
                "website_id": website.id,
                "company_id": (plan.company_id or website.company_id).id,
                "token_hash": hash_token(token),
            }
        )
        signup._send_code(address)
        return signup, token

    @api.model
    def _find_by_token(self, token):
        return self.sudo().search([("token_hash", "=", hash_token(token))], limit=1)

    # === CODES === #

    def _hash_code(self, code):
        self.ensure_one()
        message = f"{self.id}:{self.code_salt}:{code}"
        return hmac(self.env(su=True), "saas_website.code", message)

    def _send_code(self, address):
        """Mail a new code, and let older ones count no more.

        A mailbox that got too many is answered as every other one, but what was not
        mailed is no code: guesses at one mailbox are as few as mails to it.
        """
        self.ensure_one()
        mailed = self._is_mailbox_allowed(self.email, address)
        code = f"{secrets.randbelow(10**CODE_DIGITS):0{CODE_DIGITS}d}"
        self.write(
            {
                "code_salt": secrets.token_hex(16),
                "code_expiry": fields.Datetime.now() + CODE_VALID,
                "code_tries": 0,
                "codes_sent": self.codes_sent + 1,
            }
        )
        self.code_hash = self._hash_code(code if mailed else secrets.token_hex())
        if not mailed:
            return
        self._mail("code", code=code)

    def _mail(self, name, **values):
        """Mail one of our templates to the visitor, in the visitor's language."""
        self.ensure_one()
        template = self.env.ref(f"saas_website.mail_template_{name}").sudo()
        mail_id = template.with_context(**values).send_mail(
            self.id, email_values={"email_to": self.email}
        )
        self.env["mail.mail"].sudo().browse(mail_id).send_after_commit()

    @api.model
    def _is_mailbox_allowed(self, email, address):
        """Count one more mail to that mailbox; tell whether it may go out.

        Half of them are all that one address can ask for: it does not shut out the
        mailbox's owner alone.
        """
        limit = self._get_limit("mailbox")
        allow = self.env["saas.rate"]._allow
        key = mailbox.count_key(email)
        asked = f"{mailbox.get_source(address)} {key}"
        return allow("mailbox_source", asked, -(-limit // 2), DAY) and allow(
            "mailbox", key, limit, DAY
        )

    def _resend(self, address=""):
        """Mail another code; return why not, False where it was done."""
        self.ensure_one()
        self.lock_for_update()
        if self.state != "code_sent":
            return self.env._("This sign-up needs no code any more.")
        if self.codes_sent >= MAX_CODES:
            return self.env._(
                "No more codes for this sign-up. Please begin again from the plans."
            )
        self._send_code(address)
        return False

    def _prove(self, code):
        """Accept the code that was mailed; return what is wrong, False if nothing.

        The row is locked first: guesses at the same moment are counted one by one.
        """
        self.ensure_one()
        self.lock_for_update()
        if self.state != "code_sent":
            return self.env._("This sign-up needs no code any more.")
        if self.code_tries >= CODE_TRIES:
            return self.env._("Too many wrong codes. Please ask for a new one.")
        if self.code_expiry <= fields.Datetime.now():
            return self.env._("That code is too old. Please ask for a new one.")
        digits = "".join(c for c in str(code or "") if c.isascii() and c.isdigit())
        if not consteq(self.code_hash, self._hash_code(digits)):
            self.code_tries += 1
            return self.env._("That is not the code we sent. Please check it.")
        self.write(
            {
                "state": "confirmed",
                "code_hash": False,
                "code_salt": False,
                "date_confirmed": fields.Datetime.now(),
            }
        )
        return False

    # === CUSTOMER === #

    def _attach_customer(self):
        """Find the customer by the proved address, or create one who may log in."""
        self.ensure_one()
        users = self.env["res.users"].sudo()
        user = users._find_customer(self.email)
        if not user._has_proved(self.email):
            user = users.browse()
        partner = user.partner_id or self._find_partner() or self._create_partner()
        taken = users.with_context(active_test=False).search_count(
            Domain("login", "=", self.email) | Domain("partner_id", "=", partner.id),
            limit=1,
        )
        if not user and not taken:
            user = self._create_user(partner)
        self.write({"partner_id": partner.id, "user_id": user.id})

    def _find_partner(self):
        """Return the contact whom staff know by that address, or none.

        Customers write what they like into contacts of theirs: with such an address
        somebody else's tenant would become theirs.
        """
        partners = self.env["res.partner"].sudo()
        found = partners.search(
            Domain("email_normalized", "=", self.email)
            & Domain("company_id", "in", (False, self.company_id.id)),
            order="is_company, id",
        )
        users = self.env["res.users"].sudo().with_context(active_test=False)
        for partner in found:
            company = partner.commercial_partner_id
            owners = users.search(
                Domain("partner_id", "child_of", company.id)
                & Domain("share", "=", True)
            )
            if all(user._has_proved(self.email) for user in owners):
                return partner
        return partners

    def _create_partner(self):
        values = {"lang": self.lang, "country_id": self.country_id.id}
        partners = self.env["res.partner"].sudo().with_company(self.company_id)
        company = partners.create(
            {**values, "name": self.company_name, "is_company": True}
        )
        return partners.create(
            {
                **values,
                "name": self.contact_name,
                "email": self.email,
                "parent_id": company.id,
            }
        )

    def _create_user(self, partner):
        """Create a portal user without a password, as a sign-up of Odoo's does."""
        users = self.env["res.users"].sudo().with_company(self.company_id)
        user = users._signup_create_user(
            {
                "login": self.email,
                "name": partner.name,
                "email": self.email,
                "partner_id": partner.id,
                "company_id": self.company_id.id,
                "company_ids": [fields.Command.set(self.company_id.ids)],
                "lang": self.lang,
            }
        )
        return users.browse(user.id)

    # === UPKEEP === #

    @api.model
    def _cron_sweep(self):
        """Make true what no event made true: late ones expire, waiting ones start."""
        late = fields.Datetime.now() - UNPROVED_KEPT
        self.search(
            Domain("state", "in", ("code_sent", "confirmed"))
            & Domain("tenant_id", "=", False)
            & Domain("create_date", "<", late)
        ).write({"state": "expired", "code_hash": False, "code_salt": False})
        for signup in self.search([("state", "=", "building")]):
            signup._follow_tenant()
        self._start_waiting()

    @api.autovacuum
    def _gc_expired(self):
        late = fields.Datetime.now() - EXPIRED_KEPT
        self.search([("state", "=", "expired"), ("write_date", "<", late)]).unlink()
