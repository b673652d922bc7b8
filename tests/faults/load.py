"""Visitors of tenants, through the proxy: who got what."""

from __future__ import annotations

import contextlib
import dataclasses
import statistics
import threading
import time
from typing import Self

import requests

PATH = "/web/manifest.webmanifest"
TIMEOUT = 20
THREADS = 4


@dataclasses.dataclass(frozen=True)
class Answer:
    """What one visitor got.

    :param float at: moment of the request, as ``time.monotonic`` tells it
    :param str fault: why it was no good answer; empty for one
    :param bool strange: it was another tenant's
    """

    uid: str
    at: float
    seconds: float
    fault: str = ""
    strange: bool = False


class Load:
    """Visits these tenants in turn, so many times a second, until it is stopped.

    A tenant's own page of this path holds its uid, and no other one's.

    :param port: of the proxy
    """

    def __init__(self, residents, port: int, rate: float = 50) -> None:
        self._residents = residents
        self._url = f"http://127.0.0.1:{port}{PATH}"
        self._pause = THREADS / rate
        self._stopped = threading.Event()
        self.answers: list[Answer] = []

    def __enter__(self) -> Self:
        self._threads = [
            threading.Thread(target=self._visit, args=(number,), daemon=True)
            for number in range(THREADS)
        ]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_error) -> None:
        self._stopped.set()
        for thread in self._threads:
            thread.join()

    def _visit(self, number: int) -> None:
        due = time.monotonic() + number * self._pause / THREADS
        with requests.Session() as session:
            while not self._stopped.wait(max(0, due - time.monotonic())):
                resident = self._residents[number % len(self._residents)]
                self.answers.append(self._ask(session, resident))
                number += 1
                due = max(due + self._pause, time.monotonic() - self._pause)

    def _ask(self, session: requests.Session, resident) -> Answer:
        began = time.monotonic()
        fault, text = "", ""
        try:
            answer = session.get(
                self._url, headers={"Host": resident.host}, timeout=TIMEOUT
            )
        except requests.RequestException as error:
            fault = type(error).__name__
        else:
            text = answer.text
            if answer.status_code != 200 or resident.uid not in text:
                fault = f"{answer.status_code}"
        others = (other.uid for other in self._residents if other != resident)
        strange = any(uid in text for uid in others)
        return Answer(resident.uid, began, time.monotonic() - began, fault, strange)

    # --- what came of it

    @property
    def faults(self) -> list[Answer]:
        return [answer for answer in self.answers if answer.fault]

    @property
    def strange(self) -> list[Answer]:
        return [answer for answer in self.answers if answer.strange]

    def median(self, uid: str = "") -> float:
        """Of the good answers' seconds."""
        return statistics.median(
            answer.seconds
            for answer in list(self.answers)
            if not answer.fault and answer.uid.startswith(uid)
        )

    def wait_until_all_answer(self, since: float, seconds: float) -> float:
        """Wait until each tenant gives good answers; the seconds that it took.

        :param float since: what was asked before it does not count
        """
        left = {resident.uid for resident in self._residents}
        while left:
            assert time.monotonic() < since + seconds, (left, self.faults[-4:])
            with contextlib.suppress(RuntimeError):
                left -= {a.uid for a in self.answers if a.at > since and not a.fault}
            time.sleep(0.05)
        return time.monotonic() - since
