from datetime import timedelta

from psycopg2.errors import UniqueViolation

from odoo import api, fields, models
from odoo.exceptions import UserError, ValidationError
from odoo.tools import mute_logger


class SaasSubscription(models.Model):
    """From a confirmed order to a running tenant."""

    _inherit = "saas.subscription"

    @api.model
    def _create_from_order(self, order):
        """Make the one subscription of an order, and have its tenant built.

        Who may confirm an order may do that, whatever they may do to tenants.
        """
        subscription = (
            self.sudo()
            .with_company(order.company_id)
            .create(self._prepare_from_order(order.sudo()))
        )
        order.sudo().subscription_id = subscription
        subscription.message_post_with_source(
            "mail.message_origin_link",
            render_values={"self": subscription, "origin": order},
            subtype_xmlid="mail.mt_note",
        )
        subscription._provide_tenant()
        subscription._start(order.saas_trial_days)
        return subscription.sudo(self.env.su)

    @api.model
    def _prepare_from_order(self, order):
        lines = order._get_recurring_lines()
        return {
            "company_id": order.company_id.id,
            "partner_id": order.partner_id.id,
            "partner_invoice_id": order.partner_invoice_id.id,
            "user_id": order.user_id.id,
            "plan_id": order._get_plan_lines().product_id.saas_plan_id.id,
            "sale_order_id": order.id,
            "pricelist_id": order.pricelist_id.id,
            "currency_id": order.currency_id.id,
            "fiscal_position_id": order.fiscal_position_id.id,
            "payment_term_id": order.payment_term_id.id,
            "payment_token_id": self._find_token(order.transaction_ids).id,
            "months": lines[0].saas_months,
            "tz": order.partner_id.tz or order.company_id.partner_id.tz or "UTC",
            "line_ids": [
                fields.Command.create(line._prepare_subscription_line())
                for line in lines
            ],
        }

    @api.model
    def _find_token(self, transactions):
        """Return the payment method that was saved when it was paid, or none."""
        paid = transactions.filtered(lambda t: t.state in ("authorized", "done"))
        return paid.sorted("id").token_id.filtered("active")[-1:]

    # === TENANT === #

    def _provide_tenant(self):
        """Have its tenant run: the order's, or a new one."""
        self.ensure_one()
        order = self.sale_order_id
        tenant = order.saas_tenant_id.sudo() or self._create_tenant(
            order.saas_tenant_name
        )
        self.tenant_id = tenant
        tenant._use_plan(self.plan_id)
        order.saas_tenant_id = tenant
        if tenant.state in ("draft", "failed"):
            tenant.action_provision()

    def _create_tenant(self, name):
        """Create it: the unique host name decides who was first."""
        try:
            with self.env.cr.savepoint(), mute_logger("odoo.sql_db"):
                return self.env["saas.tenant"].create(
                    {
                        "name": name,
                        "partner_id": self.commercial_partner_id.id,
                        "plan_id": self.plan_id.id,
                        "company_id": self.company_id.id,
                        "lang": self.partner_id.lang,
                    }
                )
        except (UniqueViolation, ValidationError) as error:
            message = self.env._("“%s” is taken. Please choose another address.", name)
            raise UserError(message) from error

    # === BEGINNING === #

    def _start(self, trial_days=0):
        self.ensure_one()
        today = self._get_today()
        if not trial_days:
            self._begin(today)
            return
        self._apply("start_trial")
        self.trial_end = today + timedelta(days=trial_days)

    def _begin(self, day):
        """Have its first period begin, and its invoice be made.

        Of a trial, too, where the customer stays.
        """
        self.date_start = day
        self._apply("activate")
        self._restart_periods(day)
        self._invoice_due_periods()

    def _restart_periods(self, day):
        """Have the next period begin on that day, and the others on such days."""
        self.write({"anchor_day": day.day, "next_invoice_date": day})
