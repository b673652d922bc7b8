"""Hears what happens on many servers at once; says no more than "look at this one"."""

from __future__ import annotations

import dataclasses
import logging
import queue
import threading
import time
from collections.abc import Callable, Hashable, Iterator, Mapping
from typing import Any

from .driver import Driver, Event
from .errors import EngineError
from .proxy import Proxy

_logger = logging.getLogger(__name__)

ROUND_SECONDS = 60.0
"""How long it is listened before the source is asked for anew, with its settings."""

LONGEST_PAUSE = 60.0
"""Seconds at most between two tries to reach what does not answer."""

ROUTES_INTERVAL = 10.0

Memory = dict[str, Any]
"""What a source keeps from one round to the next; empty after a failure."""

Source = Callable[[Memory, float], Iterator[str]]
"""Called with its memory and the moment when to end; gives uids as it hears of them.

It is connected when it returns, and raises ``EngineError`` when it no longer hears. It
ends at that moment, not before: the next round begins at once.
"""


# === SOURCES === #


def hear_containers(driver: Driver, memory: Memory, until: float) -> Iterator[str]:
    """The uids of tenants whose containers changed."""
    # From where the last round ended: an engine remembers what was in between.
    events = driver.events(memory.get("until", time.time()), until)
    return _read_events(events, memory, until)


def _read_events(
    events: Iterator[Event], memory: Memory, until: float
) -> Iterator[str]:
    for event in events:
        yield event.uid
    memory["until"] = until


def hear_routes(proxy: Proxy, memory: Memory, until: float) -> Iterator[str]:
    """The uids of tenants whose routes changed, ours too: a proxy tells of none."""
    memory.setdefault("versions", proxy.list_versions())
    return _compare_routes(proxy, memory, until)


def _compare_routes(proxy: Proxy, memory: Memory, until: float) -> Iterator[str]:
    while time.time() < until:
        time.sleep(ROUTES_INTERVAL)
        before, memory["versions"] = memory["versions"], proxy.list_versions()
        yield from sorted(
            uid for uid, _version in before.items() ^ memory["versions"].items()
        )


# === LISTENING === #


@dataclasses.dataclass(frozen=True, slots=True)
class Heard:
    """What was heard since the last time.

    :param uids: of tenants to look at
    :param bool missed: whether something may have happened that nobody heard
    """

    uids: frozenset[str]
    missed: bool

    def __bool__(self) -> bool:
        return self.missed or bool(self.uids)

    def __or__(self, other: Heard) -> Heard:
        return Heard(self.uids | other.uids, self.missed or other.missed)


NOTHING = Heard(frozenset(), missed=False)


class Listener:
    """A thread for each source. They end with the process, and need no other end."""

    def __init__(self) -> None:
        self._said: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._ears: dict[Hashable, _Ear] = {}

    def tend(self, sources: Mapping[Hashable, Source]) -> None:
        """Listen to these from now on, and to others until their round is over."""
        for name in self._ears.keys() - sources.keys():
            self._ears.pop(name).leave()
        for name, source in sources.items():
            ear = self._ears.setdefault(name, _Ear(name, self._said))
            ear.listen(source)

    def take(self) -> Heard:
        """What was heard, once."""
        said = [self._said.get() for _each in range(self._said.qsize())]
        return Heard(frozenset(uid for uid in said if uid), None in said)


class _Ear:
    """Listens to one source, round by round, with pauses while it does not answer."""

    def __init__(self, name: Hashable, said: queue.SimpleQueue[str | None]) -> None:
        self._name = name
        self._said = said
        self._memory: Memory = {}
        self._failures = 0
        self._pause_until = 0.0
        self._source: Source | None = None
        self._thread: threading.Thread | None = None

    def listen(self, source: Source) -> None:
        """Take this one from the next round on, which may be the first."""
        self._source = source
        if self._thread and self._thread.is_alive():
            return
        if time.monotonic() < self._pause_until:
            return
        self._thread = threading.Thread(
            target=self._run, name=f"saas.listener {self._name}", daemon=True
        )
        self._thread.start()

    def leave(self) -> None:
        """End with the round that is under way."""
        self._source = None

    def _run(self) -> None:
        try:
            while source := self._source:
                self._run_round(source)
        except EngineError as error:
            self._fail(error.message)
        except Exception as error:
            _logger.exception("listening to %s", self._name)
            self._fail(str(error))

    def _run_round(self, source: Source) -> None:
        is_new = not self._memory
        heard = source(self._memory, time.time() + ROUND_SECONDS)
        if is_new:
            self._said.put(None)
        for uid in heard:
            self._said.put(uid)
        self._failures = 0

    def _fail(self, message: str) -> None:
        if not self._failures:
            _logger.warning("%s is not heard any more: %s", self._name, message)
        self._failures += 1
        self._memory.clear()
        pause = min(LONGEST_PAUSE, 2.0**self._failures)
        self._pause_until = time.monotonic() + pause
