from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from stack import odoo_tests, testing
from stack.shell import StackError
from stack.testing import Result

JUNIT = """<testsuites><testsuite>
<testcase classname="tests.a" name="good"/>
<testcase classname="tests.a" name="bad"><failure>no</failure></testcase>
<testcase classname="tests.a" name="broken"><error>no</error></testcase>
<testcase classname="tests.a" name="broken"><error>clean-up</error></testcase>
<testcase classname="tests.a" name="left"><skipped/></testcase>
</testsuite></testsuites>"""
LOG = """\
2026-01-01 10:00:00,000 7 INFO x odoo.addons.saas.tests.t: Starting TestA.test_1 ...
2026-01-01 10:00:00,000 7 ERROR x odoo.addons.saas.tests.t: FAIL: TestA.test_1
Traceback (most recent call last):
AssertionError: 1 != 2
2026-01-01 10:00:00,000 7 INFO x odoo.addons.saas.tests.t: skipped TestA.test_2 : why
2026-01-01 10:00:01,000 7 ERROR x odoo.tests.result: 1 failed, {errors} error(s) of 5 \
tests when loading database 'scratch'
"""


def test_errors_and_skipped_tests_count_as_failed():
    result = testing.read_junit("unit", JUNIT)
    assert result.passed == 1
    assert result.failed == ("tests.a.bad", "tests.a.broken", "tests.a.left (skipped)")


def test_a_level_without_a_test_has_failed():
    assert Result("unit").checked() == Result("unit", 0, ("no test ran",))


def test_a_level_that_ends_badly_has_failed_even_if_its_tests_passed():
    assert Result("unit", 3).checked(3).failed == ("ended with code 3",)


def test_the_last_line_sums_all_levels():
    results = [
        Result("unit", 2),
        Result("odoo", 3, ("a", "b")),
        Result("e2e", 0, ("c",)),
    ]
    assert testing.last_line(results) == "5 passed, 3 failed"


class Levels:
    """A run whose levels do what the test says."""

    def __init__(self, folder, **levels):
        self.reports = folder
        self.levels = levels

    def prepare(self, names):
        if "lint" in names and "lint" in self.levels:
            raise StackError("There is no engine.")

    def level(self, name):
        run = self.levels.get(name)
        return run() if run else Result(name, 0, ("bad",))


def test_every_level_runs_even_if_an_earlier_one_failed(tmp_path):
    results = testing._run_levels(Levels(tmp_path), testing.LEVELS)
    assert [result.level for result in results] == list(testing.LEVELS)


def test_pictures_and_the_fault_run_have_commands_of_their_own():
    assert set(testing.LEVELS) - set(testing.TEST) == {"pictures", "faults"}


def test_continuous_integration_runs_every_level():
    root = Path(__file__).parents[2]
    assert "exec make ci" in (root / ".ci/run").read_text()
    levels = " ".join(testing.LEVELS)
    assert f"\t@$(STACK) test {levels}\n" in (root / "Makefile").read_text()


def test_nothing_runs_where_the_machine_lacks_something(tmp_path, capfd):
    results = testing._run_levels(Levels(tmp_path, lint=1), testing.LEVELS)
    assert results == [Result("prepare", 0, ("There is no engine.",))]


def test_the_slowest_level_runs_beside_the_others_and_is_told_at_its_end(
    tmp_path, capfd
):
    waiting = tmp_path / "waiting"

    def slow():
        waiting.touch()
        while waiting.exists():
            time.sleep(0.01)
        subprocess.run(["echo", "said by a program of the slow one"], check=True)
        return Result("e2e", 7)

    def quick():
        while not waiting.exists():
            time.sleep(0.01)
        waiting.unlink()
        subprocess.run(["echo", "said by the quick one"], check=True)
        return Result("unit", 2)

    levels = Levels(tmp_path, e2e=slow, unit=quick)
    results = testing._run_levels(levels, ["unit", "e2e"])
    assert results == [Result("unit", 2), Result("e2e", 7)]
    lines = capfd.readouterr().out.splitlines()
    quick, slow = "said by the quick one", "said by a program of the slow one"
    assert lines.index(quick) < lines.index(slow)


def test_whoever_is_done_first_takes_the_last_of_the_others(tmp_path, capfd):
    taken = tmp_path / "taken"

    def long():
        until = time.monotonic() + 10
        while not taken.exists() and time.monotonic() < until:
            time.sleep(0.01)
        return Result("odoo", 3)

    def last():
        taken.write_text(str(os.getpid()))
        return Result("onboarding", 2)

    levels = Levels(tmp_path, odoo=long, onboarding=last, e2e=lambda: Result("e2e", 7))
    results = testing._run_levels(levels, ["odoo", "onboarding", "e2e"])
    assert results == [Result("odoo", 3), Result("onboarding", 2), Result("e2e", 7)]
    assert taken.read_text() != str(os.getpid())


def test_a_level_beside_the_others_that_is_killed_has_failed(tmp_path, capfd):
    levels = Levels(tmp_path, e2e=lambda: os.kill(os.getpid(), signal.SIGKILL))
    [_unit, result] = testing._run_levels(levels, ["unit", "e2e"])
    assert result == Result("e2e", 0, ("ended before it could say how",))


def test_odoos_own_log_is_counted():
    found = odoo_tests.read_log(LOG.format(errors=0), 1)
    assert found.passed == 3
    assert found.failed == ("TestA.test_1", "TestA.test_2 (skipped)")


def test_an_error_outside_of_a_test_is_not_lost():
    found = odoo_tests.read_log(LOG.format(errors=1), 1)
    assert "a test without a name (1)" in found.failed


def test_an_odoo_that_dies_before_its_tests_has_failed():
    found = odoo_tests.read_log("Killed", 137)
    assert found.failed == ("Odoo ended with code 137 before its tests did",)


def test_what_failed_is_shown_with_its_traceback():
    shown = odoo_tests.failures_of(LOG.format(errors=0))
    assert "AssertionError: 1 != 2" in shown
    assert "Starting" not in shown


@pytest.mark.parametrize(
    ("manifests", "expected"),
    [
        (
            {
                "a": "{'depends': ['mail', 'queue_job']}",
                "b": "{'depends': ['a', 'web']}",
            },
            ["mail", "queue_job", "web"],
        ),
        ({"a": "{}"}, ["base"]),
    ],
)
def test_dependencies_are_those_that_are_not_ours(manifests, expected):
    assert odoo_tests.dependencies(manifests) == expected
