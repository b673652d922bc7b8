from unittest.mock import Mock, patch

from requests import ConnectionError as NoConnection
from requests import HTTPError, Response, Timeout

from odoo.exceptions import UserError, ValidationError
from odoo.tests import tagged

from odoo.addons.queue_job.exception import RetryableJobError
from odoo.addons.queue_job.job import Job

from .common import SubscriptionCommon


@tagged("post_install", "-at_install")
class TestCharge(SubscriptionCommon):
    def prepare(self):
        super().prepare()
        self.subscription = self.subscribe("2026-01-15")
        self.token = self.save_token(self.subscription)
        self.invoice = self.subscription.invoice_ids

    def owe(self):
        """Let the card fail, so that the subscription owes its invoice."""
        self.bank[1] = "No money"
        return self.charge(self.invoice)

    def hold(self):
        """Stop the tenant for it, as the last step before the archive does."""
        self.owe()
        self.subscription._apply("hold")
        self.subscription.tenant_id._hold_for("unpaid", "Not paid")
        self.run_operations()
        self.assertEqual(self.subscription.tenant_id.state, "suspended")

    # === CHARGING === #

    def test_the_saved_method_pays_an_invoice(self):
        charge = self.charge(self.invoice)
        self.assertEqual(charge.state, "done")
        self.assertEqual(charge.amount, 36)
        self.assertEqual(charge.operation, "offline")
        self.assertEqual(self.invoice.payment_state, "paid")
        self.assertEqual(self.charged, [f"{self.invoice.name}-auto1"])

    def test_nobody_pays_with_what_is_somebody_else_s(self):
        stranger = self.env["res.partner"].create({"name": "Other Ltd"})
        token = self._create_token(partner_id=stranger.id)
        with self.assertRaisesRegex(ValidationError, "one is of Other Ltd"):
            self.subscription.payment_token_id = token
        with self.assertRaisesRegex(ValidationError, "one is of Alfa Ltd"):
            self.subscription.partner_id = stranger

    def test_a_renewal_is_charged_by_the_worker(self):
        [invoice] = self.renew(self.subscription, "2026-02-15")
        self.assertEqual(self.get_jobs("_charge_saas").records, invoice)
        with self.the_bank():
            charge = invoice._charge_saas()
        self.assertEqual(charge.state, "draft")
        self.assertEqual(self.get_jobs("_send_saas").records, charge)

    def test_without_a_saved_method_nothing_is_charged(self):
        self.subscription.payment_token_id = False
        self.assertFalse(self.charge(self.invoice))

    def test_what_is_paid_or_being_paid_is_not_charged(self):
        with self.the_bank():
            self.invoice._charge_saas()
            self.assertFalse(self.invoice._charge_saas())
        self.assertFalse(self.charged)

    def test_a_paid_invoice_is_not_charged(self):
        self.pay(self.invoice)
        self.assertFalse(self.charge(self.invoice))

    def test_a_card_that_fails_is_owed_and_then_works(self):
        charge = self.owe()
        self.assertEqual(charge.state, "error")
        self.assertEqual(self.subscription.state, "past_due")
        self.assertIn("No money", self.subscription.message_ids[0].body)
        again = self.charge(self.invoice)
        self.assertEqual(again.reference, f"{self.invoice.name}-auto2")
        self.assertEqual(self.subscription.state, "active")
        self.assertEqual(len(self.charged), 1)

    def test_nobody_else_s_billing_is_charged(self):
        self.subscription.billing_owner = "paddle"
        with self.assertRaisesRegex(UserError, "is billed by Paddle"):
            self.charge(self.invoice)

    def test_the_owner_of_the_billing_changes_when_nothing_is_under_way(self):
        charge = self.invoice._charge_saas()
        with self.assertRaisesRegex(UserError, "A charge of SUB.* is under way"):
            self.subscription._change_billing_owner("stripe")
        with self.the_bank():
            self.send(charge)
        self.subscription._change_billing_owner("stripe")
        self.assertEqual(self.subscription.billing_owner, "stripe")

    # === LOST REPLIES === #

    def ask_over_http(self, charge, *answers):
        """Ask a provider that has an API, and that charges each reference once."""
        answers = list(answers)

        def request(_method, _url, **kwargs):
            reference = kwargs["json"]["reference"]
            if reference not in self.charged:
                self.charged.append(reference)
            answer = answers.pop(0)
            if isinstance(answer, HTTPError):
                return Mock(raise_for_status=Mock(side_effect=answer), text="No money")
            if answer:
                raise answer
            return Mock(raise_for_status=lambda: None, json=dict)

        def send(transaction):
            try:
                transaction._send_api_request(
                    "POST", "pay", json={"reference": transaction.reference}
                )
            except ValidationError as error:  # as payment_stripe does
                transaction._set_error(str(error))
            else:
                transaction._set_done()

        providers = self.env.registry["payment.provider"]
        transactions = self.env.registry["payment.transaction"]
        with (
            patch(
                "odoo.addons.payment.models.payment_provider.requests.request", request
            ),
            patch.object(
                providers, "_build_request_url", lambda *_a, **_k: "https://x"
            ),
            patch.object(transactions, "_send_payment_request", send),
            patch(
                "odoo.addons.saas_subscription.models.payment_transaction.ASKABLE_PROVIDERS",
                ("none",),
            ),
        ):
            return [self.send(charge, again=index > 0) for index in range(len(answers))]

    def test_a_lost_reply_is_asked_for_again_and_charged_once(self):
        charge = self.invoice._charge_saas()
        asked = self.ask_over_http(charge, Timeout(), NoConnection(), None)
        self.assertEqual(asked, [True, True, False])
        self.assertEqual(charge.state, "done")
        self.assertEqual(self.charged, [charge.reference])
        self.assertEqual(self.invoice.payment_state, "paid")

    def test_while_a_reply_is_lost_nothing_else_is_charged(self):
        charge = self.invoice._charge_saas()
        self.assertEqual(self.ask_over_http(charge, Timeout()), [True])
        self.assertFalse(self.invoice._charge_saas())
        self.assertEqual(self.subscription.state, "active")

    def test_a_server_s_error_says_nothing_and_a_refusal_says_no(self):
        unavailable, refusal = Response(), Response()
        unavailable.status_code, refusal.status_code = 503, 402
        charge = self.invoice._charge_saas()
        asked = self.ask_over_http(
            charge, HTTPError(response=unavailable), HTTPError(response=refusal)
        )
        self.assertEqual(asked, [True, False])
        self.assertEqual(charge.state, "error")
        self.assertEqual(self.subscription.state, "past_due")

    def test_a_job_that_finds_it_taken_has_not_asked_yet(self):
        charge = self.invoice._charge_saas()
        queued = self.get_jobs("_send_saas").filtered(
            lambda queued: queued.records == charge
        )
        job = Job.load(self.env, queued.uuid)
        registry = self.env.registry["payment.transaction"]
        with (
            patch.object(registry, "try_lock_for_update", lambda taken: taken.browse()),
            self.assertRaisesRegex(RetryableJobError, "being changed"),
        ):
            job.perform()
        self.assertEqual(job.retry, 0)
        job.store()
        with self.the_bank():
            job.perform()
        self.assertEqual(self.charged, [charge.reference])

    def test_where_nobody_can_be_asked_again_people_look(self):
        charge = self.invoice._charge_saas()
        with self.the_bank():
            charge._send_saas(again=True)
        self.assertEqual(charge.state, "pending")
        self.assertIn(charge.reference, self.invoice.activity_ids.note)
        self.assertFalse(self.charged)

    def test_people_look_when_asking_again_does_not_help(self):
        charge = self.invoice._charge_saas()
        self.ask_over_http(charge, Timeout())
        charge._on_saas_send_failure(exc_name="LostReply", job_id="x")
        self.assertEqual(charge.state, "pending")
        self.assertIn("its answer got lost", charge.state_message)
        self.assertEqual(self.invoice.activity_ids.summary, "Was it charged?")

    # === PAID, IN WHATEVER WAY === #

    def test_paying_late_lifts_the_hold_and_the_tenant_runs(self):
        self.hold()
        self.pay(self.invoice)
        self.assertEqual(self.subscription.state, "active")
        self.run_operations()
        self.assertEqual(self.subscription.tenant_id.state, "running")

    def test_a_hold_of_another_kind_stays(self):
        self.hold()
        tenant = self.subscription.tenant_id
        tenant._hold_for("abuse", "Spam")
        self.pay(self.invoice)
        self.run_operations()
        self.assertEqual(self.subscription.state, "active")
        self.assertEqual(tenant.hold_ids.mapped("kind"), ["abuse"])
        self.assertEqual(tenant.state, "suspended")

    def test_who_owes_two_invoices_pays_both(self):
        [second] = self.renew(self.subscription, "2026-02-15")
        self.bank[1] = "No money"
        with self.at("2026-02-16"):
            self.charge(second)
            self.pay(second)
            self.assertEqual(self.subscription.state, "past_due")
            self.pay(self.invoice)
        self.assertEqual(self.subscription.state, "active")

    def test_an_invoice_that_staff_cancel_is_not_owed(self):
        self.hold()
        self.invoice.button_draft()
        self.invoice.button_cancel()
        self.run_operations()
        self.assertEqual(self.subscription.state, "active")
        self.assertEqual(self.subscription.tenant_id.state, "running")

    def test_a_credit_note_settles_too(self):
        self.hold()
        wizard = self.env["account.move.reversal"].with_context(
            active_model="account.move", active_ids=self.invoice.ids
        )
        wizard.create({"journal_id": self.invoice.journal_id.id}).refund_moves()
        refund = self.invoice.reversal_move_ids
        refund.action_post()
        (refund | self.invoice).line_ids.filtered(
            lambda line: line.account_type == "asset_receivable"
        ).filtered(lambda line: not line.reconciled).reconcile()
        self.assertEqual(self.subscription.state, "active")

    def test_days_without_the_tenant_are_not_charged(self):
        self.hold()
        self.assertFalse(self.renew(self.subscription, "2026-03-20"))
        with self.at("2026-03-20"):
            self.pay(self.invoice)
        self.assertEqual(str(self.subscription.next_invoice_date), "2026-03-20")
        self.assertEqual(len(self.renew(self.subscription, "2026-03-20")), 1)
        self.assertEqual(str(self.subscription.next_invoice_date), "2026-04-20")

    def test_what_the_customer_pays_with_is_charged_from_then_on(self):
        token = self._create_token(partner_id=self.customer.id)
        transaction = self._create_transaction(
            "token",
            token_id=token.id,
            invoice_ids=[(6, 0, self.invoice.ids)],
            amount=36,
            currency_id=self.invoice.currency_id.id,
            partner_id=self.customer.id,
        )
        transaction._set_done()
        transaction._post_process()
        self.assertEqual(self.subscription.payment_token_id, token)
        self.assertEqual(self.invoice.payment_state, "paid")


