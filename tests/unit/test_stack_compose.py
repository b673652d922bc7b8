from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from stack import compose, settings
from stack.settings import Settings

CHECK = ["CMD", "saas-healthcheck", "--quietly"]
INSPECTED = {
    "Config": {"Labels": {"com.docker.compose.service": "web"}},
    "State": {"Status": "running", "Health": {"Status": "starting"}},
}


class StartingShell:
    """Of an engine that has not yet asked the one service whether it is well.

    :param refusals: how often its own check fails
    """

    docker_command = ("docker",)

    def __init__(self, refusals: int) -> None:
        self.refusals = refusals
        self.asked: list[list[str]] = []

    def docker(self, *argv: str, **_options: Any) -> str:
        if argv[0] == "ps":
            return "saas_web_1"
        return json.dumps(CHECK if "--format" in argv else [INSPECTED])

    def run(self, argv: list[str], **_options: Any) -> subprocess.CompletedProcess[str]:
        self.asked.append(argv)
        code = int(len(self.asked) <= self.refusals)
        return subprocess.CompletedProcess(argv, code, "", "")


def test_who_waits_for_a_service_asks_it_and_not_the_engine(monkeypatch):
    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    shell, notes = StartingShell(refusals=2), []
    values = Settings(Path("/clone"), settings.DEFAULTS)
    compose.Compose(values, shell).wait_healthy(notes.append)
    assert shell.asked == [["docker", "exec", "saas_web_1", *CHECK[1:]]] * 3
    assert notes == ["waiting for web"] * 2
