"""What the engine says of a container, as the phases of the contract."""

from __future__ import annotations

import pytest

from odoo.addons.saas.engine.driver import Observation, Phase
from odoo.addons.saas_docker.engine.driver import _read_row, _read_state

UID = "t0000000000a1"
CALM = {"Error": "", "ExitCode": 0, "OOMKilled": False}
CHECKED = {
    "Status": "unhealthy",
    "FailingStreak": 3,
    "Log": [{"Output": "refused\n"}, {"Output": "502\n"}],
}
THAWED = {"Status": "unhealthy", "FailingStreak": 0, "Log": [{"Output": "200\n"}]}


@pytest.mark.parametrize(
    ("state", "phase", "message"),
    [
        ({"Status": "running"}, Phase.RUNNING, ""),
        ({"Status": "running", "Health": {"Status": "none"}}, Phase.RUNNING, ""),
        ({"Status": "running", "Health": {"Status": "healthy"}}, Phase.RUNNING, ""),
        ({"Status": "running", "Health": {"Status": "starting"}}, Phase.STARTING, ""),
        (
            {"Status": "running", "Health": CHECKED},
            Phase.FAILED,
            "It does not answer its health check: 502",
        ),
        ({"Status": "running", "Health": THAWED}, Phase.STARTING, ""),
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
