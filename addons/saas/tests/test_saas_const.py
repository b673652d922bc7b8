from itertools import product

from odoo.tests import BaseCase

from ..const import (
    KINDS,
    OBSERVED,
    STATE_RULES,
    TENANT_STATES,
    TRANSITIONS,
    WANTED,
    compute_state,
)


class TestConst(BaseCase):
    def facts(self, **changes):
        return {
            "erased": False,
            "archived": False,
            "provisioned": True,
            "troubled": False,
            "held": False,
            "wanted": "running",
            "observed": "running",
            **changes,
        }

    def test_every_combination_of_facts_gives_a_state_that_people_know(self):
        flags = (False, True)
        names = ("erased", "archived", "provisioned", "troubled", "held")
        for values in product(flags, repeat=len(names)):
            for wanted, observed in product(WANTED, OBSERVED):
                facts = dict(zip(names, values, strict=True))
                state = compute_state({**facts, "wanted": wanted, "observed": observed})
                self.assertIn(state, TENANT_STATES)

    def test_every_state_follows_from_some_rule(self):
        self.assertEqual({state for state, _facts in STATE_RULES}, set(TENANT_STATES))

    def test_the_states_are_what_people_expect(self):
        for expected, changes in (
            ("running", {}),
            ("running", {"observed": "starting"}),
            ("stopped", {"observed": "stopped"}),
            ("stopped", {"wanted": "stopped", "observed": "stopped"}),
            ("sleeping", {"wanted": "sleeping", "observed": "paused"}),
            ("suspended", {"held": True}),
            ("suspended", {"held": True, "wanted": "stopped"}),
            ("draft", {"wanted": "nothing", "provisioned": False}),
            ("provisioning", {"provisioned": False}),
            ("failed", {"provisioned": False, "troubled": True}),
            ("running", {"troubled": True}),
            ("deleting", {"wanted": "deleted", "held": True}),
            ("archived", {"wanted": "deleted", "archived": True}),
            ("archived", {"wanted": "running", "archived": True, "troubled": True}),
            ("deleted", {"wanted": "deleted", "archived": True, "erased": True}),
            ("deleted", {"wanted": "deleted", "erased": True}),
        ):
            self.assertEqual(compute_state(self.facts(**changes)), expected, changes)

    def test_every_transition_is_a_kind_between_known_states(self):
        for kind, (sources, target) in TRANSITIONS.items():
            self.assertIn(kind, KINDS)
            self.assertLessEqual({*sources, target}, set(TENANT_STATES))

    def test_archiving_can_be_given_up_until_something_is_removed(self):
        archive = KINDS["archive"]
        lasting = [step for step in archive.steps if archive.is_persistent_at(step)]
        self.assertEqual(lasting[0], "remove_container")
        self.assertEqual([*archive.steps[-len(lasting) :]], lasting)
        self.assertTrue(KINDS["erase"].is_persistent_at("unroute"))
        self.assertFalse(KINDS["start"].is_persistent_at("ready"))

    def test_nothing_leads_out_of_deleted(self):
        for kind, (sources, _target) in TRANSITIONS.items():
            self.assertNotIn("deleted", sources, kind)
