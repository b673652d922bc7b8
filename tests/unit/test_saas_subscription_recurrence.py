"""Periods of subscriptions: month ends, leap days, and the calendar of a place."""

from __future__ import annotations

import datetime
import itertools
import random
import zoneinfo

import pytest

from odoo.addons.saas_subscription.engine.recurrence import (
    Period,
    Recurrence,
    begin_of,
    today_at,
)

DAY = datetime.timedelta(days=1)


def day(text):
    return datetime.date.fromisoformat(text)


def period(start, end):
    return Period(day(start), day(end))


def moment(text):
    return datetime.datetime.fromisoformat(text)


def list_starts(recurrence, start, count):
    periods = [recurrence.first_period(day(start))]
    while len(periods) < count:
        periods.append(recurrence.next_period(periods[-1]))
    return [str(each.start) for each in periods]


@pytest.mark.parametrize(
    ("months", "anchor", "starts"),
    [
        (1, 15, "2026-01-15 2026-02-15 2026-03-15 2026-04-15"),
        (1, 31, "2026-01-31 2026-02-28 2026-03-31 2026-04-30 2026-05-31"),
        (1, 30, "2026-01-30 2026-02-28 2026-03-30 2026-04-30 2026-05-30"),
        (1, 29, "2028-01-29 2028-02-29 2028-03-29"),
        (1, 31, "2028-01-31 2028-02-29 2028-03-31"),
        (3, 31, "2026-11-30 2027-02-28 2027-05-31 2027-08-31 2027-11-30"),
        (12, 29, "2024-02-29 2025-02-28 2026-02-28 2027-02-28 2028-02-29"),
        (12, 31, "2026-12-31 2027-12-31 2028-12-31"),
        (24, 29, "2024-02-29 2026-02-28 2028-02-29 2030-02-28"),
        (1, 1, "2026-12-01 2027-01-01 2027-02-01"),
    ],
)
def test_periods_begin_on_the_same_day_or_the_last_of_a_short_month(
    months, anchor, starts
):
    starts = starts.split()
    recurrence = Recurrence(months, anchor)
    assert list_starts(recurrence, starts[0], len(starts)) == starts


@pytest.mark.parametrize(
    ("months", "anchor", "start", "first", "second"),
    [
        (1, 1, "2026-03-15", ("2026-03-15", "2026-04-01"), "2026-05-01"),
        (1, 20, "2026-03-15", ("2026-03-15", "2026-03-20"), "2026-04-20"),
        (12, 1, "2026-03-15", ("2026-03-15", "2026-04-01"), "2027-04-01"),
        (1, 31, "2028-02-28", ("2028-02-28", "2028-02-29"), "2028-03-31"),
        (1, 15, "2026-12-16", ("2026-12-16", "2027-01-15"), "2027-02-15"),
    ],
)
def test_a_first_period_off_the_anchor_is_cut_short(
    months, anchor, start, first, second
):
    recurrence = Recurrence(months, anchor)
    found = recurrence.first_period(day(start))
    assert found == period(*first)
    assert recurrence.next_period(found) == period(first[1], second)
    assert not recurrence.is_start(day(start))


def test_the_price_of_a_cut_period_is_that_of_the_full_one_with_its_end():
    monthly, yearly = Recurrence(1, 1), Recurrence(12, 1)
    cut = monthly.first_period(day("2026-03-15"))
    assert monthly.whole_period(cut) == period("2026-03-01", "2026-04-01")
    assert yearly.whole_period(cut) == period("2025-04-01", "2026-04-01")
    full = monthly.next_period(cut)
    assert monthly.whole_period(full) == full
    ends = Recurrence(1, 31)
    february = ends.first_period(day("2026-02-28"))
    assert february == period("2026-02-28", "2026-03-31")
    assert ends.whole_period(february) == february


def test_a_period_knows_its_days():
    february = period("2028-02-01", "2028-03-01")
    assert february.days == 29
    assert february.last == day("2028-02-29")
    assert february.has(february.start)
    assert february.has(february.last)
    assert not february.has(february.end)
    assert not february.has(february.start - DAY)


