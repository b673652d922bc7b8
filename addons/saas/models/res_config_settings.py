from odoo import fields, models


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
