from odoo import api, models
from odoo.exceptions import AccessDenied
from odoo.fields import Domain


class ResUsers(models.Model):
    _inherit = "res.users"

    def _check_credentials(self, credential, env):
        """Accept a link that was mailed to the user, once.

        The token travels under a key that no login form passes on.
        """
        if credential.get("type") != "saas_link":
            return super()._check_credentials(credential, env)
        token = credential.get("saas_token")
        links = self.env["saas.login.link"]
        if not token or links._consume(token) != self.env.user:
            raise AccessDenied()
        return {
            "uid": self.env.user.id,
            "auth_method": "saas_link",
            "mfa": "default",
        }

    @api.model
    def _find_customer(self, email):
        """Return the portal user of that mailbox; never one of the staff.

        Users write their address themselves, but not their login: that comes first.

        :param str email: a normalised address
        """
        users = self.sudo().search(
            Domain("share", "=", True)
            & Domain("active", "=", True)
            & Domain("all_group_ids", "in", self.env.ref("base.group_portal").ids)
            & (Domain("login", "=", email) | Domain("email_normalized", "=", email)),
            order="id",
        )
        return users.sorted(lambda user: user.login.lower() != email)[:1]

    def _has_proved(self, email):
        """Whether that is the mailbox by which the user came, and still is theirs."""
        return email == (self.login or "").lower() == self.email_normalized
