import hashlib
import secrets
from datetime import timedelta

from odoo import api, fields, models
from odoo.tools import email_normalize

VALID = timedelta(minutes=15)


def hash_token(token):
    """Return what is stored of a token: it has 192 bits, so no salt is needed."""
    return hashlib.sha256(token.encode()).hexdigest()


class SaasLoginLink(models.Model):
    """Links by which customers come back: one mailbox, one use, 15 minutes."""

    _name = "saas.login.link"
    _description = "Login Link"

    user_id = fields.Many2one("res.users", required=True, ondelete="cascade")
    token_hash = fields.Char(required=True, groups="base.group_system")
    date_expiry = fields.Datetime(required=True)

    _token_unique = models.Constraint("UNIQUE(token_hash)", "Tokens are unique.")

    @api.model
    def _create_for(self, user):
        """Return a new token for the user; older ones stop working."""
        links = self.sudo()
        links.search([("user_id", "=", user.id)]).unlink()
        token = secrets.token_urlsafe(24)
        links.create(
            {
                "user_id": user.id,
                "token_hash": hash_token(token),
                "date_expiry": fields.Datetime.now() + VALID,
            }
        )
        return token

    @api.model
    def _find(self, token):
        return self.sudo().search(
            [
                ("token_hash", "=", hash_token(token)),
                ("date_expiry", ">", fields.Datetime.now()),
                ("user_id.active", "=", True),
            ],
            limit=1,
        )

    @api.model
    def _consume(self, token):
        """Return the user whom the token lets in, and forget the token."""
        link = self._find(token).try_lock_for_update()
        user = link.user_id
        link.unlink()
        return user

    @api.model
    def _send(self, email):
        """Mail a link where the address belongs to a customer.

        A job of the worker does this, so that the page answers alike, and as fast,
        whether the address is known or not.
        """
        user = self.env["res.users"]._find_customer(email_normalize(email) or "")
        if not user:
            return
        token = self._create_for(user)
        base_url = self.env["ir.config_parameter"].sudo().get_param("web.base.url")
        template = self.env.ref("saas_website.mail_template_login_link").sudo()
        template.with_context(
            link=f"{base_url.rstrip('/')}/saas/login-link/{token}"
        ).send_mail(user.id, force_send=True, email_values={"email_to": user.email})

    @api.autovacuum
    def _gc_links(self):
        self.search([("date_expiry", "<", fields.Datetime.now())]).unlink()
