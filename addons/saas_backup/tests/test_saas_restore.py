from odoo.exceptions import UserError
from odoo.tests import tagged
from odoo.tools import mute_logger

from odoo.addons.saas.engine.driver import Phase
from odoo.addons.saas.models import saas_tenant_steps

from .common import BackupCommon

QUIET = mute_logger("odoo.addons.saas.models.saas_operation")


@tagged("post_install", "-at_install")
class TestRestoreInPlace(BackupCommon):
    def prepare(self):
        super().prepare()
        self.tenant = self.create_running_tenant()
        self.backup = self.create_backup(self.tenant)
        self.live = self.databases.databases[self.tenant.uid]

    def setUp(self):
        super().setUp()
        self.patch(saas_tenant_steps, "READY_SECONDS", 0.05)

    def restore(self):
        operation = self.tenant.action_restore(self.backup.id)
        self.run_operations()
        return operation

    @property
    def held(self):
        return self.databases.databases[self.tenant.uid]

    def assertNothingLeft(self):
        drill = self.tenant.restore_drill_id
        self.assertTrue(drill.removed)
        self.assertNotIn(drill.uid, self.databases.databases)
        self.assertNotIn(drill.uid, self.databases.roles)
        self.assertNotIn(drill.uid, self.driver.state)
        self.assertFalse(self.driver.tasks)

    def test_a_restore_in_place_ends_with_the_restored_data_under_the_same_uid(self):
        uid = self.tenant.uid
        operation = self.restore()
        self.assertEqual(operation.state, "done", operation.message)
        self.assertEqual((self.tenant.state, self.tenant.uid), ("running", uid))
        self.assertIsNot(self.held, self.live)
        self.assertEqual(self.held.owner, uid)
        self.assertNothingLeft()

    def test_a_copy_of_what_it_was_is_made_first_and_kept(self):
        self.restore()
        safety = self.tenant.backup_ids - self.backup
        self.assertEqual((safety.reason, safety.state), ("restore", "done"))
        self.assertTrue(safety.keep_until)
        commands = [job["command"] for job in self.driver.jobs]
        self.assertEqual(commands, ["backup", "backup", "restore", "boot", "merge"])

    def test_an_unchanged_tenant_needs_no_other_copy_first(self):
        self.driver.unchanged = True
        operation = self.restore()
        self.assertEqual(operation.state, "done", operation.message)
        self.assertEqual(self.tenant.backup_ids, self.backup)

    def test_the_tenant_works_on_until_the_restored_one_has_answered(self):
        operation = self.tenant.action_restore(self.backup.id)
        seen = []
        start_task = self.driver.start_task

        def watch(uid, task):
            seen.append((task.key, self.driver.observe(self.tenant.uid).phase))
            start_task(uid, task)

        self.patch(self.driver, "start_task", watch)
        self.run_operations()
        self.assertEqual(operation.state, "done", operation.message)
        self.assertIn(("boot", Phase.RUNNING), seen)
        self.assertEqual({phase for _key, phase in seen}, {Phase.RUNNING})

    @QUIET
    def test_a_copy_that_does_not_start_leaves_the_tenant_as_it_was(self):
        self.driver.faults["boot"] = [("login", 1)]
        operation = self.restore()
        self.assertEqual((operation.state, operation.reason), ("refused", "login"))
        self.assertEqual(self.tenant.state, "running")
        self.assertIs(self.held, self.live)
        self.assertEqual(self.backup.drill_state, "failed")
        self.assertNothingLeft()

    @QUIET
    def test_without_a_copy_of_what_it_is_nothing_is_touched(self):
        self.driver.faults["backup"] = [("full", 1)]
        operation = self.restore()
        self.assertEqual((operation.state, operation.reason), ("refused", "full"))
        self.assertIs(self.held, self.live)
        self.assertEqual(self.tenant.restore_safety_id.state, "failed")
        self.assertEqual(self.tenant.state, "running")

    @QUIET
    def test_a_restore_that_is_asked_for_again_makes_a_new_safety_copy(self):
        self.driver.faults["boot"] = [("login", 1)]
        refused = self.restore()
        first = self.tenant.restore_safety_id
        before, tried = len(self.driver.jobs), self.tenant.restore_drill_id
        operation = refused.action_retry()
        self.run_operations()
        self.assertEqual(operation.state, "done", operation.message)
        commands = [job["command"] for job in self.driver.jobs[before:]]
        self.assertEqual(commands, ["backup", "restore", "boot", "merge"])
        safety = self.tenant.restore_safety_id
        self.assertEqual((safety.reason, safety.state), ("restore", "done"))
        self.assertNotEqual(safety, first)
        self.assertNotEqual(self.tenant.restore_drill_id, tried)
        self.assertEqual(operation.backup_id, self.backup)
        self.assertNothingLeft()

    @QUIET
    def test_a_restore_that_is_asked_for_again_touches_nothing_without_one(self):
        self.driver.faults["backup"] = [("full", 1)] * 2
        refused = self.restore()
        operation = refused.action_retry()
        self.run_operations()
        self.assertEqual((operation.state, operation.reason), ("refused", "full"))
        self.assertIs(self.held, self.live)
        self.assertNotIn("restore", [job["command"] for job in self.driver.jobs])
        self.assertEqual(self.tenant.state, "running")

    @QUIET
    def test_a_safety_copy_that_failed_stops_the_restore(self):
        operation = self.tenant.action_restore(self.backup.id)
        wait = self.env.registry["saas.tenant"]._step_restore_safety_wait

        def lose(tenant):
            tenant.restore_safety_id._set_failed("It is full.")
            wait(tenant)

        self.patch(self.env.registry["saas.tenant"], "_step_restore_safety_wait", lose)
        self.run_operations()
        self.assertEqual((operation.state, operation.reason), ("refused", "no_safety"))
        self.assertIs(self.held, self.live)
        self.assertNotIn("restore", [job["command"] for job in self.driver.jobs])

    @QUIET
    def test_no_restore_begins_while_the_last_one_is_taken_back(self):
        self.tenant.action_restore(self.backup.id)
        self.patch(
            self.env.registry["saas.tenant"],
            "_answers",
            lambda tenant: self.held is self.live,
        )
        while not (
            undo := self.tenant.operation_ids.filtered(
                lambda o: o.kind == "undo_restore"
            )
        ):
            self.run_once(self.tenant.last_operation_id)
        with self.assertRaisesRegex(UserError, "going back to what it was"):
            self.tenant.action_restore(self.backup.id)
        self.run_operations()
        self.assertEqual(undo.state, "done")
        self.assertIs(self.held, self.live)

    @QUIET
    def test_a_stopped_or_sleeping_tenant_stays_so_when_its_restore_is_refused(self):
        for ask, wanted in (("action_sleep", "sleeping"), ("action_stop", "stopped")):
            with self.subTest(wanted=wanted):
                getattr(self.tenant, ask)()
                self.run_operations()
                self.driver.faults["boot"] = [("login", 1)]
                operation = self.restore()
                self.assertEqual(operation.state, "refused")
                self.assertEqual((self.tenant.wanted, self.tenant.state), (wanted,) * 2)

    @QUIET
    def test_what_was_asked_for_during_a_refused_restore_is_what_is_wanted(self):
        self.tenant.action_stop()
        self.run_operations()
        self.driver.faults["boot"] = [("login", 1)]
        self.tenant.action_restore(self.backup.id)
        self.tenant.action_start()
        self.run_operations()
        self.assertEqual((self.tenant.wanted, self.tenant.state), ("running",) * 2)

    @QUIET
    def test_a_restored_tenant_that_does_not_answer_becomes_what_it_was(self):
        operation = self.tenant.action_restore(self.backup.id)
        self.patch(
            self.env.registry["saas.tenant"],
            "_answers",
            lambda tenant: self.held is self.live,
        )
        self.run_operations()
        undo = self.tenant.operation_ids.filtered(lambda o: o.kind == "undo_restore")
        self.assertEqual((operation.state, undo.state), ("failed", "done"))
        self.assertIs(self.held, self.live)
        self.assertEqual(self.tenant.state, "running")
        self.assertTrue(self.tenant.troubled)
        self.assertNothingLeft()

    @QUIET
    def test_what_slept_or_stood_still_does_so_again_when_its_restore_is_taken_back(
        self,
    ):
        self.patch(
            self.env.registry["saas.tenant"],
            "_answers",
            lambda tenant: self.held is self.live,
        )
        for ask, wanted, phase in (
            ("action_sleep", "sleeping", Phase.PAUSED),
            ("action_stop", "stopped", Phase.STOPPED),
        ):
            with self.subTest(wanted=wanted):
                getattr(self.tenant, ask)()
                self.run_operations()
                operation = self.restore()
                self.assertEqual(operation.state, "failed")
                self.assertEqual((self.tenant.wanted, self.tenant.state), (wanted,) * 2)
                self.assertEqual(self.tenant.observed, phase)
                self.assertEqual(self.driver.observe(self.tenant.uid).phase, phase)
                self.assertNothingLeft()

    @QUIET
    def test_what_was_asked_for_while_a_restore_is_taken_back_is_what_is_wanted(self):
        self.tenant.action_sleep()
        self.run_operations()
        self.patch(
            self.env.registry["saas.tenant"],
            "_answers",
            lambda tenant: self.held is self.live,
        )
        operation = self.tenant.action_restore(self.backup.id)
        while operation.state in ("pending", "running"):
            self.run_once(operation)
        self.tenant.action_start()
        self.run_operations()
        self.assertEqual((self.tenant.wanted, self.tenant.state), ("running",) * 2)
        self.assertEqual(self.driver.observe(self.tenant.uid).phase, Phase.RUNNING)

    @QUIET
    def test_a_restore_that_was_taken_back_can_be_asked_for_again(self):
        failed = self.tenant.action_restore(self.backup.id)
        self.patch(
            self.env.registry["saas.tenant"],
            "_answers",
            lambda tenant: self.held is self.live or failed.state == "failed",
        )
        self.run_operations()
        self.assertEqual(failed.state, "failed")
        self.assertIs(self.held, self.live)
        operation = failed.action_retry()
        self.run_operations()
        self.assertEqual(operation.state, "done", operation.message)
        self.assertIsNot(self.held, self.live)
        self.assertNothingLeft()

    def test_asking_twice_gives_the_restore_that_is_under_way(self):
        operation = self.tenant.action_restore(self.backup.id)
        self.assertEqual(self.tenant.action_restore(self.backup.id), operation)

    def test_another_copy_waits_its_turn(self):
        other = self.create_backup(self.tenant)
        self.tenant.action_restore(self.backup.id)
        with self.assertRaisesRegex(UserError, "being restored now"):
            self.tenant.action_restore(other.id)

    def test_a_copy_that_is_being_restored_is_not_removed(self):
        self.create_backup(self.tenant)
        self.tenant.action_restore(self.backup.id)
        with self.assertRaisesRegex(UserError, "being used now"):
            self.backup.action_remove()

    def test_a_suspended_tenant_is_not_restored_in_place(self):
        self.tenant.action_suspend("Spam")
        self.run_operations()
        with self.assertRaisesRegex(UserError, "“Restore” is not possible"):
            self.tenant.action_restore(self.backup.id)

    def test_a_kill_after_any_step_changes_nothing_about_the_end(self):
        operation = self.tenant.action_restore(self.backup.id)
        record = self.env.registry["saas.operation"]._record_done
        killed = set()

        def die_once(self, step, elapsed):
            if step.name not in killed:
                killed.add(step.name)
                raise KeyboardInterrupt
            record(self, step, elapsed)

        self.patch(self.env.registry["saas.operation"], "_record_done", die_once)
        for _try in range(40):
            try:
                self.run_operations()
                break
            except KeyboardInterrupt:
                continue
        self.assertEqual(operation.state, "done", operation.message)
        self.assertEqual(len(killed), len(operation.step_ids))
        self.assertIsNot(self.held, self.live)
        self.assertNothingLeft()
