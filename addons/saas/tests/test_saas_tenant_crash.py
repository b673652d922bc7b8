from datetime import timedelta

from odoo import fields
from odoo.tests import tagged

from ..engine.driver import Phase
from ..models.saas_tenant_crash import CRASH_SPAN, CRASHES
from .common import SaasCommon, new_user


@tagged("post_install", "-at_install")
class TestTenantCrash(SaasCommon):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.manager.email = "manager@cloud.example"

    def prepare(self):
        super().prepare()
        self.tenant = self.create_running_tenant()

    def look(self, crashes=0):
        """Have it end so often, and the sweep look; the kinds that this took."""
        if crashes:
            self.driver.crash(self.tenant.uid, crashes)
        before = self.tenant.operation_ids
        self.env["saas.event"]._note({self.tenant.uid})
        # As a scheduled action, by which Odoo lets mails wait.
        self.env.ref("saas.ir_cron_observe").ir_actions_server_id.run()
        self.run_operations()
        return (self.tenant.operation_ids - before).mapped("kind")

    def crash_out(self):
        for _time in range(CRASHES):
            self.look(1)
        self.assertEqual(self.tenant.state, "stopped")

    def test_a_tenant_that_ended_a_few_times_runs_on(self):
        for number in range(1, CRASHES):
            self.assertEqual(self.look(1), [])
            self.assertEqual(self.tenant.sudo().crashes, number)
            self.assertEqual(self.look(), [])
        self.assertEqual((self.tenant.state, self.tenant.troubled), ("running", False))

    def test_one_that_ended_five_times_within_ten_minutes_is_stopped(self):
        for _time in range(CRASHES - 1):
            self.assertEqual(self.look(1), [])
        self.assertEqual(self.look(1), ["stop"])
        self.assertEqual(self.driver.observe(self.tenant.uid).phase, Phase.STOPPED)
        self.assertEqual((self.tenant.state, self.tenant.troubled), ("stopped", True))
        message = self.tenant.state_message
        self.assertIn("ended by itself 5 times within ten minutes", message)
        self.assertIn("It ended and was started again.", message)
        self.assertIn("then start it", message)
        self.assertEqual(self.look(), [], "nobody starts it again by themselves")

    def test_managers_are_told_by_an_activity_and_one_mail_at_once(self):
        sent = []
        self.patch(
            self.env.registry["mail.mail"],
            "send_after_commit",
            lambda mails: sent.extend(mails.mapped("recipient_ids")),
        )
        self.crash_out()
        self.assertEqual(sent.count(self.manager.partner_id), 1)
        activity = self.tenant.activity_ids.filtered(
            lambda activity: activity.user_id == self.manager
        )
        self.assertEqual(activity.summary, "It ended again and again, and was stopped")
        self.assertIn("5 times within ten minutes", activity.note)
        told = self.tenant.message_ids.filtered(
            lambda message: self.manager.partner_id in message.notified_partner_ids
        )
        self.assertIn("5 times within ten minutes", told.body)

    def test_customers_and_visitors_read_that_it_is_looked_after(self):
        self.crash_out()
        login = new_user(self.env, "ann", groups="base.group_portal")
        login.partner_id.parent_id = self.customer
        seen = self.tenant.with_user(login)
        self.assertEqual(seen.state_message, "Our staff are looking after it.")
        page = self.tenant._prepare_page()
        self.assertEqual(page.title, "This site will be back soon")

    def test_those_that_are_long_ago_do_not_count(self):
        for _time in range(CRASHES - 1):
            self.look(1)
        long_ago = fields.Datetime.now() - CRASH_SPAN - timedelta(seconds=1)
        self.tenant.sudo().crashes_from = long_ago
        self.assertEqual(self.look(1), [])
        self.assertEqual(self.tenant.sudo().crashes, 1)

    def test_what_one_look_finds_is_not_enough_as_it_may_be_long_ago(self):
        self.assertEqual(self.look(50), [])
        self.assertEqual(self.tenant.state, "running")
        self.assertEqual(self.look(1), ["stop"])

    def test_who_starts_it_begins_anew(self):
        self.crash_out()
        self.tenant.action_start()
        self.run_operations()
        self.assertEqual((self.tenant.state, self.tenant.troubled), ("running", False))
        self.assertFalse(self.tenant.state_message)
        for _time in range(CRASHES - 1):
            self.assertEqual(self.look(1), [])
        self.assertEqual(self.look(1), ["stop"])

    def test_while_the_engine_starts_it_again_nobody_else_does(self):
        self.driver.set_phase(self.tenant.uid, Phase.FAILED)
        self.assertEqual(self.look(1), [])

    def test_a_restart_on_request_is_no_crash(self):
        self.look(3)
        self.tenant.action_restart()
        self.run_operations()
        self.assertEqual(self.look(), [])
        self.assertEqual(self.tenant.sudo().restarts_seen, 0)
