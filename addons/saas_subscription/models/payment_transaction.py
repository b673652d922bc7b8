from requests.exceptions import ConnectionError as NoConnection
from requests.exceptions import HTTPError, Timeout

from odoo import fields, models
from odoo.exceptions import UserError, ValidationError

from odoo.addons.queue_job.exception import RetryableJobError

from ..const import ASKABLE_PROVIDERS
from ..jobs import take_for_job

SECONDS_TO_ASK_AGAIN = 60
TIMES_TO_ASK = 60
SERVER_ERRORS = 500


class LostReply(RetryableJobError):
    """The provider may have charged, or not: it did not say."""


class PaymentTransaction(models.Model):
    """The charge of a subscription's invoice: one for each try, whatever gets lost."""

    _inherit = "payment.transaction"

    saas_invoice_id = fields.Many2one(
        "account.move",
        string="Charged for",
        readonly=True,
        index="btree_not_null",
        help="The subscription's invoice for which the saved method was charged.",
    )
    saas_try = fields.Integer(string="Try", readonly=True)

    _saas_once_a_try = models.UniqueIndex(
        "(saas_invoice_id, saas_try) WHERE saas_invoice_id IS NOT NULL",
        "That invoice is charged already.",
    )
    _saas_one_open = models.UniqueIndex(
        "(saas_invoice_id) WHERE saas_invoice_id IS NOT NULL"
        " AND state IN ('draft', 'pending', 'authorized')",
        "A charge of that invoice is under way.",
    )

    # === SENDING === #

    def _queue_saas_send(self):
        self.ensure_one()
        self.with_delay(
            identity_key=f"payment.transaction.saas_send:{self.id}",
            description=self.env._("Ask for %s", self.reference),
            max_retries=TIMES_TO_ASK,
        )._send_saas()

    def _send_saas(self, again=None):
        """Ask the provider for the money.

        :param bool again: whether it may have been asked before; by default what the
            job queue knows of that
        """
        self.ensure_one()
        take_for_job(self)
        if self.state != "draft":
            return
        again = self._was_saas_job_begun() if again is None else again
        if again and self.provider_code not in ASKABLE_PROVIDERS:
            self._leave_to_staff()
            return
        self._ask_saas()
        self._queue_saas_post_process()

    def _ask_saas(self):
        """Send the request; what gets lost is asked for again by the same reference."""
        self._ensure_provider_is_not_disabled()
        try:
            self._send_payment_request()
        except ValidationError as error:
            self._set_error(str(error))

    def _send_api_request(self, *args, **kwargs):
        """Tell a reply that got lost from one that says no.

        Both are the same error for providers, who take it for a no: then the next try
        would charge a second time what was charged.
        """
        try:
            return super()._send_api_request(*args, **kwargs)
        except ValidationError as error:
            if self.saas_invoice_id and self.state == "draft" and is_lost(error):
                raise LostReply(str(error), seconds=SECONDS_TO_ASK_AGAIN) from error
            raise

    def _was_saas_job_begun(self):
        """Whether the job that runs has begun before, and did not come to its end."""
        uuid = self.env.context.get("job_uuid")
        jobs = self.env["queue.job"].sudo()
        return bool(uuid) and jobs.search([("uuid", "=", uuid)]).retry > 0

    def _on_saas_send_failure(self, **_kwargs):
        """Called by the job queue when it does not try any longer."""
        for charge in self.filtered(lambda charge: charge.state == "draft"):
            charge._leave_to_staff()

    def _leave_to_staff(self):
        """Have people look it up, where nothing tells us what became of it."""
        message = self.env._(
            "Nobody knows whether %(provider)s has charged %(reference)s: its answer "
            "got lost. Please look it up there.",
            provider=self.provider_id.name,
            reference=self.reference,
        )
        self._set_pending(state_message=message)
        self.saas_invoice_id.activity_schedule(
            "mail.mail_activity_data_warning",
            summary=self.env._("Was it charged?"),
            note=message,
            user_id=self.saas_invoice_id.saas_subscription_id.user_id.id
            or self.env.ref("base.user_root").id,
        )

    # === AFTERWARDS === #

    def _queue_saas_post_process(self):
        self.ensure_one()
        self.with_delay(
            identity_key=f"payment.transaction.saas_post_process:{self.id}",
            description=self.env._("Book %s", self.reference),
        )._book_saas()

    def _book_saas(self):
        """Book what the provider said, and tell the subscription."""
        self.ensure_one()
        if not self.is_post_processed:
            self._post_process()

    def _post_process(self):
        result = super()._post_process()
        for charge in self.filtered("saas_invoice_id"):
            if charge.state in ("cancel", "error"):
                charge.saas_invoice_id.saas_subscription_id._charge_failed(charge)
        self._keep_saas_token()
        return result

    def _keep_saas_token(self):
        """Charge from now on what the customer has paid with."""
        for payment in self.filtered(lambda t: t.state == "done" and t.token_id):
            subscriptions = payment.invoice_ids.saas_subscription_id
            subscriptions.sudo().payment_token_id = payment.token_id

    def _check_amount_and_confirm_order(self):
        """Keep the payment of an order that cannot be confirmed any more.

        A name may be taken between the quotation and its payment: then people look.
        """
        confirmed = self.env["sale.order"]
        for payment in self:
            try:
                with self.env.cr.savepoint():
                    confirmed |= super(
                        PaymentTransaction, payment
                    )._check_amount_and_confirm_order()
            except UserError as error:
                payment.sale_order_ids._tell_paid_in_vain(str(error))
        return confirmed

    def _invoice_sale_orders(self):
        """What starts a subscription is in the subscription's invoice."""
        started = self.filtered(lambda t: t.sale_order_ids.subscription_id)
        return super(PaymentTransaction, self - started)._invoice_sale_orders()


def is_lost(error):
    """Whether a provider's error says nothing of whether it has charged."""
    cause = error.__cause__ or error.__context__
    if isinstance(cause, HTTPError):
        return cause.response is None or cause.response.status_code >= SERVER_ERRORS
    return isinstance(cause, NoConnection | Timeout)
