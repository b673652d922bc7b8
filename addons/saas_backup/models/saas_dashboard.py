from odoo import api, models


class SaasDashboard(models.AbstractModel):
    _inherit = "saas.dashboard"

    @api.model
    def _get_checked_models(self):
        return (*super()._get_checked_models(), "saas.store")
