from odoo import fields, models
from odoo.exceptions import UserError
from odoo.fields import Domain

from .account_move import OPEN_CHARGES


class SaasSubscription(models.Model):
    """What is owed, and what follows when it is paid or not."""

    _inherit = "saas.subscription"

    def _charge_failed(self, charge):
        """Note that the saved payment method did not pay."""
        for subscription in self:
            subscription.message_post(
                body=self.env._(
                    "%(invoice)s could not be charged: %(cause)s",
                    invoice=charge.saas_invoice_id.name,
                    cause=charge.state_message or self.env._("no cause was given"),
                )
            )
            if subscription._can("owe"):
                subscription._apply("owe")

    def _get_owed_domain(self):
        """Return which invoices should have been paid by now."""
        self.ensure_one()
        return (
            Domain("saas_subscription_id", "=", self.id)
            & Domain("move_type", "=", "out_invoice")
            & Domain("state", "=", "posted")
            & Domain("payment_state", "in", ("not_paid", "partial"))
            & Domain("invoice_date_due", "<=", fields.Date.to_string(self._get_today()))
        )

    def _get_owed_invoices(self):
        return self.env["account.move"].sudo().search(self._get_owed_domain())

    def _settle(self):
        """Go on where nothing is owed any more, in whatever way it was paid."""
        for subscription in self.sudo():
            if subscription._get_owed_invoices():
                continue
            was_stopped = subscription.state == "unpaid"
            if subscription._can("settle"):
                subscription._apply("settle")
            if was_stopped:
                subscription._catch_up()
            subscription.tenant_id._lift_hold("unpaid")

    def _catch_up(self):
        """Charge nothing for the days in which the tenant was stopped."""
        today = self._get_today()
        if self.next_invoice_date and self.next_invoice_date < today:
            self._restart_periods(today)

    # === WHO CHARGES === #

    def _change_billing_owner(self, owner):
        """Have another service make and charge the invoices from now on.

        What is under way here is ended first: nobody is charged by two.
        """
        for subscription in self.sudo():
            if subscription._get_open_charges():
                raise UserError(
                    self.env._(
                        "A charge of %s is under way. Please wait until it is paid or "
                        "refused.",
                        subscription.name,
                    )
                )
            subscription.write({"billing_owner": owner, "invoice_queued_on": False})

    def _get_open_charges(self):
        charges = self.invoice_ids.saas_charge_ids
        return charges.filtered(lambda charge: charge.state in ("draft", *OPEN_CHARGES))
