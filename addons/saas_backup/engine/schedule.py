"""When a tenant's backup is due: one moment each local day, spread over the fleet."""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
from zoneinfo import ZoneInfo

Date = datetime.date
Datetime = datetime.datetime
Time = datetime.time

NIGHT = (Time(1), Time(5))


@dataclasses.dataclass(frozen=True, slots=True)
class Window:
    """The part of the local day in which backups begin.

    :param time start: first moment
    :param time end: no backup begins from here on; of the next day, if not after start
    """

    start: Time = NIGHT[0]
    end: Time = NIGHT[1]
    timezone: str = "UTC"


def slot(uid: str, day: Date, window: Window) -> Datetime:
    """When the backup of that tenant begins on that local day, in UTC.

    The same on every call: a tenant keeps its place in the window.
    """
    start, end = _moment(day, window.start, window), _moment(day, window.end, window)
    if window.end <= window.start:
        end = _moment(day + datetime.timedelta(days=1), window.end, window)
    # Where clocks are put forward a window may have no length at all.
    length = max(end - start, datetime.timedelta(0))
    return start + length * _fraction(uid)


def last_slot(uid: str, window: Window, now: Datetime) -> Datetime:
    """The last slot that has come; a backup is due when the newest began before it."""
    today = now.astimezone(ZoneInfo(window.timezone)).date()
    days = (today - datetime.timedelta(days=number) for number in range(3))
    return next(found for day in days if (found := slot(uid, day, window)) <= now)


def next_slot(uid: str, window: Window, now: Datetime) -> Datetime:
    """The first slot after now."""
    # A local day may be another one than that of the same moment in UTC.
    first = now.date() - datetime.timedelta(days=1)
    days = (first + datetime.timedelta(days=number) for number in range(5))
    return next(found for day in days if (found := slot(uid, day, window)) > now)


def next_backup(uid: str, window: Window, newest: Datetime, now: Datetime) -> Datetime:
    """When a backup is due: at once where the last slot went by unused.

    :param newest: when the newest one began; in the future, where clocks were put back
    """
    if newest < last_slot(uid, window, now):
        return now
    return next_slot(uid, window, max(now, newest))


def _moment(day: Date, time: Time, window: Window) -> Datetime:
    local = datetime.datetime.combine(day, time, ZoneInfo(window.timezone))
    return local.astimezone(datetime.UTC)


def _fraction(uid: str) -> float:
    digest = hashlib.sha256(uid.encode()).digest()
    return int.from_bytes(digest[:8]) / 2**64
