"""Hours of the day in which tenants have to be awake, by the clock of a place."""

from __future__ import annotations

import dataclasses
import datetime
import zoneinfo
from collections.abc import Iterator

UTC = datetime.UTC
DAYS = 9
"""From yesterday on; a weekend never lies between two beginnings for longer."""

SATURDAY = 5


@dataclasses.dataclass(frozen=True, slots=True)
class AwakeHours:
    """The same hours of each day, or of each from Monday to Friday.

    All moments are naive, in UTC, as Odoo's are.

    :param float begin: hours after midnight, from 0 to 24
    :param float end: the same; up to the beginning, it is on the next day
    :param str zone: whose clock that is, e.g. ``Europe/Lisbon``
    :param bool workdays: no hours begin on Saturday and Sunday
    """

    begin: float
    end: float
    zone: str = "UTC"
    workdays: bool = False

    def find_end(self, now: datetime.datetime) -> datetime.datetime | None:
        """Return when the hours end that this moment lies in, None outside of them."""
        ends = [end for begin, end in self._list(now) if begin <= now < end]
        return max(ends, default=None)

    def find_begin(self, now: datetime.datetime) -> datetime.datetime | None:
        """Return when the next hours begin, None where there are none."""
        return min(
            (begin for begin, _end in self._list(now) if begin > now), default=None
        )

    def _list(
        self, now: datetime.datetime
    ) -> Iterator[tuple[datetime.datetime, datetime.datetime]]:
        if self.begin == self.end:
            return
        today = now.replace(tzinfo=UTC).astimezone(zoneinfo.ZoneInfo(self.zone)).date()
        for number in range(-1, DAYS):
            day = today + datetime.timedelta(days=number)
            if self.workdays and day.weekday() >= SATURDAY:
                continue
            last = day + datetime.timedelta(days=int(self.end < self.begin))
            yield self._find_moment(day, self.begin), self._find_moment(last, self.end)

    def _find_moment(self, day: datetime.date, hours: float) -> datetime.datetime:
        """Return a moment by the clock of the place, also where it is changed."""
        midnight = datetime.datetime.combine(day, datetime.time())
        wall = midnight + datetime.timedelta(minutes=round(hours * 60))
        local = wall.replace(tzinfo=zoneinfo.ZoneInfo(self.zone))
        return local.astimezone(UTC).replace(tzinfo=None)
