from odoo.exceptions import UserError, ValidationError
from odoo.tests import tagged

from .dunning_common import DunningCommon


@tagged("post_install", "-at_install")
class TestTrial(DunningCommon):
    def try_basic(self, **values):
        subscription = self.subscribe("2026-01-15", saas_trial_days=14, **values)
        self.assertEqual(subscription.state, "trial")
        self.assertEqual(str(subscription.trial_end), "2026-01-29")
        return subscription

    def test_who_agreed_to_pay_is_reminded_and_then_invoiced(self):
        subscription = self.try_basic(user_id=self.salesperson.id)
        [begun] = self.subjects(subscription)
        self.assertEqual(begun, "Your trial of Basic")
        self.tick("2026-01-21")
        self.assertEqual(len(self.subjects(subscription)), 1)
        self.tick("2026-01-22", "2026-01-22", "2026-01-23")
        self.assertEqual(len(self.subjects(subscription)), 2)
        self.assertEqual(
            self.subjects(subscription)[0], "Your trial ends on 01/29/2026"
        )
        self.assertIn("you get its first invoice", self.mail(subscription))
        self.tick("2026-01-27")
        self.assertEqual(len(self.subjects(subscription)), 3)
        self.assertFalse(subscription.invoice_ids)
        self.tick("2026-01-29")
        self.assertEqual(subscription.state, "active")
        self.assertEqual(subscription.trial_outcome, "converted")
        self.assertEqual(subscription.invoice_ids.amount_untaxed, 30)
        self.assertEqual(str(subscription.next_invoice_date), "2026-02-28")
        self.assertIn("has begun", self.subjects(subscription)[0])
        self.tick("2026-01-30")
        self.assertEqual(len(subscription.invoice_ids), 1)

    def test_who_saved_no_way_to_pay_is_told_and_then_it_ends(self):
        subscription = self.try_basic(user_id=False)
        self.assertFalse(subscription.goes_on)
        self.tick("2026-01-22")
        self.assertIn("save a way to pay before that day", self.mail(subscription))
        self.tick("2026-01-28")
        self.assertEqual(subscription.state, "trial")
        self.tick("2026-01-29")
        self.assertEqual(subscription.state, "cancelled")
        self.assertEqual(subscription.trial_outcome, "ended")
        self.assertEqual(
            subscription.close_reason_id,
            self.env.ref("saas_subscription.close_reason_trial"),
        )
        self.assertEqual(subscription.tenant_id.state, "deleting")
        self.assertFalse(subscription.invoice_ids)
        self.assertEqual(self.subjects(subscription)[0], "Your trial has ended")
        self.assertIn("you can have it back", self.mail(subscription))

    def test_who_saved_a_payment_method_is_charged_for_the_first_period(self):
        subscription = self.try_basic(user_id=False)
        self.save_token(subscription)
        self.tick("2026-01-29")
        self.assertEqual(subscription.state, "active")
        self.assertEqual(subscription.invoice_ids.payment_state, "paid")
        self.assertEqual(len(self.charged), 1)

    def test_who_does_not_want_to_wait_begins_at_once(self):
        subscription = self.try_basic(user_id=False)
        with self.at("2026-01-20"):
            subscription.with_user(self.salesperson).action_convert()
            self.assertEqual(subscription.state, "active")
            self.assertEqual(str(subscription.date_start), "2026-01-20")
            with self.assertRaisesRegex(UserError, "is not in a trial"):
                subscription.action_convert()
        self.tick("2026-01-29")
        self.assertEqual(len(subscription.invoice_ids), 1)

    def test_who_cancelled_in_the_trial_is_not_invoiced(self):
        subscription = self.try_basic(user_id=self.salesperson.id)
        with self.at("2026-01-20"):
            subscription._cancel("renewal", self.reason)
        self.tick("2026-01-22")
        self.assertIn("On 01/29/2026 it ends, as you wished.", self.mail(subscription))
        self.tick("2026-01-29")
        self.assertEqual(subscription.state, "cancelled")
        self.assertEqual(subscription.close_reason_id, self.reason)
        self.assertFalse(subscription.invoice_ids)

    def test_the_trial_ends_at_the_customer_s_midnight(self):
        subscription = self.try_basic(user_id=self.salesperson.id)
        subscription.tz = "America/Sao_Paulo"
        with self.at("2026-01-15"):
            subscription._plan_trial()
        self.assertEqual(str(subscription.trial_look_on), "2026-01-22 11:00:00")
        self.tick("2026-01-22", "2026-01-27")
        self.assertEqual(str(subscription.trial_look_on), "2026-01-29 03:00:00")

    def test_a_late_worker_sends_one_reminder_and_not_all(self):
        subscription = self.try_basic(user_id=self.salesperson.id)
        self.tick("2026-01-28")
        self.assertEqual(len(self.subjects(subscription)), 2)
        self.tick("2026-01-28")
        self.assertEqual(len(self.subjects(subscription)), 2)

    def test_reminders_are_days_before_the_end(self):
        for text, days in (("7, 2", {7, 2}), ("5 3,1", {5, 3, 1}), (False, set())):
            self.plan.trial_reminders = text
            self.assertEqual(self.plan._get_trial_reminders(), days)
        for text in ("soon", "-1", "0"):
            with self.assertRaisesRegex(ValidationError, "as numbers, e.g. 7, 2"):
                self.plan.trial_reminders = text

    def test_the_customer_reads_their_own_language(self):
        self.env["res.lang"]._activate_lang("pt_BR")
        self.customer.lang = "pt_BR"
        template = self.env.ref("saas_subscription.mail_template_trial_begun")
        template.with_context(
            lang="pt_BR"
        ).subject = "O teste de {{ object.plan_id.name }}"
        subscription = self.try_basic()
        self.assertEqual(self.subjects(subscription), ["O teste de Basic"])
        self.assertIn("29/01/2026", self.mail(subscription))
