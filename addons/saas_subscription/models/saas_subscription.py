from odoo import api, fields, models
from odoo.exceptions import UserError, ValidationError

from odoo.addons.base.models.res_partner import _tz_get

from ..const import BILLING_OWNERS, EARNING, STATES, TRANSITIONS
from ..engine import mrr, recurrence

# Who may read amounts: operators run tenants and need not.
MONEY = "sales_team.group_sale_salesman,account.group_account_invoice,base.group_portal"
# Written by orders, changes and actions only, so that no import or RPC call makes the
# master charge what nobody agreed to.
PROTECTED = {
    "anchor_day",
    "billing_owner",
    "cancel_on",
    "case_ids",
    "change_ids",
    "company_id",
    "currency_id",
    "date_start",
    "ended_on",
    "invoice_ids",
    "invoice_queued_on",
    "line_ids",
    "months",
    "movement_ids",
    "mrr",
    "name",
    "next_invoice_at",
    "next_invoice_date",
    "order_ids",
    "period_ids",
    "period_start",
    "plan_id",
    "pricelist_id",
    "sale_order_id",
    "state",
    "tenant_id",
    "trial_end",
    "trial_look_on",
    "trial_outcome",
}


class SaasSubscription(models.Model):
    """A customer's running contract for a plan: what it costs, since and until when."""

    _name = "saas.subscription"
    _inherit = ["mail.thread", "mail.activity.mixin", "portal.mixin"]
    _description = "Subscription"
    _order = "id desc"
    _check_company_auto = True

    name = fields.Char(
        string="Reference", required=True, readonly=True, copy=False, default="/"
    )
    company_id = fields.Many2one("res.company", required=True, readonly=True)
    partner_id = fields.Many2one(
        "res.partner",
        string="Customer",
        required=True,
        tracking=True,
        index=True,
        ondelete="restrict",
    )
    partner_invoice_id = fields.Many2one(
        "res.partner",
        string="Invoice Address",
        required=True,
        tracking=True,
        ondelete="restrict",
    )
    commercial_partner_id = fields.Many2one(
        related="partner_id.commercial_partner_id", store=True, index=True
    )
    user_id = fields.Many2one("res.users", string="Salesperson", tracking=True)
    tenant_id = fields.Many2one(
        "saas.tenant",
        string="Tenant",
        readonly=True,
        copy=False,
        ondelete="restrict",
        tracking=True,
    )
    plan_id = fields.Many2one(
        "saas.plan",
        string="Plan",
        required=True,
        readonly=True,
        tracking=True,
        ondelete="restrict",
        index=True,
    )
    sale_order_id = fields.Many2one(
        "sale.order",
        string="First Order",
        readonly=True,
        copy=False,
        ondelete="restrict",
        groups=MONEY,
        help="The order that it was made from.",
    )
    order_ids = fields.One2many(
        "sale.order", "subscription_id", string="Orders", groups=MONEY
    )
    line_ids = fields.One2many(
        "saas.subscription.line", "subscription_id", string="Lines"
    )
    period_ids = fields.One2many(
        "saas.subscription.period", "subscription_id", string="Periods"
    )
    change_ids = fields.One2many(
        "saas.subscription.change", "subscription_id", string="Changes"
    )
    invoice_ids = fields.One2many(
        "account.move", "saas_subscription_id", string="Invoices", groups=MONEY
    )
    pricelist_id = fields.Many2one(
        "product.pricelist",
        string="Price List",
        readonly=True,
        groups=MONEY,
        ondelete="restrict",
    )
    currency_id = fields.Many2one("res.currency", required=True, readonly=True)
    company_currency_id = fields.Many2one(
        related="company_id.currency_id", string="Company Currency"
    )
    fiscal_position_id = fields.Many2one(
        "account.fiscal.position",
        string="Fiscal Position",
        compute="_compute_fiscal_position_id",
        store=True,
        readonly=False,
        check_company=True,
        help="Maps the taxes of its products; by the customer's country.",
    )
    payment_term_id = fields.Many2one(
        "account.payment.term", string="Payment Terms", check_company=True
    )
    payment_token_id = fields.Many2one(
        "payment.token",
        string="Payment Method",
        tracking=True,
        ondelete="set null",
        index="btree_not_null",
        groups=MONEY,
        help="Charged for each invoice. Empty: the customer pays by themselves.",
    )
    billing_owner = fields.Selection(
        selection=list(BILLING_OWNERS.items()),
        default="odoo",
        required=True,
        readonly=True,
        tracking=True,
        help="Who makes and charges the invoices; nobody else does.",
    )
    months = fields.Integer(string="Period (months)", required=True, readonly=True)
    anchor_day = fields.Integer(
        string="Day of the Month",
        readonly=True,
        help="On which periods begin; on the last day of a month that has no such day.",
    )
    tz = fields.Selection(
        selection=_tz_get,
        string="Time Zone",
        default="UTC",
        required=True,
        help="Whose midnight begins a day.",
    )
    date_start = fields.Date(string="Since", readonly=True, copy=False)
    period_start = fields.Date(
        string="Period Since",
        readonly=True,
        copy=False,
        help="First day of the period that was invoiced last.",
    )
    next_invoice_date = fields.Date(
        string="Next Invoice", readonly=True, copy=False, tracking=True
    )
    next_invoice_at = fields.Datetime(
        compute="_compute_next_invoice_at",
        store=True,
        help="When that day begins where the customer is.",
    )
    trial_end = fields.Date(
        string="Trial Until",
        readonly=True,
        copy=False,
        tracking=True,
        help="The day on which the trial is over.",
    )
    state = fields.Selection(
        selection=list(STATES.items()),
        default="draft",
        required=True,
        readonly=True,
        copy=False,
        index=True,
        tracking=True,
        group_expand=True,
    )
    cancel_on = fields.Date(
        string="Ends On",
        readonly=True,
        copy=False,
        tracking=True,
        help="It runs until then and is not renewed.",
    )
    ended_on = fields.Date(string="Ended", readonly=True, copy=False)
    close_reason_id = fields.Many2one(
        "saas.close.reason", string="Reason", tracking=True, copy=False
    )
    recurring_total = fields.Monetary(
        string="Each Period",
        compute="_compute_recurring_total",
        groups=MONEY,
        help="Without taxes, and without what is metered.",
    )
    mrr = fields.Monetary(
        string="MRR",
        currency_field="company_currency_id",
        compute="_compute_mrr",
        store=True,
        groups=MONEY,
        help="Monthly recurring revenue, in the company's currency.",
    )
    invoice_queued_on = fields.Datetime(readonly=True, copy=False)

    _one_of_an_order = models.Constraint(
        "UNIQUE(sale_order_id)", "That order has its subscription already."
    )
    _one_of_a_tenant = models.UniqueIndex(
        "(tenant_id) WHERE state NOT IN ('cancelled', 'closed')",
        "The tenant has a subscription already.",
    )
    _due_index = models.Index("(next_invoice_at) WHERE billing_owner = 'odoo'")
    _period_possible = models.Constraint(
        "CHECK(months > 0)", "A period has one month or more."
    )
    _anchor_day_of_a_month = models.Constraint(
        "CHECK(anchor_day IS NULL OR anchor_day BETWEEN 0 AND 31)",
        "No month has such a day.",
    )

    # === COMPUTE === #

    @api.depends("partner_id", "company_id")
    def _compute_fiscal_position_id(self):
        for subscription in self:
            positions = self.env["account.fiscal.position"].with_company(
                subscription.company_id
            )
            subscription.fiscal_position_id = positions._get_fiscal_position(
                subscription.partner_id
            )

    @api.depends("next_invoice_date", "tz")
    def _compute_next_invoice_at(self):
        for subscription in self:
            day = subscription.next_invoice_date
            subscription.next_invoice_at = day and recurrence.begin_of(
                day, subscription.tz or "UTC"
            )

    @api.depends("line_ids.price_subtotal")
    def _compute_recurring_total(self):
        for subscription in self:
            subscription.recurring_total = sum(
                subscription.line_ids.mapped("price_subtotal")
            )

    @api.depends(
        "state",
        "months",
        "line_ids.price_unit",
        "line_ids.quantity",
        "line_ids.discount",
        "line_ids.metered",
    )
    def _compute_mrr(self):
        for subscription in self:
            subscription.mrr = subscription._get_monthly_revenue()

    def _get_monthly_revenue(self):
        """Return what it brings in a month, in the company's currency."""
        self.ensure_one()
        if self.state not in EARNING:
            return 0.0
        total = sum(line._get_period_price() for line in self.line_ids)
        coin = self.currency_id.rounding
        return self.currency_id._convert(
            mrr.monthly(total, self.months, coin),
            self.company_currency_id,
            self.company_id,
            # At one rate for all its life: another rate is no other revenue.
            self.date_start or self._get_today(),
        )

    def _compute_access_url(self):
        for subscription in self:
            subscription.access_url = f"/my/subscriptions/{subscription.id}"

    @api.constrains("partner_id", "tenant_id", "payment_token_id")
    def _check_customer(self):
        """Nobody pays with what is somebody else's, or for it."""
        for subscription in self.sudo():
            others = (
                subscription.tenant_id.partner_id
                | subscription.payment_token_id.partner_id
            ).commercial_partner_id - subscription.commercial_partner_id
            if others:
                raise ValidationError(
                    self.env._(
                        "Tenant and payment method of %(name)s have to be those of its "
                        "customer; one is of %(other)s.",
                        name=subscription.name,
                        other=others[0].name,
                    )
                )

    # === CRUD === #

    @api.model_create_multi
    def create(self, vals_list):
        for vals in vals_list:
            if vals.get("name", "/") == "/":
                company_id = vals.get("company_id") or self.env.company.id
                sequences = self.env["ir.sequence"].with_company(company_id)
                vals["name"] = sequences.next_by_code("saas.subscription")
        return super().create(vals_list)

    def write(self, vals):
        if not self.env.su:
            self._refuse(PROTECTED & vals.keys())
        return super().write(vals)

    def _refuse(self, names):
        if names:
            raise UserError(
                self.env._(
                    "These fields of a subscription are changed by its actions and its "
                    "orders only: %s",
                    ", ".join(sorted(names)),
                )
            )

    @api.ondelete(at_uninstall=False)
    def _unlink_only_drafts(self):
        if self.filtered(lambda subscription: subscription.state != "draft"):
            raise UserError(
                self.env._("A subscription that has begun is cancelled, not deleted.")
            )

    # === STATE === #

    def _apply(self, event):
        """Have an event lead to where the table says; nobody else writes a state."""
        for subscription in self:
            if cause := subscription._explain_refusal(event):
                raise UserError(cause)
        _sources, target = TRANSITIONS[event]
        self.sudo().write({"state": target})

    def _can(self, event):
        self.ensure_one()
        sources, _target = TRANSITIONS[event]
        return self.state in sources

    def _explain_refusal(self, event):
        """Return why that event cannot come now, False where it can."""
        if self._can(event):
            return False
        sources, _target = TRANSITIONS[event]
        return self.env._(
            "%(name)s is %(state)s. This is possible only where it is: %(states)s.",
            name=self.name,
            state=self._get_state_label(self.state).lower(),
            states=", ".join(self._get_state_label(state) for state in sources).lower(),
        )

    @api.model
    def _get_state_label(self, state):
        """Return a state in the reader's language."""
        return self._fields["state"].convert_to_export(state, self)

    # === VIEWS === #

    def action_view_invoices(self):
        self.ensure_one()
        self.check_access("read")
        action = self.env["ir.actions.act_window"]._for_xml_id(
            "account.action_move_out_invoice_type"
        )
        return {
            **action,
            "domain": [("saas_subscription_id", "=", self.id)],
            "context": {"create": False},
        }

    # === TIME === #

    def _get_today(self):
        """Return which day it is where the customer is."""
        self.ensure_one()
        return recurrence.today_at(fields.Datetime.now(), self.tz or "UTC")

    def _get_recurrence(self):
        self.ensure_one()
        return recurrence.Recurrence(self.months, self.anchor_day)
