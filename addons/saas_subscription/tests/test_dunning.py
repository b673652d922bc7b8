from odoo import fields
from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.tests import tagged

from odoo.addons.saas.const import KINDS

from .dunning_common import DunningCommon


@tagged("post_install", "-at_install")
class TestDunning(DunningCommon):
    def prepare(self):
        super().prepare()
        # Due on the day it begins: 36.00, with taxes.
        self.subscription = self.subscribe("2026-01-15")
        self.invoice = self.subscription.invoice_ids
        self.tenant = self.subscription.tenant_id

    @property
    def case(self):
        return self.subscription.dunning_case_id

    def live_until_the_stop(self):
        for day in (16, 17, 18, 21, 22, 28, 29):
            self.tick(f"2026-01-{day}")
        self.assertEqual(self.tenant.state, "suspended")

    def test_an_unpaid_invoice_goes_up_the_ladder_and_back_when_it_is_paid(self):
        self.keep_archives()
        self.tick("2026-01-15")
        self.assertEqual(self.subscription.state, "active")
        self.assertFalse(self.case)

        self.tick("2026-01-16")
        self.assertEqual(self.subscription.state, "past_due")
        self.assertEqual(self.case.move_id, self.invoice)
        self.assertEqual(self.case.amount, 36)
        self.assertEqual(str(self.case.next_on), "2026-01-17 08:00:00")

        self.tick("2026-01-17", "2026-01-18")
        [reminder] = self.subjects(self.subscription)
        self.assertEqual(reminder, f"Invoice {self.invoice.name} is not paid yet")
        text = self.mail(self.subscription)
        self.assertIn("01/29/2026: your Odoo is stopped. Your data are kept.", text)
        self.assertIn("02/14/2026: your Odoo is put into the archive", text)
        self.assertIn(
            "04/15/2026: your Odoo is deleted for good, with all its data.", text
        )
        self.assertIn(f"/my/invoices/{self.invoice.id}?access_token=", text)
        self.assertFalse(self.case.shows_banner)

        self.tick("2026-01-21", "2026-01-22")
        self.assertTrue(self.case.shows_banner)
        self.assertIn("so that your Odoo goes on", self.subjects(self.subscription)[0])
        self.assertEqual(self.tenant.state, "running")

        self.tick("2026-01-28", "2026-01-29")
        self.assertEqual(self.subscription.state, "unpaid")
        self.assertEqual(self.tenant.state, "suspended")
        self.assertEqual(self.tenant.hold_ids.mapped("kind"), ["unpaid"])
        self.assertIn("Your Odoo is stopped", self.subjects(self.subscription)[0])

        case = self.case
        with self.at("2026-02-03"):
            self.pay(self.invoice)
        self.assertEqual(self.subscription.state, "active")
        self.assertEqual(case.state, "recovered")
        self.assertEqual(case.days_late, 19)
        self.assertEqual(
            self.subjects(self.subscription)[0], "Thank you: your Odoo runs again"
        )
        self.run_operations()
        self.assertEqual(self.tenant.state, "running")
        mails = len(self.subjects(self.subscription))
        self.tick("2026-02-04")
        self.assertEqual(len(self.subjects(self.subscription)), mails)
        self.assertFalse(self.case)

    def test_a_refused_card_is_told_at_once_and_tried_again_by_the_ladder(self):
        self.save_token(self.subscription)
        self.bank = {1: "No money"}
        with self.at("2026-01-15"):
            self.charge(self.invoice)
        self.assertEqual(self.subscription.state, "past_due")
        [refused] = self.subjects(self.subscription)
        self.assertEqual(refused, f"We could not charge you for {self.invoice.name}")
        self.assertIn("01/29/2026: your Odoo is stopped.", self.mail(self.subscription))
        case = self.case
        self.tick("2026-01-16")
        self.assertEqual(len(self.invoice.saas_charge_ids), 1)
        self.tick("2026-01-17")
        self.assertEqual(self.charged, [f"{self.invoice.name}-auto2"])
        self.assertEqual(self.subscription.state, "active")
        self.assertEqual(case.state, "recovered")
        self.tick("2026-01-18", "2026-02-01")
        self.assertEqual(len(self.charged), 1)
        self.assertEqual(self.tenant.state, "running")

    def test_two_looks_at_once_begin_one_case_and_take_each_step_once(self):
        self.tick("2026-01-16", "2026-01-16", "2026-01-17", "2026-01-18", "2026-01-18")
        self.assertEqual(len(self.subscription.case_ids), 1)
        self.assertEqual(len(self.subjects(self.subscription)), 1)
        with self.at("2026-01-18"):
            self.case._take_steps()
        self.assertEqual(len(self.subjects(self.subscription)), 1)

    def test_what_was_queued_is_not_queued_again_until_it_is_lost(self):
        self.tick("2026-01-16")
        for hour, count in (("07:00", 0), ("09:00", 1), ("10:00", 1), ("16:00", 1)):
            with self.at_hour("2026-01-17", hour):
                self.env["saas.operation"]._cron_tick()
            self.assertEqual(len(self.get_waiting("_take_steps")), count)
        self.get_waiting("_take_steps").unlink()
        with self.at_hour("2026-01-17", "23:00"):
            self.env["saas.operation"]._cron_tick()
        self.assertEqual(self.get_waiting("_take_steps").records, self.case)

    def test_the_customer_s_day_and_morning_count(self):
        self.subscription.tz = "America/Sao_Paulo"
        with self.at_hour("2026-01-16", "02:59"):  # the evening of the 15th there
            self.env["saas.operation"]._cron_tick()
        self.assertFalse(self.case)
        with self.at_hour("2026-01-16", "03:00"):
            self.env["saas.operation"]._cron_tick()
        self.assertEqual(str(self.case.next_on), "2026-01-17 11:00:00")

    def test_a_worker_that_was_away_takes_nothing_from_who_was_not_warned(self):
        self.tick("2026-06-01", "2026-06-01")
        self.assertEqual(self.case.last_action, "retry")
        self.tick("2026-06-02", "2026-06-05", "2026-06-06", "2026-06-12")
        self.assertEqual(self.tenant.state, "running")
        self.tick("2026-06-13")
        self.assertEqual(self.tenant.state, "suspended")

    # === IN WHATEVER WAY === #

    def test_a_hold_of_another_kind_stays_when_it_is_paid(self):
        self.live_until_the_stop()
        self.tenant._hold_for("abuse", "Spam")
        self.pay(self.invoice)
        self.run_operations()
        self.assertEqual(self.subscription.state, "active")
        self.assertEqual(self.tenant.hold_ids.mapped("kind"), ["abuse"])
        self.assertEqual(self.tenant.state, "suspended")

    def test_what_staff_cancel_is_dropped_and_the_tenant_runs(self):
        self.live_until_the_stop()
        case = self.case
        self.invoice.button_draft()
        self.invoice.button_cancel()
        self.run_operations()
        self.assertEqual(case.state, "dropped")
        self.assertEqual(self.subscription.state, "active")
        self.assertEqual(self.tenant.state, "running")

    def test_what_is_credited_is_dropped(self):
        self.tick("2026-01-16")
        case = self.case
        wizard = self.env["account.move.reversal"].with_context(
            active_model="account.move", active_ids=self.invoice.ids
        )
        wizard.create({"journal_id": self.invoice.journal_id.id}).modify_moves()
        self.assertEqual(self.invoice.payment_state, "reversed")
        self.assertEqual(case.state, "dropped")
        self.assertEqual(self.subscription.state, "active")

    def test_what_no_event_told_is_found_by_the_next_look(self):
        self.live_until_the_stop()
        self.env.cr.execute(
            "UPDATE account_move SET payment_state = 'paid' WHERE id = %s",
            [self.invoice.id],
        )
        self.invoice.invalidate_recordset()
        self.tick("2026-01-30")
        self.assertEqual(self.subscription.state, "active")
        self.assertEqual(self.tenant.state, "running")

    def test_who_owes_two_invoices_stays_stopped_until_both_are_paid(self):
        second = self.renew(self.subscription, "2026-02-15")
        for day in (16, 17, 18, 21, 22, 28):
            self.tick(f"2026-02-{day}")
        self.assertEqual(self.case.move_id, self.invoice)
        self.tick("2026-03-01")
        self.assertEqual(self.subscription.state, "unpaid")
        with self.at("2026-03-02"):
            self.pay(self.invoice)
        self.assertEqual(self.subscription.state, "unpaid")
        self.assertEqual(self.case.move_id, second)
        self.assertTrue(self.case.shows_banner)
        with self.at("2026-03-03"):
            self.pay(second)
        self.run_operations()
        self.assertEqual(self.subscription.state, "active")
        self.assertEqual(self.tenant.state, "running")
        states = self.subscription.case_ids.mapped("state")
        self.assertEqual(states, ["recovered", "recovered"])

    # === ARCHIVE AND DELETION === #

    def keep_archives(self):
        registry = self.env.registry["saas.tenant"]
        self.patch(registry, "_explain_no_archive", lambda _self: False)
        self.patch(registry, "_check_last_copy", lambda _self: None)
        # The copy is saas_backup's, which has tests of it, and may be there or not.
        for step in KINDS["archive"].steps:
            if step.startswith("archive_"):
                self.patch(registry, f"_step_{step}", lambda _self: None)

    def test_after_the_stop_comes_the_archive_and_then_the_end(self):
        self.keep_archives()
        self.live_until_the_stop()
        self.tick("2026-02-14")
        self.assertEqual(self.tenant.state, "archived")
        self.assertTrue(self.case.has_archived)
        self.assertIn("goes into the archive", self.subjects(self.subscription)[0])
        case = self.case
        self.tenant.erase_on = "2026-12-01"
        self.tick("2026-04-14")
        self.assertEqual(self.subscription.state, "unpaid")
        self.tick("2026-04-15")
        self.assertEqual(self.tenant.state, "deleted")
        self.assertEqual(self.subscription.state, "closed")
        self.assertEqual(
            self.subscription.close_reason_id,
            self.env.ref("saas_subscription.close_reason_unpaid"),
        )
        self.assertEqual(case.state, "lost")
        self.assertIn("has ended", self.subjects(self.subscription)[0])

    def test_an_archive_that_is_kept_for_less_is_what_the_customer_reads(self):
        self.keep_archives()
        self.live_until_the_stop()
        self.tick("2026-02-14")
        self.tenant.erase_on = "2026-03-01 10:00:00"
        self.assertEqual(
            self.subscription._list_dunning_dates(),
            ["03/01/2026: your Odoo is deleted for good, with all its data."],
        )

    def test_a_payment_on_an_archived_tenant_brings_it_back(self):
        self.keep_archives()
        self.live_until_the_stop()
        self.tick("2026-02-14")
        asked = []
        registry = self.env.registry["saas.tenant"]
        self.patch(registry, "action_resume", lambda tenants: asked.extend(tenants))
        self.pay(self.invoice)
        self.assertEqual(asked, [self.tenant])
        self.assertFalse(self.tenant.hold_ids)
        self.assertEqual(self.subscription.state, "active")
        self.assertEqual(self.subscription.case_ids.state, "recovered")

    def test_where_nothing_keeps_archives_it_stays_stopped(self):
        self.live_until_the_stop()
        self.tick("2026-02-14")
        self.assertEqual(self.tenant.state, "suspended")
        self.assertEqual(self.case.last_action, "archive")
        self.assertFalse(self.case.has_archived)
        self.assertIn("Your Odoo is stopped", self.subjects(self.subscription)[0])
        [deletion] = self.subscription._list_dunning_dates()
        self.assertIn("is deleted for good", deletion)

    def test_what_is_cancelled_is_not_dunned(self):
        self.tick("2026-01-16")
        case = self.case
        with self.at("2026-01-17"):
            self.subscription._cancel("now", self.reason)
        self.assertEqual(case.state, "lost")
        mails = len(self.subjects(self.subscription))
        self.tick("2026-01-29", "2026-04-20")
        self.assertFalse(self.case)
        self.assertEqual(len(self.subjects(self.subscription)), mails)

    # === TIME GIVEN BY STAFF === #

    def give_time(self, until, user=None):
        wizard = self.env["saas.dunning.extension"].with_user(user or self.biller)
        wizard.create(
            {
                "case_id": self.case.id,
                "until": until,
                "reason": "Agreed on the phone",
            }
        ).action_apply()

    def test_staff_give_time_and_the_tenant_runs_until_then(self):
        self.keep_archives()
        self.live_until_the_stop()
        with self.at("2026-01-30"):
            self.give_time("2026-02-10")
        self.run_operations()
        self.assertEqual(self.tenant.state, "running")
        self.assertEqual(self.subscription.state, "past_due")
        text = self.mail(self.subscription)
        self.assertIn("you have time until", text)
        self.assertIn("02/10/2026: your Odoo is stopped.", text)
        self.assertIn("02/26/2026: your Odoo is put into the archive", text)
        notes = " ".join(self.subscription.message_ids.mapped("body"))
        self.assertIn("biller", notes)
        self.assertIn("Agreed on the phone", notes)
        self.tick("2026-02-09")
        self.assertEqual(self.tenant.state, "running")
        self.tick("2026-02-10")
        self.assertEqual(self.tenant.state, "suspended")
        self.assertEqual(self.subscription.state, "unpaid")

    def test_time_is_given_by_billing_staff_for_days_to_come(self):
        self.tick("2026-01-16")
        with self.at("2026-01-17"):
            with self.assertRaisesRegex(UserError, "still to come"):
                self.give_time("2026-01-17")
            for user in (self.operator, self.salesperson):
                with self.assertRaises(AccessError):
                    self.give_time("2026-02-17", user)
            self.pay(self.invoice)
            case = self.subscription.case_ids
            with self.assertRaisesRegex(UserError, "Nothing is owed any more"):
                case._give_time(fields.Date.to_date("2026-02-17"), "Late")

    # === LADDERS === #

    def test_a_plan_and_a_subscription_may_have_a_ladder_of_their_own(self):
        standard = self.env.ref("saas_subscription.dunning_standard")
        self.assertEqual(self.subscription._get_dunning(), standard)
        ladders = self.env["saas.dunning"].create([{"name": "Soft"}, {"name": "Hard"}])
        self.plan.dunning_id = ladders[0]
        self.assertEqual(self.subscription._get_dunning(), ladders[0])
        self.subscription.dunning_id = ladders[1]
        self.assertEqual(self.subscription._get_dunning(), ladders[1])

    def test_open_cases_follow_a_ladder_that_is_changed(self):
        self.tick("2026-01-16")
        first = self.env.ref("saas_subscription.dunning_step_retry_1")
        (first | self.env.ref("saas_subscription.dunning_step_remind_1")).unlink()
        self.assertEqual(str(self.case.next_on), "2026-01-21 08:00:00")
        self.env.ref("saas_subscription.dunning_step_retry_2").days = 4
        self.assertEqual(str(self.case.next_on), "2026-01-19 08:00:00")

    def test_a_ladder_takes_nothing_that_was_not_stopped_before(self):
        ladder = self.env.ref("saas_subscription.dunning_standard")
        with (
            self.assertRaisesRegex(ValidationError, "“Archive the Tenant” has to come"),
            self.env.cr.savepoint(),
        ):
            self.env.ref("saas_subscription.dunning_step_archive").days = 14
        with self.assertRaisesRegex(ValidationError, "after “Stop the Tenant”"):
            self.env["saas.dunning"].create(
                {
                    "name": "Cruel",
                    "step_ids": [
                        fields.Command.create({"days": 1, "action": "delete"})
                    ],
                }
            )
        with (
            self.assertRaisesRegex(ValidationError, "after “Stop the Tenant”"),
            self.env.cr.savepoint(),
        ):
            self.env.ref("saas_subscription.dunning_step_hold").unlink()
        steps = self.env["saas.dunning.step"].search([("dunning_id", "=", ladder.id)])
        self.assertEqual(len(steps), 8)
