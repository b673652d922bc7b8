from datetime import timedelta

from odoo import api, fields, models
from odoo.exceptions import UserError


class SaasSubscription(models.Model):
    """Pause, end and new beginning."""

    _inherit = "saas.subscription"

    # === PAUSE === #

    def action_pause(self):
        """Stop tenant and invoices; the days that are paid for go on."""
        self.check_access("write")
        for subscription in self.sudo():
            subscription._apply("pause")
            subscription.tenant_id._hold_for(
                "paused", self.env._("%s is paused.", subscription.name)
            )

    def action_resume(self):
        self.check_access("write")
        for subscription in self.sudo():
            subscription._apply("resume")
            subscription._catch_up()
            subscription.tenant_id._lift_hold("paused")
            subscription._invoice_due_periods()

    # === END === #

    def _cancel(self, when, reason):
        """End it, or have it end with what is paid for.

        :param str when: ``now``, or ``renewal``: with the period or the trial
        :param saas.close.reason reason: why
        """
        for subscription in self.sudo():
            if cause := subscription._explain_refusal("cancel"):
                raise UserError(cause)
            subscription.close_reason_id = reason
            ends_on = subscription._get_end()
            if when == "renewal" and ends_on and ends_on > subscription._get_today():
                subscription.cancel_on = ends_on
            else:
                subscription._end()

    def _get_end(self):
        """Return the first day that is not paid for, or none."""
        self.ensure_one()
        return self.trial_end if self.state == "trial" else self.next_invoice_date

    def action_keep(self):
        """Take back that it ends with its period."""
        self.check_access("write")
        self.sudo().write({"cancel_on": False, "close_reason_id": False})

    def _end(self):
        """End it now; its tenant stays as long as a deleted one can be taken back."""
        self.ensure_one()
        self._apply("cancel")
        self.change_ids.filtered(lambda change: change.state == "waiting")._drop()
        today = self._get_today()
        self.write({"ended_on": today, "next_invoice_date": False, "cancel_on": False})
        self.tenant_id._leave()

    def action_reactivate(self):
        """Begin anew today, with the tenant as it was."""
        self.check_access("write")
        for subscription in self.sudo():
            tenant = subscription.tenant_id
            if cause := subscription._explain_no_return():
                raise UserError(cause)
            subscription._apply("reactivate")
            subscription.write({"ended_on": False, "close_reason_id": False})
            subscription._restart_periods(subscription._get_today())
            tenant._come_back()
            subscription._invoice_due_periods()

    def _explain_no_return(self):
        """Return why it cannot begin anew, False where it can."""
        self.ensure_one()
        if cause := self._explain_refusal("reactivate"):
            return cause
        if self.tenant_id.state == "deleted":
            return self.env._(
                "The tenant of %s is erased. Please make a new order.", self.name
            )
        if self.tenant_id._get_subscription():
            return self.env._("The tenant of %s has another subscription.", self.name)
        return False

    @api.model
    def _cron_end(self):
        """End trials that were cancelled, and close what has no tenant any more."""
        latest = fields.Date.today() + timedelta(days=1)
        ending = self.search([("state", "=", "trial"), ("cancel_on", "<=", latest)])
        for subscription in ending:
            if subscription.cancel_on <= subscription._get_today():
                subscription._end()
        self.search(
            [("state", "=", "cancelled"), ("tenant_id.state", "=", "deleted")]
        )._apply("close")
