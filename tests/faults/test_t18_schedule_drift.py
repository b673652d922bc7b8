"""T18: sixty days of backups, with clocks that change."""

from __future__ import annotations

import dataclasses
import datetime

import pytest

from odoo.addons.saas_backup.engine.schedule import Window, next_backup, slot

DAYS = 60
DAY = datetime.timedelta(days=1)
MINUTE = datetime.timedelta(minutes=1)
UIDS = [f"t{number:012x}" for number in range(5)]


@dataclasses.dataclass
class Schedule:
    """A tenant and the sweep of every minute, as the master does it."""

    uid: str
    window: Window
    due: datetime.datetime
    made: list[datetime.datetime] = dataclasses.field(default_factory=list)

    def sweep(self, now):
        if self.due <= now:
            self.made.append(now)
            self.due = next_backup(self.uid, self.window, self.made[-1], now)

    def live(self, day, days, clock=lambda now: now):
        """Sweep each minute, at the time that the clock shows.

        :return: the slots of these days
        """
        slots = [
            slot(self.uid, day + DAY * number, self.window) for number in range(days)
        ]
        now, end = slots[0] - 2 * MINUTE, slots[-1] + 2 * MINUTE
        while now < end:
            self.sweep(clock(now))
            now += MINUTE
        return slots


def start(uid, window, day):
    """One whose first slot of these days is still to come."""
    first = slot(uid, day, window)
    return Schedule(
        uid, window, next_backup(uid, window, first - MINUTE, first - MINUTE)
    )


@pytest.mark.parametrize(
    ("timezone", "day"),
    [
        ("Europe/Brussels", datetime.date(2026, 3, 1)),
        ("Europe/Brussels", datetime.date(2026, 10, 1)),
        ("America/New_York", datetime.date(2026, 2, 10)),
        ("Australia/Lord_Howe", datetime.date(2026, 9, 5)),
        ("Africa/Cairo", datetime.date(2026, 4, 1)),
    ],
)
@pytest.mark.parametrize(
    ("begin", "end"),
    [(1, 5), (2, 3), (23, 2), (0, 1)],
    ids=["1-5 h", "2-3 h, which a change may take", "23-2 h", "0-1 h"],
)
@pytest.mark.case(
    did="60 days pass minute by minute; clocks change for summer or winter meanwhile",
    expected="one copy for each of the 60 days, within a minute of its slot",
)
def test_t18_each_day_has_one_copy(timezone, day, begin, end, found):
    window = Window(datetime.time(begin), datetime.time(end), timezone)
    latest = datetime.timedelta(0)
    for uid in UIDS:
        schedule = start(uid, window, day)
        slots = schedule.live(day, DAYS)
        assert len(schedule.made) == len(slots) == DAYS
        late = [made - due for made, due in zip(schedule.made, slots, strict=True)]
        assert all(datetime.timedelta(0) <= wait < MINUTE for wait in late), late
        latest = max(latest, *late)
    found(f"{len(UIDS)} x {DAYS} copies, the latest {latest.seconds} s after its slot")
