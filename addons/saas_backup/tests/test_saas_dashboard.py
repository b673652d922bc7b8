from datetime import timedelta

from odoo import fields
from odoo.tests import tagged
from odoo.tools import mute_logger

from .common import BackupCommon

QUIET = mute_logger("odoo.addons.saas.models.saas_operation")


@tagged("post_install", "-at_install")
class TestBackupDashboard(BackupCommon):
    """What is wrong with copies stands where staff look first."""

    def prepare(self):
        super().prepare()
        self.tenant = self.create_running_tenant()
        self.backup = self.create_backup(self.tenant)

    def setUp(self):
        super().setUp()
        self.now = fields.Datetime.now()

    def get_items(self, user=None):
        self.env.flush_all()
        data = self.env["saas.dashboard"].with_user(user or self.operator).get_data()
        return [item for item in data["items"] if item["model"] == "saas.tenant"]

    def get_item(self, user=None):
        [item] = self.get_items(user)
        return item

    def mend(self, item):
        target = self.env[item["mend"]["model"]].browse(item["mend"]["ids"])
        getattr(target.with_user(self.operator), item["mend"]["method"])()
        self.run_operations()

    def fail_backup(self):
        self.driver.faults["backup"] = [("full", 1)]
        self.tenant.action_backup()
        self.run_operations()

    def damage_newest(self, fault="damaged"):
        self.driver.faults["restore"] = [(fault, 1)]
        newest = self.create_backup(self.tenant)
        newest.action_drill()
        self.run_operations()
        return newest

    def test_where_copies_are_new_and_good_nothing_is_shown(self):
        self.assertEqual(self.get_items(), [])

    @QUIET
    def test_a_backup_that_failed_is_shown_with_its_cause_until_one_is_made(self):
        self.fail_backup()
        item = self.get_item()
        self.assertEqual(item["res_id"], self.tenant.id)
        self.assertEqual((item["label"], item["level"]), ("Backup failed", "danger"))
        self.assertEqual(item["message"], "It is full.")
        self.assertEqual(item["mend"]["label"], "Back Up")
        self.mend(item)
        self.assertEqual(self.get_items(), [])

    @QUIET
    def test_a_viewer_reads_the_cause_and_has_no_button(self):
        self.fail_backup()
        self.assertFalse(self.get_item(self.viewer)["mend"])

    def test_a_backup_that_is_overdue_is_shown_once_for_its_tenant(self):
        self.tenant.provisioned_on = self.now - timedelta(days=9)
        self.backup.date = self.now - timedelta(hours=35)
        self.assertEqual(self.get_items(), [])
        self.backup.date = self.now - timedelta(hours=37)
        item = self.get_item()
        self.assertEqual((item["label"], item["level"]), ("Backup overdue", "warning"))
        self.assertIn(str(self.backup.date), item["message"])
        self.mend(item)
        self.assertEqual(self.get_items(), [])

    def test_a_tenant_that_never_got_a_copy_is_overdue_and_a_new_one_is_not(self):
        other = self.create_running_tenant("other")
        self.assertEqual(self.get_items(), [])
        other.provisioned_on = self.now - timedelta(hours=37)
        item = self.get_item()
        self.assertEqual(item["res_id"], other.id)
        self.assertEqual(item["message"], "There is no copy of it yet.")

    @QUIET
    def test_a_failed_drill_is_shown_with_the_copy_to_use_instead(self):
        self.backup.date = self.now - timedelta(hours=5)
        self.damage_newest()
        item = self.get_item()
        self.assertEqual(item["label"], "Copy cannot be restored")
        self.assertEqual(
            item["message"],
            f"It is damaged. The copy of {self.backup.date} is the newest good one "
            "before it.",
        )
        self.mend(item)
        self.assertEqual(self.get_items(), [])

    @QUIET
    def test_a_copy_that_rots_after_its_proof_is_shown_as_one_that_failed_it(self):
        newest = self.create_backup(self.tenant)
        newest.action_drill()
        self.run_operations()
        self.driver.faults["verify"] = [("damaged", 1)]
        self.tenant.verify_on = self.now
        self.env["saas.tenant"]._cron_verify()
        self.run_operations()
        item = self.get_item()
        self.assertEqual(item["label"], "Copy cannot be restored")
        self.assertIn("newest good one before it", item["message"])

    @QUIET
    def test_a_failed_drill_of_the_only_copy_asks_for_a_new_one(self):
        self.driver.faults["restore"] = [("damaged", 1)]
        self.backup.action_drill()
        self.run_operations()
        self.assertIn("make a new one now", self.get_item()["message"])

    @QUIET
    def test_a_proof_that_is_overdue_is_shown_however_often_it_was_tried(self):
        self.assertEqual(self.get_items(), [])
        self.tenant.prove_by = self.now - timedelta(minutes=1)
        self.driver.faults["restore"] = [("unreachable", 75)] * 20
        self.backup.action_drill()
        self.run_operations()
        self.assertEqual(self.backup.drill_state, "undecided")
        item = self.get_item()
        self.assertEqual((item["label"], item["level"]), ("Drill overdue", "warning"))
        self.assertEqual(item["message"], "None of its copies was proven yet.")
        self.driver.faults.clear()
        self.mend(item)
        self.assertEqual(self.backup.drill_state, "passed")
        self.assertEqual(self.get_items(), [])

    def test_one_that_is_being_deleted_is_not_shown(self):
        self.tenant.provisioned_on = self.now - timedelta(days=9)
        self.backup.date = self.now - timedelta(days=3)
        self.tenant.wanted = "deleted"
        self.assertEqual(self.get_items(), [])

    def fail_copies(self, tenants):
        """Have newer copies of them whose attempts failed."""
        copies = [
            {
                "tenant_id": tenant.id,
                "store_id": self.store.id,
                "reason": "schedule",
                "state": "failed",
                "message": "It is full.",
                "date": self.now + timedelta(minutes=1),
            }
            for tenant in tenants
        ]
        self.env["saas.backup"].create(copies)

    def create_tenants(self, count):
        return self.env["saas.tenant"].create(
            [
                {
                    "name": f"more{number}",
                    "partner_id": self.customer.id,
                    "plan_id": self.plan.id,
                    "provisioned_on": self.now - timedelta(days=9),
                    "wanted": "running",
                    "observed": "running",
                }
                for number in range(count)
            ]
        )

    def count_queries(self):
        self.env.flush_all()
        self.env.invalidate_all()
        before = self.env.cr.sql_log_count
        self.get_items()
        return self.env.cr.sql_log_count - before

    def test_the_queries_do_not_grow_with_the_tenants_and_the_rest_is_one_line(self):
        tenants = self.create_tenants(30)
        self.fail_copies(tenants[:2])
        few = self.count_queries()
        self.fail_copies(tenants[2:])
        self.assertLessEqual(self.count_queries(), few + 2)
        items = [item for item in self.get_items() if item["res_id"]]
        self.assertEqual(len(items), 20)
        [rest] = [item for item in self.get_items() if not item["res_id"]]
        self.assertEqual(rest["label"], "Backup failed")
        self.assertEqual(rest["message"], "10 more are not shown here.")
        listed = self.env["saas.tenant"].search(rest["domain"])
        self.assertEqual(set(listed), set(tenants))
        keys = [item["key"] for item in self.get_items()]
        self.assertEqual(len(keys), len(set(keys)))
