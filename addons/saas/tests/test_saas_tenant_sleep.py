from datetime import datetime
from unittest.mock import patch

from odoo import fields
from odoo.tests import freeze_time, tagged

from ..engine.driver import Phase
from ..engine.tenant_use import Use
from ..models import saas_tenant_sleep
from .common import SaasCommon

HOUR = 3600


@tagged("post_install", "-at_install")
class TestTenantSleep(SaasCommon):
    def prepare(self):
        super().prepare()
        self.plan.sleep_minutes = 30
        self.tenant = self.create_running_tenant()
        self.tick()
        self.tenant.look_on = False

    def setUp(self):
        super().setUp()
        self.patch(saas_tenant_sleep, "BUSY_SECONDS", 0)
        self.patch(saas_tenant_sleep, "BUSY_INTERVAL", 0)

    def tick(self):
        """What the worker does each minute, and what follows; the kinds of it."""
        before = self.tenant.operation_ids
        self.env["saas.operation"]._cron_tick()
        self.run_operations()
        return (self.tenant.operation_ids - before).mapped("kind")

    def phase(self):
        return self.driver.observe(self.tenant.uid).phase

    def assert_seconds_left(self, moment, seconds):
        left = (moment - fields.Datetime.now()).total_seconds()
        self.assertAlmostEqual(left, seconds, delta=30)

    def test_a_tenant_that_nobody_uses_goes_to_sleep_as_its_plan_says(self):
        self.use = Use(idle=1800, transactions=0)
        self.assertEqual(self.tick(), ["sleep"])
        self.assertEqual((self.tenant.state, self.phase()), ("sleeping", Phase.PAUSED))
        self.assertTrue(self.routes.list_routes()[self.tenant.uid].is_asleep)
        self.assertFalse(self.tenant.wake_on)
        self.assertEqual(self.tick(), [])

    def test_one_that_sleeps_for_long_is_stopped_and_wakes_as_before(self):
        self.plan.stop_minutes = 90
        self.use = Use(idle=1800, transactions=0)
        self.assertEqual(self.tick(), ["sleep"])
        self.assert_seconds_left(self.tenant.look_on, 3600)
        self.assertEqual(self.tick(), [])
        self.tenant.look_on = fields.Datetime.now()
        self.assertEqual(self.tick(), ["rest"])
        self.assertEqual((self.tenant.state, self.phase()), ("sleeping", Phase.STOPPED))
        self.assertTrue(self.routes.list_routes()[self.tenant.uid].is_asleep)
        self.env["saas.server"]._cron_resync()
        self.assertEqual(self.tick(), [])
        self.tenant.action_wake()
        self.run_operations()
        self.assertEqual((self.tenant.state, self.phase()), ("running", Phase.RUNNING))

    def test_one_that_was_woken_meanwhile_is_not_stopped(self):
        self.plan.stop_minutes = 30
        self.use = Use(idle=1800, transactions=0)
        self.assertEqual(self.tick(), ["sleep"])
        self.driver.unpause(self.tenant.uid)
        self.tick()
        self.assertEqual(self.phase(), Phase.RUNNING)

    def test_one_that_is_used_is_asked_again_when_it_could_be_idle(self):
        self.use = Use(idle=600, transactions=0)
        self.assertEqual(self.tick(), [])
        self.assertEqual(self.tenant.state, "running")
        self.assert_seconds_left(self.tenant.look_on, 1200)
        self.use = Use(idle=1800, transactions=0)
        self.assertEqual(self.tick(), [])
        self.tenant.look_on = fields.Datetime.now()
        self.assertEqual(self.tick(), ["sleep"])

    def test_one_that_works_or_is_to_work_soon_stays_awake(self):
        for use in (Use(9000, 1), Use(9000, 0, action=120)):
            self.use = use
            self.tenant.look_on = False
            self.assertEqual(self.tick(), [])
            self.assertGreater(self.tenant.look_on, fields.Datetime.now())
        self.assertEqual(self.phase(), Phase.RUNNING)

    def test_one_that_says_nothing_is_not_taken_for_idle(self):
        self.use = None
        self.assertEqual(self.tick(), [])
        self.assertEqual(self.tenant.state, "running")
        self.assert_seconds_left(self.tenant.look_on, 300)

    def test_a_plan_without_sleep_and_a_proxy_without_a_gateway_let_nobody_sleep(self):
        self.use = Use(idle=9000, transactions=0)
        self.plan.sleep_minutes = 0
        self.assertEqual(self.tick(), [])
        self.plan.sleep_minutes = 30
        self.proxy.gateway_url = False
        self.assertEqual(self.tick(), [])
        self.assertFalse(self.tenant.look_on)

    def test_one_that_is_being_worked_on_is_left_alone(self):
        self.use = Use(idle=9000, transactions=0)
        self.tenant.action_restart()
        self.env["saas.operation"]._cron_tick()
        self.assertEqual(self.tenant.last_operation_id.kind, "restart")
        self.assertEqual(self.tenant.wanted, "running")

    def test_a_sleeper_wakes_for_its_own_actions_and_sleeps_again(self):
        self.use = Use(idle=9000, transactions=0, action=HOUR)
        self.assertEqual(self.tick(), ["sleep"])
        self.assert_seconds_left(self.tenant.wake_on, HOUR - 60)
        self.assertEqual(self.tick(), [])

        self.tenant.wake_on = fields.Datetime.now()
        self.assertEqual(self.tick(), ["wake"])
        self.assertEqual((self.tenant.state, self.phase()), ("running", Phase.RUNNING))
        self.assertFalse(self.tenant.wake_on)
        # The action that it was woken for has the time to begin.
        self.use = Use(idle=9000, transactions=0, action=50)
        self.assertEqual(self.tick(), [])
        self.use = Use(idle=9000, transactions=0, action=2 * HOUR)
        self.tenant.look_on = fields.Datetime.now()
        self.assertEqual(self.tick(), ["sleep"])
        self.assert_seconds_left(self.tenant.wake_on, 2 * HOUR - 60)

    def test_who_was_put_to_sleep_by_hand_wakes_for_its_actions_too(self):
        self.plan.stop_minutes = 90
        self.use = Use(idle=1, transactions=0, action=HOUR)
        self.tenant.action_sleep()
        self.run_operations()
        self.assertEqual(self.tenant.state, "sleeping")
        self.assert_seconds_left(self.tenant.wake_on, HOUR - 60)
        self.assert_seconds_left(self.tenant.look_on, HOUR)

    def test_a_suspended_sleeper_is_not_woken_for_its_actions(self):
        self.use = Use(idle=9000, transactions=0, action=HOUR)
        self.assertEqual(self.tick(), ["sleep"])
        self.tenant.action_suspend("Spam")
        self.run_operations()
        self.tenant.wake_on = fields.Datetime.now()
        self.assertEqual(self.tick(), [])
        self.assertEqual(self.tenant.state, "suspended")

    # === WHOEVER ASKS FOR IT === #

    def assert_refused(self, sleep, words):
        """The tenant runs on, and its address leads to it."""
        self.run_operations()
        self.assertEqual((sleep.state, sleep.reason), ("refused", "busy"))
        self.assertIn(words, sleep.message)
        self.assertEqual((self.tenant.state, self.phase()), ("running", Phase.RUNNING))
        self.assertFalse(self.routes.list_routes()[self.tenant.uid].is_asleep)
        self.assertFalse(self.tenant.troubled)

    def test_nobody_puts_to_sleep_who_is_used_or_at_work(self):
        for use, words in (
            (Use(idle=0, transactions=0), "Somebody uses alfa"),
            (Use(idle=9, transactions=1), "alfa is at work in its database"),
            (Use(idle=9, transactions=0, action=200), "due within five minutes"),
        ):
            self.use = use
            self.assert_refused(self.tenant.action_sleep(), words)

    def test_who_came_before_the_gateway_held_them_is_not_frozen(self):
        uses = [Use(idle=9, transactions=0), Use(idle=0, transactions=0)]
        registry = self.env.registry
        asked = self.patch_asking(lambda: uses.pop(0))
        self.patch(registry["saas.tenant"], "_ask_uses", asked)
        sleep = self.tenant.action_sleep()
        self.assert_refused(sleep, "Somebody uses alfa")
        self.assertEqual(sleep.step_ids.mapped("state"), ["done", "refused"])
        self.assertNotIn(("pause", self.tenant.uid), self.driver.calls)

    def patch_asking(self, answer):
        return lambda tenants: {tenant: answer() for tenant in tenants}

    def test_what_ends_soon_is_waited_for(self):
        self.patch(saas_tenant_sleep, "BUSY_SECONDS", 5)
        uses = [Use(0, 0), Use(9, 1), None, Use(9, 0), Use(9, 0)]
        asked = self.patch_asking(lambda: uses.pop(0))
        self.patch(self.env.registry["saas.tenant"], "_ask_uses", asked)
        self.tenant.action_sleep()
        self.run_operations()
        self.assertEqual((self.tenant.state, self.phase()), ("sleeping", Phase.PAUSED))

    def test_one_that_says_nothing_is_asked_again_and_in_the_end_left_awake(self):
        self.use = None
        sleep = self.tenant.action_sleep()
        self.assertTrue(self.run_once(sleep))
        self.assertIn("does not say whether anybody uses it", sleep.message)
        self.assertEqual(self.phase(), Phase.RUNNING)
        self.run_operations()
        self.assertEqual(sleep.state, "failed")
        self.assertEqual((self.tenant.state, self.phase()), ("running", Phase.RUNNING))

    def test_what_was_asked_for_meanwhile_stands_though_it_cannot_sleep(self):
        self.use = Use(idle=0, transactions=0)
        sleep = self.tenant.action_sleep()
        sleep.state = "running"
        self.tenant.action_stop()
        self.run_operations()
        self.assertEqual(sleep.state, "refused")
        self.assertEqual((self.tenant.state, self.phase()), ("stopped", Phase.STOPPED))

    # === HOURS === #

    def keep_awake(self):
        """From nine to five, on working days, in a place an hour ahead of UTC."""
        self.plan.write(
            {
                "awake_from": 9,
                "awake_until": 17,
                "awake_days": "workdays",
                "awake_tz": "Europe/Madrid",
            }
        )

    def test_in_the_hours_of_the_plan_nobody_sleeps_and_nobody_is_asked(self):
        self.keep_awake()
        self.use = Use(idle=9000, transactions=0)
        with (
            freeze_time("2026-01-05 10:00:00"),
            patch.object(type(self.tenant), "_ask_uses", lambda _t: self.fail("asked")),
        ):
            self.assertEqual(self.tick(), [])
            self.assertEqual(self.tenant.look_on, datetime(2026, 1, 5, 16))
            words = "keeps it awake until 2026-01-05 16:00:00 UTC"
            self.assert_refused(self.tenant.action_sleep(), words)

    def test_who_sleeps_is_woken_when_the_hours_of_the_plan_begin(self):
        self.keep_awake()
        self.use = Use(idle=9000, transactions=0, action=90 * HOUR)
        with freeze_time("2026-01-09 20:00:00"):
            self.assertEqual(self.tick(), ["sleep"])
            self.assertEqual(self.tenant.wake_on, datetime(2026, 1, 12, 8))
        with freeze_time("2026-01-12 07:59:59"):
            self.assertEqual(self.tick(), [])
        with freeze_time("2026-01-12 08:00:00"):
            self.assertEqual(self.tick(), ["wake"])
            self.assertEqual(self.tenant.state, "running")

    def test_an_action_before_those_hours_wakes_it_earlier(self):
        self.keep_awake()
        self.use = Use(idle=9000, transactions=0, action=HOUR)
        with freeze_time("2026-01-09 20:00:00"):
            self.assertEqual(self.tick(), ["sleep"])
            self.assertEqual(self.tenant.wake_on, datetime(2026, 1, 9, 20, 59))

    def test_new_times_of_a_plan_count_at_once(self):
        self.use = Use(idle=1800, transactions=0)
        with freeze_time("2026-01-05 05:00:00"):
            self.assertEqual(self.tick(), ["sleep"])
            self.assertFalse(self.tenant.wake_on)
            self.keep_awake()
            self.assertEqual(self.tenant.wake_on, datetime(2026, 1, 5, 8))
            self.plan.stop_minutes = 60
            self.assertEqual(self.tenant.look_on, datetime(2026, 1, 5, 5, 30))
            self.plan.awake_from = 6
            self.assertEqual(self.tick(), ["wake"])
            self.assertEqual(self.tenant.state, "running")
            self.assertEqual(self.tick(), [])
            self.assertEqual(self.tenant.look_on, datetime(2026, 1, 5, 16))
            self.plan.awake_from = self.plan.awake_until
            self.assertEqual(self.tick(), ["sleep"])
