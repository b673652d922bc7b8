"""What a fault run did, expected and found, for people: by the number of the case."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

TITLES = {
    17: "Clocks differ, and are put forward or back",
    18: "60 days of copies while clocks change for summer and winter",
    22: "The connection to the bucket is cut in the middle of an upload",
    23: "The bucket refuses, stumbles, is slow, or is another one",
    24: "A bit of a copy is turned over",
    25: "A dump ends before it is whole",
    26: "A statement fails in a restore",
    27: "Copies are made while attachments come and go",
    28: "A copy that is tried would talk to the world",
    29: "The recovery key is changed, or a key is lost",
    30: "120 days of retention, and a customer who is erased",
    31: "Everything is destroyed with the credentials of the backups",
}


@dataclasses.dataclass
class Case:
    """One test of a case.

    :param int number: of the case it belongs to
    :param str did: what was done
    :param str expected: what had to come of it
    :param found: counts, messages, seconds, as the test saw them
    :param str failure: why it is not as expected; empty when it is
    """

    number: int
    did: str
    expected: str
    found: list[str] = dataclasses.field(default_factory=list)
    seconds: float = 0.0
    failure: str = ""


def make_report(cases: Iterable[Case], heading: str) -> str:
    """The report in Markdown; a case that nothing was run for is not left out."""
    by_number: dict[int, list[Case]] = {number: [] for number in TITLES}
    for case in cases:
        by_number[case.number].append(case)
    lines = ["# Fault run", "", heading, ""]
    lines += ["| case | | tests | seconds | result |", "|---|---|---|---|---|"]
    for number, found in by_number.items():
        seconds = sum(case.seconds for case in found)
        cells = (f"T{number:02}", TITLES[number], len(found), f"{seconds:.1f}")
        lines.append(f"| {' | '.join(map(str, cells))} | {_result(found)} |")
    for number, found in by_number.items():
        lines += ["", f"## T{number:02}: {TITLES[number]}"]
        for case in found:
            lines += ["", *_describe(case)]
    return "\n".join(lines) + "\n"


def _result(found: list[Case]) -> str:
    if not found:
        return "not run"
    failed = sum(bool(case.failure) for case in found)
    return f"{failed} failed" if failed else "OK"


def _describe(case: Case) -> list[str]:
    lines = [
        f"- done: {case.did}",
        f"- expected: {case.expected}",
        *(f"- found: {line}" for line in case.found),
    ]
    result = f"FAILED: {case.failure}" if case.failure else "OK"
    return [*lines, f"- {result}, {case.seconds:.1f} s"]
