from odoo import api, fields, models
from odoo.exceptions import ValidationError

from .saas_server import FULL_PERCENT


class ResConfigSettings(models.TransientModel):
    _inherit = "res.config.settings"

    saas_tenant_domain = fields.Char(
        string="Tenant Domain",
        config_parameter="saas.tenant_domain",
        default="odoo.localhost",
        help="Tenants are found at <subdomain>.<this domain>. Take another domain than "
        "the master's, so that no tenant can set cookies for it.",
    )
    saas_login_consent = fields.Boolean(
        string="Customers Decide on Support Access",
        config_parameter="saas.login_consent",
        help="Staff log in only to tenants whose customer allows it.",
    )
    saas_full_percent = fields.Integer(
        string="Nearly Full At",
        config_parameter="saas.full_percent",
        default=FULL_PERCENT,
        help="Percent of a server's room, memory or disk that is in use; from there on "
        "it is shown under Needs Attention.",
    )

    @api.constrains("saas_full_percent")
    def _check_full_percent(self):
        for settings in self:
            if not 1 <= settings.saas_full_percent <= 100:
                raise ValidationError(
                    self.env._("“Nearly Full At” is a number from 1 to 100.")
                )
