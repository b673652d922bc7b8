"""Whether anybody uses this tenant, for the master, which lets idle ones sleep."""

from __future__ import annotations

import functools
import mmap
import os
import struct
import tempfile
import threading
import time
from pathlib import Path

from werkzeug.wsgi import ClosingIterator

OF_MACHINES = ("/web/health", "/websocket/health", "/saas/use")
"""What is asked for by the container's health check and by the master."""

FOLDER = Path(tempfile.gettempdir(), "saas-use")
RECORD = struct.Struct("<qd")
"""Requests that are open, and when the last one ended."""


class Activity:
    """Requests of this Odoo: those that are open, and when the last one ended.

    With workers it is many processes, one of which has all websockets. Each writes a
    file of its own in memory, and whoever is asked reads all of them; their clock is
    the machine's, and the same for all.
    """

    def __init__(self, folder=FOLDER):
        self._folder = Path(folder)
        self._begin_process()
        os.register_at_fork(after_in_child=self._begin_process)

    def _begin_process(self):
        self._folder.mkdir(exist_ok=True)
        self._lock = threading.Lock()
        with tempfile.NamedTemporaryFile(
            dir=self._folder, prefix=".", delete=False
        ) as file:
            file.write(RECORD.pack(0, time.monotonic()))
            file.flush()
            self._record = mmap.mmap(file.fileno(), RECORD.size)
        # Whole from its first moment on, for whoever reads it.
        os.replace(file.name, self._folder / str(os.getpid()))

    def begin(self):
        with self._lock:
            number, ended = RECORD.unpack(self._record[:])
            self._record[:] = RECORD.pack(number + 1, ended)

    def end(self):
        with self._lock:
            number, _ended = RECORD.unpack(self._record[:])
            self._record[:] = RECORD.pack(number - 1, time.monotonic())

    def measure_idle(self):
        """Return the seconds since the last request ended; 0 while one is open."""
        last = 0.0
        for path in self._folder.glob("[0-9]*"):
            number, ended = RECORD.unpack(path.read_bytes())
            # What was open in a process that died has ended with it.
            if number and Path("/proc", path.name).exists():
                return 0.0
            last = max(last, ended)
        return time.monotonic() - last


activity = Activity()


def watched(call):
    """Wrap the application: a request is open until its answer has been sent.

    A websocket is served when its answer is closed, so it is open until it ends.
    """

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
        return ClosingIterator(answer, [activity.end])

    return wrapper
