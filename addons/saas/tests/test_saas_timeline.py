from odoo.exceptions import AccessError
from odoo.tests import tagged
from odoo.tools import mute_logger

from .common import SaasCommon, new_user


@tagged("post_install", "-at_install")
class TestTimeline(SaasCommon):
    def prepare(self):
        super().prepare()
        self.tenant = self.create_running_tenant()

    def get_entries(self, limit=100, user=None):
        self.env.flush_all()
        tenant = self.tenant.with_user(user or self.viewer)
        return tenant.get_timeline(limit)["entries"]

    def find(self, title):
        found = [entry for entry in self.get_entries() if entry["title"] == title]
        self.assertEqual(len(found), 1, [e["title"] for e in self.get_entries()])
        return found[0]

    def test_an_operation_says_who_asked_how_long_it_took_and_what_it_did(self):
        restart = self.tenant.with_user(self.operator).action_restart()
        restart.sudo().origin = "api"
        self.run_operations()
        entry = self.find("Restart")
        self.assertEqual(entry["who"], f"{self.operator.name} (API)")
        self.assertEqual((entry["state"], entry["state_label"]), ("done", "Done"))
        self.assertEqual(
            [step["label"] for step in entry["steps"]],
            [
                "Stop the container",
                "Lead the address to it",
                "Start the container",
                "Wait until it answers",
            ],
        )

    def test_a_failure_tells_its_cause(self):
        operation = self.tenant.action_restart().sudo()
        operation.write({"state": "failed", "message": "The server is down."})
        entry = self.find("Restart")
        self.assertTrue(entry["troubled"])
        self.assertEqual(entry["message"], "The server is down.")

    def test_a_hold_is_told_when_it_is_set_and_when_it_is_lifted(self):
        self.tenant.with_user(self.operator).action_suspend("Spam was sent")
        self.assertEqual(self.find("Hold set: By staff")["message"], "Spam was sent")
        self.tenant.with_user(self.manager).action_resume()
        lifted = self.find("Hold lifted: By staff")
        self.assertEqual(lifted["who"], self.manager.name)
        self.assertEqual(self.find("Hold set: By staff")["who"], self.operator.name)

    def test_changes_that_the_chatter_tracks_are_told(self):
        self.flush_tracking()
        other = self.plan.copy({"name": "Business"})
        self.tenant.with_user(self.operator).plan_id = other
        self.tenant.with_user(self.operator).support_access = False
        self.flush_tracking()
        self.assertEqual(self.find("Plan: Basic → Business")["who"], self.operator.name)
        self.assertTrue(self.find("Support Access: yes → no"))

    def test_the_newest_comes_first_and_older_ones_come_on_demand(self):
        self.tenant.action_restart()
        self.run_operations()
        dates = [entry["date"] for entry in self.get_entries()]
        self.assertEqual(dates, sorted(dates, reverse=True))
        told = self.tenant.with_user(self.viewer).get_timeline(1)
        self.assertEqual((len(told["entries"]), told["more"]), (1, True))
        self.assertFalse(self.tenant.with_user(self.viewer).get_timeline(100)["more"])

    def test_a_tenant_without_a_past_has_nothing_to_tell(self):
        draft = self.create_tenant("beta")
        self.assertEqual(draft.get_timeline(), {"entries": [], "more": False})

    def test_customers_do_not_read_what_our_staff_read(self):
        portal = new_user(self.env, "portal1", groups="base.group_portal")
        portal.partner_id.parent_id = self.customer
        with self.assertRaises(AccessError):
            self.get_entries(user=portal)

    def test_staff_of_another_company_do_not_read_it(self):
        other = self.env["res.company"].create({"name": "Other"})
        user = new_user(
            self.env,
            "elsewhere",
            groups="saas.group_manager",
            company_id=other.id,
            company_ids=[(6, 0, other.ids)],
        )
        with (
            mute_logger("odoo.addons.base.models.ir_rule"),
            self.assertRaises(AccessError),
        ):
            self.get_entries(user=user)

    def flush_tracking(self):
        self.env.flush_all()
        self.cr.flush()
