"""Exactly the copies that should exist, day after day, over both changes of clocks."""

from __future__ import annotations

import datetime
import random
from zoneinfo import ZoneInfo

import pytest

from odoo.addons.saas_backup.engine.retention import Copy, Policy, kept
from odoo.addons.saas_backup.engine.schedule import Window, last_slot, slot

BRUSSELS = "Europe/Brussels"
UTC = datetime.UTC
DAY = datetime.timedelta(days=1)
HOUR = datetime.timedelta(hours=1)


def at(text):
    return datetime.datetime.fromisoformat(text).replace(tzinfo=UTC)


def daily(first, count):
    """One copy a day at noon, named by its date."""
    moments = [at(first) + HOUR * 12 + DAY * number for number in range(count)]
    return [Copy(f"{moment:%Y-%m-%d}", moment) for moment in moments]


def simulate(window, policy, days, first):
    """A fleet of one over that many days: the copies after each hour's look."""
    now, end, copies = first, first + DAY * days, []
    made = []
    while now < end:
        if not copies or copies[-1].taken < last_slot("t1", window, now):
            copies.append(Copy(f"c{len(made):03}", now))
            made.append(now)
            keep = kept(copies, policy, now)
            copies = [copy for copy in copies if copy.id in keep]
        now += HOUR / 4
    return made, copies


@pytest.mark.parametrize(
    ("first", "window"),
    [
        ("2026-01-15", Window(timezone=BRUSSELS)),
        # The hour from two to three is missing on one day and there twice on another.
        ("2026-01-15", Window(datetime.time(2), datetime.time(3), BRUSSELS)),
        ("2026-08-01", Window(datetime.time(2), datetime.time(3), BRUSSELS)),
        ("2026-08-01", Window(datetime.time(22), datetime.time(4), BRUSSELS)),
        ("2026-08-01", Window(timezone="America/Sao_Paulo")),
    ],
)
def test_120_days_leave_7_daily_4_weekly_and_3_monthly_copies(first, window):
    policy = Policy(timezone=window.timezone)
    # The first copy is made at once, the others in their slots.
    begin = datetime.datetime.fromisoformat(first).replace(
        hour=12, tzinfo=ZoneInfo(window.timezone)
    )
    made, copies = simulate(window, policy, 120, begin.astimezone(UTC))
    zone = ZoneInfo(window.timezone)
    # One each local day, none doubled and none left out.
    days = [
        (moment.astimezone(zone) - HOUR * (window.end <= window.start) * 5).date()
        for moment in made[1:]
    ]
    assert days == [days[0] + DAY * number for number in range(len(days))]
    assert len(days) in (119, 120)
    # What should be there, by a second way of finding it.
    wanted = set()
    local = [(moment.astimezone(zone), f"c{n:03}") for n, moment in enumerate(made)]
    for form, count in (("%Y-%m-%d", 7), ("%G-%V", 4), ("%Y-%m", 3)):
        last = {moment.strftime(form): name for moment, name in local}
        wanted |= set(list(last.values())[-count:])
    assert {copy.id for copy in copies} == wanted
    assert 10 <= len(copies) <= 14


def test_each_kept_copy_says_why():
    copies = daily("2026-05-01", 40)
    assert kept(copies, Policy(daily=2, weekly=2, monthly=2), at("2026-06-10")) == {
        "2026-05-31": ("month 2026-05",),
        "2026-06-07": ("week 2026-W23",),
        "2026-06-08": ("day 2026-06-08",),
        "2026-06-09": ("newest", "day 2026-06-09", "week 2026-W24", "month 2026-06"),
    }


def test_a_day_begins_where_the_operator_lives():
    copies = [Copy("a", at("2026-05-01T22:30")), Copy("b", at("2026-05-02T12:00"))]
    policy = Policy(daily=2, weekly=0, monthly=0)
    now = at("2026-05-03")
    assert set(kept(copies, policy, now)) == {"a", "b"}
    here = Policy(daily=2, weekly=0, monthly=0, timezone=BRUSSELS)
    assert set(kept(copies, here, now)) == {"b"}


