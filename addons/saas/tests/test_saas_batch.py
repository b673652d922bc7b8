from unittest.mock import patch

from odoo import fields
from odoo.exceptions import AccessError
from odoo.tests import tagged
from odoo.tools import mute_logger

from ..engine.fake import LostDriver
from ..models import saas_tenant_steps
from .common import IMAGE, SaasCommon, new_user

QUIET = mute_logger("odoo.addons.saas.models.saas_operation")


@tagged("post_install", "-at_install")
class TestBatch(SaasCommon):
    def prepare(self):
        super().prepare()
        self.alfa = self.create_running_tenant("alfa")
        self.beta = self.create_running_tenant("beta")
        self.draft = self.create_tenant("gamma")
        self.all = self.alfa | self.beta | self.draft

    def setUp(self):
        super().setUp()
        self.patch(saas_tenant_steps, "READY_SECONDS", 0.05)

    def start(self, kind, tenants=None, user=None, reason=None):
        tenants = (self.all if tenants is None else tenants).with_user(
            user or self.operator
        )
        action = tenants._start_batch(kind, reason)
        self.assertEqual(action["res_model"], "saas.batch")
        return self.env["saas.batch"].browse(action["res_id"])

    def line(self, batch, tenant):
        return batch.line_ids.filtered(lambda line: line.tenant_id == tenant)

    def counts(self, batch):
        return (batch.done_count, batch.failed_count, batch.left_count)

    # === ASKING === #

    def test_one_refused_tenant_does_not_stop_the_others(self):
        batch = self.start("stop")
        self.assertEqual(self.counts(batch), (0, 1, 2))
        refused = self.line(batch, self.draft)
        self.assertEqual(refused.state, "refused")
        self.assertEqual(refused.message, "gamma is draft; “Stop” is not possible now.")
        self.assertFalse(refused.operation_id)
        self.run_operations()
        self.assertEqual(self.counts(batch), (2, 1, 0))
        self.assertEqual((self.alfa.state, self.draft.state), ("stopped", "draft"))

    def test_every_kind_ends_in_the_state_that_it_asks_for(self):
        both = self.alfa | self.beta
        for kind, state in (
            ("stop", "stopped"),
            ("start", "running"),
            ("restart", "running"),
            ("sleep", "sleeping"),
            ("wake", "running"),
            ("suspend", "suspended"),
            ("resume", "running"),
        ):
            with self.subTest(kind=kind):
                batch = self.start(kind, both, reason="Spam")
                self.run_operations()
                self.assertEqual(set(both.mapped("state")), {state})
                self.assertEqual(self.counts(batch), (2, 0, 0))

    def test_drafts_are_provisioned_and_what_runs_already_is_refused(self):
        batch = self.start("provision")
        self.run_operations()
        self.assertEqual(self.draft.state, "running")
        self.assertEqual(self.counts(batch), (1, 2, 0))

    def test_suspending_needs_one_reason_for_all_and_writes_it_on_each(self):
        self.start("suspend", reason="Unpaid since May")
        self.assertEqual(self.alfa.state_message, "Unpaid since May")
        self.assertFalse(self.draft.hold_ids)

    def test_a_hold_of_somebody_else_is_left_and_named(self):
        self.alfa.sudo().hold_ids = [
            fields.Command.create({"kind": "unpaid", "reason": "Invoice 7 is due"})
        ]
        batch = self.start("resume", self.alfa)
        self.assertIn("Invoice 7 is due", batch.line_ids.message)
        self.assertEqual(self.alfa.state, "suspended")

    def test_deleting_erases_what_never_ran_and_lets_the_others_be_taken_back(self):
        batch = self.start("delete", user=self.manager)
        self.run_operations()
        self.assertEqual(self.draft.state, "deleted")
        self.assertEqual((self.alfa.state, self.beta.state), ("deleting", "deleting"))
        self.assertEqual(self.counts(batch), (3, 0, 0))

    def test_what_is_under_way_already_is_followed_and_not_asked_for_twice(self):
        operation = self.alfa.action_restart()
        batch = self.start("restart", self.alfa)
        self.assertEqual(batch.line_ids.operation_id, operation)

    def test_what_is_cancelled_meanwhile_is_counted_as_such(self):
        batch = self.start("stop", self.alfa | self.beta)
        self.alfa.action_restart()
        self.run_operations()
        self.assertEqual(batch.cancelled_count, 1)
        self.assertEqual(self.counts(batch), (1, 0, 0))

    # === THE END === #

    def test_who_asked_is_told_once_when_all_is_over(self):
        batch = self.start("stop")
        self.env["saas.operation"]._cron_tick()
        self.assertFalse(batch.date_done)
        self.run_operations()
        for _time in range(2):
            self.env["saas.operation"]._cron_tick()
        self.assertTrue(batch.date_done)
        message = batch.message_ids.filtered(
            lambda m: self.operator.partner_id in m.notified_partner_ids
        )
        self.assertEqual(len(message), 1)
        self.assertIn(
            f"{batch.name} Stop is over. Done: 2. Failed or refused: 1.", message.body
        )

    def test_the_tick_is_called_when_the_last_operation_has_ended_and_not_before(self):
        batch = self.start("stop", self.alfa | self.beta)
        with patch.object(self.env.registry["ir.cron"], "_trigger") as trigger:
            self.run_once(batch.line_ids[0].operation_id)
            self.assertFalse(trigger.called)
            self.run_once(batch.line_ids[1].operation_id)
            self.assertTrue(trigger.called)

    def test_a_batch_in_which_all_are_refused_is_over_at_the_next_tick(self):
        batch = self.start("start", self.draft)
        self.env["saas.operation"]._cron_tick()
        self.assertTrue(batch.date_done)

    # === TRYING AGAIN === #

    @QUIET
    def test_only_what_failed_is_tried_again(self):
        self.driver.images.discard(IMAGE)
        delta = self.create_tenant("delta")
        batch = self.start("provision", self.draft | delta | self.alfa)
        self.run_operations()
        self.env["saas.operation"]._cron_tick()
        self.assertEqual(self.counts(batch), (0, 3, 0))
        self.assertIn(IMAGE, self.line(batch, delta).message)
        self.assertEqual(
            self.env["saas.operation"].search(batch.action_view_troubled()["domain"]),
            (self.line(batch, self.draft) | self.line(batch, delta)).operation_id,
        )
        self.driver.images.add(IMAGE)
        batch.with_user(self.operator).action_retry()
        self.assertEqual(self.counts(batch), (0, 1, 2))
        self.assertFalse(batch.date_done)
        self.run_operations()
        self.assertEqual((self.draft.state, delta.state), ("running", "running"))
        self.assertEqual(self.counts(batch), (2, 1, 0))

    @QUIET
    def test_what_was_asked_since_then_is_not_undone_by_trying_again(self):
        batch = self.start("stop", self.alfa)
        batch.line_ids.operation_id.sudo().state = "failed"
        self.alfa.action_restart()
        self.run_operations()
        batch.with_user(self.operator).action_retry()
        self.assertEqual(batch.line_ids.state, "refused")
        self.assertIn("Something else was asked of alfa", batch.line_ids.message)
        self.assertEqual(self.alfa.state, "running")

    @QUIET
    def test_a_server_that_is_lost_fails_its_tenants_and_says_why(self):
        batch = self.start("restart", self.alfa)
        self.driver = LostDriver()
        for _try in range(10):
            self.run_once(batch.line_ids.operation_id)
        self.assertEqual(batch.line_ids.state, "failed")
        self.assertIn("cannot be reached", batch.line_ids.message)

    # === RIGHTS === #

    def test_a_viewer_sees_batches_and_starts_none(self):
        batch = self.start("stop")
        self.assertEqual(batch.with_user(self.viewer).total_count, 3)
        with self.assertRaises(AccessError):
            self.start("start", user=self.viewer)
        with self.assertRaises(AccessError):
            batch.with_user(self.viewer).action_retry()

    def test_only_managers_delete_many_and_for_others_nothing_happens(self):
        for kind in ("delete", "erase"):
            with (
                self.subTest(kind=kind),
                self.assertRaisesRegex(AccessError, "Only SaaS managers"),
            ):
                self.start(kind)
        self.assertFalse(self.env["saas.batch"].search([]))

    def test_nobody_writes_batches_by_hand(self):
        batch = self.start("stop")
        for record in (batch, batch.line_ids):
            for user in (self.viewer, self.operator, self.manager):
                with self.subTest(user=user.login), self.assertRaises(AccessError):
                    record.with_user(user).unlink()
        with self.assertRaises(AccessError):
            batch.with_user(self.manager).date_done = fields.Datetime.now()

    def test_customers_and_other_companies_see_no_batches(self):
        batch = self.start("stop")
        portal = new_user(self.env, "portal1", groups="base.group_portal")
        portal.partner_id.parent_id = self.customer
        with self.assertRaises(AccessError):
            batch.with_user(portal).read(["name"])
        other = self.env["res.company"].create({"name": "Other"})
        elsewhere = new_user(
            self.env,
            "elsewhere",
            groups="saas.group_manager",
            company_id=other.id,
            company_ids=[(6, 0, other.ids)],
        )
        self.assertFalse(self.env["saas.batch"].with_user(elsewhere).search([]))
        self.assertFalse(self.env["saas.batch.line"].with_user(elsewhere).search([]))

    # === FROM THE LIST === #

    def run_server_action(self, name, tenants):
        action = self.env.ref(f"saas.ir_actions_server_{name}")
        return (
            action.with_user(self.manager)
            .with_context(
                active_model="saas.tenant",
                active_id=tenants[0].id,
                active_ids=tenants.ids,
            )
            .run()
        )

    def test_the_actions_of_the_list_open_the_batch(self):
        for name in (
            "provision",
            "start",
            "stop",
            "restart",
            "sleep",
            "wake",
            "resume",
        ):
            with self.subTest(name=name):
                action = self.run_server_action(name, self.all)
                batch = self.env["saas.batch"].browse(action["res_id"])
                self.assertEqual((batch.kind, batch.total_count), (name, 3))
                self.assertEqual(batch.user_id, self.manager)

    def test_suspending_and_deleting_from_the_list_ask_first(self):
        for name, model, method, kind in (
            ("suspend", "saas.tenant.suspend", "action_suspend", "suspend"),
            ("delete", "saas.tenant.delete", "action_delete", "delete"),
        ):
            with self.subTest(name=name):
                action = self.run_server_action(name, self.all)
                wizard = (
                    self.env[model]
                    .with_user(self.manager)
                    .with_context(**action["context"])
                    .create({"reason": "Spam"} if name == "suspend" else {})
                )
                answer = getattr(wizard, method)()
                batch = self.env["saas.batch"].browse(answer["res_id"])
                self.assertEqual((batch.kind, batch.total_count), (kind, 3))

    def test_the_cost_of_a_batch_grows_slowly_with_its_tenants(self):
        drafts = self.env["saas.tenant"]
        for number in range(30):
            drafts |= self.create_tenant(f"many{number}")
        self.env.flush_all()
        few, many = drafts[:5], drafts[5:]
        costs = []
        for tenants in (few, many):
            self.env.invalidate_all()
            before = self.env.cr.sql_log_count
            self.start("provision", tenants)
            self.env.flush_all()
            costs.append(self.env.cr.sql_log_count - before)
        each = (costs[1] - costs[0]) / (len(many) - len(few))
        self.assertLess(each, 12)
