"""The script that ``pg_restore`` makes of an archive, in parts that are run at once.

By itself ``pg_restore`` waits for the answer to each of some ten thousand statements,
which takes longer than many of them do. Here as many go together as there are between
two tables' rows. Nothing but PostgreSQL reads them: no line is a command of ``psql``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from odoo.addons.saas.engine.errors import RefusedError

BLOCK = 64 * 1024
"""Bytes of statements that are enough to be sent."""

# What a name, a text or the body of a function begins with, and ends with too.
_QUOTE = re.compile(rb"['\"]|\$(?:[A-Za-z_\x80-\xff][\w\x80-\xff]*)?\$")
_END = b"\\.\n"


class Rows:
    """What follows a ``COPY``: a file of the lines until the mark of their end.

    :param statement: the ``COPY``
    :param fault: what went wrong while it was read; the library tells it as its own
    """

    def __init__(self, statement: str, script: Script) -> None:
        self.statement = statement
        self.fault: BaseException | None = None
        self._script = script

    def read(self, size: int = -1, /) -> bytes:
        """Some of what is left; as much as is there, whatever the size."""
        try:
            return self._script.read_rows()
        except BaseException as fault:
            self.fault = fault
            raise


class Script:
    """Goes through a script: blocks of statements, and rows in between.

    The rows of each table have to be read to their end before the next part is asked
    for.
    """

    def __init__(self, parts: Iterator[bytes]) -> None:
        self._parts = parts
        self._data = b""
        self._place = 0
        self._in_rows = False
        self._at_line = True

    def __iter__(self) -> Iterator[str | Rows]:
        statements: list[bytes] = []
        size, quote = 0, b""
        copy = -1  # where the statement that rows follow begins
        while line := self._read_line():
            if not quote and line.startswith((b"--", b"\\", b"SELECT ")):
                # Here one statement has ended and the next has not begun.
                if size > BLOCK:
                    yield from _join(statements)
                    statements, size = [], 0
                if not line.startswith(b"SELECT "):
                    continue
            if not quote and line.startswith(b"COPY "):
                copy = len(statements)
            statements.append(line)
            size += len(line)
            quote = _find_open_quote(line, quote)
            if copy >= 0 and not quote and line.endswith(b" FROM stdin;\n"):
                yield from _join(statements[:copy])
                self._in_rows = self._at_line = True
                yield Rows(b"".join(statements[copy:]).decode(), self)
                statements, size, copy = [], 0, -1
        yield from _join(statements)

    def _read_line(self) -> bytes:
        """The next line with its end; nothing when there is none."""
        while (end := self._data.find(b"\n", self._place) + 1) == 0:
            if not self._read_more():
                end = len(self._data)
                break
        line, self._place = self._data[self._place : end], end
        return line

    def read_rows(self) -> bytes:
        """Some rows of the table at hand; nothing when there are no more."""
        while self._in_rows:
            if self._at_line and self._data.startswith(_END, self._place):
                self._place += len(_END)
                self._in_rows = False
                break
            end = self._data.find(b"\n" + _END, self._place) + 1
            # What may be the beginning of the mark stays.
            end = end or len(self._data) - len(_END)
            if end > self._place:
                rows, self._place = self._data[self._place : end], end
                self._at_line = rows.endswith(b"\n")
                return rows
            if not self._read_more():
                raise RefusedError(
                    "The copy cannot be loaded: it ends within a table. Nothing was "
                    "changed; use another copy.",
                    reason="sql",
                )
        return b""

    def _read_more(self) -> bool:
        part = next(self._parts, b"")
        self._data = self._data[self._place :] + part
        self._place = 0
        return bool(part)


def _join(statements: list[bytes]) -> Iterator[str]:
    """One text, unless there is nothing in it."""
    text = b"".join(statements).decode()
    if text.strip():
        yield text


def _find_open_quote(line: bytes, quote: bytes) -> bytes:
    """What a line leaves open: one within a name, a text or a body goes on in the next.

    :param quote: what the lines before have left open; nothing where they have not
    """
    place = 0
    while True:
        if quote:
            end = line.find(quote, place)
            if end < 0:
                return quote
            place = end + len(quote)
        found = _QUOTE.search(line, place)
        if not found:
            return b""
        quote, place = found[0], found.end()
