from datetime import timedelta

import jwt

from odoo import fields
from odoo.exceptions import AccessError, UserError
from odoo.tests import tagged

from ..engine.driver import Phase
from ..models.saas_tenant_steps import SaasTenant
from .common import SaasCommon, new_user


@tagged("post_install", "-at_install")
class TestTenantActions(SaasCommon):
    def prepare(self):
        super().prepare()
        self.tenant = self.create_running_tenant()

    def phase(self):
        return self.driver.observe(self.tenant.uid).phase

    def test_stop_and_start(self):
        self.tenant.action_stop()
        self.run_operations()
        self.assertEqual((self.tenant.state, self.phase()), ("stopped", Phase.STOPPED))
        self.tenant.action_start()
        self.run_operations()
        self.assertEqual((self.tenant.state, self.phase()), ("running", Phase.RUNNING))

    def test_more_workers_count_from_the_next_restart_on(self):
        self.plan.workers = 2
        route = self.routes.list_routes()[self.tenant.uid]
        self.assertEqual(route.websocket, route.http)
        self.tenant.action_restart()
        self.run_operations()
        self.assertEqual(self.tenant.state, "running")
        config = self.driver.containers[self.tenant.uid].spec.files["odoo.conf"]
        self.assertIn(b"\nworkers = 2\n", config)
        route = self.routes.list_routes()[self.tenant.uid]
        self.assertEqual(route.websocket, route.http.replace(":8069", ":8072"))

    def test_a_tenant_with_workers_is_ready_when_websockets_are_taken_too(self):
        answers = {"/web/health": 200, "/websocket/health": 502}
        self.patch(
            self.env.registry["saas.tenant"],
            "_ask",
            lambda _tenant, path: answers[path],
        )
        ask = SaasTenant._answers
        self.assertTrue(ask(self.tenant))
        self.plan.workers = 2
        self.assertFalse(ask(self.tenant))
        answers["/websocket/health"] = 404
        self.assertTrue(ask(self.tenant))
        answers["/web/health"] = None
        self.assertFalse(ask(self.tenant))

    def test_sleep_and_wake(self):
        self.tenant.action_sleep()
        self.run_operations()
        self.assertEqual((self.tenant.state, self.phase()), ("sleeping", Phase.PAUSED))
        self.tenant.action_wake()
        self.run_operations()
        self.assertEqual((self.tenant.state, self.phase()), ("running", Phase.RUNNING))

    def test_a_suspended_tenant_does_not_run_and_says_why(self):
        self.tenant.with_user(self.operator).action_suspend("Spam was sent")
        self.run_operations()
        self.assertEqual(self.tenant.state, "suspended")
        self.assertEqual(self.tenant.state_message, "Spam was sent")
        self.assertEqual(self.phase(), Phase.STOPPED)
        self.assertFalse(self.routes.list_routes()[self.tenant.uid].http)
        with self.assertRaisesRegex(UserError, "not possible now"):
            self.tenant.action_start()

    def test_resuming_lifts_the_hold_and_the_tenant_runs_again(self):
        self.tenant.action_suspend("Spam was sent")
        self.tenant.action_resume()
        self.run_operations()
        self.assertEqual((self.tenant.state, self.phase()), ("running", Phase.RUNNING))
        self.assertTrue(self.routes.list_routes()[self.tenant.uid].http)

    def test_staff_cannot_lift_the_hold_of_somebody_else(self):
        self.tenant.sudo().hold_ids = [
            fields.Command.create({"kind": "unpaid", "reason": "Invoice 7 is due"})
        ]
        with self.assertRaisesRegex(UserError, "Invoice 7 is due"):
            self.tenant.with_user(self.operator).action_resume()
        self.assertEqual(self.tenant.state, "suspended")

    def test_deleting_leaves_a_grace_in_which_it_can_be_taken_back(self):
        self.tenant.with_user(self.manager).action_delete()
        self.run_operations()
        self.assertEqual(self.tenant.state, "deleting")
        self.assertEqual(self.phase(), Phase.STOPPED)
        self.assertIn(self.tenant.uid, self.databases.list_databases())
        days = (self.tenant.erase_on - fields.Datetime.now()).days
        self.assertIn(days, (self.plan.grace_days - 1, self.plan.grace_days))
        self.tenant.action_resume()
        self.run_operations()
        self.assertEqual(self.tenant.state, "running")
        self.assertFalse(self.tenant.erase_on)

    def test_without_a_place_for_its_last_copy_it_is_not_archived(self):
        with self.assertRaisesRegex(UserError, "alfa cannot be archived"):
            self.tenant.with_user(self.manager).action_archive()
        self.assertEqual(self.tenant.state, "running")

    def test_after_the_grace_it_is_erased(self):
        self.patch(self.env.registry["saas.plan"], "_get_archive_days", lambda _plan: 0)
        self.tenant.with_user(self.manager).action_delete()
        self.run_operations()
        self.tenant.sudo().erase_on = fields.Datetime.now() - timedelta(seconds=1)
        self.env["saas.operation"]._cron_tick()
        self.run_operations()
        self.assertEqual(self.tenant.state, "deleted")
        self.assertEqual(self.phase(), Phase.ABSENT)
        self.assertNotIn(self.tenant.uid, self.databases.list_databases())
        self.assertNotIn(self.tenant.uid, self.databases.list_roles())

    def test_erasing_now_needs_a_manager(self):
        with self.assertRaisesRegex(AccessError, "Only SaaS managers"):
            self.tenant.with_user(self.operator).action_delete(erase_now=True)

    # === LOGIN === #

    def read_token(self, url):
        start, token = url.split("/saas/login?token=")
        self.assertEqual(start, self.tenant.url)
        return jwt.decode(
            token, self.login_public, algorithms=["EdDSA"], audience=self.tenant.uid
        )

    def test_a_login_url_is_signed_for_that_tenant_and_a_minute(self):
        claims = self.read_token(self.tenant.with_user(self.operator).get_login_url())
        self.assertEqual(claims["exp"] - claims["iat"], 60)
        other = self.read_token(self.tenant.get_login_url())
        self.assertNotEqual(claims["jti"], other["jti"])

    def test_every_login_is_recorded_with_who_asked(self):
        self.tenant.with_user(self.operator).get_login_url()
        login = self.tenant.operation_ids.filtered(lambda o: o.kind == "login")
        self.assertEqual((login.state, login.user_id), ("done", self.operator))

    def test_the_customers_own_contact_may_log_in_and_a_stranger_may_not(self):
        contact = new_user(self.env, "contact", groups="base.group_portal")
        contact.partner_id.parent_id = self.customer
        self.assertTrue(self.tenant.with_user(contact).get_login_url())
        stranger = new_user(self.env, "stranger", groups="base.group_portal")
        with self.assertRaises(AccessError):
            self.tenant.with_user(stranger).get_login_url()

    def test_a_customer_reads_nothing_of_a_key_that_is_missing(self):
        contact = new_user(self.env, "contact", groups="base.group_portal")
        contact.partner_id.parent_id = self.customer
        (self.keys / "login_key").rename(self.keys / "away")
        self.addCleanup((self.keys / "away").rename, self.keys / "login_key")
        for user, said in (
            (contact, "Please write to us."),
            (self.operator, "The key that signs logins is missing"),
        ):
            with (
                self.subTest(user=user.login),
                self.assertLogs("odoo.addons.saas.models.saas_tenant_actions"),
                self.assertRaisesRegex(UserError, said),
            ):
                self.tenant.with_user(user).get_login_url()

    def test_a_viewer_may_not_log_in(self):
        with self.assertRaisesRegex(AccessError, "operators"):
            self.tenant.with_user(self.viewer).get_login_url()

    def test_where_customers_decide_staff_need_their_consent(self):
        self.env["ir.config_parameter"].set_param("saas.login_consent", True)
        self.tenant.support_access = False
        with self.assertRaisesRegex(AccessError, "does not let our staff"):
            self.tenant.with_user(self.operator).get_login_url()
        self.tenant.support_access = True
        self.assertTrue(self.tenant.with_user(self.operator).get_login_url())

    def test_a_stopped_tenant_cannot_be_logged_in_to(self):
        self.tenant.action_stop()
        self.run_operations()
        with self.assertRaisesRegex(UserError, "alfa is stopped"):
            self.tenant.get_login_url()
