"""What a tenant says of its use, and what follows from it for its sleep."""

from __future__ import annotations

import pytest

from odoo.addons.saas.engine.tenant_use import AGAIN, LONGEST, SOON, Use, read_use

HOUR = 3600


@pytest.mark.parametrize(
    ("use", "seconds"),
    [
        (Use(idle=600, transactions=0), 0),
        (Use(idle=600, transactions=0, action=HOUR), 0),
        (Use(idle=0, transactions=0, action=HOUR), 600),
        (Use(idle=200, transactions=0), 400),
        (Use(idle=599, transactions=0), 1),
        (Use(idle=9000, transactions=1), AGAIN),
        (Use(idle=200, transactions=1), 400),
        (Use(idle=9000, transactions=0, action=0), AGAIN),
        (Use(idle=9000, transactions=0, action=SOON - 1), SOON - 1 + AGAIN),
        (Use(idle=9000, transactions=0, action=SOON), 0),
    ],
)
def test_who_is_used_or_has_something_to_do_soon_is_not_put_to_sleep(use, seconds):
    assert use.count_seconds_to_wait(minutes=10) == seconds


@pytest.mark.parametrize(
    ("action", "seconds"), [(None, None), (10, 0), (HOUR, HOUR - 60)]
)
def test_a_sleeper_is_woken_a_little_before_its_next_action(action, seconds):
    assert Use(0, 0, action).count_seconds_to_wake() == seconds


@pytest.mark.parametrize(
    ("answer", "use"),
    [
        ({"idle": 5.5, "transactions": 1, "action": None}, Use(5.5, 1)),
        ({"idle": 5, "transactions": 0, "action": 7.5, "x": 1}, Use(5, 0, 7.5)),
        ({"idle": -5, "transactions": -1, "action": -300}, Use(0, 0, 0)),
        ({"idle": 1e300, "transactions": 0, "action": 1e99}, Use(LONGEST, 0, LONGEST)),
    ],
)
def test_an_answer_is_read_within_bounds(answer, use):
    assert read_use(answer) == use


@pytest.mark.parametrize(
    "answer",
    [
        None,
        [],
        "idle",
        {},
        {"idle": 1, "transactions": 0},
        {"idle": None, "transactions": 0, "action": None},
        {"idle": "nan", "transactions": 0, "action": None},
        {"idle": 1, "transactions": float("inf"), "action": None},
        {"idle": 1, "transactions": 0, "action": "soon"},
        {"idle": 1, "transactions": 0, "action": [1]},
    ],
)
def test_what_is_no_such_answer_is_told_from_an_idle_tenant(answer):
    with pytest.raises(ValueError, match=r"\w"):
        read_use(answer)
