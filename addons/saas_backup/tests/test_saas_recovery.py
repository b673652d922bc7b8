from datetime import UTC, datetime

from odoo.exceptions import AccessError, UserError
from odoo.tests import tagged
from odoo.tools import mute_logger

from odoo.addons.saas.engine import names, sealing
from odoo.addons.saas.tests.common import IMAGE

from ..engine import keys
from .common import BackupCommon

QUIET = mute_logger("odoo.addons.saas.models.saas_operation")
PARAMETER = "saas_backup.recovery_public"


@tagged("post_install", "-at_install")
class TestRecovery(BackupCommon):
    """The store has copies of a tenant that this master has never heard of."""

    def prepare(self):
        super().prepare()
        self.plan.name = "Of the lost one"
        self.private, self.public = keys.new_recovery_key()
        self.lost = names.new_uid()
        self.backup_key = sealing.derive(sealing.new_data_key(), "backup")
        self.newest = self.make_copy("20261121t031500z-aaaaaaaa")
        older = self.make_copy("20261120t031500z-bbbbbbbb")
        self.driver.copies = [self.newest, older]
        self.driver.found = [self.find(self.lost)]
        self.env["ir.config_parameter"].sudo().set_param(PARAMETER, False)

    def make_copy(self, name):
        return {
            "backup": name,
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            "size": 5_000_000_000,
            "image": IMAGE,
            "odoo_version": "19.0",
            "reason": "schedule",
            "files": 12,
            "files_size": 4_900_000_000,
            "database_size": 60_000_000,
            "missing": 0,
        }

    def find(self, uid, **about):
        about = {
            "name": "lost",
            "customer": "Ana Alvarez",
            "email": "ana.alvarez@example.com",
            "plan": self.plan.name,
            **about,
        }
        sealed = keys.wrap(uid, self.backup_key, self.public).decode()
        return {"uid": uid, "key": sealed, "copies": 2, "about": about, **self.newest}

    def look(self, **values):
        recovery = (
            self.env["saas.recovery"]
            .with_user(self.manager)
            .create(
                {
                    "store_id": self.store.id,
                    "server_id": self.server.id,
                    "recovery_key": self.private,
                    **values,
                }
            )
        )
        recovery.action_look()
        recovery._check()
        return recovery

    def recover(self):
        recovery = self.look()
        self.assertEqual(recovery.check_state, "ok", recovery.check_message)
        operation = recovery.action_recover()
        self.run_operations()
        return operation.sudo()

    def test_what_lies_in_the_store_is_shown_with_whose_it_is(self):
        line = self.look().line_ids
        self.assertEqual((line.uid, line.name), (self.lost, "lost"))
        self.assertEqual((line.customer, line.copies), ("Ana Alvarez", 2))
        self.assertEqual((line.plan_id, line.image_id.reference), (self.plan, IMAGE))
        self.assertTrue(line.selected)

    def test_a_lost_tenant_comes_back_with_its_uid_its_customer_and_its_copies(self):
        operation = self.recover()
        self.assertEqual(operation.state, "done", operation.message)
        tenant = operation.tenant_id
        self.assertEqual((tenant.uid, tenant.name), (self.lost, "lost"))
        self.assertEqual(tenant.state, "running")
        self.assertEqual(tenant.partner_id.email, "ana.alvarez@example.com")
        self.assertEqual(
            set(tenant.backup_ids.mapped("name")),
            {copy["backup"] for copy in self.driver.copies},
        )
        self.assertEqual(tenant.source_backup_id.name, self.newest["backup"])
        self.assertFalse(self.driver.tasks)

    def test_it_is_the_same_database_and_no_copy_for_tests(self):
        tenant = self.recover().tenant_id
        written = str(self.databases.databases[tenant.uid].statements)
        self.assertIn("http://lost.odoo.localhost:8080", written)
        self.assertNotIn("database.uuid", written)
        self.assertFalse(tenant.neutralized)

    def test_its_copies_are_read_and_new_ones_made_with_the_key_that_they_had(self):
        tenant = self.recover().tenant_id
        self.create_backup(tenant)
        jobs = {job["command"]: job for job in self.driver.jobs}
        for command in ("list", "restore", "backup"):
            self.assertEqual(jobs[command]["key"], self.backup_key, command)
        # Otherwise the operator's recovery key would not open what it opened before.
        self.assertEqual(jobs["backup"]["recovery_public"], self.public)

    def test_a_recovery_key_of_this_master_stays(self):
        parameters = self.env["ir.config_parameter"].sudo()
        parameters.set_param(PARAMETER, "f" * 64)
        self.look()
        self.assertEqual(parameters.get_param(PARAMETER), "f" * 64)

    def test_the_recovery_key_is_never_kept_in_clear_and_forgotten_after_the_look(self):
        recovery = self.env["saas.recovery"].create(
            {
                "store_id": self.store.id,
                "server_id": self.server.id,
                "recovery_key": self.private,
            }
        )
        self.env.flush_all()
        self.assertTrue(recovery.recovery_key_sealed)
        recovery.action_look()
        with self.assertLogs("odoo", "DEBUG") as logs:
            recovery._check()
        self.assertFalse(recovery.recovery_key_sealed)
        jobs = self.env["queue.job"].search([("model_name", "=", "saas.recovery")])
        self.assertTrue(jobs)
        self.env.invalidate_all()
        kept = [recovery.read(), recovery.line_ids.read(), jobs.read(), logs.output]
        self.assertNotIn(self.private, str(kept))
        self.assertNotIn(self.backup_key, str(kept))
        self.assertTrue(recovery.line_ids.backup_key_sealed)
        recovery.action_recover()
        self.assertFalse(recovery.line_ids.backup_key_sealed)

    def test_a_wrong_key_is_told_and_forgotten(self):
        message = "This is not the key of these copies. Use the right one."
        self.driver.found = [
            {"uid": self.lost, "reason": "key_wrong", "message": message}
        ]
        recovery = self.look()
        self.assertEqual(recovery.check_state, "failed")
        self.assertEqual(recovery.check_message, message)
        self.assertFalse(recovery.sudo().recovery_key_sealed)
        with self.assertRaisesRegex(UserError, "Enter the recovery key first"):
            recovery.action_look()

    def test_a_look_that_the_queue_runs_twice_keeps_what_it_found(self):
        recovery = self.look()
        found = recovery.line_ids
        recovery._check()
        self.assertEqual(recovery.check_state, "ok", recovery.check_message)
        self.assertEqual(recovery.line_ids, found)

    def test_what_is_no_key_is_refused_as_it_is_entered(self):
        with self.assertRaisesRegex(UserError, "This is no recovery key"):
            self.look(recovery_key="correct horse")

    def test_a_store_without_copies_says_so(self):
        self.driver.found = []
        recovery = self.look()
        self.assertEqual(recovery.check_state, "failed")
        self.assertIn("There are no copies in Directory", recovery.check_message)

    def test_a_tenant_that_the_master_has_is_left_alone(self):
        tenant = self.create_running_tenant()
        self.driver.found.append(self.find(tenant.uid))
        recovery = self.look()
        line = recovery.line_ids.filtered(lambda line: line.uid == tenant.uid)
        self.assertEqual(line.message, "This master has it already.")
        self.assertFalse(line.selected)
        line.selected = True
        recovery.line_ids.filtered(lambda line: line.uid == self.lost).selected = False
        with self.assertRaisesRegex(UserError, "Choose the tenants"):
            recovery.action_recover()

    def test_what_is_still_on_the_server_is_shown_and_not_chosen(self):
        self.driver.state[self.lost] = {"photo": b"still here"}
        line = self.look().line_ids
        self.assertEqual(line.message, "Its data are still there on First server.")
        self.assertFalse(line.selected)

    @QUIET
    def test_data_that_came_back_since_are_not_touched(self):
        recovery = self.look()
        self.driver.state[self.lost] = {"photo": b"still here"}
        operation = recovery.action_recover().sudo()
        self.run_operations()
        self.assertEqual(self.driver.state[self.lost], {"photo": b"still here"})
        self.assertEqual((operation.state, operation.reason), ("refused", "in_use"))
        self.assertIn(f"still data of {self.lost}", operation.message)
        self.assertFalse(operation.tenant_id.operation_ids - operation)

    def test_what_the_copy_does_not_say_has_to_be_filled_in(self):
        self.driver.found = [self.find(self.lost, name=None, customer=None)]
        recovery = self.look()
        with self.assertRaisesRegex(UserError, "Fill in: Subdomain, Contact"):
            recovery.action_recover()

    @QUIET
    def test_a_damaged_copy_leaves_nothing_and_can_be_tried_again(self):
        self.driver.faults["restore"] = [("damaged", 1)]
        operation = self.recover()
        self.assertEqual((operation.state, operation.reason), ("refused", "damaged"))
        self.assertEqual(operation.tenant_id.state, "failed")
        self.assertNotIn(self.lost, self.driver.state)
        again = operation.action_retry()
        self.run_operations()
        self.assertEqual(again.state, "done", again.message)

    def test_erasing_it_destroys_the_key_of_its_copies(self):
        tenant = self.recover().tenant_id
        self.assertTrue(tenant.backup_key_sealed)
        tenant.with_user(self.manager).action_delete(erase_now=True)
        self.run_operations()
        self.assertFalse(tenant.backup_key_sealed)

    def test_only_managers_recover(self):
        for user in (self.viewer, self.operator):
            with self.assertRaises(AccessError):
                self.env["saas.recovery"].with_user(user).search([])

    def test_a_backup_says_whose_it_is_for_the_day_when_the_master_is_lost(self):
        tenant = self.create_running_tenant()
        self.create_backup(tenant)
        about = self.driver.jobs[-1]["about"]
        self.assertEqual(about["name"], "alfa")
        self.assertEqual(about["customer"], tenant.partner_id.name)
        self.assertEqual(about["plan"], tenant.plan_id.name)
