from datetime import timedelta

from odoo import fields
from odoo.tests import tagged
from odoo.tools import mute_logger

from ..const import QUARANTINE_DAYS
from ..engine.driver import Limits, Phase, TenantSpec
from ..engine.fake import LostDriver, RefusingDriver
from .common import IMAGE, SaasCommon


@tagged("post_install", "-at_install")
class TestSweep(SaasCommon):
    def prepare(self):
        super().prepare()
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

    def look(self, *tenants):
        """Something happened to these; the kinds of operations that this took."""
        before = self.env["saas.operation"].search([])
        self.env["saas.event"]._note(tenant.uid for tenant in tenants)
        self.env["saas.server"]._cron_observe()
        return (self.env["saas.operation"].search([]) - before).mapped("kind")

    def test_a_container_removed_by_hand_is_made_again(self):
        self.driver.lose(self.tenant.uid)
        self.assertEqual(self.look(self.tenant), ["start"])
        self.assertEqual(self.tenant.state, "stopped")
        self.run_operations()
        self.assertEqual(self.tenant.state, "running")
        self.assertEqual(self.look(self.tenant), [])

    def test_limits_changed_by_hand_are_put_back_by_event_and_by_resync(self):
        uid = self.tenant.uid
        for mends in (lambda: self.look(self.tenant), self.resync):
            self.driver.change_limits(uid)
            self.assertEqual(mends(), ["start"])
            self.run_operations()
            self.assertFalse(self.driver.observe(uid).changed)
        self.assertEqual(self.resync(), [])

    def test_a_route_removed_by_hand_is_put_back_by_event(self):
        self.routes.delete_route(self.tenant.uid)
        self.assertEqual(self.look(self.tenant), ["start"])
        self.run_operations()
        self.assertTrue(self.route().http)

    def test_only_those_are_looked_at_to_whom_something_happened(self):
        other = self.create_running_tenant("beta")
        self.driver.calls.clear()
        self.assertEqual(self.look(other), [])
        self.assertEqual(self.driver.calls, [("observe", other.uid)])
        self.driver.calls.clear()
        self.env["saas.server"]._cron_observe()
        self.assertEqual(self.driver.calls, [])

    def test_an_event_waits_for_the_end_of_what_is_under_way(self):
        self.tenant.action_restart()
        self.driver.calls.clear()
        self.assertEqual(self.look(self.tenant), [])
        self.assertEqual(self.driver.calls, [])
        self.run_operations()
        self.driver.lose(self.tenant.uid)
        self.env["saas.server"]._cron_observe()
        self.assertEqual(self.tenant.last_operation_id.kind, "start")
        self.assertFalse(self.env["saas.event"].search([]))

    def test_what_happens_to_who_is_not_ours_is_nothing(self):
        stranger = self.tenant.copy({"name": "gamma"})
        self.assertEqual(self.look(stranger), [])
        self.assertFalse(self.env["saas.event"].search([]))

    def test_a_foreign_container_in_the_place_of_ours_stops_nobody_else(self):
        other = self.create_running_tenant("beta")
        self.driver.put_foreign(self.tenant.uid)
        self.driver.lose(other.uid)
        self.assertEqual(self.look(self.tenant, other), ["start", "start"])
        self.assertEqual(self.server.check_state, "unknown")

    def triggers(self, name):
        cron = self.env.ref(f"saas.{name}")
        return self.env["ir.cron.trigger"].search([("cron_id", "=", cron.id)])

    def test_what_is_heard_is_looked_at_soon(self):
        self.triggers("ir_cron_observe").unlink()
        self.triggers("ir_cron_resync").unlink()
        self.env["saas.event"]._look_soon()
        self.assertFalse(self.triggers("ir_cron_observe"))
        self.env["saas.event"]._note({self.tenant.uid})
        self.assertTrue(self.triggers("ir_cron_observe"))
        self.env["saas.event"]._compare_soon()
        self.assertTrue(self.triggers("ir_cron_resync"))

    def test_it_is_listened_to_each_server_and_to_each_proxy_once(self):
        self.server.copy({"name": "Second server"})
        names = self.env["saas.event"]._get_sources().keys()
        self.assertEqual(
            {name.rpartition(" (")[0] for name in names},
            {"The server First server", "The server Second server"}
            | {"The proxy Traefik"},
        )

    def test_servers_that_share_a_proxy_ask_it_once(self):
        self.server.copy({"name": "Second server"})
        self.routes.calls.clear()
        self.databases.calls.clear()
        self.env["saas.server"]._cron_resync()
        self.assertEqual(self.routes.count("list_routes"), 1)
        self.assertEqual(self.databases.count("list_roles"), 1)

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

    def put_orphan(self, uid="t0123456789ab"):
        spec = TenantSpec(uid, IMAGE, 7, "", Limits(memory=2**28, cpus=1.0), {})
        self.driver.ensure(spec)
        return uid

    def age_orphans(self):
        self.server.orphan_ids.date = fields.Datetime.now() - timedelta(days=1)

    def test_an_orphan_is_known_since_it_was_found_and_until_it_is_gone(self):
        uid = self.put_orphan()
        self.env["saas.server"]._cron_resync()
        orphan = self.server.orphan_ids
        self.assertEqual((orphan.uid, orphan.sorts), (uid, "containers, volumes"))
        self.age_orphans()
        found_on = orphan.date
        self.driver.lose(uid)
        self.env["saas.server"]._cron_resync()
        self.assertEqual((orphan.date, orphan.sorts), (found_on, "volumes"))
        del self.driver.state[uid]
        self.env["saas.server"]._cron_resync()
        self.assertFalse(self.server.orphan_ids)
        self.assertFalse(self.server.orphans)

    def test_an_orphan_is_stopped_after_a_day_and_nothing_of_it_removed(self):
        uid = self.put_orphan()
        self.env["saas.server"]._cron_resync()
        self.assertEqual(self.driver.observe(uid).phase, Phase.RUNNING)
        self.assertFalse(self.server.orphan_ids.quarantined_on)
        self.age_orphans()
        self.env["saas.server"]._cron_resync()
        self.assertEqual(self.driver.observe(uid).phase, Phase.STOPPED)
        self.assertIn(uid, self.driver.state)
        self.assertTrue(self.server.orphan_ids.quarantined_on)
        # Whoever starts it again knows what for.
        self.driver.start(uid)
        self.env["saas.server"]._cron_resync()
        self.assertEqual(self.driver.observe(uid).phase, Phase.RUNNING)

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
        self.assertEqual(self.look(self.tenant), [])
        self.assertEqual(self.tenant.state, "running")
        self.assertEqual(self.server.check_state, "failed")
        self.assertIn("cannot be reached", self.server.check_message)

    def resync(self):
        """Compare all, and do what follows; the kinds of operations that this took."""
        before = self.tenant.operation_ids
        self.env["saas.server"]._cron_resync()
        self.run_operations()
        return (self.tenant.operation_ids - before).mapped("kind")

    def route(self):
        return self.routes.list_routes()[self.tenant.uid]

    def test_a_lost_route_is_put_back(self):
        self.routes.delete_route(self.tenant.uid)
        self.assertEqual(self.resync(), ["start"])
        self.assertTrue(self.route().http)
        self.assertEqual(self.resync(), [])

    def test_a_page_at_the_address_of_a_tenant_that_runs_is_taken_away(self):
        self.routes.put_route(self.tenant._prepare_page_route())
        self.assertEqual(self.resync(), ["start"])
        self.assertTrue(self.route().http)

    def test_an_address_that_leads_to_who_may_not_run_gets_its_page_again(self):
        open_route = self.route()
        for ask, kind in (
            (self.tenant.action_stop, "stop"),
            (self.tenant.action_suspend, "suspend"),
            (self.tenant.action_delete, "delete"),
        ):
            ask()
            self.run_operations()
            self.assertEqual(self.resync(), [])
            self.routes.put_route(open_route)
            self.assertEqual(self.resync(), [kind])
            self.assertEqual(self.route(), self.tenant._prepare_page_route())
            self.routes.delete_route(self.tenant.uid)
            self.assertEqual(self.resync(), [kind])
            self.assertEqual(self.route(), self.tenant._prepare_page_route())

    def test_a_page_that_says_what_is_no_longer_so_is_mended(self):
        self.tenant.action_suspend("Spam")
        self.run_operations()
        self.tenant.company_id.email = "new@cloud.example"
        self.assertEqual(self.resync(), ["suspend"])
        contact = ("new@cloud.example", "mailto:new@cloud.example")
        for page in self.route().pages:
            self.assertIn(contact, page.contacts)

    def test_without_a_gateway_a_suspended_tenant_has_no_route_and_needs_none(self):
        self.proxy.gateway_url = False
        open_route = self.route()
        self.tenant.action_suspend("Spam")
        self.run_operations()
        self.assertNotIn(self.tenant.uid, self.routes.list_routes())
        self.assertEqual(self.resync(), [])
        self.routes.put_route(open_route)
        self.assertEqual(self.resync(), ["suspend"])
        self.assertNotIn(self.tenant.uid, self.routes.list_routes())

    def test_who_was_woken_by_a_visitor_is_wanted_again_and_its_way_is_free(self):
        self.tenant.action_sleep()
        self.run_operations()
        self.driver.unpause(self.tenant.uid)
        self.assertEqual(self.look(self.tenant), ["wake"])
        self.run_operations()
        self.assertEqual(self.tenant.state, "running")
        self.assertFalse(self.route().is_asleep)
        self.assertEqual(self.resync(), [])

    def test_a_sleeper_stays_asleep_though_its_engine_was_restarted(self):
        self.tenant.action_sleep()
        self.run_operations()
        self.driver.set_phase(self.tenant.uid, Phase.STOPPED)
        self.assertEqual(self.resync(), [])
        self.assertEqual(self.tenant.state, "sleeping")

    def test_a_sleeper_whose_container_is_gone_or_ill_is_made_to_run_again(self):
        uid = self.tenant.uid
        for hurt, kind in (
            (lambda: self.driver.delete(uid, keep_data=True), "wake"),
            (lambda: self.driver.set_phase(uid, Phase.FAILED), "restart"),
        ):
            self.tenant.action_sleep()
            self.run_operations()
            hurt()
            self.assertEqual(self.resync(), [kind])
            self.assertEqual(self.tenant.state, "running")
            self.assertFalse(self.route().is_asleep)

    def test_a_sleeper_whose_route_wakes_it_no_more_gets_it_again(self):
        open_route = self.route()
        self.tenant.action_sleep()
        self.run_operations()
        self.driver.set_phase(self.tenant.uid, Phase.STOPPED)
        self.routes.put_route(open_route)
        self.assertEqual(self.resync(), ["sleep"])
        self.assertTrue(self.route().is_asleep)
        self.assertEqual(self.driver.observe(self.tenant.uid).phase, Phase.STOPPED)

    def test_a_sleeper_that_is_suspended_is_not_woken(self):
        self.tenant.action_sleep()
        self.run_operations()
        self.tenant.action_suspend("Spam")
        self.run_operations()
        self.assertFalse(self.route().http)
        self.driver.set_phase(self.tenant.uid, Phase.RUNNING)
        self.assertEqual(self.resync(), ["suspend"])

    def test_addresses_that_nobody_has_say_so_and_whom_to_ask(self):
        company = self.env.ref("base.main_company")
        company.write({"name": "Cloud Ltd", "email": "help@cloud.example"})
        self.resync()
        page = self.routes.unknown_pages[0]
        self.assertEqual(page.title, "There is nothing at this address")
        self.assertIn("ask Cloud Ltd.", page.ask)
        self.assertIn("mailto:help@cloud.example", dict(page.contacts).values())

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
