from datetime import timedelta

from psycopg2.errors import UniqueViolation

from odoo.exceptions import UserError
from odoo.tests import tagged
from odoo.tools import mute_logger

from odoo.addons.saas.engine.driver import Phase

from ..models import saas_store, saas_tenant_restore
from .common import BackupCommon

QUIET = mute_logger("odoo.addons.saas.models.saas_operation")


@tagged("post_install", "-at_install")
class TestBackup(BackupCommon):
    def prepare(self):
        super().prepare()
        self.tenant = self.create_running_tenant()

    # === MAKING === #

    def test_a_backup_ends_with_a_good_copy_and_no_task_left(self):
        backup = self.create_backup(self.tenant)
        self.assertEqual(backup.state, "done")
        self.assertEqual(backup.size, 3_000_000_000)
        self.assertEqual(backup.rows["res_users"], 4)
        self.assertIn(backup.name, self.driver.store[self.tenant.uid])
        self.assertFalse(self.driver.tasks)

    def test_a_stopped_tenant_is_backed_up_and_stays_stopped(self):
        self.tenant.action_stop()
        self.run_operations()
        self.create_backup(self.tenant)
        self.assertEqual(self.tenant.state, "stopped")

    def test_asking_twice_gives_the_backup_that_is_under_way(self):
        operation = self.tenant.action_backup()
        self.assertEqual(self.tenant.action_backup(), operation)

    def test_an_unchanged_tenant_costs_no_second_copy(self):
        backup = self.create_backup(self.tenant)
        self.driver.unchanged = True
        self.assertEqual(self.create_backup(self.tenant), backup)
        self.assertTrue(backup.confirmed)
        self.assertEqual(self.tenant.backup_ids, backup)

    def test_the_task_is_told_where_the_copies_lie_and_no_secret_is_shown(self):
        self.tenant.action_backup()
        self.run_once(self.tenant.operation_ids[0])
        [job] = self.driver.jobs
        self.assertEqual(job["store"], {"kind": "directory", "path": "/mnt/store"})
        self.assertEqual(job["database"]["name"], self.tenant.uid)
        self.assertTrue(job["force"])

    def test_a_draft_has_nothing_to_back_up(self):
        tenant = self.create_tenant("beta")
        with self.assertRaisesRegex(UserError, "nothing to back up"):
            tenant.action_backup()

    def test_without_a_store_the_answer_says_what_to_do(self):
        self.store.active = False
        with self.assertRaisesRegex(UserError, "Add one"):
            self.tenant.action_backup()

    # === FAULTS === #

    def test_a_killed_task_is_started_again_with_the_same_number(self):
        self.driver.faults["backup"] = [None]
        backup = self.create_backup(self.tenant)
        first, second = self.driver.jobs
        self.assertEqual(first["backup"], second["backup"])
        self.assertEqual(backup.state, "done")

    @QUIET
    def test_a_store_that_refuses_fails_the_backup_with_its_reason(self):
        self.driver.faults["backup"] = [("denied", 1)]
        operation = self.tenant.action_backup()
        self.run_operations()
        backup = self.tenant.backup_ids
        self.assertEqual((operation.state, operation.reason), ("refused", "denied"))
        self.assertEqual((backup.state, backup.message), ("failed", "It is denied."))
        self.assertFalse(self.driver.tasks)
        self.assertEqual(self.tenant.state, "running")
        self.assertFalse(self.tenant.troubled)

    @QUIET
    def test_a_store_that_stays_away_is_given_up_after_some_tries(self):
        self.driver.faults["backup"] = [("unreachable", 75)] * 20
        operation = self.tenant.action_backup()
        self.run_operations()
        self.assertEqual((operation.state, operation.reason), ("failed", "unreachable"))
        self.assertEqual(self.tenant.backup_ids.state, "failed")

    @QUIET
    def test_a_tenant_erased_meanwhile_is_not_copied(self):
        operation = self.tenant.action_backup()
        self.tenant.with_user(self.manager).action_delete(erase_now=True)
        self.run_operations()
        self.assertEqual((operation.state, operation.reason), ("refused", "deleted"))

    # === RESTORING AS NEW === #

    def test_a_copy_becomes_a_tenant_of_its_own(self):
        backup = self.create_backup(self.tenant)
        operation = self.tenant.action_restore(backup.id, "beta")
        self.run_operations()
        tenant = operation.tenant_id
        self.assertEqual(operation.state, "done", operation.message)
        self.assertEqual((tenant.name, tenant.state), ("beta", "running"))
        self.assertEqual(tenant.partner_id, self.tenant.partner_id)
        self.assertIn(tenant.uid, self.databases.databases)
        self.assertFalse(self.driver.tasks)
        self.assertEqual(self.tenant.state, "running")
        written = self.databases.databases[tenant.uid].statements
        self.assertIn("http://beta.odoo.localhost:8080", str(written))

    def test_a_restore_reads_the_copies_of_the_first_with_its_key(self):
        backup = self.create_backup(self.tenant)
        self.tenant.action_restore(backup.id, "beta")
        self.run_operations()
        made, restored = self.driver.jobs[:2]
        self.assertEqual(made["uid"], restored["uid"])
        self.assertEqual(made["key"], restored["key"])
        self.assertNotEqual(made["database"]["name"], restored["database"]["name"])

    def restore_as_new(self, **options):
        """Restore a copy as a new tenant; it and the tasks that were run, in order."""
        backup = self.create_backup(self.tenant)
        self.driver.jobs.clear()
        operation = self.tenant.action_restore(backup.id, "beta", **options)
        self.run_operations()
        self.assertEqual(operation.state, "done", operation.message)
        return operation.tenant_id, [job["command"] for job in self.driver.jobs]

    def test_a_new_tenant_does_nothing_in_the_customers_name(self):
        tenant, commands = self.restore_as_new()
        self.assertTrue(tenant.neutralized)
        self.assertEqual(commands, ["restore", "neutralize"])

    def test_an_exact_copy_is_made_where_it_is_asked_for(self):
        tenant, commands = self.restore_as_new(neutralize=False)
        self.assertFalse(tenant.neutralized)
        self.assertEqual(commands, ["restore"])

    def test_a_new_tenant_has_ids_of_its_own_whatever_it_is_for(self):
        for number, neutralize in enumerate((True, False)):
            backup = self.create_backup(self.tenant)
            operation = self.tenant.action_restore(
                backup.id, f"beta{number}", neutralize=neutralize
            )
            self.run_operations()
            database = self.databases.databases[operation.tenant_id.uid]
            written = str(database.statements)
            self.assertIn("database.uuid", written)
            self.assertIn("database.secret", written)

    # === ITS ODOO STARTS MEANWHILE === #

    def begin_restore(self, neutralize=False):
        """Return a new tenant whose database is being restored, and its operation."""
        self.patch(saas_store, "SHORT", timedelta(0))
        self.patch(saas_store, "WAIT_SECONDS", 0)
        backup = self.create_backup(self.tenant)
        self.driver.outcomes["restore"] = None
        operation = self.tenant.action_restore(backup.id, "beta", neutralize=neutralize)
        self.run_once(operation)
        return operation.tenant_id, operation

    def can_come_in(self, tenant):
        """Whether the database lets in who has the password of the tenant's Odoo."""
        role = self.databases.roles[tenant.uid]
        config = self.driver.containers[tenant.uid].spec.files["odoo.conf"].decode()
        return role.login and f"db_password = {role.password}\n" in config

    def test_its_odoo_starts_beside_the_restore_and_comes_in_when_all_is_there(self):
        tenant, operation = self.begin_restore()
        container = self.driver.containers[tenant.uid]
        self.assertEqual(container.phase, Phase.RUNNING)
        self.assertFalse(self.can_come_in(tenant))
        password = self.databases.roles[tenant.uid].password
        self.assertEqual(self.driver.jobs[-1]["database"]["password"], password)
        self.driver.finish(tenant.uid, "restore")
        self.run_operations()
        self.assertEqual(operation.state, "done", operation.message)
        self.assertIs(self.driver.containers[tenant.uid], container)
        self.assertTrue(self.can_come_in(tenant))

    def test_a_test_copy_starts_when_it_is_harmless_and_not_before(self):
        tenant, _operation = self.begin_restore(neutralize=True)
        self.assertEqual(self.driver.observe(tenant.uid).phase, Phase.ABSENT)

    def test_no_odoo_waits_for_a_database_that_takes_long(self):
        self.patch(saas_tenant_restore, "SOON_RESTORED", 1_000_000)
        tenant, _operation = self.begin_restore()
        self.assertEqual(self.driver.observe(tenant.uid).phase, Phase.ABSENT)

    # === WHERE A NEW TENANT GOES === #

    def refuse_as_new(self, backup, name):
        """Return the sentence with which a copy is refused a place as a new tenant."""
        operation = self.tenant.action_restore(backup.id, name)
        self.run_operations()
        tenant = operation.tenant_id
        self.assertEqual((operation.state, operation.reason), ("refused", "no_room"))
        self.assertEqual(tenant.state, "failed")
        self.assertFalse(tenant.server_id)
        self.assertNotIn("restore", [job["command"] for job in self.driver.jobs])
        return tenant.state_message

    @QUIET
    def test_a_new_tenant_obeys_the_rules_of_its_plan_and_of_its_server(self):
        lisbon = self.env["saas.region"].create({"name": "Lisbon"})
        fast = self.env["saas.label"].create({"name": "fast"})
        backup = self.create_backup(self.tenant)
        rules = (
            (self.server, {"draining": True}, "is draining"),
            (self.server, {"max_tenants": 1}, "is full"),
            (self.server, {"disk": 100, "disk_free": 0.1}, "too little disk left"),
            (self.plan, {"region_id": lisbon.id}, "is in another region"),
            (self.plan, {"label_ids": fast.ids}, "lacks a label of the plan"),
        )
        for number, (record, values, why) in enumerate(rules):
            with self.subTest(rule=why):
                record.write(values)
                self.assertRegex(
                    self.refuse_as_new(backup, f"beta{number}"),
                    "^The only server that will do has no room for a tenant of the "
                    f"plan Basic: First server .*{why}. Change what is in the way.$",
                )
                record.write(
                    {"draining": False, "max_tenants": 900, "disk": 0}
                    if record == self.server
                    else {"region_id": False, "label_ids": False}
                )

    @QUIET
    def test_a_copy_in_a_bucket_becomes_a_tenant_where_there_is_room(self):
        values = {"bucket": "copies", "access_key": "key", "secret_key": "secret"}
        self.store.write({"kind": "s3", **values})
        backup = self.create_backup(self.tenant)
        self.server.draining = True
        self.assertEqual(
            self.refuse_as_new(backup, "beta"),
            "No server has room for a tenant of the plan Basic: First server is "
            "draining. Add a server, or change what is in the way.",
        )
        databases = self.database_server.copy({"name": "Second PostgreSQL"})
        second = self.server.copy(
            {
                "name": "Second server",
                "draining": False,
                "active": True,
                "database_server_id": databases.id,
            }
        )
        operation = self.tenant.action_restore(backup.id, "gamma")
        self.run_operations()
        self.assertEqual(operation.state, "done", operation.message)
        tenant = operation.tenant_id
        self.assertEqual(tenant.server_id, second)
        self.assertEqual(tenant.database_server_id, databases)

    def test_a_copy_in_a_directory_stays_where_that_is_however_full_others_are(self):
        self.server.copy({"name": "Roomy", "active": True, "max_tenants": 1000})
        tenant, _commands = self.restore_as_new()
        self.assertEqual(tenant.server_id, self.server)
        self.assertEqual(tenant.database_server_id, self.tenant.database_server_id)

    def test_a_restore_waits_for_a_server_that_does_not_work(self):
        backup = self.create_backup(self.tenant)
        self.server._write_check("failed", "The engine is down.")
        operation = self.tenant.action_restore(backup.id, "beta")
        self.assertTrue(self.run_once(operation))
        self.assertIn("The engine is down.", operation.tenant_id.state_message)
        self.server._write_check("ok", False)
        self.run_operations()
        self.assertEqual(operation.state, "done", operation.message)

    # === WHEN IT GOES WRONG === #

    @QUIET
    def test_a_copy_that_cannot_be_neutralized_never_runs(self):
        backup = self.create_backup(self.tenant)
        self.driver.faults["neutralize"] = [None] * 20
        operation = self.tenant.action_restore(backup.id, "beta")
        self.run_operations()
        tenant = operation.tenant_id
        self.assertEqual(operation.reason, "neutralize_failed")
        self.assertIn("could not be switched off", operation.message)
        self.assertEqual(tenant.state, "failed")
        self.assertNotIn(("ensure", tenant.uid), self.driver.calls)
        self.assertNotIn(tenant.uid, self.databases.databases)

    @QUIET
    def test_a_damaged_copy_leaves_no_half_restored_tenant(self):
        backup = self.create_backup(self.tenant)
        self.driver.faults["restore"] = [("damaged", 1)]
        operation = self.tenant.action_restore(backup.id, "beta")
        self.run_operations()
        tenant = operation.tenant_id
        self.assertEqual((operation.state, operation.reason), ("refused", "damaged"))
        self.assertEqual(tenant.state, "failed")
        self.assertNotIn(tenant.uid, self.databases.databases)
        self.assertNotIn(tenant.uid, self.driver.state)

    def test_a_restore_cut_short_begins_again_in_what_is_empty(self):
        backup = self.create_backup(self.tenant)
        self.driver.faults["restore"] = [None]
        operation = self.tenant.action_restore(backup.id, "beta")
        self.run_operations()
        self.assertEqual(operation.state, "done")
        self.assertEqual(self.databases.count("create_database"), 3)

    def test_a_name_that_is_taken_is_refused_before_anything_happens(self):
        backup = self.create_backup(self.tenant)
        with mute_logger("odoo.sql_db"), self.assertRaises(UniqueViolation):
            self.tenant.action_restore(backup.id, "alfa")

    def test_the_copies_of_others_cannot_be_restored(self):
        backup = self.create_backup(self.tenant)
        other = self.create_running_tenant("other")
        with self.assertRaisesRegex(UserError, "other has no such copy"):
            other.action_restore(backup.id, "beta")

    # === REMOVING === #

    def test_erasing_a_tenant_erases_its_copies_and_its_key(self):
        backup = self.create_backup(self.tenant)
        self.tenant.with_user(self.manager).action_delete(erase_now=True)
        self.run_operations()
        self.assertEqual(self.tenant.state, "deleted")
        self.assertNotIn(self.tenant.uid, self.driver.store)
        self.assertEqual(backup.state, "deleted")
        self.assertFalse(self.tenant.data_key_sealed)
        self.assertNotIn(self.tenant.uid, self.driver.state)

    def test_erasing_goes_through_every_store_that_ever_held_a_copy(self):
        former = self.create_backup(self.tenant)
        store = self.env["saas.store"].create(
            {"name": "Newer", "kind": "directory", "volume": "newer-backups"}
        )
        self.store.active = False
        newer = self.create_backup(self.tenant)
        self.assertEqual(newer.store_id, store)
        former.action_remove()
        self.run_operations()
        self.assertEqual(former.state, "deleted")
        volumes = []
        start_task = self.driver.start_task

        def watch(uid, task):
            if task.key.startswith("erase"):
                volumes.extend(task.volumes)
            start_task(uid, task)

        self.patch(self.driver, "start_task", watch)
        self.tenant.with_user(self.manager).action_delete(erase_now=True)
        self.run_operations()
        self.assertEqual(self.tenant.state, "deleted")
        self.assertEqual(set(volumes), {"test-backups", "newer-backups"})

    def test_the_last_good_copy_cannot_be_removed(self):
        backup = self.create_backup(self.tenant)
        with self.assertRaisesRegex(UserError, "No good copy of alfa would be left"):
            backup.action_remove()

    def test_the_last_good_copies_cannot_be_removed_together(self):
        backups = self.create_backup(self.tenant) | self.create_backup(self.tenant)
        other = self.create_running_tenant("other")
        spare = self.create_backup(other) | self.create_backup(other)
        with self.assertRaisesRegex(UserError, "No good copy of alfa would be left"):
            (backups | spare[0]).action_remove()
        self.assertEqual(set((backups | spare).mapped("state")), {"done"})
        (backups[0] | spare[0]).action_remove()
        self.run_operations()
        self.assertEqual(self.tenant._get_good_backups(), backups[1])
        self.assertEqual(other._get_good_backups(), spare[1])

    def test_a_copy_on_hold_cannot_be_removed_until_the_hold_is_lifted(self):
        backup = self.create_backup(self.tenant)
        self.create_backup(self.tenant)
        backup.action_hold()
        with self.assertRaisesRegex(UserError, "on hold"):
            backup.action_remove()
        backup.action_lift()
        backup.action_remove()
        self.run_operations()
        self.assertEqual(backup.state, "deleted")
        self.assertNotIn(backup.name, self.driver.store[self.tenant.uid])

    def test_copies_are_never_deleted_as_records(self):
        backup = self.create_backup(self.tenant)
        with self.assertRaisesRegex(UserError, "action Remove"):
            backup.unlink()

    # === STORES === #

    def test_a_size_is_written_as_its_reader_writes_numbers(self):
        self.env["res.lang"]._activate_lang("pt_BR")
        written = [
            self.env["saas.backup"].with_context(lang=lang).new({"size": size})
            for lang, size in [
                ("en_US", 999),
                ("en_US", 1000),
                ("en_US", 2_140_000),
                ("pt_BR", 2_140_000),
                ("en_US", 3_200_000_000_000_000),
            ]
        ]
        self.assertEqual(
            [backup._format_size() for backup in written],
            ["999 B", "1.0 kB", "2.1 MB", "2,1 MB", "3,200.0 TB"],
        )

    def test_testing_a_store_writes_beside_the_tenants_and_leaves_nothing(self):
        self.store._check()
        self.assertEqual(self.store.check_state, "ok", self.store.check_message)
        self.assertEqual(self.store.check_message, "Room for 12 GiB")
        self.assertFalse(self.driver.tasks)

    def test_testing_a_store_names_what_is_wrong(self):
        self.driver.faults["check"] = [("wrong_region", 1)]
        self.store._check()
        self.assertEqual(self.store.check_state, "failed")
        self.assertEqual(self.store.check_message, "It is wrong_region.")
