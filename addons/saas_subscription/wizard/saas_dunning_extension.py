from datetime import timedelta

from odoo import fields, models

WEEK = timedelta(days=7)


class SaasDunningExtension(models.TransientModel):
    """Time that staff give a customer to pay."""

    _name = "saas.dunning.extension"
    _description = "Give Time to Pay"

    case_id = fields.Many2one("saas.dunning.case", required=True, ondelete="cascade")
    until = fields.Date(
        string="Nothing Happens Before",
        required=True,
        default=lambda self: fields.Date.context_today(self) + WEEK,
        help="A tenant that was stopped runs until that day.",
    )
    reason = fields.Char(required=True)

    def action_apply(self):
        self.ensure_one()
        self.case_id.check_access("read")
        self.case_id._give_time(self.until, self.reason)
        return {"type": "ir.actions.act_window_close"}
