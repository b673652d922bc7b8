from random import randint

from odoo import fields, models


class SaasLabel(models.Model):
    _name = "saas.label"
    _description = "Label"
    _order = "name"

    name = fields.Char(
        required=True, help="What some servers have and some plans ask for, e.g. ssd."
    )
    color = fields.Integer(default=lambda self: randint(1, 11))  # noqa: S311
    server_ids = fields.Many2many("saas.server", string="Servers")
    plan_ids = fields.Many2many("saas.plan", string="Plans")

    _name_unique = models.UniqueIndex(
        "(lower(name))", "There is a label of that name already."
    )
