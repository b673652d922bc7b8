"""Periods of a subscription: whole months from an anchor day, by a place's calendar."""

from __future__ import annotations

import calendar
import dataclasses
import datetime
from zoneinfo import ZoneInfo

Date = datetime.date
Datetime = datetime.datetime
DAY = datetime.timedelta(days=1)
MONTHS_OF_A_YEAR = 12
LONGEST_MONTH = 31


@dataclasses.dataclass(frozen=True, slots=True, order=True)
class Period:
    """Some days in a row.

    :param date start: the first of them
    :param date end: the first that is no longer in it, where the next period begins
    """

    start: Date
    end: Date

    def __post_init__(self) -> None:
        if self.end <= self.start:
            raise ValueError(f"A period has to have a day: {self.start} to {self.end}")

    @property
    def last(self) -> Date:
        """The last day, as people and invoices name it."""
        return self.end - DAY

    @property
    def days(self) -> int:
        return (self.end - self.start).days

    def has(self, day: Date) -> bool:
        return self.start <= day < self.end


@dataclasses.dataclass(frozen=True, slots=True)
class Recurrence:
    """Periods of whole months that begin on the same day of their months.

    In a month that has no such day they begin on its last one, and on the day itself
    again in the next that has it: a 31st never becomes a 28th for good.

    :param int months: how long a period is
    :param int anchor_day: day of the month on which periods begin, from 1 to 31
    """

    months: int
    anchor_day: int

    def __post_init__(self) -> None:
        if self.months < 1:
            raise ValueError(f"A period has to have a month: {self.months}")
        if not 1 <= self.anchor_day <= LONGEST_MONTH:
            raise ValueError(f"No month has such a day: {self.anchor_day}")

    def is_start(self, day: Date) -> bool:
        """Whether a period may begin on that day without being cut."""
        return day == self._anchored(day, 0)

    def first_period(self, start: Date) -> Period:
        """The period that begins on that day.

        Where that is no anchor day it is cut short: it ends on the next anchor day,
        from where on all have their full length.
        """
        if self.is_start(start):
            return Period(start, self._anchored(start, self.months))
        end = self._anchored(start, 0)
        return Period(start, end if end > start else self._anchored(start, 1))

    def next_period(self, period: Period) -> Period:
        """The period after that one."""
        return self.first_period(period.end)

    def whole_period(self, period: Period) -> Period:
        """The full one that ends with that period: what a price is for."""
        return Period(self._anchored(period.end, -self.months), period.end)

    def nth_period(self, start: Date, number: int) -> Period:
        """The period with that number, where number 0 begins on the first day.

        :param date start: the first day of all
        """
        first = self.first_period(start)
        if number == 0:
            return first
        return Period(
            self._anchored(first.end, self.months * (number - 1)),
            self._anchored(first.end, self.months * number),
        )

    def find_period(self, start: Date, day: Date) -> Period:
        """The period in which a day lies.

        :param date start: the first day of all; none lies before it
        """
        if day < start:
            raise ValueError(f"{day} is before the first period, which begins {start}")
        first = self.first_period(start)
        number = max(0, _count_months(first.end, day)) // self.months
        # The month says it but for the days around the anchor.
        found = (self.nth_period(start, number + more) for more in range(2))
        return next(period for period in found if period.has(day))

    def _anchored(self, day: Date, months: int) -> Date:
        """The anchor day of the month so many months after that of a day."""
        year, month = divmod(_number_of(day) + months, MONTHS_OF_A_YEAR)
        length = calendar.monthrange(year, month + 1)[1]
        return Date(year, month + 1, min(self.anchor_day, length))


def today_at(moment: Datetime, zone: str) -> Date:
    """Which day it is at a place.

    :param datetime moment: naive, in UTC, as Odoo's are
    :param str zone: e.g. ``Europe/Lisbon``
    """
    return moment.replace(tzinfo=datetime.UTC).astimezone(ZoneInfo(zone)).date()


def begin_of(day: Date, zone: str) -> Datetime:
    """When a day begins at a place; naive, in UTC.

    Where clocks are put forward at midnight it is the first moment that there is, where
    they are put back over it the first of both.
    """
    midnight = Datetime.combine(day, datetime.time(), ZoneInfo(zone))
    return midnight.astimezone(datetime.UTC).replace(tzinfo=None)


def _number_of(day: Date) -> int:
    return day.year * MONTHS_OF_A_YEAR + day.month - 1


def _count_months(start: Date, day: Date) -> int:
    return _number_of(day) - _number_of(start)
