import hmac

from odoo import api, fields, models
from odoo.exceptions import UserError

from odoo.addons.saas.engine.errors import RefusedError

from ..engine.keys import fingerprint, new_recovery_key, public_of

PARAMETER = "saas_backup.recovery_public"
PAIR = {"private", "public"}


class SaasRecoveryKey(models.TransientModel):
    """Makes the key that opens all copies without this master; shown once."""

    _name = "saas.recovery.key"
    _description = "New Recovery Key"

    current = fields.Char(compute="_compute_current", string="Key in Use")
    # Not stored anywhere: the browser alone has it, until whoever reads it keeps it.
    private = fields.Char(string="Recovery Key", store=False)
    public = fields.Char(required=True)
    typed = fields.Char(
        string="Paste It Here",
        compute="_compute_typed",
        inverse="_inverse_typed",
        help="From where you keep it: it is compared, and stored nowhere here.",
    )
    kept = fields.Boolean(readonly=True, help="What was pasted opens what is sealed.")

    @api.model
    def default_get(self, fields_list):
        values = super().default_get(fields_list)
        # Both or none: a field without a value asks here each time that it is read.
        if set(fields_list) >= PAIR:
            private, public = new_recovery_key()
            values |= {"private": private, "public": public}
        return values

    def _compute_current(self):
        parameters = self.env["ir.config_parameter"].sudo()
        public = parameters.get_param(PARAMETER)
        self.current = fingerprint(public) if public else False

    def _compute_typed(self):
        self.typed = False

    @api.onchange("typed")
    def _inverse_typed(self):
        for wizard in self:
            wizard.kept = wizard._opens(wizard.typed)

    def _opens(self, private):
        """Whether that is the private half of the key that would be put in use."""
        try:
            public = public_of((private or "").strip())
        except RefusedError:
            return False
        return hmac.compare_digest(public, self.public)

    def action_use(self):
        """Seal each tenant's key for this one, with its next backup."""
        self.ensure_one()
        if not self.kept:
            raise UserError(
                self.env._(
                    "Keep the key first, and paste it from there: nobody can show it "
                    "to you again."
                )
            )
        self.env["ir.config_parameter"].sudo().set_param(PARAMETER, self.public)
        return {"type": "ir.actions.act_window_close"}
