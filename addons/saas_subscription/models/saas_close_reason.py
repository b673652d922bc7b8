from odoo import fields, models


class SaasCloseReason(models.Model):
    """Why a subscription ends, in the words that the customer chooses from."""

    _name = "saas.close.reason"
    _description = "Close Reason"
    _order = "sequence, id"

    name = fields.Char(required=True, translate=True)
    sequence = fields.Integer(default=10)
    active = fields.Boolean(default=True)
    for_customers = fields.Boolean(
        default=True, help="Customers can choose it on the portal."
    )
