import json
from collections import defaultdict
from datetime import timedelta
from itertools import pairwise

from freezegun import freeze_time

from odoo import fields
from odoo.exceptions import UserError
from odoo.tests import tagged
from odoo.tools import mute_logger

from ..models import saas_backup_verify, saas_store
from .common import BackupCommon

QUIET = mute_logger("odoo.addons.saas.models.saas_operation")


@tagged("post_install", "-at_install")
class TestDrill(BackupCommon):
    def prepare(self):
        super().prepare()
        self.tenant = self.create_running_tenant()
        self.backup = self.create_backup(self.tenant)

    def drill(self, backup=None):
        operation = (backup or self.backup).action_drill()
        self.run_operations()
        return operation

    def assertThrowawayGone(self, drill):
        self.assertTrue(drill.removed)
        self.assertNotIn(drill.uid, self.databases.databases)
        self.assertNotIn(drill.uid, self.databases.roles)
        self.assertNotIn(drill.uid, self.driver.state)
        self.assertFalse(self.driver.tasks)

    def test_a_drill_proves_a_copy_and_leaves_nothing(self):
        operation = self.drill()
        drill = self.backup.drill_ids
        self.assertEqual(operation.state, "done", operation.message)
        self.assertEqual((drill.state, self.backup.drill_state), ("passed", "passed"))
        self.assertEqual((drill.tables, drill.row_count, drill.files), (2, 11, 12))
        self.assertRegex(drill.name, r"^DR\d{6}$")
        self.assertThrowawayGone(drill)
        self.assertEqual(self.tenant.state, "running")

    def test_a_drill_logs_in_with_a_key_of_its_own(self):
        operation = self.backup.action_drill()
        for _try in range(3):
            self.run_once(operation)
        boot = [job for job in self.driver.jobs if job["command"] == "boot"]
        self.assertEqual(len(boot), 1)
        self.assertEqual(boot[0]["uid"], self.backup.drill_ids.uid)

    def watch_tasks(self):
        """Return what is started from now on, by its key."""
        started = {}
        start_task = self.driver.start_task

        def watch(uid, task):
            started.setdefault(task.key, []).append(task)
            start_task(uid, task)

        self.patch(self.driver, "start_task", watch)
        return started

    def test_the_throwaway_has_no_network_and_one_way_to_its_database(self):
        started = self.watch_tasks()
        self.drill()
        [boot], [gate] = started["boot"], started["gate"]
        self.assertFalse(boot.network)
        self.assertIn(b"db_host = 127.0.0.1\n", boot.files["odoo.conf"])
        socket = json.loads(boot.files["boot.json"])["database"]
        server = self.tenant.database_server_id
        place = f"{server.tenant_host}:{server.tenant_port}"
        self.assertEqual(gate.command[-2:], (socket, place))
        self.assertEqual(gate.files["relay.py"], boot.files["relay.py"])

    def test_a_gate_that_is_gone_is_opened_again(self):
        started = self.watch_tasks()
        self.driver.outcomes["gate"] = 1
        self.driver.faults["boot"] = [("database_away", 75)]
        operation = self.drill()
        self.assertEqual(operation.state, "done", operation.message)
        self.assertEqual(len(started["gate"]), 2)

    @QUIET
    def test_a_database_server_that_is_away_says_nothing_against_the_copy(self):
        self.driver.faults["boot"] = [("database_away", 75)] * 20
        self.drill()
        self.assertEqual(self.backup.drill_state, "undecided")
        self.assertThrowawayGone(self.backup.drill_ids)

    @QUIET
    def test_a_damaged_copy_fails_its_drill_and_managers_are_told_what_to_use(self):
        newer = self.create_backup(self.tenant)
        self.driver.faults["restore"] = [("damaged", 1)]
        self.drill(newer)
        self.assertEqual((newer.drill_state, newer.state), ("failed", "done"))
        self.assertThrowawayGone(newer.drill_ids)
        self.assertEqual(self.tenant._get_good_backups(), self.backup)
        activity = self.tenant.activity_ids.filtered(
            lambda a: a.user_id == self.manager
        )
        self.assertEqual(activity.summary, "A copy could not be restored")
        self.assertIn("newest good one before it", activity.note)

    @QUIET
    def test_an_odoo_that_does_not_start_fails_its_drill(self):
        self.driver.faults["boot"] = [("boot", 1)]
        operation = self.drill()
        self.assertEqual((operation.state, operation.reason), ("refused", "boot"))
        self.assertEqual(self.backup.drill_state, "failed")
        self.assertThrowawayGone(self.backup.drill_ids)

    @QUIET
    def test_a_store_that_stays_away_says_nothing_against_the_copy(self):
        self.driver.faults["restore"] = [("unreachable", 75)] * 20
        self.drill()
        self.assertEqual(self.backup.drill_state, "undecided")
        self.assertEqual(self.tenant._get_good_backups(), self.backup)
        self.assertFalse(self.tenant.activity_ids)
        self.assertThrowawayGone(self.backup.drill_ids)

    def test_a_drill_whose_task_was_killed_begins_again(self):
        self.driver.faults = {"restore": [None], "boot": [None]}
        operation = self.drill()
        self.assertEqual(operation.state, "done", operation.message)
        self.assertThrowawayGone(self.backup.drill_ids)

    def test_what_is_on_the_server_for_a_drill_is_no_orphan(self):
        self.patch(saas_store, "SHORT", timedelta(0))
        self.patch(saas_store, "WAIT_SECONDS", 0)
        self.driver.outcomes["restore"] = None
        self.run_once(self.backup.action_drill())
        self.assertIn(self.backup.drill_ids.uid, self.databases.databases)
        self.assertIn(
            self.backup.drill_ids.uid, self.env["saas.server"]._find_known_uids()
        )

    def test_asking_twice_gives_the_drill_that_is_under_way(self):
        self.assertEqual(self.backup.action_drill(), self.backup.action_drill())

    def test_only_a_good_copy_can_be_tried(self):
        self.backup.state = "failed"
        with self.assertRaisesRegex(UserError, "Only a good copy"):
            self.backup.action_drill()

    # === ROTATION === #

    def create_copied_tenants(self, count):
        """Have running tenants, each with one good copy of this moment."""
        now = fields.Datetime.now()
        tenants = self.env["saas.tenant"].create(
            [
                {
                    "name": f"more{number}",
                    "partner_id": self.customer.id,
                    "plan_id": self.plan.id,
                    "provisioned_on": now,
                    "wanted": "running",
                    "observed": "running",
                }
                for number in range(count)
            ]
        )
        copies = self.env["saas.backup"].create(
            [
                {
                    "tenant_id": tenant.id,
                    "store_id": self.store.id,
                    "reason": "schedule",
                }
                for tenant in tenants
            ]
        )
        for copy in copies:
            copy._set_done({"date": now.isoformat() + "+00:00"})
        return tenants

    def drill_as_planned(self, days, minutes):
        """Let the schedule run for days; return when each tenant was proven.

        :param int minutes: how long one drill takes, and no other begins meanwhile
        """
        proven, now = defaultdict(list), fields.Datetime.now()
        tried = []

        def try_out(backup):
            tried.append(backup)
            return self.env["saas.operation"]

        self.patch(self.env.registry["saas.backup"], "_try_out", try_out)
        self.patch(self.env.registry["saas.drill"], "_sign", lambda _drill: None)
        with freeze_time(now) as clock:
            for _round in range(days * 24 * 60 // minutes):
                self.env["saas.tenant"]._cron_drill()
                clock.tick(timedelta(minutes=minutes))
                for backup in tried:
                    drill = self.env["saas.drill"].create({"backup_id": backup.id})
                    drill._set_result("passed")
                    proven[backup.tenant_id].append(drill.date_done)
                tried.clear()
        return proven

    def test_a_hundred_tenants_are_each_proven_within_seven_days_for_a_fortnight(self):
        self.backup.state = "failed"
        tenants = self.create_copied_tenants(100)
        begun, days = fields.Datetime.now(), 14
        proven = self.drill_as_planned(days, minutes=60)
        ended = begun + timedelta(days=days)
        longest = {
            tenant: max(
                later - earlier
                for earlier, later in pairwise([begun, *proven[tenant], ended])
            )
            for tenant in tenants
        }
        self.assertLessEqual(max(longest.values()), timedelta(days=7))
        self.assertEqual(set(proven), set(tenants))
        # It is a rotation: nobody is tried again and again before the others are.
        self.assertLessEqual(max(map(len, proven.values())), 3)

    def test_the_next_drill_is_within_the_days_of_the_policy(self):
        self.env["saas.tenant"]._cron_drill()
        self.run_operations()
        self.assertEqual(self.backup.drill_state, "passed")
        limit = fields.Datetime.now() + timedelta(days=7)
        self.assertLess(self.tenant.drill_on, limit)
        self.assertGreater(self.tenant.prove_by, self.tenant.drill_on)

    # === READING === #

    def read_newest(self):
        self.tenant.verify_on = fields.Datetime.now()
        self.env["saas.tenant"]._cron_verify()
        self.run_operations()

    def get_reads(self):
        jobs = [job for job in self.driver.jobs if job["command"] == "verify"]
        return [job["backup"] for job in jobs]

    def test_the_newest_copy_of_each_tenant_is_read_once_in_each_day(self):
        newest = self.create_backup(self.tenant)
        tenants = self.env["saas.tenant"]
        tenants._cron_verify()
        moment = self.tenant.verify_on
        day = timedelta(days=1)
        self.assertLessEqual(moment, fields.Datetime.now() + day)
        self.assertFalse(self.get_reads())
        second = timedelta(seconds=1)
        with freeze_time(moment + second) as clock:
            for _minute in range(3):
                tenants._cron_verify()
                self.run_operations()
                clock.tick(timedelta(minutes=1))
        self.assertEqual(self.get_reads(), [newest.name])
        self.assertAlmostEqual(self.tenant.verify_on, moment + day, delta=second)
        self.assertAlmostEqual(newest.verified_on, moment, delta=2 * second)
        self.assertEqual(newest.drill_state, "none")
        self.assertFalse(self.driver.tasks)

    @QUIET
    def test_a_copy_that_rots_after_its_proof_is_found_told_and_not_used(self):
        newest = self.create_backup(self.tenant)
        self.drill(newest)
        self.assertEqual(newest.drill_state, "passed")
        self.driver.faults["verify"] = [("damaged", 1)]
        self.read_newest()
        self.assertEqual((newest.state, newest.drill_state), ("done", "failed"))
        self.assertEqual(newest.message, "It is damaged.")
        self.assertEqual(self.tenant._get_good_backups(), self.backup)
        activity = self.tenant.activity_ids.filtered(
            lambda a: a.user_id == self.manager
        )
        self.assertEqual(activity.summary, "A copy could not be restored")
        self.assertIn("newest good one before it", activity.note)
        # From now on the one that is offered instead is looked at.
        self.read_newest()
        self.assertEqual(self.get_reads()[-1], self.backup.name)
        self.assertEqual(self.backup.drill_state, "none")

    @QUIET
    def test_the_copy_after_a_damaged_one_is_made_of_what_the_tenant_has(self):
        self.driver.faults["verify"] = [("damaged", 1)]
        self.read_newest()
        self.assertEqual(self.backup.drill_state, "failed")
        self.driver.unchanged = True
        self.assertNotEqual(self.create_backup(self.tenant), self.backup)
        self.assertTrue(self.driver.jobs[-1]["fresh"])
        self.assertFalse(self.tenant.uncovered)
        self.driver.unchanged = False
        self.create_backup(self.tenant)
        self.assertFalse(self.driver.jobs[-1]["fresh"])

    @QUIET
    def test_a_store_that_cannot_be_read_now_says_nothing_against_the_copy(self):
        self.driver.faults["verify"] = [("unreachable", 75)] * 20
        self.read_newest()
        self.assertEqual(self.backup.drill_state, "none")
        self.assertFalse(self.backup.verified_on)
        self.assertFalse(self.tenant.activity_ids)

    def test_a_copy_that_is_being_read_is_not_removed(self):
        self.create_backup(self.tenant)
        self.tenant.verify_on = fields.Datetime.now()
        self.env["saas.tenant"]._cron_verify()
        with self.assertRaisesRegex(UserError, "being used now"):
            self.tenant._get_good_backups()[:1].action_remove()

    def test_no_more_copies_are_read_at_once_than_the_limit(self):
        self.patch(saas_backup_verify, "CONCURRENT", 2)
        others = [self.create_running_tenant(f"other{number}") for number in range(2)]
        for other in others:
            self.create_backup(other)
        self.env["saas.tenant"]._cron_verify()
        tenants = self.tenant.union(*others)
        tenants.verify_on = fields.Datetime.now()
        for _minute in range(2):
            self.env["saas.tenant"]._cron_verify()
        reads = tenants.operation_ids.filtered(lambda o: o.kind == "verify")
        self.assertEqual(len(reads), 2)
        self.run_operations()
        self.env["saas.tenant"]._cron_verify()
        reads = tenants.operation_ids.filtered(lambda o: o.kind == "verify")
        self.assertEqual(len(reads), 3)

    # === ONE AT A TIME === #

    def test_one_drill_runs_at_a_time(self):
        other = self.create_running_tenant("other")
        self.create_backup(other)
        for _minute in range(3):
            self.env["saas.tenant"]._cron_drill()
        drills = self.env["saas.drill"].search(
            [("tenant_id", "in", (self.tenant.id, other.id))]
        )
        self.assertEqual(len(drills), 1)
