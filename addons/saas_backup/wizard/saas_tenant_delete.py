from odoo import fields, models


class SaasTenantDelete(models.TransientModel):
    _inherit = "saas.tenant.delete"

    archive_now = fields.Boolean(
        help="No grace: a last copy is made and proven, and all else is removed. From "
        "it they can be taken back until their time in the archive is over."
    )

    def action_delete(self):
        if not self.archive_now or self.erase_now:
            return super().action_delete()
        if len(self.tenant_ids) > 1:
            return self.tenant_ids._start_batch("archive")
        self.tenant_ids.action_archive()
        return {"type": "ir.actions.act_window_close"}
