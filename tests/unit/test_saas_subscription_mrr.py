"""How revenue moves, and what becomes of it over some time."""

from __future__ import annotations

import random

import pytest

from odoo.addons.saas_subscription.engine.mrr import (
    Kind,
    Movement,
    classify,
    find_share,
    monthly,
    summarize,
    yearly,
)

CENT = 0.01


@pytest.mark.parametrize(
    ("amount", "months", "coin", "mrr"),
    [
        (30, 1, CENT, 30),
        (100, 12, CENT, 8.33),
        (300, 12, CENT, 25),
        (100, 3, CENT, 33.33),
        (0.06, 12, CENT, 0.01),
        (1000, 12, 1, 83),
        (0, 12, CENT, 0),
    ],
)
def test_an_amount_for_some_months_is_brought_to_one(amount, months, coin, mrr):
    assert monthly(amount, months, coin) == mrr


def test_a_year_has_twelve_months():
    assert yearly(8.33, CENT) == 99.96


@pytest.mark.parametrize(
    ("before", "after", "is_known", "movement"),
    [
        (0, 30, False, Movement(Kind.NEW, 30)),
        (30, 49.9, True, Movement(Kind.EXPANSION, 19.9)),
        (49.9, 30, True, Movement(Kind.CONTRACTION, -19.9)),
        (30, 0, True, Movement(Kind.CHURN, -30)),
        (0, 20, True, Movement(Kind.REACTIVATION, 20)),
        (30, 30, True, None),
        (0, 0, False, None),
        (0.1 + 0.2, 0.3, True, None),
    ],
)
def test_a_change_is_named_by_what_was_there_before(before, after, is_known, movement):
    assert classify(before, after, CENT, is_known=is_known) == movement


def test_less_than_a_coin_is_no_movement():
    assert classify(10, 10.004, CENT, is_known=True) is None
    assert classify(1000, 1000.4, 1, is_known=True) is None


def test_movements_add_up_to_the_revenue_that_there_is():
    """Any life of a subscription: the sum of its movements is what it brings."""
    source = random.Random(12)
    for _case in range(200):
        mrr, moved, is_known = 0.0, [], False
        for _change in range(30):
            new = source.choice([0, source.randrange(10_000) / 100])
            movement = classify(mrr, new, CENT, is_known=is_known)
            if movement:
                moved.append(movement)
                is_known = True
            mrr = new
        summary = summarize(0, moved, CENT)
        assert summary.closing == mrr
        assert [movement.kind for movement in moved].count(Kind.NEW) <= 1


def test_a_summary_names_what_came_and_what_went():
    summary = summarize(
        100,
        [
            Movement(Kind.NEW, 30),
            Movement(Kind.EXPANSION, 12.5),
            Movement(Kind.EXPANSION, 7.5),
            Movement(Kind.CONTRACTION, -10),
            Movement(Kind.CHURN, -15),
            Movement(Kind.REACTIVATION, 5),
        ],
        CENT,
    )
    assert (summary.new, summary.expansion, summary.reactivation) == (30, 20, 5)
    assert (summary.contraction, summary.churn) == (-10, -15)
    assert (summary.opening, summary.closing) == (100, 130)
    assert summary.churn_rate == 0.25


def test_where_there_was_nothing_nothing_is_lost():
    summary = summarize(0, [Movement(Kind.NEW, 30)], CENT)
    assert summary.churn_rate == 0
    assert find_share(0, 0) == 0
    assert find_share(1, 4) == 0.25
