from odoo import api, fields, models
from odoo.exceptions import ValidationError
from odoo.fields import Domain

from ..engine import dunning

ACTIONS = {
    "remind": "Remind",
    "retry": "Charge Again",
    "banner": "Show a Banner",
    "hold": "Stop the Tenant",
    "archive": "Archive the Tenant",
    "delete": "Delete the Tenant",
}


class SaasDunning(models.Model):
    """What is done while an invoice is not paid, and when."""

    _name = "saas.dunning"
    _description = "Dunning Ladder"
    _order = "sequence, id"

    name = fields.Char(required=True, translate=True)
    sequence = fields.Integer(
        default=10, help="The first one is for all plans that name no other."
    )
    active = fields.Boolean(default=True)
    company_id = fields.Many2one("res.company")
    step_ids = fields.One2many("saas.dunning.step", "dunning_id", copy=True)
    case_ids = fields.One2many("saas.dunning.case", "dunning_id")

    @api.model_create_multi
    def create(self, vals_list):
        return super(SaasDunning, self._as_whole()).create(vals_list).with_env(self.env)

    def write(self, vals):
        return super(SaasDunning, self._as_whole()).write(vals)

    def _as_whole(self):
        """Have its steps be looked at together, once all of them are written."""
        return self.with_context(saas_whole_ladder=True)

    @api.constrains("step_ids")
    def _check_order(self):
        for ladder in self:
            if disorder := dunning.find_disorder(ladder._get_steps()):
                labels = dict(
                    self.env["saas.dunning.step"]
                    ._fields["action"]
                    ._description_selection(self.env)
                )
                too_soon, needed = disorder
                raise ValidationError(
                    self.env._(
                        "“%(too_soon)s” has to come a day after “%(needed)s”, or "
                        "later. Please add that step, or change its days.",
                        too_soon=labels[too_soon],
                        needed=labels[needed],
                    )
                )

    @api.model
    def _find_default(self, company):
        """Return the ladder of all plans that name no other."""
        return self.sudo().search(
            Domain("company_id", "in", (False, company.id)), limit=1
        )

    def _get_steps(self):
        """Return its steps as the engine's."""
        return [step._get_step() for step in self.step_ids]

    def _plan_cases(self):
        """Have unpaid invoices follow the ladder as it is now."""
        self.sudo().case_ids.filtered(lambda case: case.state == "open")._plan()


class SaasDunningStep(models.Model):
    """One rung of a ladder."""

    _name = "saas.dunning.step"
    _description = "Dunning Step"
    _order = "dunning_id, days, sequence, id"
    _rec_name = "action"

    dunning_id = fields.Many2one(
        "saas.dunning", string="Ladder", required=True, ondelete="cascade", index=True
    )
    company_id = fields.Many2one(related="dunning_id.company_id", store=True)
    sequence = fields.Integer(default=10, help="Of several on one day.")
    days = fields.Integer(
        string="Days Late", required=True, help="So long after the invoice was due."
    )
    action = fields.Selection(selection=list(ACTIONS.items()), required=True)
    template_id = fields.Many2one(
        "mail.template",
        string="Mail",
        domain=[("model", "=", "saas.subscription")],
        ondelete="restrict",
        help="Sent to the customer, in their language. Empty: none.",
    )

    _days_not_negative = models.Constraint(
        "CHECK(days >= 0)", "A step comes 0 days after the due date, or later."
    )

    @api.model_create_multi
    def create(self, vals_list):
        steps = super().create(vals_list)
        steps._follow_up(steps.dunning_id)
        return steps

    def write(self, vals):
        result = super().write(vals)
        self._follow_up(self.dunning_id)
        return result

    def unlink(self):
        ladders = self.dunning_id
        result = super().unlink()
        self._follow_up(ladders)
        return result

    @api.model
    def _follow_up(self, ladders):
        if not self.env.context.get("saas_whole_ladder"):
            ladders._check_order()
        ladders._plan_cases()

    def _get_step(self):
        """Return it as the engine's."""
        self.ensure_one()
        return dunning.Step(
            key=str(self.id),
            days=self.days,
            action=dunning.Action(self.action),
            sequence=self.sequence,
        )