@tagged("post_install", "-at_install")
class TestPaidOrder(SubscriptionCommon):
    def pay_order(self, order):
        transaction = self._create_transaction(
            "direct",
            sale_order_ids=[(6, 0, order.ids)],
            amount=order.amount_total,
            currency_id=order.currency_id.id,
            partner_id=order.partner_id.id,
            token_id=self._create_token(partner_id=order.partner_id.id).id,
        )
        transaction._set_done()
        transaction._post_process()
        return transaction

    def test_an_order_that_is_paid_online_starts_paid(self):
        for automatic in ("False", "True"):
            with (
                self.subTest(automatic_invoice=automatic),
                self.env.cr.savepoint() as sp,
            ):
                self.env["ir.config_parameter"].set_param(
                    "sale.automatic_invoice", automatic
                )
                order = self.order_basic()
                transaction = self.pay_order(order)
                subscription = order.subscription_id
                self.assertEqual(subscription.state, "active")
                self.assertEqual(len(subscription.invoice_ids), 1)
                self.assertEqual(subscription.invoice_ids.payment_state, "paid")
                self.assertEqual(subscription.payment_token_id, transaction.token_id)
                sp.rollback()
                self.env.invalidate_all()

    def test_a_payment_is_kept_where_the_name_was_taken_meanwhile(self):
        order = self.order_basic(user_id=self.salesperson.id)
        self.create_tenant("beta")
        transaction = self.pay_order(order)
        self.assertEqual(order.state, "draft")
        self.assertEqual(transaction.payment_id.amount, order.amount_total)
        self.assertIn("“beta” is taken", order.activity_ids.note)
        self.assertEqual(order.activity_ids.user_id, self.salesperson)

    def test_the_method_is_saved_where_a_subscription_is_paid(self):
        order = self.order_basic()
        provider = self.provider
        self.assertTrue(provider._is_tokenization_required(sale_order_id=order.id))
        other = self.create_order((self.product_a, 1), saas_tenant_name=False)
        self.assertFalse(provider._is_tokenization_required(sale_order_id=other.id))
        self.assertFalse(provider._is_tokenization_required())
