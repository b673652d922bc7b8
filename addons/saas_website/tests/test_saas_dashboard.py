from datetime import timedelta

from odoo import fields
from odoo.tests import tagged
from odoo.tools import mute_logger

from .common import SignupCommon

QUIET = mute_logger("odoo.addons.saas.models.saas_operation")


@tagged("post_install", "-at_install")
class TestDashboardOfSignups(SignupCommon):
    def setUp(self):
        super().setUp()
        self.env["saas.proxy"].search([("id", "!=", self.proxy.id)]).active = False
        others = [("id", "!=", self.database_server.id)]
        self.env["saas.database.server"].search(others).active = False

    def set_parameter(self, name, value):
        self.env["ir.config_parameter"].set_param(f"saas_website.{name}", value)

    def find_items(self, user=None):
        self.env.flush_all()
        dashboard = self.env["saas.dashboard"].with_user(user or self.operator)
        items = dashboard.get_data()["items"]
        return [item for item in items if item["model"] == "saas.signup"]

    def claim(self, name):
        signup = self.prove(name=name, email=f"bea@{name}.example")
        self.assertFalse(signup._claim(name))
        return signup

    def test_who_waits_for_their_turn_too_long_is_one_line(self):
        self.set_parameter("limit_building", "-1")
        signups = self.claim("beta") | self.claim("gamma")
        self.assertEqual(self.find_items(), [])
        for signup, minutes in zip(signups, (30, 12), strict=True):
            signup.date_confirmed -= timedelta(minutes=minutes)
        [item] = self.find_items()
        self.assertEqual((item["label"], item["level"]), ("Waiting", "warning"))
        self.assertIn("turn: 2. Look what is being built", item["message"])
        since = fields.Datetime.to_string(signups[0].date_confirmed)
        self.assertEqual(item["date"], since)
        found = self.env["saas.signup"].search(item["domain"])
        self.assertEqual(found, signups)

    def test_how_long_is_too_long_is_a_setting(self):
        self.set_parameter("limit_building", "-1")
        self.claim("beta").date_confirmed -= timedelta(minutes=12)
        self.set_parameter("wait_minutes", "15")
        self.assertEqual(self.find_items(), [])
        self.set_parameter("wait_minutes", "5")
        self.assertEqual(len(self.find_items()), 1)

    def test_where_no_server_has_room_the_line_says_so(self):
        self.set_parameter("limit_building", "-1")
        self.claim("beta").date_confirmed -= timedelta(minutes=12)
        self.server.draining = True
        [item] = self.find_items()
        self.assertIn("No server has room: add one", item["message"])
        self.server.draining = False
        [item] = self.find_items()
        self.assertIn("Look what is being built", item["message"])
        self.plan.region_id = self.env["saas.region"].create({"name": "Frankfurt"})
        [item] = self.find_items()
        self.assertIn("No server has room: add one", item["message"])

    @QUIET
    def test_whose_tenant_was_not_built_is_one_line_until_it_is(self):
        refusing = self.refuse_to_build()
        signups = self.claim("beta")
        self.run_operations()
        [item] = self.find_items()
        self.assertEqual((item["label"], item["level"]), ("Not built", "danger"))
        self.assertIn("A customer who signed up waits", item["message"])
        self.assertTrue(item["date"])
        signups |= self.claim("gamma")
        self.run_operations()
        [item] = self.find_items()
        self.assertIn("2 customers who signed up wait", item["message"])
        self.assertEqual(self.env["saas.signup"].search(item["domain"]), signups)
        refusing.stop()
        for signup in signups:
            signup.tenant_id.last_operation_id.with_user(self.operator).action_retry()
        self.run_operations()
        self.assertEqual(signups.mapped("state"), ["done", "done"])
        self.assertEqual(self.find_items(), [])

    @QUIET
    def test_a_failed_sign_up_whose_tenant_staff_have_deleted_is_settled(self):
        refusing = self.refuse_to_build()
        self.addCleanup(refusing.stop)
        signup = self.claim("beta")
        self.run_operations()
        self.assertEqual(len(self.find_items()), 1)
        signup.tenant_id.action_delete(erase_now=True)
        self.run_operations()
        self.assertEqual(signup.tenant_id.state, "deleted")
        self.assertEqual(self.find_items(), [])

    def test_a_viewer_sees_who_waits(self):
        self.set_parameter("limit_building", "-1")
        self.claim("beta").date_confirmed -= timedelta(minutes=12)
        self.assertEqual(len(self.find_items(self.viewer)), 1)