def test_days_without_a_copy_do_not_push_the_others_out():
    copies = daily("2026-01-01", 7)
    assert set(kept(copies, Policy(), at("2026-12-31"))) == {copy.id for copy in copies}


@pytest.mark.parametrize("policy", [Policy(), Policy(0, 0, 0), Policy(1, 0, 0)])
def test_the_last_good_copy_is_never_removed(policy):
    good = Copy("good", at("2026-01-01"))
    later = [
        Copy(f"bad{number}", at("2026-01-02") + DAY * number, good=False)
        for number in range(30)
    ]
    assert set(kept([good, *later], policy, at("2026-03-01"))) == {"good"}


def test_a_copy_that_is_held_or_running_or_promised_is_never_removed():
    now = at("2026-05-01")
    copies = [
        Copy("held", at("2025-01-01"), held=True),
        Copy("held and bad", at("2025-01-01"), held=True, good=False),
        Copy("promised", at("2025-01-02"), keep_until=now + HOUR),
        Copy("promise over", at("2025-01-03"), keep_until=now),
        Copy("running", now, running=True, good=False),
        Copy("newest", at("2026-04-30")),
    ]
    assert set(kept(copies, Policy(0, 0, 0), now)) == {
        "held",
        "held and bad",
        "promised",
        "running",
        "newest",
    }


def test_a_copy_found_unchanged_stands_for_the_days_in_between():
    copies = [
        Copy("old", at("2026-04-01T12:00")),
        Copy("asleep", at("2026-04-02T12:00"), confirmed=at("2026-04-20T12:00")),
        Copy("awake", at("2026-04-21T12:00")),
    ]
    found = kept(copies, Policy(daily=3, weekly=0, monthly=0), at("2026-04-22"))
    assert found == {
        "asleep": ("day 2026-04-19", "day 2026-04-20"),
        "awake": ("newest", "day 2026-04-21"),
    }


def test_a_copy_confirmed_for_years_still_gives_all_its_months():
    copy = Copy("a", at("2020-01-01"), confirmed=at("2026-04-20"))
    assert kept([copy], Policy(0, 0, 3), at("2026-04-22")) == {
        "a": ("newest", "month 2026-02", "month 2026-03", "month 2026-04")
    }


def test_what_is_kept_today_was_kept_on_every_day_before():
    """A copy once removed is never missed: keeping only shrinks, whatever is chosen."""
    chance = random.Random(7)
    for _round in range(12):
        policy = Policy(*(chance.randrange(0, 8) for _slot in range(3)), BRUSSELS)
        now, everything, left = at("2026-01-01"), [], []
        for number in range(100):
            now += DAY * chance.choice([0, 0.3, 1, 1, 1, 2, 9])
            copy = Copy(f"c{number:03}", now, good=chance.random() > 0.2)
            everything.append(copy)
            left.append(copy)
            keep = kept(left, policy, now)
            left = [one for one in left if one.id in keep]
            assert {one.id for one in left} == set(kept(everything, policy, now))


def test_the_fleet_is_spread_over_the_window():
    day, window = datetime.date(2026, 5, 1), Window()
    found = sorted(slot(f"t{number:012x}", day, window) for number in range(2000))
    assert at("2026-05-01T01:00") <= found[0]
    assert found[-1] < at("2026-05-01T05:00")
    hours = [sum(moment.hour == hour for moment in found) for hour in range(1, 5)]
    assert all(430 < count < 570 for count in hours), hours


def test_a_tenant_keeps_its_place_in_the_window():
    days = [datetime.date(2026, 5, number) for number in range(1, 9)]
    assert len({slot("t1", day, Window()).time() for day in days}) == 1


def test_no_copies_need_no_retention():
    assert kept([], Policy(), at("2026-05-01")) == {}
