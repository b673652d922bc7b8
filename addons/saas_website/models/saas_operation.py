from odoo import api, models
from odoo.http import request


class SaasOperation(models.Model):
    _inherit = "saas.operation"

    @api.model
    def _get_origin(self):
        origin = super()._get_origin()
        if origin == "user" and getattr(request, "is_frontend", False):
            return "portal"
        return origin

    def _finish(self, state, error=None):
        result = super()._finish(state, error)
        if self.kind == "provision" and self.tenant_id:
            self.env["saas.signup"]._provision_ended(self)
        return result
