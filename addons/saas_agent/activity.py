"""Whether anybody uses this tenant, for the master, which lets idle ones sleep."""

from __future__ import annotations

import functools
import threading
import time

from werkzeug.wsgi import ClosingIterator

OF_MACHINES = ("/web/health", "/saas/use")
"""What is asked for by the container's health check and by the master."""


class Activity:
    """Requests of this process: those that are open, and when the last one ended."""

    def __init__(self):
        self._lock = threading.Lock()
        self._open = 0
        self._ended = time.monotonic()

    def begin(self):
        with self._lock:
            self._open += 1

    def end(self):
        with self._lock:
            self._open -= 1
            self._ended = time.monotonic()

    def measure_idle(self):
        """Return the seconds since the last request ended; 0 while one is open."""
        with self._lock:
            return 0.0 if self._open else time.monotonic() - self._ended


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
