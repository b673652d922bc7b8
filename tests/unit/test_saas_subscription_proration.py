"""What days of a period cost: the parts add up, to the coin, in any currency."""

from __future__ import annotations

import datetime
import decimal
import random

import pytest

from odoo.addons.saas_subscription.engine.money import from_coins, to_coins
from odoo.addons.saas_subscription.engine.proration import (
    Part,
    list_parts,
    prorate,
    total,
)
from odoo.addons.saas_subscription.engine.recurrence import Period, Recurrence

DAY = datetime.timedelta(days=1)
CENT = 0.01


def day(text):
    return datetime.date.fromisoformat(text)


def period(start, end):
    return Period(day(start), day(end))


APRIL = period("2026-04-01", "2026-05-01")


@pytest.mark.parametrize(
    ("price", "start", "end", "coin", "amount"),
    [
        (30, "2026-04-01", "2026-05-01", CENT, 30),
        (30, "2026-04-16", "2026-05-01", CENT, 15),
        (30, "2026-04-30", "2026-05-01", CENT, 1),
        (10, "2026-04-01", "2026-04-02", CENT, 0.33),
        # Of ten by three the middle part is longer by the cent that is left.
        (10, "2026-04-11", "2026-04-21", CENT, 3.34),
        (10, "2026-04-21", "2026-05-01", CENT, 3.33),
        # Yen have no part, dinars a thousandth, francs are paid by five cents.
        (1000, "2026-04-21", "2026-05-01", 1, 333),
        (10, "2026-04-21", "2026-05-01", 0.001, 3.333),
        (10, "2026-04-21", "2026-05-01", 0.05, 3.35),
        (0, "2026-04-21", "2026-05-01", CENT, 0),
        (-30, "2026-04-16", "2026-05-01", CENT, -15),
        # Days outside of the period cost nothing of it.
        (30, "2026-03-01", "2026-04-02", CENT, 1),
        (30, "2026-05-01", "2026-05-03", CENT, 0),
    ],
)
def test_days_cost_their_part_of_the_price(price, start, end, coin, amount):
    assert prorate(price, APRIL, period(start, end), coin) == amount


@pytest.mark.parametrize(
    ("whole", "start", "amount"),
    [
        (period("2028-02-01", "2028-03-01"), "2028-02-29", 1),
        (period("2026-02-01", "2026-03-01"), "2026-02-28", 1.04),
        (period("2028-01-01", "2029-01-01"), "2028-02-29", 24.33),
        (period("2027-01-01", "2028-01-01"), "2027-03-01", 24.31),
    ],
)
def test_a_leap_day_is_a_day_like_any_other(whole, start, amount):
    assert prorate(29, whole, Period(day(start), whole.end), CENT) == amount


@pytest.mark.parametrize("coin", [CENT, 1, 0.001, 0.05, 0.5, 1000])
def test_however_a_period_is_cut_its_parts_add_up_to_the_price(coin):
    source = random.Random(str(coin))
    for _case in range(300):
        start = day("2027-06-01") + DAY * source.randrange(500)
        whole = Recurrence(source.choice([1, 3, 12]), start.day).first_period(start)
        price = from_coins(source.randrange(-10_000, 1_000_000), coin)
        cuts = {source.randrange(1, whole.days) for _cut in range(source.randrange(9))}
        edges = [whole.start, *(whole.start + DAY * cut for cut in sorted(cuts))]
        ends = [*edges[1:], whole.end]
        parts = [
            prorate(price, whole, Period(*edge), coin)
            for edge in zip(edges, ends, strict=True)
        ]
        assert total(parts, coin) == price


def test_a_change_gives_back_and_charges_the_rest_of_the_period():
    old = {"plan": 30, "users": 20}
    new = {"plan": 60, "users": 20, "storage": 6}
    rest = period("2026-04-21", "2026-05-01")
    assert list_parts(old, new, APRIL, rest.start, CENT) == (
        Part("plan", -10, rest),
        Part("plan", 20, rest),
        Part("storage", 2, rest),
    )


def test_what_keeps_its_price_is_left_alone():
    prices = {"plan": 30, "users": 0.1 + 0.2}
    same = {"plan": 30.0, "users": 0.3}
    assert list_parts(prices, same, APRIL, day("2026-04-10"), CENT) == ()


def test_what_costs_nothing_for_the_rest_makes_no_line():
    assert list_parts({}, {"tiny": 0.01}, APRIL, day("2026-04-30"), CENT) == ()


def test_a_change_on_the_first_day_is_for_the_whole_period():
    parts = list_parts({"plan": 30}, {"plan": 49.99}, APRIL, APRIL.start, CENT)
    assert [part.amount for part in parts] == [-30, 49.99]
    assert {part.period for part in parts} == {APRIL}


@pytest.mark.parametrize("date", ["2026-03-31", "2026-05-01"])
def test_a_change_has_to_lie_in_the_period(date):
    with pytest.raises(
        ValueError, match=f"{date} is not between 2026-04-01 and 2026-04-30"
    ):
        list_parts({"plan": 30}, {}, APRIL, day(date), CENT)


@pytest.mark.parametrize("coin", [CENT, 1, 0.05])
def test_changes_to_and_fro_end_where_each_day_was_paid_once(coin):
    """What was paid is each price, for the days on which it was in force."""
    source = random.Random(str(coin))
    for _case in range(200):
        first, *prices = (
            from_coins(source.randrange(100_000), coin) for _price in range(6)
        )
        numbers = sorted(source.randrange(APRIL.days) for _price in prices)
        days = [APRIL.start + DAY * number for number in numbers]
        paid, price = [first], first
        expected = []
        begin = APRIL.start
        for new, date in zip(prices, days, strict=True):
            parts = list_parts({"plan": price}, {"plan": new}, APRIL, date, coin)
            paid += [part.amount for part in parts]
            if date > begin:
                expected.append(prorate(price, APRIL, Period(begin, date), coin))
            price, begin = new, date
        expected.append(prorate(price, APRIL, Period(begin, APRIL.end), coin))
        assert total(paid, coin) == total(expected, coin)


def test_an_upgrade_that_is_taken_back_on_the_same_day_costs_nothing():
    source = random.Random(7)
    for _case in range(100):
        old, new = (source.randrange(100_000) / 100 for _price in range(2))
        date = APRIL.start + DAY * source.randrange(APRIL.days)
        there = list_parts({"plan": old}, {"plan": new}, APRIL, date, CENT)
        back = list_parts({"plan": new}, {"plan": old}, APRIL, date, CENT)
        assert total((part.amount for part in (*there, *back)), CENT) == 0


@pytest.mark.parametrize(
    ("amount", "coin", "coins"),
    [
        (1.005, CENT, 101),
        (-1.005, CENT, -101),
        (2.675, CENT, 268),
        (0.1 + 0.2, CENT, 30),
        (1.23, 0.05, 25),
        (1.22, 0.05, 24),
        (2.5, 1, 3),
        (1_234_567.89, CENT, 123_456_789),
        (decimal.Decimal("0.5"), 1, 1),
        (0, CENT, 0),
    ],
)
def test_half_a_coin_is_rounded_away_from_zero(amount, coin, coins):
    assert to_coins(amount, coin) == coins


def test_amounts_are_the_floats_that_people_write():
    assert from_coins(1999, CENT) == 19.99
    assert from_coins(-7, 0.05) == -0.35
    assert total([0.1] * 10, CENT) == 1.0
    assert total([], CENT) == 0
