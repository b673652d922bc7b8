"""What a tenant says of its use, and how long it must not be put to sleep for it."""

from __future__ import annotations

import dataclasses
import enum
import logging
import math
from typing import Any

import requests

from .proxy import USE_PATH

_logger = logging.getLogger(__name__)

TIMEOUT = 3

SOON = 300
"""Seconds to a scheduled action for which nobody is put to sleep."""

EARLY = 60
"""Seconds before a scheduled action at which a tenant is woken for it."""

AGAIN = 60
"""Seconds after which to look again at one that does something of its own."""

LONGEST = 30 * 24 * 3600
"""Seconds; a tenant that says more is taken for one that says this."""


class Busy(enum.StrEnum):
    """Why a tenant must not be put to sleep now, whoever asks for it."""

    REQUEST = "request"
    TRANSACTION = "transaction"
    ACTION = "action"


@dataclasses.dataclass(frozen=True, slots=True)
class Use:
    """The use of a tenant at one moment.

    :param float idle: seconds since its last request or websocket; 0 while one is open
    :param int transactions: that run in its database
    :param action: seconds to its next scheduled action, None where there is none
    """

    idle: float
    transactions: int
    action: float | None = None

    def find_busy(self) -> Busy | None:
        """Return what keeps it awake at this moment, None for nothing."""
        if not self.idle:
            return Busy.REQUEST
        if self.transactions:
            return Busy.TRANSACTION
        if self.action is not None and self.action < SOON:
            return Busy.ACTION
        return None

    def count_seconds_to_wait(self, minutes: int) -> float:
        """Seconds until it may sleep whose plan asks for that idleness; 0 for now."""
        waits = [0, minutes * 60 - self.idle]
        if self.transactions:
            waits.append(AGAIN)
        if self.action is not None and self.action < SOON:
            waits.append(max(self.action, 0) + AGAIN)
        return max(waits)

    def count_seconds_to_wake(self) -> float | None:
        """Seconds until a sleeper has to be awake for its next scheduled action."""
        return None if self.action is None else max(self.action - EARLY, 0)


@dataclasses.dataclass(frozen=True, slots=True)
class Question:
    """What a tenant is asked by.

    :param str url: of the proxy
    :param str host: the tenant's host name
    :param str token: that the master asks
    """

    url: str
    host: str
    token: str = dataclasses.field(repr=False)


def ask(question: Question) -> Use | None:
    """Ask a tenant about its use; None where it says nothing that can be read."""
    try:
        answer = requests.post(
            f"{question.url}{USE_PATH}",
            data={"token": question.token},
            headers={"Host": question.host},
            timeout=TIMEOUT,
            allow_redirects=False,
        )
        answer.raise_for_status()
        return read_use(answer.json())
    except (requests.RequestException, ValueError) as error:
        _logger.info("%s does not say whether it is used: %s", question.host, error)
        return None


def read_use(answer: Any) -> Use:
    """Read a tenant's answer, which may say whatever it likes.

    :raise ValueError: that is no such answer
    """
    try:
        action = answer["action"]
        return Use(
            idle=_read_number(answer["idle"]),
            transactions=int(_read_number(answer["transactions"])),
            action=None if action is None else _read_number(action),
        )
    except (LookupError, TypeError) as error:
        raise ValueError(f"{type(answer).__name__} is no answer about use") from error


def _read_number(value: Any) -> float:
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(f"{number} is no number of anything")
    return min(max(number, 0), LONGEST)
