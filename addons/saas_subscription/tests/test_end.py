from odoo.exceptions import UserError
from odoo.tests import tagged

from .common import SubscriptionCommon


@tagged("post_install", "-at_install")
class TestEnd(SubscriptionCommon):
    def prepare(self):
        super().prepare()
        self.subscription = self.subscribe("2026-01-15")
        self.tenant = self.subscription.tenant_id

    def cancel(self, when, day="2026-01-20"):
        with self.at(day):
            self.subscription._cancel(when, self.reason)
            self.run_operations()

    def test_cancelled_now_its_tenant_stops_and_waits_for_its_grace(self):
        self.cancel("now")
        self.assertEqual(self.subscription.state, "cancelled")
        self.assertEqual(str(self.subscription.ended_on), "2026-01-20")
        self.assertEqual(self.subscription.close_reason_id, self.reason)
        self.assertEqual(self.tenant.state, "deleting")
        self.assertFalse(self.renew(self.subscription, "2026-02-15"))
        self.assertEqual(self.subscription.mrr, 0)

    def test_cancelled_at_the_period_s_end_it_runs_until_then(self):
        self.cancel("renewal")
        self.assertEqual(self.subscription.state, "active")
        self.assertEqual(str(self.subscription.cancel_on), "2026-02-15")
        self.assertEqual(self.tenant.state, "running")
        self.assertFalse(self.renew(self.subscription, "2026-02-15"))
        self.run_operations()
        self.assertEqual(self.subscription.state, "cancelled")
        self.assertEqual(self.tenant.state, "deleting")

    def test_who_stays_after_all_is_renewed(self):
        self.cancel("renewal")
        self.subscription.action_keep()
        self.assertFalse(self.subscription.close_reason_id)
        self.assertEqual(len(self.renew(self.subscription, "2026-02-15")), 1)

    def test_a_trial_that_was_cancelled_ends_with_its_days(self):
        trial = self.subscribe(
            "2026-01-15", saas_trial_days=14, saas_tenant_name="gamma"
        )
        with self.at("2026-01-20"):
            trial._cancel("renewal", self.reason)
        for day, state in (("2026-01-28", "trial"), ("2026-01-29", "cancelled")):
            with self.at(day):
                self.env["saas.subscription"]._cron_end()
            self.assertEqual(trial.state, state)
        self.assertFalse(trial.invoice_ids)

    def test_who_comes_back_begins_anew_with_the_same_tenant(self):
        self.cancel("now")
        with self.at("2026-02-03"):
            self.subscription.action_reactivate()
            self.run_operations()
        self.assertEqual(self.subscription.state, "active")
        self.assertEqual(self.tenant.state, "running")
        self.assertEqual(str(self.subscription.next_invoice_date), "2026-03-03")
        self.assertEqual(len(self.subscription.invoice_ids), 2)

    def test_nobody_comes_back_to_an_erased_tenant(self):
        self.cancel("now")
        self.tenant.action_delete(erase_now=True)
        self.run_operations()
        with self.assertRaisesRegex(UserError, "is erased. Please make a new order"):
            self.subscription.action_reactivate()
        self.env["saas.subscription"]._cron_end()
        self.assertEqual(self.subscription.state, "closed")

    def test_a_pause_stops_tenant_and_invoices(self):
        with self.at("2026-01-20"):
            self.subscription.action_pause()
            self.run_operations()
        self.assertEqual(self.subscription.state, "paused")
        self.assertEqual(self.tenant.state, "suspended")
        self.assertFalse(self.renew(self.subscription, "2026-02-15"))
        with self.at("2026-03-20"):
            self.subscription.action_resume()
            self.run_operations()
        self.assertEqual(self.tenant.state, "running")
        self.assertEqual(str(self.subscription.period_start), "2026-03-20")

    def test_a_pause_within_a_period_leaves_it_as_it_is(self):
        with self.at("2026-01-20"):
            self.subscription.action_pause()
        with self.at("2026-01-25"):
            self.subscription.action_resume()
        self.assertEqual(str(self.subscription.next_invoice_date), "2026-02-15")
        self.assertEqual(len(self.subscription.invoice_ids), 1)

    def test_a_payment_for_what_was_cancelled_brings_no_tenant_back(self):
        invoice = self.subscription.invoice_ids
        self.tenant._hold_for("unpaid", "Not paid")
        self.cancel("now")
        self.pay(invoice)
        self.run_operations()
        self.assertEqual(self.subscription.state, "cancelled")
        self.assertEqual(self.tenant.state, "deleting")
        self.assertFalse(self.tenant.hold_ids)

    def test_a_customer_who_deletes_the_tenant_pays_no_more(self):
        with self.at("2026-01-20"):
            self.tenant._delete_for_customer("beta")
        self.assertEqual(self.subscription.state, "cancelled")

    def test_what_has_ended_is_not_cancelled_again(self):
        self.cancel("now")
        with self.assertRaisesRegex(UserError, "is cancelled. This is possible only"):
            self.subscription._cancel("renewal", self.reason)
