from odoo import fields
from odoo.tests import tagged

from ..engine.driver import Phase
from ..engine.tenant_use import Use
from .common import SaasCommon

HOUR = 3600


@tagged("post_install", "-at_install")
class TestTenantSleep(SaasCommon):
    def setUp(self):
        super().setUp()
        self.plan.sleep_minutes = 30
        self.tenant = self.create_running_tenant()
        self.tick()
        self.tenant.look_on = False

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
        self.env["saas.tenant"]._sleep_idle()
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
        self.use = Use(idle=0, transactions=0, action=HOUR)
        self.tenant.action_sleep()
        self.run_operations()
        self.assertEqual(self.tenant.state, "sleeping")
        self.assert_seconds_left(self.tenant.wake_on, HOUR - 60)

    def test_a_suspended_sleeper_is_not_woken_for_its_actions(self):
        self.use = Use(idle=9000, transactions=0, action=HOUR)
        self.assertEqual(self.tick(), ["sleep"])
        self.tenant.action_suspend("Spam")
        self.run_operations()
        self.tenant.wake_on = fields.Datetime.now()
        self.assertEqual(self.tick(), [])
        self.assertEqual(self.tenant.state, "suspended")
