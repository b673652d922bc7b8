"""What happens when while an invoice is not paid, and what the customer is told."""

from __future__ import annotations

import dataclasses
import datetime
import random

import pytest

from odoo.addons.saas_subscription.engine.dunning import (
    Action,
    Progress,
    Step,
    find_dates,
    find_disorder,
    find_due,
    make_schedule,
    step_back,
)

DAY = datetime.timedelta(days=1)

LADDER = (
    Step("before", -3, Action.REMIND),
    Step("retry", 3, Action.RETRY),
    Step("remind", 3, Action.REMIND, sequence=1),
    Step("banner", 7, Action.BANNER),
    Step("hold", 14, Action.HOLD),
    Step("archive", 30, Action.ARCHIVE),
    Step("delete", 90, Action.DELETE),
)


def day(text):
    return datetime.date.fromisoformat(text)


DUE = day("2026-03-01")


def list_days(progress, ladder=LADDER):
    return {
        dated.step.key: str(dated.date) for dated in make_schedule(ladder, progress)
    }


def take(progress, key, date, ladder=LADDER):
    place = next(step.place for step in ladder if step.key == key)
    return dataclasses.replace(progress, reached=place, taken=day(date))


def run(progress, date, ladder=LADDER):
    """Take all that is due on a day, as the scheduled action does."""
    taken = []
    while step := find_due(ladder, progress, date):
        taken.append(step.key)
        progress = dataclasses.replace(progress, reached=step.place, taken=date)
    return taken, progress


def test_steps_are_dated_from_the_due_date_in_their_order():
    assert list(list_days(Progress(DUE), LADDER[::-1]).items()) == [
        ("before", "2026-02-26"),
        ("retry", "2026-03-04"),
        ("remind", "2026-03-04"),
        ("banner", "2026-03-08"),
        ("hold", "2026-03-15"),
        ("archive", "2026-03-31"),
        ("delete", "2026-05-30"),
    ]


def test_each_step_is_taken_once_and_on_its_day():
    progress, taken = Progress(DUE), {}
    for number in range(-10, 120):
        keys, progress = run(progress, DUE + DAY * number)
        if keys:
            taken[number] = keys
    assert taken == {
        -3: ["before"],
        3: ["retry", "remind"],
        7: ["banner"],
        14: ["hold"],
        30: ["archive"],
        90: ["delete"],
    }
    assert make_schedule(LADDER, progress) == ()


def test_the_customer_reads_when_what_is_lost():
    assert find_dates(LADDER, Progress(DUE)) == {
        Action.HOLD: day("2026-03-15"),
        Action.ARCHIVE: day("2026-03-31"),
        Action.DELETE: day("2026-05-30"),
    }
    held = take(Progress(DUE), "hold", "2026-03-15")
    assert find_dates(LADDER, held) == {
        Action.ARCHIVE: day("2026-03-31"),
        Action.DELETE: day("2026-05-30"),
    }
    assert find_dates((), Progress(DUE)) == {}


def test_who_could_not_be_warned_in_time_loses_nothing_sooner():
    """The worker was away for half a year: the steps come, with all their distances."""
    taken, progress = run(Progress(DUE), day("2026-09-01"))
    assert taken == ["before"]
    assert list_days(progress) == {
        "retry": "2026-09-07",
        "remind": "2026-09-07",
        "banner": "2026-09-11",
        "hold": "2026-09-18",
        "archive": "2026-10-04",
        "delete": "2026-12-03",
    }


def test_a_late_step_makes_the_later_ones_as_much_later():
    late = take(Progress(DUE), "hold", "2026-03-20")
    assert list_days(late) == {"archive": "2026-04-05", "delete": "2026-06-04"}


def test_a_step_taken_early_makes_none_sooner():
    early = take(Progress(DUE), "hold", "2026-03-02")
    assert list_days(early) == {"archive": "2026-03-31", "delete": "2026-05-30"}


def test_a_promise_holds_all_steps_back_and_keeps_their_distances():
    promised = dataclasses.replace(
        take(Progress(DUE), "banner", "2026-03-08"), grace_until=day("2026-04-01")
    )
    assert find_due(LADDER, promised, day("2026-03-31")) is None
    assert find_due(LADDER, promised, day("2026-04-01")).key == "hold"
    assert list_days(promised) == {
        "hold": "2026-04-01",
        "archive": "2026-04-17",
        "delete": "2026-06-16",
    }


