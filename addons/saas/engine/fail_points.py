"""Where tests have the worker die: before and after whatever it changes.

There are none unless the environment of the process names a directory in
``SAAS_FAIL_POINTS``. A test puts empty files there, each with the name of a point:

``<uid>.<kind>.<step>.<before|after>``
    before or after a step is recorded
``<uid>.<kind>.<step>.<verb>.<before|after>``
    before or after a step changes something outside by that verb of a contract; of a
    task with its key (``start_task-seed``), of a file with its ending (``write-yml``);
    the second such call in one step is ``<verb>-2``

The uid is that of the tenant or template, also where its copy is worked on. Each point
works once. All points there share a kill: who reaches one waits for the others. A file
``trace`` in that directory takes down the points that are passed.
"""

from __future__ import annotations

import contextlib
import contextvars
import os
import re
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar, cast

SETTING = "SAAS_FAIL_POINTS"
INTERVAL = 0.05
TRACE = "trace"

# Verbs of the contracts that change nothing; a new one is taken for one that does.
_LOOKS = re.compile(
    r"check|capabilities|measure|target|spec_hash|observe|observe_task|logs|events"
    r"|(list|read|find)_\w+"
)

T = TypeVar("T")


def find_directory() -> Path | None:
    """Where the points lie; None where there are none."""
    setting = os.environ.get(SETTING)
    return Path(setting) if setting else None


def pass_point(name: str) -> None:
    """Die here if a test asks for it."""
    directory = find_directory()
    if directory is None:
        return
    if (directory / TRACE).exists():
        with (directory / TRACE).open("a") as trace:
            trace.write(f"{name}\n")
    point = directory / name
    if point.exists():
        point.unlink()
        while any(path.name != TRACE for path in directory.iterdir()):
            time.sleep(INTERVAL)
        os.kill(os.getpid(), signal.SIGKILL)


class Step:
    """One run of a step, which gives the points in it their names."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._calls: Counter[str] = Counter()

    def name_call(self, verb: str, args: tuple[Any, ...]) -> str:
        call = verb + _tell_apart(verb, args)
        self._calls[call] += 1
        number = self._calls[call]
        return f"{self._name}.{call}" + (f"-{number}" if number > 1 else "")


def _tell_apart(verb: str, args: tuple[Any, ...]) -> str:
    """What is alike in each life of whatever a verb is called for several times."""
    if verb.endswith("_task"):
        subject = getattr(args[1], "key", args[1])
    elif verb in ("write", "remove"):
        subject = Path(args[0]).suffix
    else:
        return ""
    # Keys of some tasks end with the numbers of records.
    return "-" + re.sub("[^a-z]", "", subject)


_current: contextvars.ContextVar[Step | None] = contextvars.ContextVar(
    "step", default=None
)


@contextlib.contextmanager
def step(name: str) -> Iterator[None]:
    """What is asked for in here has the points of that step."""
    token = _current.set(Step(name))
    try:
        yield
    finally:
        _current.reset(token)


def watch(engine: T) -> T:
    """The driver, proxy or database server with the points of the current step.

    The very same where there is no step or there are no points.
    """
    current = _current.get()
    if current is None or find_directory() is None or isinstance(engine, _Watched):
        return engine
    return cast(T, _Watched(engine, current))


class _Watched:
    """Knows its step in whatever thread it is used."""

    def __init__(self, engine: object, current: Step) -> None:
        self._engine = engine
        self._step = current

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._engine, name)
        if name.startswith("_") or _LOOKS.fullmatch(name) or not callable(value):
            return value
        return self._surround(name, value)

    def _surround(self, verb: str, method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            point = self._step.name_call(verb, args)
            pass_point(f"{point}.before")
            result = method(*args, **kwargs)
            if isinstance(result, contextlib.AbstractContextManager):
                return _pass_after(result, point)
            pass_point(f"{point}.after")
            return result

        return call


@contextlib.contextmanager
def _pass_after(
    opened: contextlib.AbstractContextManager[T], point: str
) -> Iterator[T]:
    """A connection has changed something when it is closed."""
    with opened as connection:
        yield connection
    pass_point(f"{point}.after")
