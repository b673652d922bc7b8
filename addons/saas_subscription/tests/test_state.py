from odoo.exceptions import UserError
from odoo.tests import TransactionCase, tagged

from ..const import (
    CHANGEABLE,
    EARNING,
    ENDED,
    INVOICED,
    STATES,
    TRANSITIONS,
)
from .common import SubscriptionCommon


@tagged("post_install", "-at_install")
class TestStateTable(TransactionCase):
    def test_every_state_is_reached_and_all_but_the_last_are_left(self):
        targets = {target for _sources, target in TRANSITIONS.values()}
        sources = {
            source for sources, _target in TRANSITIONS.values() for source in sources
        }
        self.assertEqual(targets | {"draft"}, set(STATES))
        self.assertEqual(sources, set(STATES) - {"closed"})

    def test_what_ended_is_neither_charged_nor_changed(self):
        for states in (INVOICED, EARNING, CHANGEABLE):
            self.assertFalse(set(states) & set(ENDED))


@tagged("post_install", "-at_install")
class TestState(SubscriptionCommon):
    def test_an_event_leads_where_the_table_says_and_else_nowhere(self):
        subscription = self.subscribe()
        for event, (sources, target) in TRANSITIONS.items():
            for state in STATES:
                with (
                    self.subTest(event=event, state=state),
                    self.env.cr.savepoint() as sp,
                ):
                    subscription.state = state
                    if state in sources:
                        subscription._apply(event)
                        self.assertEqual(subscription.state, target)
                    else:
                        with self.assertRaisesRegex(UserError, "possible only where"):
                            subscription._apply(event)
                    sp.rollback()
                    subscription.invalidate_recordset()

    def test_nobody_writes_a_state(self):
        subscription = self.subscribe().with_user(self.salesperson)
        with self.assertRaisesRegex(UserError, "by its actions and its orders only"):
            subscription.state = "closed"
        with self.assertRaisesRegex(UserError, "by its actions and its orders only"):
            subscription.line_ids = [(5, 0, 0)]

    def test_only_a_draft_is_deleted(self):
        with self.assertRaisesRegex(UserError, "is cancelled, not deleted"):
            self.subscribe().unlink()
