from odoo import fields, models

KINDS = {
    "new": "New",
    "expansion": "Expansion",
    "contraction": "Contraction",
    "churn": "Churn",
    "reactivation": "Reactivation",
}


class SaasMrrMovement(models.Model):
    """By how much monthly revenue moved: recorded as it happened, never changed."""

    _name = "saas.mrr.movement"
    _description = "Revenue Movement"
    _order = "date desc, id desc"
    _rec_name = "subscription_id"

    subscription_id = fields.Many2one(
        "saas.subscription",
        string="Subscription",
        required=True,
        readonly=True,
        ondelete="restrict",
        index=True,
    )
    company_id = fields.Many2one(
        related="subscription_id.company_id", store=True, index=True
    )
    currency_id = fields.Many2one(related="company_id.currency_id")
    partner_id = fields.Many2one(
        "res.partner", string="Customer", required=True, readonly=True
    )
    plan_id = fields.Many2one("saas.plan", string="Plan", required=True, readonly=True)
    user_id = fields.Many2one("res.users", string="Salesperson", readonly=True)
    date = fields.Date(required=True, readonly=True, index=True)
    kind = fields.Selection(
        selection=list(KINDS.items()), required=True, readonly=True, index=True
    )
    amount = fields.Monetary(
        string="MRR Change", required=True, readonly=True, help="In a month."
    )
    event = fields.Char(readonly=True, help="What happened to the subscription.")
