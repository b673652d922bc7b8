from odoo import fields, models

from ..const import HOLD_KINDS


class SaasHold(models.Model):
    """A reason why a tenant may not run; lifted by whoever set it."""

    _name = "saas.hold"
    _description = "Hold"
    _order = "id desc"
    _rec_name = "reason"

    tenant_id = fields.Many2one(
        "saas.tenant", string="Tenant", required=True, ondelete="cascade", index=True
    )
    company_id = fields.Many2one(related="tenant_id.company_id", store=True)
    kind = fields.Selection(selection=list(HOLD_KINDS.items()), required=True)
    reason = fields.Char(required=True)
    active = fields.Boolean(default=True)
    lifted_on = fields.Datetime(readonly=True)

    _one_of_a_kind = models.UniqueIndex(
        "(tenant_id, kind) WHERE active", "The tenant has such a hold already."
    )

    def _lift(self):
        self.write({"active": False, "lifted_on": fields.Datetime.now()})
        self.flush_recordset()  # the next hold of that kind must find room
