from odoo import fields, models

# Defaults of the limits; 0 is no limit.
LIMITS = {
    "saas_website.limit_mailbox": 20,
    "saas_website.limit_address": 20,
    "saas_website.limit_network": 100,
    "saas_website.limit_domain": 50,
    "saas_website.limit_building": 4,
}
WAIT_MINUTES = 10  # in the queue, after which staff should look


class ResConfigSettings(models.TransientModel):
    _inherit = "res.config.settings"

    saas_limit_mailbox = fields.Integer(
        string="Mails to One Mailbox",
        config_parameter="saas_website.limit_mailbox",
        default=LIMITS["saas_website.limit_mailbox"],
        help="Codes and login links in 24 hours. +alias and dots do not count.",
    )
    saas_limit_address = fields.Integer(
        string="Sign-ups from One Address",
        config_parameter="saas_website.limit_address",
        default=LIMITS["saas_website.limit_address"],
        help="In 24 hours.",
    )
    saas_limit_network = fields.Integer(
        string="Sign-ups from One Network",
        config_parameter="saas_website.limit_network",
        default=LIMITS["saas_website.limit_network"],
        help="In 24 hours, from one /24 (version 4) or /64 (version 6).",
    )
    saas_limit_domain = fields.Integer(
        string="Sign-ups with One Mail Domain",
        config_parameter="saas_website.limit_domain",
        default=LIMITS["saas_website.limit_domain"],
        help="In 24 hours. Public providers such as gmail.com are not counted.",
    )
    saas_limit_building = fields.Integer(
        string="Tenants Built at Once",
        config_parameter="saas_website.limit_building",
        default=LIMITS["saas_website.limit_building"],
        help="Further sign-ups wait, and are told their place.",
    )
    saas_wait_minutes = fields.Integer(
        string="Longest Wait",
        config_parameter="saas_website.wait_minutes",
        default=WAIT_MINUTES,
        help="Minutes; sign-ups that wait longer are shown under Needs Attention.",
    )
    saas_website_responsible_id = fields.Many2one(
        "res.users",
        string="Told about Failures",
        config_parameter="saas_website.responsible_id",
        domain="[('share', '=', False)]",
        help="Empty: the first of the SaaS managers.",
    )
