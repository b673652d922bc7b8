"""The two ways in which work on the outside can fail."""


class EngineError(Exception):
    """A failure with one sentence for people and a short code for programs.

    :param str message: what happened, to whom, and what to do next
    :param str reason: a stable lower-case word, e.g. ``unreachable``, ``image_missing``
    """

    def __init__(self, message: str, *, reason: str) -> None:
        super().__init__(message)
        self.message = message
        self.reason = reason


class RetryableError(EngineError):
    """It may work later: a time-out, a refused connection, a 5xx, not ready yet.

    :param float seconds: wait this long before the next try; None leaves it to the
        caller's back-off
    :param bool waiting: nothing is wrong, it only takes time (does not count as a
        failed try)
    """

    def __init__(
        self,
        message: str,
        *,
        reason: str,
        seconds: float | None = None,
        waiting: bool = False,
    ) -> None:
        super().__init__(message, reason=reason)
        self.seconds = seconds
        self.waiting = waiting


class RefusedError(EngineError):
    """It will not work again like this: a bad name, no room, bad credentials."""
