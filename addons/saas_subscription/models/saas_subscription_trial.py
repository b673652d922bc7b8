from datetime import timedelta

from odoo import api, fields, models
from odoo.exceptions import UserError, ValidationError
from odoo.fields import Domain
from odoo.tools import format_date

from ..engine.recurrence import begin_of
from ..jobs import take_for_job
from .saas_dunning_case import STEP_HOUR
from .saas_subscription_invoice import QUEUED_AT_ONCE, QUEUED_FOR

OUTCOMES = {
    "converted": "Converted",
    "ended": "Ended",
}


class SaasPlan(models.Model):
    _inherit = "saas.plan"

    trial_reminders = fields.Char(
        string="Remind (days before)",
        default="7, 2",
        help="On which days before a trial ends its customer gets a mail, e.g. 7, 2. "
        "Empty: on none.",
    )

    @api.constrains("trial_reminders")
    def _check_trial_reminders(self):
        for plan in self:
            plan._get_trial_reminders()

    def _get_trial_reminders(self):
        """Return on which days before its end a trial's customer is reminded."""
        self.ensure_one()
        numbers = (self.trial_reminders or "").replace(",", " ").split()
        if not all(number.isdecimal() and int(number) for number in numbers):
            raise ValidationError(
                self.env._(
                    "Please write the days before a trial's end as numbers, e.g. 7, 2."
                )
            )
        return {int(number) for number in numbers}


class SaasSubscription(models.Model):
    """A trial: its reminders, and what becomes of it."""

    _inherit = "saas.subscription"

    goes_on = fields.Boolean(
        string="Goes On After the Trial",
        tracking=True,
        help="The customer agreed to pay after the trial, whether by a saved payment "
        "method or by themselves. Otherwise a trial ends, unless a payment method is "
        "saved by then.",
    )
    trial_look_on = fields.Datetime(readonly=True, copy=False)
    trial_outcome = fields.Selection(
        selection=list(OUTCOMES.items()), string="Trial", readonly=True, copy=False
    )

    _trial_index = models.Index("(trial_look_on) WHERE state = 'trial'")

    @api.model
    def _prepare_from_order(self, order):
        """What staff have sold goes on; who signed up alone has not agreed to pay."""
        sold = bool(order.user_id or order.signature)
        return {**super()._prepare_from_order(order), "goes_on": sold}

    def _start(self, trial_days=0):
        result = super()._start(trial_days)
        if self.state == "trial":
            self._plan_trial()
            self._mail_by_name("trial_begun")
        return result

    def _apply(self, event):
        trials = self.filtered(lambda subscription: subscription.state == "trial")
        result = super()._apply(event)
        if event in ("activate", "cancel"):
            outcome = "converted" if event == "activate" else "ended"
            trials.sudo().write({"trial_outcome": outcome, "trial_look_on": False})
        return result

    # === TIME === #

    def _plan_trial(self):
        """Note when its next reminder is due, or its end."""
        self.ensure_one()
        today = self._get_today()
        days = {
            self.trial_end - timedelta(days=number)
            for number in self.plan_id._get_trial_reminders()
        }
        coming = [day for day in days if today < day]
        zone = self.tz or "UTC"
        if coming:
            self.trial_look_on = begin_of(min(coming), zone) + STEP_HOUR
        else:
            self.trial_look_on = begin_of(self.trial_end, zone)

    @api.model
    def _get_trial_domain(self):
        return Domain("state", "=", "trial") & Domain(
            "trial_look_on", "<=", fields.Datetime.now()
        )

    @api.model
    def _queue_trials(self, due):
        """Have the worker do what is due in trials, each in a job of its own."""
        subscriptions = self.search(due, limit=QUEUED_AT_ONCE)
        for subscription in subscriptions:
            subscription.with_delay(
                identity_key=f"saas.subscription.trial:{subscription.id}",
                description=self.env._("Trial of %s", subscription.name),
            )._tend_trial()
        # A job that got lost is asked for again.
        subscriptions.trial_look_on = fields.Datetime.now() + QUEUED_FOR

    def _tend_trial(self):
        """Remind its customer, or end it; run by the worker, as often as one likes."""
        self.ensure_one()
        take_for_job(self)
        if self.state != "trial":
            return
        if self.trial_end <= self._get_today():
            self._end_trial()
            return
        self._plan_trial()
        self._mail_by_name("trial_reminder")

    # === THE END === #

    def _end_trial(self):
        """Have who pays go on, and end it for the others."""
        self.ensure_one()
        if self._will_go_on():
            self._convert(self.trial_end)
            return
        if not self.cancel_on:
            self.close_reason_id = self.env.ref("saas_subscription.close_reason_trial")
        self._end()
        self._mail_by_name("trial_ended")

    def _will_go_on(self):
        """Whether its trial becomes a subscription that is paid."""
        self.ensure_one()
        pays = self.goes_on or self.sudo().payment_token_id.active
        return bool(pays and not self.cancel_on)

    def _convert(self, day):
        """Have the first period begin on that day."""
        self.ensure_one()
        self._begin(day)
        self._mail_by_name("trial_converted")

    def action_convert(self):
        """Have it be paid from today on: the customer does not wait for its end."""
        self.check_access("write")
        for subscription in self.sudo():
            if subscription.state != "trial":
                raise UserError(self.env._("%s is not in a trial.", subscription.name))
            subscription._convert(subscription._get_today())

    # === WORDS === #

    def _explain_trial_end(self):
        """Return what happens at its end, for the customer."""
        self.ensure_one()
        day = format_date(self.env, self.trial_end)
        if self._will_go_on():
            return self.env._(
                "On %s your subscription begins, and you get its first invoice.", day
            )
        if self.cancel_on:
            return self.env._("On %s it ends, as you wished.", day)
        return self.env._(
            "On %s it ends. To keep your Odoo, save a way to pay before that day.", day
        )
