from odoo import fields, models


class SaasRegion(models.Model):
    _name = "saas.region"
    _description = "Region"
    _order = "name"

    name = fields.Char(required=True, help="For example Frankfurt.")
    server_ids = fields.One2many("saas.server", "region_id", string="Servers")
    plan_ids = fields.One2many("saas.plan", "region_id", string="Plans")

    _name_unique = models.UniqueIndex(
        "(lower(name))", "There is a region of that name already."
    )
