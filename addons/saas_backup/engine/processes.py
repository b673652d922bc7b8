"""Two programs one behind the other, of which no part of the output passes for all."""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import os
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping
from typing import IO, Self

from odoo.addons.saas.engine.errors import EngineError, RefusedError, RetryableError

from .store import CHUNK, BinaryReader, chunks


@dataclasses.dataclass(frozen=True, slots=True)
class Pipeline:
    """What is run: the output of the first program goes into the second."""

    first: tuple[str, ...]
    second: tuple[str, ...]
    environment: Mapping[str, str] = dataclasses.field(default_factory=dict)


def run_pipeline(
    pipeline: Pipeline, source: BinaryReader | None = None
) -> Iterator[bytes]:
    """The output of both programs together.

    :param source: what the first program reads
    :raise EngineError: one of them failed, or the source did; in the latter case both
        are killed before they could take what they have for the whole
    """
    with _Running(pipeline, source) as running:
        output = running.second.stdout
        assert output is not None
        while data := output.read(CHUNK):
            yield data
        running.finish()


class _Running:
    """Both processes, what they complain about, and who feeds them."""

    def __init__(self, pipeline: Pipeline, source: BinaryReader | None) -> None:
        self._pipeline = pipeline
        self._source = source
        self._fault: BaseException | None = None
        self._feeder: threading.Thread | None = None
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        environment = {**os.environ, "LC_ALL": "C.UTF-8", **self._pipeline.environment}
        self._complaints: tuple[IO[bytes], IO[bytes]] = (
            self._stack.enter_context(tempfile.TemporaryFile()),
            self._stack.enter_context(tempfile.TemporaryFile()),
        )
        self.first = subprocess.Popen(
            self._pipeline.first,
            stdin=subprocess.PIPE if self._source else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._complaints[0],
            env=environment,
        )
        self._stack.callback(_kill, self.first)
        _widen(self.first)
        self.second = subprocess.Popen(
            self._pipeline.second,
            stdin=self.first.stdout,
            stdout=subprocess.PIPE,
            stderr=self._complaints[1],
            env=environment,
        )
        self._stack.callback(_kill, self.second)
        _widen(self.second)
        # The second alone holds it: so the first notices when the second dies.
        assert self.first.stdout is not None
        self.first.stdout.close()
        if self._source:
            self._feeder = threading.Thread(target=self._feed, daemon=True)
            self._feeder.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()
        if self._feeder:
            self._feeder.join()

    def _feed(self) -> None:
        assert self._source is not None and self.first.stdin is not None
        try:
            for data in chunks(self._source):
                self.first.stdin.write(data)
            self.first.stdin.close()
        except BrokenPipeError:
            # It ended before it had read all; its own complaint says why.
            pass
        except BaseException as fault:  # noqa: BLE001 (it is raised by ``finish``)
            self._fault = fault
            # The last first: an end of its input it would take for a whole archive.
            self.second.kill()
            self.first.kill()

    def finish(self) -> None:
        """Wait for both, and raise what went wrong."""
        if self._feeder:
            self._feeder.join()
        codes = (self.first.wait(), self.second.wait())
        if self._fault:
            raise self._fault
        # Who reads complains last when the other one is to blame, and first when it
        # stopped reading (SIGPIPE, or a broken pipe that is told in words).
        order = (1, 0) if codes[0] == -signal.SIGPIPE else (0, 1)
        programs = (self._pipeline.first, self._pipeline.second)
        for number in order:
            if codes[number]:
                raise explain_fault(
                    programs[number][0],
                    codes[number],
                    _read(self._complaints[number]),
                )


def _widen(process: subprocess.Popen[bytes]) -> None:
    """Let the programs around its pipes work for longer before they take turns."""
    for stream in (process.stdin, process.stdout):
        # A user whose pipes hold much together gets no more; it works as well.
        with contextlib.suppress(OSError):
            if stream:
                fcntl.fcntl(stream, fcntl.F_SETPIPE_SZ, CHUNK)


def _kill(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()
    for stream in (process.stdin, process.stdout):
        if stream:
            with contextlib.suppress(OSError):
                stream.close()


def _read(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read(100_000).decode(errors="replace").strip()


# What the tools say, in the order in which it is looked for.
_RULES: tuple[tuple[str, type[EngineError], str, str], ...] = (
    (
        # How pg_dump gives up waiting for a lock; it has no other time-out.
        "canceling statement due to statement timeout",
        RetryableError,
        "busy",
        "Somebody changes the tables now, perhaps an upgrade. It is tried again.",
    ),
    (
        # It lasts as long as the session that took it.
        'snapshot "',
        RetryableError,
        "unreachable",
        "The database server ended the session of the snapshot. It is tried again.",
    ),
    (
        "too many connections",
        RetryableError,
        "too_many_connections",
        "The database has no free connection. It is tried again.",
    ),
    (
        "server version mismatch",
        RefusedError,
        "version",
        "The database server is newer than the tools; update the toolbox image.",
    ),
    (
        "is not available",
        RefusedError,
        "extension",
        "The database server lacks what the copy needs: {detail}.",
    ),
    (
        "permission denied to create extension",
        RefusedError,
        "extension",
        "The copy needs what only the database server's own staff install: {detail}.",
    ),
    (
        "password authentication failed",
        RefusedError,
        "credentials",
        "The database server refused the password.",
    ),
    (
        "No space left on device",
        RetryableError,
        "disk_full",
        "The database server has no disk space left. It is tried again.",
    ),
    (
        "could not extend file",
        RetryableError,
        "disk_full",
        "The database server has no disk space left. It is tried again.",
    ),
)
_LOST = (
    "server closed the connection",
    "terminating connection",
    "connection to server",
    "could not connect",
    "SSL connection has been closed",
    "the database system is",
    "no connection to the server",
)


def explain_fault(program: str, code: int, complaint: str) -> EngineError:
    """What a program's complaint means."""
    detail = _first_line(complaint)
    for needle, error, reason, sentence in _RULES:
        if needle in complaint:
            return error(sentence.format(detail=detail), reason=reason)
    if any(needle in complaint for needle in _LOST):
        return RetryableError(
            f"{program} lost the database server ({detail}). It is tried again.",
            reason="unreachable",
        )
    if code < 0:
        name = signal.Signals(-code).name
        return RetryableError(
            f"{program} was ended by {name}. It is tried again.", reason="killed"
        )
    if program == "pg_restore":
        return RefusedError(
            f"The copy cannot be loaded: {detail}. Nothing was changed; use another "
            "copy.",
            reason="sql",
        )
    if program == "zstd":
        return RefusedError(
            f"The copy cannot be unpacked: {detail}. Use another copy.",
            reason="damaged",
        )
    return RetryableError(
        f"{program} failed: {detail}. It is tried again.", reason="dump"
    )


def _first_line(complaint: str) -> str:
    """The line that says what is wrong, without what the program is called."""
    lines = [line for line in complaint.splitlines() if line.strip()]
    telling = [line for line in lines if "error:" in line.lower()]
    found = (telling or lines or ["it did not say why"])[0]
    for prefix in ("pg_dump: ", "pg_restore: ", "zstd: "):
        found = found.removeprefix(prefix)
    return found.removeprefix("error: ").rstrip(". ")[:300]
