"""When which step is taken while an invoice is not paid.

One schedule says it to whoever takes the steps and to the customer who reads their
dates, so that nothing happens sooner than somebody was told.
"""

from __future__ import annotations

import dataclasses
import datetime
import enum
import itertools
from collections.abc import Iterable, Sequence

Date = datetime.date


class Action(enum.StrEnum):
    """What a step does; those that take something away in the order of their weight."""

    REMIND = "remind"
    RETRY = "retry"
    BANNER = "banner"
    HOLD = "hold"
    ARCHIVE = "archive"
    DELETE = "delete"


# Each needs what stands before it.
CONSEQUENCES = (Action.HOLD, Action.ARCHIVE, Action.DELETE)

Place = tuple[int, int]


@dataclasses.dataclass(frozen=True, slots=True)
class Step:
    """One rung of a ladder.

    :param str key: what the caller knows it by
    :param int days: so long after the due date; below zero: before it
    :param int sequence: which of several on one day comes first
    """

    key: str
    days: int
    action: Action
    sequence: int = 0

    @property
    def place(self) -> Place:
        return self.days, self.sequence


@dataclasses.dataclass(frozen=True, slots=True)
class Progress:
    """How far the customer of an unpaid invoice has got.

    :param date due: when the invoice should have been paid
    :param reached: the place of the last step taken, None before the first. The ladder
        may be changed meanwhile: what was put in below that place is not made up for
    :param date taken: when that step was taken
    :param date grace_until: staff promised that nothing happens before that day
    """

    due: Date
    reached: Place | None = None
    taken: Date | None = None
    grace_until: Date | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Dated:
    """A step that is still to come, and its day."""

    step: Step
    date: Date


def make_schedule(steps: Iterable[Step], progress: Progress) -> tuple[Dated, ...]:
    """The steps to come with their days.

    A step taken late, because of a promise or because nobody could take it, makes all
    after it as much later: between two of them lies always as much time as the ladder
    says, and nobody loses their data on the day on which they read the first warning.
    """
    days = None if progress.reached is None else progress.reached[0]
    earliest = progress.taken
    dated = []
    for step in list_to_come(steps, progress):
        date = progress.due + datetime.timedelta(days=step.days)
        if earliest is not None and days is not None:
            date = max(date, earliest + datetime.timedelta(days=step.days - days))
        if progress.grace_until is not None:
            date = max(date, progress.grace_until)
        dated.append(Dated(step, date))
        days, earliest = step.days, date
    return tuple(dated)


def list_to_come(steps: Iterable[Step], progress: Progress) -> list[Step]:
    """The steps that were not taken yet, in their order."""
    ordered = sorted(steps, key=lambda step: step.place)
    if progress.reached is None:
        return ordered
    return [step for step in ordered if step.place > progress.reached]


def find_due(steps: Iterable[Step], progress: Progress, today: Date) -> Step | None:
    """The step to take today, None where there is none.

    One at a time: once it is taken, it has to be asked again with what was reached.
    """
    schedule = make_schedule(steps, progress)
    if schedule and schedule[0].date <= today:
        return schedule[0].step
    return None


def find_dates(steps: Iterable[Step], progress: Progress) -> dict[Action, Date]:
    """When what the customer would lose is lost, by the action that takes it.

    What has been taken is not among them.
    """
    dates: dict[Action, Date] = {}
    for dated in make_schedule(steps, progress):
        if dated.step.action in CONSEQUENCES:
            dates.setdefault(dated.step.action, dated.date)
    return dates


def step_back(steps: Iterable[Step], progress: Progress, until: Date) -> Progress:
    """The progress of a customer to whom staff give time until that day.

    Where the ladder has stopped their Odoo, it runs again meanwhile, and the step that
    stops it is taken anew when the time is over.
    """
    progress = dataclasses.replace(progress, grace_until=until)
    before: Place | None = None
    for step in sorted(steps, key=lambda step: step.place):
        if progress.reached is None or step.place > progress.reached:
            break
        if step.action == Action.HOLD:
            # The promise alone says when it is taken again.
            return dataclasses.replace(progress, reached=before, taken=None)
        before = step.place
    return progress


def find_disorder(steps: Sequence[Step]) -> tuple[Action, Action] | None:
    """Two actions of which the first comes too soon, None where a ladder is in order.

    A tenant is archived only after it was stopped, and deleted only after both, where
    the ladder has them: at least one day lies between two of them.
    """
    first: dict[Action, int] = {}
    for step in sorted(steps, key=lambda step: step.place):
        first.setdefault(step.action, step.days)
    there = [action for action in CONSEQUENCES if action in first]
    for milder, harsher in itertools.pairwise(there):
        if first[harsher] <= first[milder]:
            return harsher, milder
    if there and there[0] != Action.HOLD:
        return there[0], Action.HOLD
    return None
