"""What the engine says of a container, as the phases of the contract."""

from __future__ import annotations

import pytest

from odoo.addons.saas.engine.driver import Observation, Phase
from odoo.addons.saas_docker.engine.driver import _is_young, _read_row, _read_state

UID = "t0000000000a1"
CALM = {"Error": "", "ExitCode": 0, "OOMKilled": False}
AGAIN = "It ended and was started again (restart 4)."
CHECKED = {
    "Status": "unhealthy",
    "FailingStreak": 3,
    "Log": [{"Output": "refused\n"}, {"Output": "502\n"}],
}
THAWED = {"Status": "unhealthy", "FailingStreak": 0, "Log": [{"Output": "200\n"}]}


@pytest.mark.parametrize(
    ("state", "phase", "message"),
    [
        ({"Status": "running"}, Phase.RUNNING, AGAIN),
        ({"Status": "running", "Health": {"Status": "none"}}, Phase.RUNNING, AGAIN),
        ({"Status": "running", "Health": {"Status": "healthy"}}, Phase.RUNNING, AGAIN),
        (
            {"Status": "running", "Health": {"Status": "starting"}, "OOMKilled": True},
            Phase.STARTING,
            "It ended out of memory and was started again (restart 4).",
        ),
        (
            {"Status": "running", "Health": CHECKED},
            Phase.FAILED,
            "It does not answer its health check: 502",
        ),
        ({"Status": "running", "Health": THAWED}, Phase.STARTING, AGAIN),
        ({"Status": "paused"}, Phase.PAUSED, ""),
        ({"Status": "created"}, Phase.STOPPED, ""),
        (
            {"Status": "created", "Error": "no such user"},
            Phase.FAILED,
            "It did not start: no such user",
        ),
        ({"Status": "exited", "ExitCode": 137}, Phase.STOPPED, ""),
        (
            {"Status": "restarting", "ExitCode": 137, "OOMKilled": True},
            Phase.FAILED,
            "It ended with code 137, out of memory and is started again (restart 4).",
        ),
        ({"Status": "dead"}, Phase.FAILED, "It is being removed."),
    ],
)
def test_an_inspected_state_is_a_phase_and_a_message(state, phase, message):
    assert _read_state(CALM | state, 4) == (phase, message)


def test_who_runs_and_never_ended_by_itself_has_nothing_to_tell():
    assert _read_state(CALM | {"Status": "running"}, 0) == (Phase.RUNNING, "")


@pytest.mark.parametrize(
    ("state", "status", "phase", "message"),
    [
        ("running", "Up 2 minutes", Phase.RUNNING, ""),
        ("running", "Up 2 minutes (healthy)", Phase.RUNNING, ""),
        ("running", "Up 2 seconds (health: starting)", Phase.STARTING, ""),
        (
            "running",
            "Up 2 hours (unhealthy)",
            Phase.FAILED,
            "It does not answer its health check",
        ),
        ("paused", "Up 2 hours (Paused)", Phase.PAUSED, ""),
        ("created", "Created", Phase.STOPPED, ""),
        ("exited", "Exited (137) 2 hours ago", Phase.STOPPED, ""),
        (
            "restarting",
            "Restarting (1) 2 seconds ago",
            Phase.FAILED,
            "Restarting (1) 2 seconds ago",
        ),
    ],
)
def test_a_row_of_the_list_is_the_same_phase(state, status, phase, message):
    labels = {"saas.tenant": UID, "saas.spec": "abc"}
    row = {"Labels": labels, "State": state, "Status": status}
    assert _read_row(row) == Observation(UID, phase, "abc", message)


@pytest.mark.parametrize(
    ("state", "status", "young"),
    [
        ("running", "Up Less than a second", True),
        ("running", "Up 1 second", True),
        ("running", "Up 59 seconds (health: starting)", True),
        ("running", "Up About a minute (healthy)", True),
        ("restarting", "Restarting (137) 40 seconds ago", True),
        ("running", "Up 2 minutes (healthy)", False),
        ("running", "Up 10 hours", False),
        ("exited", "Exited (0) 3 seconds ago", False),
    ],
)
def test_who_was_started_just_now_is_looked_at_more_closely(state, status, young):
    assert _is_young({"State": state, "Status": status}) is young
