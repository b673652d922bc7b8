from odoo import api, fields, models
from odoo.fields import Domain
from odoo.tools import format_date, formatLang

from .saas_dunning_case import OWED
from .saas_subscription_invoice import QUEUED_AT_ONCE

# Who follows payments: operators run tenants and need not.
READERS = "sales_team.group_sale_salesman,account.group_account_invoice"


class SaasSubscription(models.Model):
    """What is done about what is owed."""

    _inherit = "saas.subscription"

    dunning_id = fields.Many2one(
        "saas.dunning",
        string="Dunning Ladder",
        check_company=True,
        ondelete="restrict",
        help="What is done while an invoice is not paid. Empty: what its plan says.",
    )
    case_ids = fields.One2many(
        "saas.dunning.case",
        "subscription_id",
        string="Dunning Cases",
        groups=READERS,
    )
    dunning_case_id = fields.Many2one(
        "saas.dunning.case",
        string="Unpaid",
        compute="_compute_dunning_case_id",
        groups=READERS,
    )

    @api.depends("case_ids.state")
    def _compute_dunning_case_id(self):
        for subscription in self:
            subscription.dunning_case_id = subscription.case_ids.filtered(
                lambda case: case.state == "open"
            )

    def _get_dunning(self):
        """Return the ladder that its unpaid invoices follow."""
        self.ensure_one()
        named = self.dunning_id or self.plan_id.dunning_id
        return named or self.env["saas.dunning"]._find_default(self.company_id)

    # === WHAT IS OWED === #

    def _update_dues(self):
        """Begin to do something about what should have been paid."""
        for subscription in self.sudo():
            if subscription.dunning_case_id:
                continue
            if overdue := subscription._find_overdue_invoice():
                subscription._open_case(overdue)

    def _find_overdue_invoice(self):
        """Return the oldest invoice that should have been paid by now, or none."""
        self.ensure_one()
        today = self._get_today()
        overdue = self._get_owed_invoices().filtered(
            lambda move: move.invoice_date_due < today
        )
        return overdue.sorted(lambda move: (move.invoice_date_due, move.id))[:1]

    def _open_case(self, invoice):
        """Begin to do what the ladder says about that invoice."""
        self.ensure_one()
        if self._can("owe"):
            self._apply("owe")
        case = self.env["saas.dunning.case"].create(
            {
                "subscription_id": self.id,
                "dunning_id": self._get_dunning().id,
                "move_id": invoice.id,
                "amount": invoice.amount_residual_signed,
                "date_due": invoice.invoice_date_due,
                # Where one of several was paid, the tenant stays what it is.
                "has_archived": self.case_ids[:1].has_archived,
                "shows_banner": self.state == "unpaid",
            }
        )
        case._plan()
        return case

    def _charge_failed(self, charge):
        """Tell the customer at once, and begin to do what the ladder says."""
        # Where it was paid in another way meanwhile, there is nothing to tell.
        if charge.saas_invoice_id.payment_state in OWED:
            for subscription in self.sudo():
                # Of later tries the ladder's own mails tell.
                if not subscription.dunning_case_id:
                    subscription._open_case(charge.saas_invoice_id)
                    subscription._mail_by_name("charge_failed")
        return super()._charge_failed(charge)

    def _settle(self):
        """Also end what is done about an invoice that is not owed any more.

        The tenant of one that was archived comes back.
        """
        subscriptions = self.sudo()
        stopped = subscriptions.filtered(lambda found: found.state == "unpaid")
        cases = subscriptions.dunning_case_id.filtered(lambda case: not case._is_owed())
        cases._end()
        result = super()._settle()
        for case in cases:
            if case.subscription_id.state != "unpaid":
                case._let_run()
        for subscription in stopped:
            if subscription.state == "active":
                subscription._mail_by_name("runs_again")
        self._update_dues()
        return result

    def _close_unpaid(self):
        """End it for good, as nobody pays."""
        self.ensure_one()
        if not self._can("close"):
            return
        self.close_reason_id = self.env.ref("saas_subscription.close_reason_unpaid")
        self.write({"ended_on": self._get_today(), "next_invoice_date": False})
        self._apply("close")

    def _apply(self, event):
        result = super()._apply(event)
        if event in ("cancel", "close"):
            self.sudo().case_ids._give_up()
        return result

    # === MAILS === #

    def _mail_by_name(self, name):
        self._mail(self.env.ref(f"saas_subscription.mail_template_{name}"))

    def _mail(self, template):
        """Mail a template to the customer, in their language, and keep it."""
        for subscription in self:
            mail_id = template.sudo().send_mail(subscription.id)
            self.env["mail.mail"].sudo().browse(mail_id).send_after_commit()

    def _get_payment_url(self):
        """Return where the customer pays what they owe, without logging in."""
        self.ensure_one()
        invoice = self.sudo().dunning_case_id.move_id
        return invoice.get_base_url() + invoice.get_portal_url()

    def _explain_unpaid(self):
        """Return what is owed and since when, for the customer."""
        self.ensure_one()
        case = self.sudo().dunning_case_id
        return self.env._(
            "The invoice %(invoice)s of %(amount)s was due on %(day)s and is not paid.",
            invoice=case.move_id.name,
            amount=formatLang(
                self.env,
                case.move_id.amount_residual,
                currency_obj=case.move_id.currency_id,
            ),
            day=format_date(self.env, case.date_due),
        )

    def _list_dunning_dates(self):
        """Return what happens when, if nothing is paid: a sentence each."""
        self.ensure_one()
        case = self.sudo().dunning_case_id
        return case._list_dates() if case else []

    @api.model
    def _get_banners(self):
        """Return the current customer's subscriptions of which a banner has to tell."""
        customer = self.env.user.partner_id.commercial_partner_id
        cases = self.env["saas.dunning.case"].sudo()
        return cases.search(
            Domain("state", "=", "open")
            & Domain("shows_banner", "=", True)
            & Domain("subscription_id.commercial_partner_id", "=", customer.id)
        ).subscription_id


class SaasPlan(models.Model):
    _inherit = "saas.plan"

    dunning_id = fields.Many2one(
        "saas.dunning",
        string="Dunning Ladder",
        ondelete="restrict",
        help="What is done while an invoice is not paid. Empty: the first ladder.",
    )


class AccountMove(models.Model):
    _inherit = "account.move"

    @api.model
    def _look_after_overdue(self, overdue):
        """Begin to do something about those that should have been paid."""
        moves = self.search(overdue, order="invoice_date_due, id", limit=QUEUED_AT_ONCE)
        moves.saas_subscription_id._update_dues()