def test_periods_lie_side_by_side_and_each_day_is_in_one():
    """Ten years from any day, for any anchor: no gap, no overlap, no drift."""
    source = random.Random(20260228)
    for _case in range(150):
        recurrence = Recurrence(
            source.choice([1, 2, 3, 6, 12, 36]), 1 + source.randrange(31)
        )
        start = day("2023-12-25") + DAY * source.randrange(1600)
        found = [recurrence.first_period(start)]
        while found[-1].end < start + DAY * 3650:
            found.append(recurrence.next_period(found[-1]))
        for before, after in itertools.pairwise(found):
            assert before.end == after.start
            assert recurrence.is_start(after.start)
        for number, each in enumerate(found):
            assert recurrence.nth_period(start, number) == each
            assert recurrence.find_period(start, each.start) == each
            assert recurrence.find_period(start, each.last) == each
            some = each.start + DAY * source.randrange(each.days)
            assert recurrence.find_period(start, some) == each


def test_what_is_no_period_is_refused():
    with pytest.raises(ValueError, match="has to have a day: 2026-02-01"):
        period("2026-02-01", "2026-02-01")
    with pytest.raises(ValueError, match="has to have a month: 0"):
        Recurrence(0, 1)
    for anchor in (0, 32):
        with pytest.raises(ValueError, match=f"No month has such a day: {anchor}"):
            Recurrence(1, anchor)
    with pytest.raises(ValueError, match="before the first period, which begins 2026"):
        Recurrence(1, 1).find_period(day("2026-02-01"), day("2026-01-31"))


@pytest.mark.parametrize(
    ("now", "zone", "today"),
    [
        ("2026-03-01 02:59:59", "America/Sao_Paulo", "2026-02-28"),
        ("2026-03-01 03:00:00", "America/Sao_Paulo", "2026-03-01"),
        ("2026-02-28 09:59:59", "Pacific/Kiritimati", "2026-02-28"),
        ("2026-02-28 10:00:00", "Pacific/Kiritimati", "2026-03-01"),
        # Lisbon is at UTC in winter and an hour ahead in summer.
        ("2026-03-28 23:59:59", "Europe/Lisbon", "2026-03-28"),
        ("2026-03-29 22:59:59", "Europe/Lisbon", "2026-03-29"),
        ("2026-03-29 23:00:00", "Europe/Lisbon", "2026-03-30"),
        ("2026-10-25 23:59:59", "Europe/Lisbon", "2026-10-25"),
        ("2028-02-29 23:59:59", "UTC", "2028-02-29"),
    ],
)
def test_which_day_it_is_depends_on_the_place(now, zone, today):
    assert today_at(moment(now), zone) == day(today)


@pytest.mark.parametrize(
    ("date", "zone", "begin"),
    [
        ("2026-01-01", "UTC", "2026-01-01 00:00"),
        ("2026-03-29", "Europe/Brussels", "2026-03-28 23:00"),
        ("2026-03-30", "Europe/Brussels", "2026-03-29 22:00"),
        ("2026-10-26", "Europe/Brussels", "2026-10-25 23:00"),
        # São Paulo had no midnight on that day: the clocks went from 0 to 1.
        ("2018-11-04", "America/Sao_Paulo", "2018-11-04 03:00"),
        # Havana has two midnights on that day.
        ("2026-11-01", "America/Havana", "2026-11-01 04:00"),
    ],
)
def test_a_day_begins_at_its_first_moment(date, zone, begin):
    assert begin_of(day(date), zone) == moment(begin)


@pytest.mark.parametrize(
    "zone", ["Europe/Lisbon", "America/Sao_Paulo", "America/Havana", "Asia/Kathmandu"]
)
def test_each_day_has_one_beginning_also_where_clocks_are_changed(zone):
    assert zone in zoneinfo.available_timezones()
    dates = [day("2018-01-01") + DAY * number for number in range(366 * 2)]
    for date in dates:
        begin = begin_of(date, zone)
        assert today_at(begin, zone) == date
        before = begin - datetime.timedelta(microseconds=1)
        assert today_at(before, zone) == date - DAY
