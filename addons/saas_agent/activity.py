"""Whether anybody uses this tenant, for the master, which lets idle ones sleep."""

from __future__ import annotations

import contextlib
import functools
import mmap
import os
import pathlib
import struct
import tempfile
import threading
import time

OF_MACHINES = ("/web/health", "/websocket/health", "/saas/use")
"""What is asked for by health checks and by the master."""

FOLDER = pathlib.Path(tempfile.gettempdir(), "saas_agent_use")
RECORD = struct.Struct("qd")
"""How many requests of a process are open, and when the last one ended."""


class Activity:
    """The requests of all processes of this Odoo.

    Each process writes its own into a file of its own, as they share no memory: one
    that takes websockets is started anew, the others are forked.
    """

    def __init__(self, folder=FOLDER):
        self._folder = folder
        self._lock = threading.Lock()
        self._pid = None

    def start(self):
        """Take the start of Odoo for use: somebody wanted it."""
        with self._lock:
            self._write(0, time.monotonic())

    def begin(self):
        with self._lock:
            count, ended = self._read()
            self._write(count + 1, ended)

    def end(self):
        with self._lock:
            count, _ended = self._read()
            self._write(count - 1, time.monotonic())

    def measure_idle(self):
        """Return the seconds since the last request ended; 0 while one is open."""
        last = 0.0
        for path in self._folder.iterdir():
            count, ended = RECORD.unpack(path.read_bytes())
            if count > 0 and is_alive(int(path.name)):
                return 0.0
            last = max(last, ended)
        return time.monotonic() - last

    def _read(self):
        self._open()
        return RECORD.unpack_from(self._memory)

    def _write(self, count, ended):
        self._open()
        RECORD.pack_into(self._memory, 0, count, ended)

    def _open(self):
        """Have the file of this process, which may have been forked from another."""
        if self._pid == os.getpid():
            return
        self._folder.mkdir(exist_ok=True)
        path = self._folder / str(os.getpid())
        path.write_bytes(RECORD.pack(0, 0.0))
        with path.open("r+b") as file:
            self._memory = mmap.mmap(file.fileno(), RECORD.size)
        self._pid = os.getpid()


def is_alive(pid):
    return pathlib.Path("/proc", str(pid)).exists()


activity = Activity()


class Watched:
    """An answer that is told of when it has been sent.

    A websocket is served while its answer is closed, so it is open until it ends.
    """

    def __init__(self, answer, end):
        self._answer = answer
        self._closing = contextlib.ExitStack()
        self._closing.callback(end)
        if hasattr(answer, "close"):
            self._closing.callback(answer.close)

    def __iter__(self):
        return iter(self._answer)

    def close(self):
        self._closing.close()


def watched(call):
    """Wrap the application: a request is open until its answer has been sent."""

    @functools.wraps(call)
    def wrapper(self, environ, start_response):
        if environ.get("PATH_INFO") in OF_MACHINES:
            return call(self, environ, start_response)
        activity.begin()
        try:
            answer = call(self, environ, start_response)
        except BaseException:
            activity.end()
            raise
        return Watched(answer, activity.end)

    return wrapper
