from odoo import api, fields, models
from odoo.exceptions import UserError

from ..engine.keys import fingerprint, new_recovery_key

PARAMETER = "saas_backup.recovery_public"


class SaasRecoveryKey(models.TransientModel):
    """Makes the key that opens all copies without this master; shown once."""

    _name = "saas.recovery.key"
    _description = "New Recovery Key"

    current = fields.Char(compute="_compute_current", string="Key in Use")
    # Not stored anywhere: the browser alone has it, until whoever reads it keeps it.
    private = fields.Char(string="Recovery Key", store=False)
    public = fields.Char(required=True)
    kept = fields.Boolean(string="I have kept this key in a safe place")

    @api.model
    def default_get(self, fields_list):
        private, public = new_recovery_key()
        values = {"private": private, "public": public}
        return {**super().default_get(fields_list), **values}

    def _compute_current(self):
        parameters = self.env["ir.config_parameter"].sudo()
        public = parameters.get_param(PARAMETER)
        self.current = fingerprint(public) if public else False

    def action_use(self):
        """Seal each tenant's key for this one, with its next backup."""
        self.ensure_one()
        if not self.kept:
            raise UserError(
                self.env._("Keep the key first: nobody can show it to you again.")
            )
        self.env["ir.config_parameter"].sudo().set_param(PARAMETER, self.public)
        return {"type": "ir.actions.act_window_close"}
