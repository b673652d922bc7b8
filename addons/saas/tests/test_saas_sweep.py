from datetime import timedelta

from odoo import fields
from odoo.tests import tagged
from odoo.tools import mute_logger

from ..const import QUARANTINE_DAYS
from ..engine.driver import Phase
from ..engine.fake import LostDriver, RefusingDriver
from .common import SaasCommon


@tagged("post_install", "-at_install")
class TestSweep(SaasCommon):
    def setUp(self):
        super().setUp()
        self.tenant = self.create_running_tenant()

    def jobs(self, operation):
        key = f"saas.operation:{operation.id}"
        return self.env["queue.job"].search([("identity_key", "=", key)])

    def test_an_operation_whose_job_is_gone_is_enqueued_again(self):
        operation = self.tenant.action_restart()
        self.jobs(operation).unlink()
        operation.sudo().date_next = fields.Datetime.now() - timedelta(minutes=1)
        self.env["saas.operation"]._cron_tick()
        self.assertEqual(self.jobs(operation).state, "pending")

    def test_a_container_removed_by_hand_is_made_again(self):
        self.driver.lose(self.tenant.uid)
        self.env["saas.server"]._cron_observe()
        self.assertEqual(self.tenant.state, "stopped")
        self.run_operations()
        self.assertEqual(self.tenant.state, "running")

    def test_a_stopped_container_that_should_run_is_found_by_resync(self):
        self.driver.set_phase(self.tenant.uid, Phase.STOPPED)
        self.env["saas.server"]._cron_resync()
        self.run_operations()
        self.assertEqual(self.driver.observe(self.tenant.uid).phase, Phase.RUNNING)

    def test_a_container_that_runs_though_its_tenant_is_suspended_is_stopped(self):
        self.tenant.action_suspend("Spam")
        self.run_operations()
        self.driver.set_phase(self.tenant.uid, Phase.RUNNING)
        self.env["saas.server"]._cron_resync()
        self.run_operations()
        self.assertEqual(self.driver.observe(self.tenant.uid).phase, Phase.STOPPED)

    def test_a_deleted_tenant_is_not_brought_back(self):
        self.tenant.with_user(self.manager).action_delete()
        self.run_operations()
        operations = len(self.tenant.operation_ids)
        self.env["saas.server"]._cron_resync()
        self.assertEqual(len(self.tenant.operation_ids), operations)

    def test_what_is_ours_and_belongs_to_nobody_is_reported_and_left(self):
        self.driver.state["t0123456789ab"] = {}
        self.env["saas.server"]._cron_resync()
        self.assertEqual(self.server.orphans, "t0123456789ab: volumes")
        self.assertIn("t0123456789ab", self.driver.state)

    def test_memory_and_disk_are_measured_and_kept_where_nobody_could_look(self):
        self.env["saas.server"]._cron_resync()
        self.assertEqual((self.server.memory, self.server.memory_free), (16, 8))
        self.assertEqual((self.server.disk, self.server.disk_free), (100, 60))
        self.assertEqual(
            (self.server.memory_percent, self.server.disk_percent), (50, 40)
        )
        measured = self.server.date_measured
        self.assertTrue(measured)
        self.driver = RefusingDriver(verbs=("measure",))
        with self.assertLogs("odoo.addons.saas.models.saas_server", "WARNING"):
            self.server._measure()
        self.assertEqual(
            (self.server.memory, self.server.date_measured), (16, measured)
        )

    @mute_logger("odoo.addons.saas.models.saas_sweep")
    def test_a_server_that_could_not_be_looked_at_changes_no_tenant(self):
        self.driver = LostDriver()
        self.env["saas.server"]._cron_resync()
        self.env["saas.server"]._cron_observe()
        self.assertEqual(self.tenant.state, "running")
        self.assertEqual(self.server.check_state, "failed")
        self.assertIn("cannot be reached", self.server.check_message)

    def test_a_lost_route_is_put_back_and_one_that_stayed_is_removed(self):
        self.routes.delete_route(self.tenant.uid)
        self.env["saas.server"]._cron_resync()
        self.run_operations()
        route = self.routes.list_routes()[self.tenant.uid]
        self.tenant.action_suspend("Spam")
        self.run_operations()
        self.routes.put_route(route)
        self.env["saas.server"]._cron_resync()
        self.run_operations()
        self.assertNotIn(self.tenant.uid, self.routes.list_routes())

    def test_a_container_that_is_ill_is_restarted_and_not_over_and_over(self):
        self.driver.set_phase(self.tenant.uid, Phase.FAILED)
        self.env["saas.server"]._cron_resync()
        repair = self.tenant.last_operation_id
        self.assertEqual(repair.kind, "restart")
        repair.sudo().write({"state": "failed", "date_done": fields.Datetime.now()})
        self.env["saas.server"]._cron_resync()
        self.assertEqual(self.tenant.last_operation_id, repair)

    def test_what_an_operation_does_is_no_drift(self):
        restart = self.tenant.action_restart()
        self.driver.set_phase(self.tenant.uid, Phase.STOPPED)
        self.env["saas.server"]._cron_resync()
        self.assertEqual(self.tenant.last_operation_id, restart)
        self.assertEqual(self.tenant.observed, "running")

    def test_a_name_can_be_given_again_after_its_quarantine(self):
        self.tenant.with_user(self.manager).action_delete(erase_now=True)
        self.run_operations()
        released = fields.Datetime.now() - timedelta(days=QUARANTINE_DAYS + 1)
        self.tenant.sudo().domain_ids.released_on = released
        self.env["saas.operation"]._cron_tick()
        self.assertTrue(self.create_running_tenant(self.tenant.name))
