from odoo import models

from odoo.addons.saas.const import UNFINISHED


class SaasOperationStep(models.Model):
    _inherit = "saas.operation.step"

    def write(self, vals):
        result = super().write(vals)
        if vals.get("state", "pending") not in UNFINISHED:
            operations = self.operation_id.filtered(lambda o: o.kind == "provision")
            operations.tenant_id.sudo().signup_ids._push()
        return result
