"""Running other programs quietly, and saying clearly what went wrong."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO

TAIL_LINES = 15


class StackError(Exception):
    """A failure that one sentence explains: what happened and what to do.

    :param str message: the sentence
    :param str details: the last lines of what the program said, if they help
    """

    def __init__(self, message: str, details: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.details = details


def tail(text: str, lines: int = TAIL_LINES) -> str:
    """The last lines that hold anything."""
    kept = [line.rstrip() for line in text.splitlines() if line.strip()]
    return "\n".join(kept[-lines:])


class Shell:
    """Runs programs from argument lists; what they say goes to the log file."""

    def __init__(self, log: Path) -> None:
        self.log = log
        self.docker_as_root = False
        log.parent.mkdir(parents=True, exist_ok=True)

    @property
    def docker_command(self) -> list[str]:
        """How the Docker client is called by this user."""
        return [*(self.root_prefix() if self.docker_as_root else []), "docker"]

    @staticmethod
    def root_prefix() -> list[str]:
        return [] if os.geteuid() == 0 else ["sudo"]

    def run(
        self,
        argv: Sequence[str],
        failure: str = "",
        *,
        check: bool = True,
        stdin: str | None = None,
        timeout: float | None = None,
        env: Mapping[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run a program to its end; both its outputs are kept and logged.

        :param failure: the sentence for people when it fails
        :raise StackError: it failed, is not installed, or took too long
        """
        sentence = failure or f"{argv[0]} failed."
        try:
            done = subprocess.run(
                list(argv),
                input=stdin,
                stdin=subprocess.DEVNULL if stdin is None else None,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=timeout,
                env={**os.environ, **(env or {})},
                check=False,
            )
        except FileNotFoundError as error:
            raise StackError(f"{sentence} The program {argv[0]} is missing.") from error
        except subprocess.TimeoutExpired as error:
            raise StackError(
                f"{sentence} It took longer than {timeout:g} s."
            ) from error
        self._write(argv, done.stdout + done.stderr, done.returncode)
        if check and done.returncode:
            raise StackError(sentence, tail(done.stdout + done.stderr))
        return done

    def root(
        self, argv: Sequence[str], failure: str = "", *, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run a program as root, by sudo where that is needed."""
        return self.run([*self.root_prefix(), *argv], failure, check=check)

    def docker(
        self,
        *argv: str,
        failure: str = "",
        check: bool = True,
        stdin: str | None = None,
        timeout: float | None = None,
    ) -> str:
        """What the Docker client answers; empty when it failed and may."""
        done = self.run(
            [*self.docker_command, *argv],
            failure or f"docker {argv[0]} failed.",
            check=check,
            stdin=stdin,
            timeout=timeout,
        )
        return done.stdout.strip() if done.returncode == 0 else ""

    def pipe(
        self, argv: Sequence[str], source: IO[bytes], failure: str, name: str
    ) -> None:
        """Run a program that reads a file; its output goes to a log as it comes.

        :param str name: of that log, which is its own: others may run meanwhile
        :raise StackError: it failed
        """
        path = self.log.with_name(f"{name}.log")
        with path.open("wb") as log:
            done = subprocess.run(
                list(argv), stdin=source, stdout=log, stderr=log, check=False
            )
        said = path.read_text(encoding="utf-8", errors="replace")
        self._write(argv, f"its output is in {path.name}\n", done.returncode)
        if done.returncode:
            raise StackError(failure, tail(said))

    def stream(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> int:
        """Run a program that talks to the person directly; its exit code."""
        sys.stdout.flush()
        environment = {**os.environ, **(env or {})}
        done = subprocess.run(list(argv), env=environment, cwd=cwd, check=False)
        return done.returncode

    def _write(self, argv: Sequence[str], output: str, code: int) -> None:
        with self.log.open("a", encoding="utf-8") as log:
            log.write(f"$ {' '.join(argv)}\n{output}\n[{code}]\n")


class Progress:
    """One line per phase with the seconds that it took.

    On a terminal the line is kept up to date while the phase runs; elsewhere it is
    written once, when the phase is over.
    """

    def __init__(self, total: int) -> None:
        self._total = total
        self._number = 0
        self._note = ""
        self._live = sys.stdout.isatty()
        self.started = time.monotonic()

    def note(self, text: str) -> None:
        """What the phase does just now, or has found."""
        self._note = text

    @contextlib.contextmanager
    def phase(self, title: str) -> Iterator[None]:
        self._number += 1
        self._note = ""
        began = time.monotonic()
        over = threading.Event()
        ticker = threading.Thread(
            target=self._tick, args=(title, began, over), daemon=True
        )
        if self._live:
            ticker.start()
        outcome = "failed"
        try:
            yield
            outcome = "done"
        finally:
            over.set()
            if self._live:
                ticker.join()
                sys.stdout.write("\r\033[K")
            self._line(title, began, outcome)

    def _tick(self, title: str, began: float, over: threading.Event) -> None:
        while not over.wait(0.5):
            line = (
                f"{self._label(title)} {time.monotonic() - began:6.0f} s  {self._note}"
            )
            sys.stdout.write(f"\r\033[K{line[:110]}")
            sys.stdout.flush()

    def _line(self, title: str, began: float, outcome: str) -> None:
        seconds = time.monotonic() - began
        mark = "" if outcome == "done" else "FAILED"
        parts = [f"{self._label(title)} {seconds:6.1f} s", mark, self._note]
        sys.stdout.write("  ".join(part for part in parts if part) + "\n")
        sys.stdout.flush()

    def _label(self, title: str) -> str:
        return f"[{self._number:2}/{self._total}] {title:<22}"
