from odoo import api, fields, models
from odoo.exceptions import ValidationError

from .saas_placement import DISK_FLOOR, MEMORY_OVERCOMMIT
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
    saas_dns_resolver = fields.Char(
        string="DNS Resolver",
        config_parameter="saas.dns_resolver",
        help="Whom to ask for the records that prove customers' own domains, e.g. "
        "192.0.2.53 or 192.0.2.53:5353. Empty: this machine's own resolvers.",
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
    saas_memory_overcommit = fields.Float(
        string="Memory Promised",
        config_parameter="saas.memory_overcommit",
        default=MEMORY_OVERCOMMIT,
        help="How many times its memory a server may promise to its tenants.",
    )
    saas_disk_floor = fields.Float(
        string="Disk Kept Free",
        config_parameter="saas.disk_floor",
        default=DISK_FLOOR,
        help="GiB that have to be free on the disk of a server that takes tenants.",
    )

    @api.constrains("saas_full_percent")
    def _check_full_percent(self):
        for settings in self:
            if not 1 <= settings.saas_full_percent <= 100:
                raise ValidationError(
                    self.env._("“Nearly Full At” is a number from 1 to 100.")
                )

    @api.constrains("saas_memory_overcommit", "saas_disk_floor")
    def _check_placement(self):
        for settings in self:
            if settings.saas_memory_overcommit < 1:
                raise ValidationError(
                    self.env._("“Memory Promised” is a number from 1 on.")
                )
            if settings.saas_disk_floor <= 0:
                raise ValidationError(
                    self.env._("“Disk Kept Free” is a number above 0.")
                )
