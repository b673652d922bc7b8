import dataclasses
from datetime import timedelta

from odoo import fields
from odoo.exceptions import AccessError, ValidationError
from odoo.tests import tagged
from odoo.tools import mute_logger

from ..engine.driver import Phase
from ..engine.fake import GIB
from ..models import saas_tenant_steps
from .common import IMAGE, SaasCommon, new_user

QUIET = mute_logger("odoo.addons.saas.models.saas_operation")


@tagged("post_install", "-at_install")
class TestDashboard(SaasCommon):
    def prepare(self):
        super().prepare()
        self.env["saas.proxy"].search([("id", "!=", self.proxy.id)]).active = False
        others = [("id", "!=", self.database_server.id)]
        self.env["saas.database.server"].search(others).active = False
        self.tenant = self.create_running_tenant()

    def setUp(self):
        super().setUp()
        self.patch(saas_tenant_steps, "READY_SECONDS", 0.05)

    def get_data(self, user=None):
        self.env.flush_all()
        return self.env["saas.dashboard"].with_user(user or self.operator).get_data()

    def find(self, record, user=None):
        found = [
            item
            for item in self.get_data(user)["items"]
            if (item["model"], item["res_id"]) == (record._name, record.id)
        ]
        self.assertEqual(len(found), 1, found)
        return found[0]

    def mend(self, item, user=None):
        target = self.env[item["mend"]["model"]].browse(item["mend"]["ids"])
        getattr(target.with_user(user or self.operator), item["mend"]["method"])()

    def fail(self, operation, state="failed", message="The server cannot be reached."):
        if not hasattr(operation, "_name"):
            return super().fail(operation)
        return operation.sudo().write(
            {"state": state, "message": message, "date_done": fields.Datetime.now()}
        )

    # === WHAT IS SHOWN === #

    def test_where_all_is_well_nothing_needs_anybody(self):
        data = self.get_data()
        self.assertEqual(data["items"], [])
        self.assertEqual(data["servers"], 1)
        self.assertEqual(data["under_way"], 0)
        states = {tile["state"]: tile["count"] for tile in data["states"]}
        self.assertEqual(states, {"running": 1})

    @QUIET
    def test_a_refused_provisioning_says_why_and_is_tried_again_from_here(self):
        self.driver.images.discard(IMAGE)
        broken = self.create_tenant("broken")
        broken.action_provision()
        self.run_operations()
        item = self.find(broken)
        self.assertEqual(item["subject"], "broken")
        self.assertEqual(
            (item["label"], item["level"]), ("Provision: refused", "danger")
        )
        self.assertIn(IMAGE, item["message"])
        self.assertTrue(item["date"])
        self.driver.images.add(IMAGE)
        self.mend(item)
        self.run_operations()
        self.assertEqual(broken.state, "running")
        self.assertEqual(self.get_data()["items"], [])

    def test_a_failed_operation_is_shown_until_something_else_was_done(self):
        self.fail(self.tenant.action_restart())
        item = self.find(self.tenant)
        self.assertEqual(item["label"], "Restart: failed")
        self.assertEqual(item["message"], "The server cannot be reached.")
        self.tenant.action_restart()
        self.run_operations()
        self.assertEqual(self.get_data()["items"], [])

    def test_a_tenant_that_should_run_and_does_not_can_be_started_from_here(self):
        self.driver.set_phase(self.tenant.uid, Phase.STOPPED)
        self.tenant._write_observation(self.driver.observe(self.tenant.uid))
        item = self.find(self.tenant)
        self.assertEqual(item["label"], "Does not run")
        self.mend(item)
        self.run_operations()
        self.assertEqual(self.get_data()["items"], [])

    def test_what_is_tried_again_and_again_is_shown_with_its_cause(self):
        operation = self.tenant.action_restart().sudo()
        operation.write({"attempts": 3, "message": "time-out"})
        item = self.find(self.tenant)
        self.assertEqual(item["label"], "Restart: tried again and again")
        self.assertEqual((item["message"], item["mend"]), ("time-out", False))

    def test_an_operation_that_takes_too_long_names_the_step(self):
        operation = self.tenant.action_restart().sudo()
        operation.write(
            {
                "state": "running",
                "date_start": fields.Datetime.now() - timedelta(minutes=11),
            }
        )
        item = self.find(operation)
        self.assertEqual(item["label"], "Takes long")
        self.assertIn("Stop the container", item["message"])
        operation.date_start = fields.Datetime.now() - timedelta(minutes=1)
        self.assertEqual(self.get_data()["items"], [])

    def test_operations_that_nobody_begins_are_one_line(self):
        other = self.create_running_tenant("beta")
        for tenant in (self.tenant, other):
            operation = tenant.action_restart().sudo()
            operation.date_next = fields.Datetime.now() - timedelta(minutes=11)
        [item] = self.get_data()["items"]
        self.assertIn("2 operations should have begun", item["message"])
        found = self.env["saas.operation"].search(item["domain"])
        self.assertEqual(found.tenant_id, self.tenant | other)

    def test_a_template_that_could_not_be_built_is_shown_until_it_is_ready(self):
        template = self.tenant.template_id
        template.state = "draft"
        build = template.operation_ids.filtered(lambda o: o.kind == "build")
        self.fail(build, "refused", "The module sale is missing.")
        item = self.find(template)
        self.assertEqual(item["label"], "Build: refused")
        self.assertFalse(item["mend"])
        self.assertTrue(self.find(template, self.manager)["mend"])
        template.state = "ready"
        self.assertEqual(self.get_data()["items"], [])

    def test_a_server_is_shown_when_nine_of_ten_places_are_taken(self):
        self.server.max_tenants = 2
        self.assertEqual(self.get_data()["items"], [])
        self.server.max_tenants = 1
        item = self.find(self.server)
        self.assertEqual((item["label"], item["level"]), ("Nearly full", "danger"))
        self.assertIn("1 of its 1 places are taken", item["message"])
        self.server.draining = True
        self.assertEqual(self.get_data()["items"], [])

    def measure(self, **room):
        self.driver.room = dataclasses.replace(self.driver.room, **room)
        self.server._measure()

    def test_a_server_is_shown_when_its_memory_or_its_disk_is_nearly_used_up(self):
        self.measure()
        self.assertEqual(self.get_data()["items"], [])
        self.measure(memory_free=3 * GIB // 2)
        item = self.find(self.server)
        self.assertEqual((item["label"], item["level"]), ("Little memory", "warning"))
        self.assertIn("1.5 of its 16.0 GiB of memory are free", item["message"])
        self.assertTrue(item["date"])
        self.measure(memory_free=8 * GIB, disk_free=GIB)
        item = self.find(self.server)
        self.assertEqual((item["label"], item["level"]), ("Little disk", "danger"))
        self.assertIn("1.0 of its 100.0 GiB of disk are free", item["message"])

    def test_from_when_on_a_server_is_nearly_full_is_a_setting(self):
        self.measure()
        settings = self.env["res.config.settings"]
        settings.create({"saas_full_percent": 40}).execute()
        labels = [item["label"] for item in self.get_data()["items"]]
        self.assertEqual(labels, ["Little memory", "Little disk"])
        with self.assertRaisesRegex(ValidationError, "from 1 to 100"):
            settings.create({"saas_full_percent": 101})

    def test_whatever_failed_its_last_test_is_shown_and_managers_test_it_again(self):
        for record in (self.server, self.proxy, self.database_server):
            with self.subTest(record=record._name):
                record._write_check("failed", "Connection refused.")
                item = self.find(record)
                self.assertEqual(item["message"], "Connection refused.")
                self.assertFalse(item["mend"])
                self.mend(self.find(record, self.manager), self.manager)
                self.assertEqual(record.check_state, "checking")

    def find_orphans(self, server, **found):
        self.env["saas.orphan"]._keep_account(server, found)

    def test_orphans_are_named(self):
        self.find_orphans(self.server, t0123456789ab="volumes", t1123456789ab="routes")
        item = self.find(self.server)
        self.assertEqual(item["label"], "Orphans")
        self.assertIn("t0123456789ab: volumes; t1123456789ab: routes", item["message"])

    def test_what_is_worst_comes_first_and_then_what_is_newest(self):
        older, newer = self.create_running_tenant("beta"), self.tenant
        for tenant, minutes in ((older, 9), (newer, 1)):
            operation = tenant.action_restart()
            self.fail(operation)
            operation.sudo().date_done -= timedelta(minutes=minutes)
        self.find_orphans(self.server, t0123456789ab="volumes")
        subjects = [item["subject"] for item in self.get_data()["items"]]
        self.assertEqual(subjects, ["alfa", "beta", "First server"])

    # === MANY === #

    def count_queries(self):
        self.env.flush_all()
        self.env.invalidate_all()
        before = self.env.cr.sql_log_count
        data = self.env["saas.dashboard"].with_user(self.operator).get_data()
        return self.env.cr.sql_log_count - before, data

    def test_queries_do_not_grow_with_the_fleet_and_the_rest_is_one_line(self):
        def fail_some(numbers):
            for number in numbers:
                tenant = self.create_tenant(f"many{number}")
                self.fail(tenant.action_provision())

        fail_some(range(5))
        self.count_queries()
        few, _data = self.count_queries()
        fail_some(range(5, 60))
        many, data = self.count_queries()
        self.assertLessEqual(many, few + 1)  # how many the rest are
        self.assertLess(many, 40)
        rest = [item for item in data["items"] if not item["res_id"]]
        self.assertEqual(rest[0]["message"], "40 more are not shown here.")
        self.assertEqual(len(data["items"]), 21)

    # === RIGHTS === #

    def test_a_viewer_sees_what_is_wrong_and_has_no_button_that_mends(self):
        self.fail(self.tenant.action_restart())
        self.assertFalse(self.find(self.tenant, self.viewer)["mend"])
        self.assertTrue(self.find(self.tenant, self.operator)["mend"])

    def test_customers_and_other_employees_do_not_see_it(self):
        for group in ("base.group_portal", "base.group_user"):
            user = new_user(self.env, f"none {group}", groups=group)
            with (
                self.subTest(group=group),
                self.assertRaisesRegex(AccessError, "Only SaaS staff"),
            ):
                self.get_data(user)

    def test_staff_of_another_company_see_nothing_of_ours(self):
        self.fail(self.tenant.action_restart())
        servers = self.server | self.server.copy({"name": "Second"})
        servers.company_id = self.env.company
        for server in servers:
            self.find_orphans(server, t0123456789ab="volumes")
        other = self.env["res.company"].create({"name": "Other"})
        user = new_user(
            self.env,
            "elsewhere",
            groups="saas.group_manager",
            company_id=other.id,
            company_ids=[(6, 0, other.ids)],
        )
        data = self.get_data(user)
        self.assertEqual(data["items"], [])
        self.assertEqual(data["states"][0]["count"], 0)
