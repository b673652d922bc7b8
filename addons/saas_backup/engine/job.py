"""What a task is told and what it answers: both ends of ``saas-backup``.

The job is a file of the task, so that its secrets are in no argument and no
environment. The answer is the last line of its log.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

from odoo.addons.saas.engine.errors import EngineError, RefusedError, RetryableError

from .database import Database
from .stores import StoreConfig, config_to_json

STORE_DIRECTORY = "/mnt/store"
"""Where a task finds the volume of a store that is a directory."""

JOB_FILE = "job.json"

DONE, REFUSED, RETRYABLE = 0, 1, 75
"""Exit codes of the program."""

_ANSWER = '{"saas-backup": '


def make_job(
    command: str,
    store: StoreConfig,
    *,
    uid: str = "",
    key: str = "",
    recovery_key: str = "",
    database: Database | None = None,
    **more: Any,
) -> bytes:
    """The content of ``JOB_FILE``; holds secrets.

    :param str key: the tenant's backup key, or else ``recovery_key``, the private one
    :param more: what the command takes besides, as docs/backups.md lists it
    """
    values = {
        "command": command,
        "store": config_to_json(store),
        "uid": uid,
        "key": key,
        "recovery_key": recovery_key,
        "database": dataclasses.asdict(database) if database else None,
        **more,
    }
    known = {name: value for name, value in values.items() if value not in ("", None)}
    return json.dumps(known).encode()


def make_answer(values: Mapping[str, Any]) -> str:
    """The last line of a task that did what it was told."""
    return json.dumps({"saas-backup": {"ok": True, **values}})


def make_error(error: EngineError) -> str:
    """The last line of a task that failed."""
    values = {
        "ok": False,
        "retryable": isinstance(error, RetryableError),
        "reason": error.reason,
        "message": error.message,
    }
    return json.dumps({"saas-backup": values})


def parse_result(log: str, exit_code: int | None) -> dict[str, Any]:
    """What a task that ended has answered.

    :param str log: the last lines that it wrote
    :raise EngineError: as the task raised it
    :raise RetryableError: ``task_ended``, when it was ended before it could answer
    """
    answer = _find_answer(log)
    if answer is None or (answer["ok"] and exit_code != DONE):
        lines = [line for line in log.splitlines() if line.strip()]
        last = f" Its last line: {lines[-1][:200]}" if lines else ""
        raise RetryableError(
            f"The task ended with code {exit_code} before it was done. It is tried "
            f"again.{last}",
            reason="task_ended",
        )
    if answer["ok"]:
        return answer
    kind = RetryableError if answer["retryable"] else RefusedError
    raise kind(answer["message"], reason=answer["reason"])


def _find_answer(log: str) -> dict[str, Any] | None:
    # What the driver adds about the container's end may follow it.
    for line in reversed(log.splitlines()):
        if line.startswith(_ANSWER):
            try:
                answer: dict[str, Any] = json.loads(line)["saas-backup"]
            except ValueError:
                return None
            return answer
    return None
