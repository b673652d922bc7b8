"""T01: the worker is killed at any point of anything that it does.

The master is Odoo in its own image; databases, roles and routes are real, containers
those of the fake server (``crashes``); ``test_t01_crash_points_docker.py`` has real
ones.

``SAAS_ALL_STEPS=1``, which ``make test-faults`` sets, takes all points. Otherwise some
are taken by chance, by the seed that is printed: ``SAAS_SEED`` takes the same again.
"""

from __future__ import annotations

import json
import os
import pathlib
import secrets

import pytest

from stack import odoo_tests, settings
from stack.shell import Shell

PROGRAM = pathlib.Path(__file__).resolve().parent / "crashes"
SAMPLE = 20
SEED = os.environ.get("SAAS_SEED") or secrets.token_hex(3)
ALL_POINTS = bool(os.environ.get("SAAS_ALL_STEPS"))


def run_program(*argv):
    """What it says, a line a value."""
    values = settings.load_test()
    addons = sorted(path.parent.name for path in values.root.glob("addons/*/models"))
    runner = odoo_tests.Runner(values, Shell(values.cache / "logs" / "crashes.log"))
    try:
        done = runner.run_program(addons, PROGRAM, "run.py", *argv)
    finally:
        runner.stop()
    assert done.returncode == 0, done.stderr[-3000:]
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.case(
    did="the worker is killed before and after whatever an operation changes outside, "
    "and before and after each of its steps is recorded, in each kind of operation; "
    "then another one goes on",
    expected="within 90 s all is what it is without that: states, copies, containers, "
    "volumes, tasks, routes, databases with their rows, roles; no orphan, and nothing "
    "to mend",
)
def test_t01_killed_at_any_point_all_becomes_what_it_should_be(found, capsys):
    argv = [] if ALL_POINTS else ["--sample", str(SAMPLE), "--seed", SEED]
    with capsys.disabled():
        print("\nall crash points" if ALL_POINTS else f"\nSAAS_SEED={SEED}")
    known, *tried = run_program(*argv)
    failed = [line for line in tried if "failure" in line]
    points = {kind: len(names) for kind, names in known.items()}
    found(f"{len(points)} kinds have {sum(points.values())} points: {_list(points)}")
    found(
        f"{len(tried)} killed"
        + ("" if ALL_POINTS else f" (SAAS_SEED={SEED})")
        + f", {len(failed)} not as they should be; the slowest took "
        f"{max(line.get('seconds', 0) for line in tried):.1f} s"
    )
    assert not failed, _explain(failed)
    assert len(tried) == (sum(points.values()) if ALL_POINTS else SAMPLE)


def _list(points):
    return ", ".join(f"{kind} {number}" for kind, number in sorted(points.items()))


def _explain(failed):
    return "\n".join(
        f"{line['kind']}.{line['point']}: {line['failure']}" for line in failed
    )
