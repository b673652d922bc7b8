from unittest.mock import patch

import psycopg2

from odoo.tests import tagged

from ..engine.listener import NOTHING, Heard
from ..listening import ListenerThread
from .common import SaasCommon


@tagged("post_install", "-at_install")
class TestListening(SaasCommon):
    def setUp(self):
        super().setUp()
        self.registry_enter_test_mode()
        self.thread = ListenerThread(self.env.cr.dbname)
        self.said, self.tended = [], []
        listener = self.thread._listener
        self.patch(listener, "take", lambda: self.said.pop() if self.said else NOTHING)
        self.patch(listener, "tend", self.tended.append)
        self.triggers("ir_cron_resync").unlink()

    def triggers(self, name):
        cron = self.env.ref(f"saas.{name}")
        return self.env["ir.cron.trigger"].search([("cron_id", "=", cron.id)])

    def noted(self):
        return self.env["saas.event"].search([]).mapped("uid")

    def test_what_is_heard_is_written_down_a_moment_later(self):
        self.said.append(Heard(frozenset({"t2", "t1"}), missed=False))
        self.thread._turn()
        self.assertEqual(self.noted(), [])
        self.thread._turn()
        self.assertEqual(self.noted(), ["t1", "t2"])
        self.thread._turn()
        self.assertEqual(self.noted(), ["t1", "t2"])
        self.assertFalse(self.triggers("ir_cron_resync"))

    def test_everything_is_compared_when_something_may_have_been_missed(self):
        self.said.append(Heard(frozenset(), missed=True))
        self.thread._turn()
        self.thread._turn()
        self.assertEqual(len(self.triggers("ir_cron_resync")), 1)

    def test_all_sources_are_listened_to_from_the_first_turn_on(self):
        self.thread._turn()
        self.thread._turn()
        [sources] = self.tended
        self.assertEqual(len(sources), 2)

    def test_what_cannot_be_written_down_now_is_later(self):
        self.said.append(Heard(frozenset({"t1"}), missed=True))
        self.thread._turn()
        broken = patch.object(
            self.registry["saas.event"], "_note", side_effect=psycopg2.OperationalError
        )
        with broken, self.assertRaises(psycopg2.OperationalError):
            self.thread._turn()
        self.thread._turn()
        self.assertEqual(self.noted(), ["t1"])
        self.assertTrue(self.triggers("ir_cron_resync"))
