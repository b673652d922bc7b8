from datetime import timedelta

from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.fields import Domain
from odoo.tools import format_date

from ..const import INVOICED
from ..jobs import take_for_job

QUEUED_AT_ONCE = 500
# After which a job that got lost is asked for again.
QUEUED_FOR = timedelta(hours=6)


class SaasSubscription(models.Model):
    """Invoices: each period has one, and only one."""

    _inherit = "saas.subscription"

    # === WHAT IS DUE === #

    @api.model
    def _cron_renew(self):
        """Have the worker do what is due, so many at a time.

        What another transaction holds is being looked after; it comes up again.
        """
        cron = self.env.ref("saas_subscription.ir_cron_renew")
        found = self.search(
            self._get_due_domain(), order="next_invoice_at, id", limit=QUEUED_AT_ONCE
        )
        due = found.try_lock_for_update()
        for subscription in due:
            subscription._queue_renewal()
        due.invoice_queued_on = fields.Datetime.now()
        if len(found) == QUEUED_AT_ONCE:
            cron._trigger()

    @api.model
    def _get_due_domain(self):
        """Return what is due and was not asked for in these hours."""
        now = fields.Datetime.now()
        return (
            Domain("billing_owner", "=", "odoo")
            & Domain("state", "in", INVOICED)
            & Domain("next_invoice_at", "<=", now)
            & (
                Domain("invoice_queued_on", "=", False)
                | Domain("invoice_queued_on", "<", now - QUEUED_FOR)
            )
        )

    def _queue_renewal(self):
        self.ensure_one()
        self.with_delay(
            identity_key=f"saas.subscription.renew:{self.id}",
            description=self.env._("Renew %s", self.name),
        )._renew()

    def _renew(self):
        """Do what is due on its day; run by the worker, and as often as one likes."""
        self.ensure_one()
        take_for_job(self)
        self.invoice_queued_on = False
        self._invoice_due_periods()

    def _on_renewal_failure(self, exc_name, **_kwargs):
        """Called by the job queue after an error; it is asked for again later."""
        for subscription in self:
            subscription.activity_schedule(
                "mail.mail_activity_data_warning",
                summary=self.env._("It could not be invoiced"),
                note=self.env._(
                    "An unexpected error (%s) stopped it. "
                    "The job queue has the details.",
                    exc_name,
                ),
                user_id=subscription.user_id.id or self.env.ref("base.user_root").id,
            )

    def _is_due(self):
        self.ensure_one()
        return (
            self.state in INVOICED
            and bool(self.next_invoice_date)
            and self.next_invoice_date <= self._get_today()
        )

    # === PERIODS === #

    def _invoice_due_periods(self):
        """Invoice each period that has begun, those of the past as well."""
        self._check_billing_owner("odoo")
        while self._is_due():
            if self.cancel_on and self.cancel_on <= self.next_invoice_date:
                self._end()
                return
            self._carry_out_waiting_change()
            self._take_announced_prices()
            self._invoice_period(self._get_next_period())

    def _check_billing_owner(self, owner):
        """Nobody but the one who owns the billing makes invoices or charges them."""
        for subscription in self:
            if subscription.billing_owner != owner:
                raise UserError(
                    self.env._(
                        "%(name)s is billed by %(owner)s, so nothing is charged here.",
                        name=subscription.name,
                        owner=subscription._fields["billing_owner"].convert_to_export(
                            subscription.billing_owner, subscription
                        ),
                    )
                )

    def _get_next_period(self):
        self.ensure_one()
        return self._get_recurrence().first_period(self.next_invoice_date)

    def _invoice_period(self, days):
        """Make the invoice of a period, in one transaction with its unique key."""
        self.ensure_one()
        is_first = not self.period_ids
        # Who comes second stops here, before there is an invoice.
        period = self.env["saas.subscription.period"].create(
            {
                "subscription_id": self.id,
                "date_from": days.start,
                "date_to": days.last,
            }
        )
        period.flush_recordset()
        self.write({"period_start": days.start, "next_invoice_date": days.end})
        order = self.sale_order_id if is_first else self.sale_order_id.browse()
        lines = self._prepare_period_lines(days, order)
        if lines:
            period.move_id = self._make_invoice(lines, order)
        self.line_ids.filtered("metered").used = 0

    def _prepare_period_lines(self, days, order):
        lines = [
            line._prepare_invoice_line(days, order)
            for line in self.line_ids
            if line._get_quantity_to_invoice()
        ]
        return lines + [
            line._prepare_invoice_line() for line in order._get_setup_lines()
        ]

    # === INVOICES === #

    def _make_invoice(self, lines, order):
        """Make, post and mail an invoice with these lines, and have it charged.

        :param sale.order order: from which it comes, or none
        """
        self.ensure_one()
        move = (
            self.env["account.move"]
            .with_company(self.company_id)
            .create(self._prepare_invoice(lines, order))
        )
        move.action_post()
        move._use_saas_credit()
        move._queue_saas_mail()
        move._queue_saas_charge()
        return move

    def _prepare_invoice(self, lines, order):
        vals = {
            "move_type": "out_invoice",
            "company_id": self.company_id.id,
            "partner_id": self.partner_invoice_id.id,
            "partner_shipping_id": self.partner_id.id,
            "currency_id": self.currency_id.id,
            "fiscal_position_id": self.fiscal_position_id.id,
            "invoice_payment_term_id": self.payment_term_id.id,
            "invoice_user_id": self.user_id.id,
            "invoice_origin": self.name,
            "saas_subscription_id": self.id,
        }
        if order:  # which knows what was paid already
            vals = order._prepare_invoice() | vals | {"invoice_origin": order.name}
        vals["invoice_line_ids"] = [fields.Command.create(line) for line in lines]
        return vals

    def _get_days_before(self, days):
        """Return the period before one, in which what is metered was used."""
        self.ensure_one()
        before = self.period_ids.filtered(lambda period: period.date_to < days.start)
        return before.sorted("date_from")[-1:]._get_days() if before else days

    def _describe_days(self, days):
        """Return some days as the customer writes them."""
        self.ensure_one()
        lang = self.partner_id.lang
        return self.with_context(lang=lang).env._(
            "%(first)s to %(last)s",
            first=format_date(self.env, days.start, lang_code=lang),
            last=format_date(self.env, days.last, lang_code=lang),
        )
