from odoo import fields, models

from ..jobs import take_for_job

OPEN_CHARGES = ("pending", "authorized")


class AccountMove(models.Model):
    """A subscription's invoice: mailed, charged, and what follows when it is paid."""

    _inherit = "account.move"

    saas_subscription_id = fields.Many2one(
        "saas.subscription",
        string="Subscription",
        readonly=True,
        copy=False,
        check_company=True,
        index="btree_not_null",
        ondelete="restrict",
    )
    saas_charge_ids = fields.One2many(
        "payment.transaction", "saas_invoice_id", string="Charges", readonly=True
    )

    # === MAIL === #

    def _queue_saas_mail(self):
        self.ensure_one()
        self.with_delay(
            identity_key=f"account.move.saas_mail:{self.id}",
            description=self.env._("Mail %s", self.name),
        )._send_saas_mail()

    def _send_saas_mail(self):
        """Mail it with its PDF, once, in the customer's language."""
        self.ensure_one()
        if self.is_move_sent or self.state != "posted" or not self.partner_id.email:
            return
        self.env["account.move.send"]._generate_and_send_invoices(
            self,
            allow_raising=False,
            allow_fallback_pdf=True,
            sending_methods=["email"],
        )
        self.is_move_sent = True

    # === CHARGE === #

    def _queue_saas_charge(self):
        """Have the worker charge the saved payment method, where there is one."""
        self.ensure_one()
        if not self.saas_subscription_id.payment_token_id:
            return
        self.with_delay(
            identity_key=f"account.move.saas_charge:{self.id}",
            description=self.env._("Charge %s", self.name),
        )._charge_saas()

    def _charge_saas(self):
        """Record a charge of what is open; it is sent by a job of its own.

        So the reference under which the provider is asked is known for good before
        anybody asks: a lost reply can be asked for again.

        :return: the transaction, or none where nothing is to be charged
        """
        self.ensure_one()
        take_for_job(self)
        charges = self.env["payment.transaction"].sudo()
        self.saas_charge_ids.flush_recordset()  # the next try must find room
        if self._is_saas_charge_needed():
            charges = charges.create(self._prepare_saas_charge())
            charges._queue_saas_send()
        return charges

    def _is_saas_charge_needed(self):
        """Whether money is open that nobody is paying at this moment."""
        subscription = self.saas_subscription_id.sudo()
        subscription._check_billing_owner("odoo")
        paying = self.sudo().transaction_ids.filtered(
            lambda t: (
                t.state in OPEN_CHARGES
                or (t.state == "done" and not t.is_post_processed)
                or (t.state == "draft" and t.saas_invoice_id)
            )
        )
        return bool(
            self.state == "posted"
            and self.move_type == "out_invoice"
            and self.amount_residual > 0
            and subscription.payment_token_id.active
            and not paying
        )

    def _prepare_saas_charge(self):
        token = self.saas_subscription_id.sudo().payment_token_id
        number = max(self.sudo().saas_charge_ids.mapped("saas_try"), default=0) + 1
        transactions = self.env["payment.transaction"]
        return {
            "provider_id": token.provider_id.id,
            "payment_method_id": token.payment_method_id.id,
            "token_id": token.id,
            "operation": "offline",
            "amount": self.amount_residual,
            "currency_id": self.currency_id.id,
            "partner_id": token.partner_id.id,
            "invoice_ids": [fields.Command.set(self.ids)],
            "saas_invoice_id": self.id,
            "saas_try": number,
            "reference": transactions._compute_reference(
                token.provider_id.code, prefix=f"{self.name}-auto{number}"
            ),
        }

    # === PAID === #

    def button_cancel(self):
        """What staff cancel is not owed any more."""
        result = super().button_cancel()
        self.saas_subscription_id._settle()
        return result

    def _use_saas_credit(self):
        """Set what was given back before against what is open now."""
        self.ensure_one()
        refunds = self.saas_subscription_id.sudo().invoice_ids.filtered(
            lambda move: (
                move.move_type == "out_refund"
                and move.state == "posted"
                and move.amount_residual
                and move.currency_id == self.currency_id
            )
        )
        for refund in refunds:
            lines = (self | refund).line_ids.filtered(
                lambda line: (
                    line.account_type == "asset_receivable" and not line.reconciled
                )
            )
            if len(lines.move_id) > 1:
                lines.reconcile()
