from odoo import fields, models


class SaasImage(models.Model):
    _name = "saas.image"
    _description = "Image"
    _order = "sequence, name"

    name = fields.Char(required=True, help="What people call it, e.g. Odoo 19.0.")
    sequence = fields.Integer(default=10)
    active = fields.Boolean(default=True)
    version = fields.Char(
        string="Odoo Version", required=True, default="19.0", help="For example 19.0."
    )
    reference = fields.Char(
        required=True,
        help="Name and tag (better: digest) of the container image on the servers.",
    )
    plan_ids = fields.One2many("saas.plan", "image_id", string="Plans")

    _reference_unique = models.Constraint(
        "UNIQUE(reference)", "There is an image with that reference already."
    )
