from odoo.tests import tagged

from .test_archive import ArchiveCommon


@tagged("post_install", "-at_install")
class TestOwnDatabase(ArchiveCommon):
    """Copies of a tenant whose PostgreSQL runs beside it."""

    def prepare(self):
        super().prepare()
        self.plan.own_database = True
        self.own = self.create_running_tenant("own")
        self.started = []

    def setUp(self):
        super().setUp()
        start_task = self.driver.start_task

        def watch(uid, task):
            self.started.append(task)
            start_task(uid, task)

        self.patch(self.driver, "start_task", watch)

    def test_copies_are_made_and_tried_beside_it(self):
        backup = self.create_backup(self.own)
        operation = backup.action_drill()
        self.run_operations()
        self.assertEqual(operation.state, "done", operation.message)
        self.assertEqual(backup.drill_state, "passed")
        networked = [task for task in self.started if task.network]
        self.assertEqual({task.database for task in networked}, {self.own.uid})
        [gate] = [task for task in self.started if task.key == "gate"]
        port = 6000 + self.own.slot
        self.assertEqual(gate.command[-1], f"/run/saas/postgres/.s.PGSQL.{port}")
        for databases in (self.own_databases, self.databases):
            self.assertNotIn(backup.drill_ids.uid, databases.databases)

    def test_it_is_restored_in_its_own_server(self):
        backup = self.create_backup(self.own)
        operation = self.own.action_restore(backup.id)
        self.run_operations()
        self.assertEqual(operation.state, "done", operation.message)
        drill = self.own.restore_drill_id.uid
        self.assertEqual(self.own_databases.databases[self.own.uid].holds, drill)
        self.assertNotIn(self.own.uid, self.databases.databases)

    def test_restored_as_new_it_gets_a_server_too_and_not_the_same(self):
        backup = self.create_backup(self.own)
        operation = self.own.action_restore(backup.id, as_new_name="new")
        self.run_operations()
        new = operation.tenant_id
        self.assertEqual(new.state, "running", new.state_message)
        self.assertTrue(new.database_server_id.beside)
        self.assertNotEqual(new.database_server_id, self.own.database_server_id)
        # What is switched off in it is so in its own database.
        [task] = [task for task in self.started if task.key == "neutralize"]
        self.assertEqual(task.database, new.uid)

    def test_from_the_archive_it_comes_back_with_another_server(self):
        self.tenant = self.own
        server = self.own.database_server_id
        operation = self.archive()
        self.assertEqual(operation.state, "done", operation.message)
        self.assertEqual(self.own.state, "archived")
        self.assertFalse(server.exists())
        self.assertNotIn(self.own.uid, self.driver.databases)
        self.take_back()
        self.assertEqual(self.own.state, "running", self.own.state_message)
        self.assertTrue(self.own.database_server_id.beside)
        self.assertIn(self.own.uid, self.own_databases.databases)
