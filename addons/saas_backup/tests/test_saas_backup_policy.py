from datetime import UTC, datetime, timedelta

from odoo import fields
from odoo.exceptions import UserError
from odoo.tests import tagged
from odoo.tools import mute_logger

from .common import BackupCommon

QUIET = mute_logger("odoo.addons.saas.models.saas_operation")


@tagged("post_install", "-at_install")
class TestBackupPolicy(BackupCommon):
    def prepare(self):
        super().prepare()
        self.policy = self.env["saas.backup.policy"].create(
            {"name": "Nights", "tz": "Europe/Brussels", "sequence": 0}
        )
        self.plan.backup_policy_id = self.policy
        self.tenant = self.create_running_tenant()

    def put_copy(self, date, **values):
        return self.env["saas.backup"].create(
            {
                "name": f"{date:%Y%m%dt%H%M%Sz}-00000000",
                "tenant_id": self.tenant.id,
                "store_id": self.store.id,
                "reason": "schedule",
                "state": "done",
                "date": date,
                **values,
            }
        )

    # === SCHEDULE === #

    def test_a_tenant_is_due_at_its_own_moment_in_the_window(self):
        now = datetime(2026, 6, 1, 12)
        self.tenant.provisioned_on = now
        self.tenant._schedule_backup(now)
        local = self.tenant.backup_on.replace(tzinfo=UTC) + timedelta(hours=2)
        self.assertEqual(local.date().isoformat(), "2026-06-02")
        self.assertTrue(1 <= local.hour < 5, local)

    def test_the_moment_keeps_its_local_hour_when_clocks_change(self):
        self.policy.write({"window_start": 12.0, "window_end": 13.0})
        hours = set()
        for day, offset in (
            (datetime(2026, 10, 23, 20), 2),
            (datetime(2026, 10, 24, 20), 1),
            (datetime(2026, 3, 27, 20), 1),
            (datetime(2026, 3, 28, 20), 2),
        ):
            self.tenant.provisioned_on = day
            self.tenant._schedule_backup(day)
            local = self.tenant.backup_on + timedelta(hours=offset)
            hours.add(local.strftime("%H:%M:%S"))
        self.assertEqual(len(hours), 1, hours)

    def test_a_slot_that_was_missed_is_made_up_for_at_once(self):
        now = datetime(2026, 6, 5, 12)
        self.tenant.provisioned_on = datetime(2026, 6, 1)
        self.tenant._schedule_backup(now)
        self.assertEqual(self.tenant.backup_on, now)

    def test_who_is_due_is_backed_up_once(self):
        self.tenant.backup_on = fields.Datetime.now() - timedelta(minutes=1)
        for _minute in range(3):
            self.env["saas.tenant"]._cron_back_up()
            self.run_operations()
        self.assertEqual(self.tenant.backup_ids.mapped("reason"), ["schedule"])
        self.assertGreater(self.tenant.backup_on, fields.Datetime.now())

    def test_a_tenant_without_changes_is_not_due_again_at_once(self):
        self.create_backup(self.tenant)
        self.driver.unchanged = True
        self.tenant.backup_on = fields.Datetime.now() - timedelta(minutes=1)
        for _minute in range(3):
            self.env["saas.tenant"]._cron_back_up()
            self.run_operations()
        commands = [job["command"] for job in self.driver.jobs]
        self.assertEqual(commands.count("backup"), 2)

    def test_no_more_run_at_once_than_the_limit(self):
        others = [self.create_running_tenant(f"more{number}") for number in range(3)]
        tenants = self.tenant.union(*others)
        tenants.backup_on = fields.Datetime.now() - timedelta(minutes=1)
        self.env["ir.config_parameter"].set_param("saas_backup.concurrent", 2)
        for _minute in range(2):
            self.env["saas.tenant"]._cron_back_up()
        self.assertEqual(len(tenants.backup_ids), 2)

    @QUIET
    def test_a_backup_that_failed_is_tried_again_within_hours(self):
        self.tenant.backup_on = fields.Datetime.now() - timedelta(minutes=1)
        self.driver.faults["backup"] = [("full", 1)]
        self.env["saas.tenant"]._cron_back_up()
        self.run_operations()
        self.assertTrue(self.tenant.uncovered)
        self.assertEqual(self.tenant.coverage_message, "It is full.")
        self.assertLess(
            self.tenant.backup_on, fields.Datetime.now() + timedelta(hours=2)
        )

    @mute_logger("odoo.addons.saas_backup.models.saas_backup_sweep")
    def test_without_a_store_nobody_is_backed_up_and_the_others_go_on(self):
        self.store.active = False
        self.tenant.backup_on = fields.Datetime.now() - timedelta(minutes=1)
        self.env["saas.tenant"]._cron_back_up()
        self.assertFalse(self.tenant.backup_ids)
        self.assertGreater(self.tenant.backup_on, fields.Datetime.now())

    # === RETENTION === #

    def test_after_120_days_the_copies_of_the_policy_are_left(self):
        first = datetime(2026, 2, 1, 3)
        for day in range(120):
            now = first + timedelta(days=day)
            self.put_copy(now)
            self.tenant._get_superfluous(self.policy, now)._mark_for_removal()
            self.tenant._step_prune()
        left = self.tenant._get_good_backups().sorted("date")
        days = [copy.date.date().isoformat() for copy in left]
        self.assertEqual(
            days,
            [
                *("2026-03-31", "2026-04-30", "2026-05-10", "2026-05-17", "2026-05-24"),
                *("2026-05-25", "2026-05-26", "2026-05-27", "2026-05-28"),
                *("2026-05-29", "2026-05-30", "2026-05-31"),
            ],
        )

    def test_retention_leaves_the_last_good_copy_and_what_is_on_hold(self):
        old = datetime(2026, 1, 1)
        held = self.put_copy(old, held=True)
        good = self.put_copy(old + timedelta(days=1))
        for day in range(2, 30):
            self.put_copy(old + timedelta(days=day), drill_state="failed")
        now = datetime(2026, 6, 1)
        self.tenant._get_superfluous(self.policy, now)._mark_for_removal()
        left = self.tenant.backup_ids.filtered(lambda b: b.state == "done")
        self.assertEqual(left, good | held)

    def test_the_newest_copy_is_the_newest_whatever_was_recorded_last(self):
        newest = self.put_copy(datetime(2026, 5, 3))
        self.put_copy(datetime(2026, 5, 1))
        self.assertEqual(self.tenant._get_good_backups()[:1], newest)
        self.assertEqual(self.tenant.backup_date, newest.date)
        self.assertFalse(self.tenant.uncovered)
        self.put_copy(datetime(2026, 5, 4), state="failed")
        self.assertTrue(self.tenant.uncovered)

    def test_what_was_asked_for_stays_for_its_days(self):
        first = self.create_backup(self.tenant)
        second = self.create_backup(self.tenant)
        self.assertEqual((first | second).mapped("state"), ["done", "done"])
        self.assertIn("keep until", first.kept_for)

    # === CUSTOMERS === #

    def test_customers_make_as_many_copies_as_their_plan_allows(self):
        self.policy.allowance = 2
        for _copy in range(2):
            self.tenant._back_up_for_customer()
            self.run_operations()
        with self.assertRaisesRegex(UserError, "as many copies today"):
            self.tenant._back_up_for_customer()

    def test_customers_restore_only_what_they_have_typed(self):
        backup = self.create_backup(self.tenant)
        with self.assertRaisesRegex(UserError, "Nothing was restored"):
            self.tenant._restore_for_customer(backup.id, "beta")
        operation = self.tenant._restore_for_customer(backup.id, " ALFA ")
        self.run_operations()
        self.assertEqual(operation.state, "done", operation.message)

    def test_a_last_copy_is_made_before_deletion(self):
        self.tenant.with_user(self.manager).action_delete()
        self.run_operations()
        self.assertEqual(self.tenant.state, "deleting")
        self.assertEqual(self.tenant.backup_ids.reason, "delete")
        self.assertEqual(self.tenant.backup_ids.state, "done")