def test_a_promise_that_is_over_sooner_changes_nothing():
    promised = Progress(DUE, grace_until=day("2026-02-01"))
    assert list_days(promised) == list_days(Progress(DUE))


@pytest.mark.parametrize("reached", ["hold", "archive"])
def test_time_given_after_the_stop_lets_it_run_and_stops_it_anew(reached):
    stopped = take(Progress(DUE), reached, "2026-04-10")
    given = step_back(LADDER, stopped, day("2026-04-12"))
    assert list_days(given) == {
        "hold": "2026-04-12",
        "archive": "2026-04-28",
        "delete": "2026-06-27",
    }


def test_time_given_before_the_stop_takes_nothing_back():
    warned = take(Progress(DUE), "banner", "2026-03-08")
    given = step_back(LADDER, warned, day("2026-03-20"))
    assert given == dataclasses.replace(warned, grace_until=day("2026-03-20"))
    assert list_days(given)["hold"] == "2026-03-20"


def test_time_given_where_the_first_step_is_the_stop_begins_anew():
    ladder = (Step("hold", 5, Action.HOLD), Step("delete", 20, Action.DELETE))
    stopped = take(Progress(DUE), "hold", "2026-03-06", ladder)
    given = step_back(ladder, stopped, day("2026-03-10"))
    assert given.reached is None
    assert list_days(given, ladder) == {"hold": "2026-03-10", "delete": "2026-03-25"}


def test_a_ladder_without_a_stop_gives_time_too():
    ladder = (Step("remind", 5, Action.REMIND), Step("again", 9, Action.REMIND))
    reminded = take(Progress(DUE), "remind", "2026-03-06", ladder)
    given = step_back(ladder, reminded, day("2026-03-20"))
    assert list_days(given, ladder) == {"again": "2026-03-20"}


def test_a_changed_ladder_goes_on_from_the_same_place():
    """A step put in below is not made up for, one put in above is taken."""
    banner = take(Progress(DUE), "banner", "2026-03-08")
    changed = (
        *(step for step in LADDER if step.key not in ("banner", "archive")),
        Step("second", 5, Action.REMIND),
        Step("last", 10, Action.REMIND),
    )
    assert list_days(banner, changed) == {
        "last": "2026-03-11",
        "hold": "2026-03-15",
        "delete": "2026-05-30",
    }


def test_a_ladder_that_was_ended_is_not_begun_again_when_it_grows():
    deleted = take(Progress(DUE), "delete", "2026-05-30")
    more = (*LADDER, Step("after", 100, Action.REMIND))
    assert list_days(deleted, more) == {"after": "2026-06-09"}


def test_the_dates_that_were_told_never_come_sooner():
    """However irregularly steps are taken, who looks again reads no sooner date."""
    source = random.Random(31)
    for _case in range(200):
        progress = Progress(DUE)
        told = find_dates(LADDER, progress)
        for number in range(-5, 200):
            date = DUE + DAY * number
            if source.random() < 0.1:
                until = date + DAY * source.randrange(20)
                progress = step_back(LADDER, progress, until)
                # Given time, the stop and what follows come again.
                told = {}
            if source.random() < 0.5:
                _taken, progress = run(progress, date)
            now = find_dates(LADDER, progress)
            for action, expected in now.items():
                assert expected >= told.get(action, expected)
            told = now


@pytest.mark.parametrize(
    ("steps", "disorder"),
    [
        (LADDER, None),
        ((), None),
        ([Step("a", 1, Action.REMIND), Step("b", 2, Action.BANNER)], None),
        ([Step("a", 1, Action.HOLD), Step("b", 2, Action.DELETE)], None),
        (
            [Step("a", 9, Action.HOLD), Step("b", 9, Action.ARCHIVE, sequence=5)],
            (Action.ARCHIVE, Action.HOLD),
        ),
        (
            [
                Step("a", 9, Action.HOLD),
                Step("b", 20, Action.DELETE),
                Step("c", 30, Action.ARCHIVE),
            ],
            (Action.DELETE, Action.ARCHIVE),
        ),
        ([Step("a", 9, Action.ARCHIVE)], (Action.ARCHIVE, Action.HOLD)),
        ([Step("a", 9, Action.DELETE)], (Action.DELETE, Action.HOLD)),
    ],
)
def test_nothing_is_lost_that_was_not_stopped_before(steps, disorder):
    assert find_disorder(steps) == disorder
