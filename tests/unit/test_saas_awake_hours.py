"""In which hours tenants do not sleep, by the clock of a place."""

from __future__ import annotations

import datetime

import pytest

from odoo.addons.saas.engine.awake_hours import AwakeHours

OFFICE = AwakeHours(begin=8.5, end=18, zone="Europe/Lisbon", workdays=True)
NIGHT = AwakeHours(begin=22, end=6, zone="America/Sao_Paulo")
ALWAYS = AwakeHours(begin=0, end=24)
NONE = AwakeHours(begin=9, end=9)


def moment(text):
    return datetime.datetime.fromisoformat(text)


@pytest.mark.parametrize(
    ("hours", "now", "end"),
    [
        # Lisbon is at UTC in winter and an hour ahead in summer; the 5th is a Monday.
        (OFFICE, "2026-01-05 08:29:59", None),
        (OFFICE, "2026-01-05 08:30:00", "2026-01-05 18:00:00"),
        (OFFICE, "2026-01-05 17:59:59", "2026-01-05 18:00:00"),
        (OFFICE, "2026-01-05 18:00:00", None),
        (OFFICE, "2026-07-06 07:30:00", "2026-07-06 17:00:00"),
        (OFFICE, "2026-07-06 07:29:00", None),
        (OFFICE, "2026-01-03 12:00:00", None),
        (OFFICE, "2026-01-04 12:00:00", None),
        # São Paulo is three hours behind UTC.
        (NIGHT, "2026-01-05 00:59:00", None),
        (NIGHT, "2026-01-05 01:00:00", "2026-01-05 09:00:00"),
        (NIGHT, "2026-01-05 08:59:00", "2026-01-05 09:00:00"),
        (NIGHT, "2026-01-05 09:00:00", None),
        (ALWAYS, "2026-01-05 00:00:00", "2026-01-06 00:00:00"),
        (NONE, "2026-01-05 09:00:00", None),
    ],
)
def test_hours_have_an_end_as_long_as_they_last(hours, now, end):
    assert hours.find_end(moment(now)) == (end and moment(end))


@pytest.mark.parametrize(
    ("hours", "now", "begin"),
    [
        (OFFICE, "2026-01-05 07:00:00", "2026-01-05 08:30:00"),
        (OFFICE, "2026-01-05 08:30:00", "2026-01-06 08:30:00"),
        # From Friday evening to Monday, over the change of clocks in March.
        (OFFICE, "2026-01-09 20:00:00", "2026-01-12 08:30:00"),
        (OFFICE, "2026-03-27 20:00:00", "2026-03-30 07:30:00"),
        (NIGHT, "2026-01-05 12:00:00", "2026-01-06 01:00:00"),
        (NONE, "2026-01-05 09:00:00", None),
    ],
)
def test_sleepers_are_woken_when_the_next_hours_begin(hours, now, begin):
    assert hours.find_begin(moment(now)) == (begin and moment(begin))
