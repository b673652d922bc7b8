"""Which copies are kept: a pure function over a list of them."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Callable, Iterable, Iterator
from zoneinfo import ZoneInfo

Date = datetime.date
Datetime = datetime.datetime


@dataclasses.dataclass(frozen=True, slots=True)
class Copy:
    """A copy of one tenant, as far as retention is concerned.

    :param datetime taken: when its snapshot was made
    :param confirmed: when the tenant was last found unchanged since; the copy stands
        for every day in between
    :param bool good: it was read back from the store, and no drill failed on it
    :param bool held: somebody wants it kept until they say otherwise
    :param keep_until: kept at least until then
    :param bool running: it is being made
    """

    id: str
    taken: Datetime
    confirmed: Datetime | None = None
    good: bool = True
    held: bool = False
    keep_until: Datetime | None = None
    running: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Policy:
    """How many days, weeks and months have a copy of their own.

    :param str timezone: where a day begins, e.g. ``Europe/Brussels``
    """

    daily: int = 7
    weekly: int = 4
    monthly: int = 3
    timezone: str = "UTC"


def kept(
    copies: Iterable[Copy], policy: Policy, now: Datetime
) -> dict[str, tuple[str, ...]]:
    """Why each copy is kept, by its id; what is not in there may be deleted.

    Of the last days (ISO weeks, months) that have a copy each keeps its newest. Days
    without one do not count, so a tenant that slept for a year still has its copies.
    """
    copies = list(copies)
    reasons: dict[str, list[str]] = {copy.id: [] for copy in copies}
    for copy in copies:
        reasons[copy.id] += _own_reasons(copy, now)
    good = sorted(
        (copy for copy in copies if copy.good and not copy.running),
        key=lambda copy: (copy.taken, copy.id),
    )
    if good:
        reasons[good[-1].id].append("newest")
    for name, count, period in (
        ("day", policy.daily, _day),
        ("week", policy.weekly, _week),
        ("month", policy.monthly, _month),
    ):
        for label, copy in _slots(good, ZoneInfo(policy.timezone), period, count):
            reasons[copy.id].append(f"{name} {label}")
    return {id: tuple(why) for id, why in reasons.items() if why}


def _own_reasons(copy: Copy, now: Datetime) -> Iterator[str]:
    if copy.running:
        yield "running"
    if copy.held:
        yield "held"
    if copy.keep_until and now < copy.keep_until:
        yield "keep until"


def _slots(
    good: list[Copy], zone: ZoneInfo, period: Callable[[Date], str], count: int
) -> list[tuple[str, Copy]]:
    """The newest periods that have a copy, with the newest copy of each."""
    newest: dict[str, Copy] = {}
    for copy in good:
        for day in _days(copy, zone, count):
            newest[period(day)] = copy
    return sorted(newest.items())[-count:] if count > 0 else []


def _days(copy: Copy, zone: ZoneInfo, count: int) -> Iterator[Date]:
    """The local days that a copy stands for, as many as can still matter."""
    first = copy.taken.astimezone(zone).date()
    last = max(copy.confirmed or copy.taken, copy.taken).astimezone(zone).date()
    # No slot is longer than a month: what lies before as many months is in none.
    first = max(first, last - datetime.timedelta(days=31 * (count + 1)))
    for number in range((last - first).days + 1):
        yield first + datetime.timedelta(days=number)


def _day(day: Date) -> str:
    return day.isoformat()


def _week(day: Date) -> str:
    year, week, __ = day.isocalendar()
    return f"{year}-W{week:02}"


def _month(day: Date) -> str:
    return f"{day:%Y-%m}"
