"""What a fault run did, expected and found, for people: by the number of the case."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

TITLES = {
    "T01": "The worker is killed at any point of anything that it does",
    "T04": "The Docker engine is restarted, and all containers with it",
    "T05": "The Docker engine is restarted, and containers run on",
    "T06": "PostgreSQL is restarted while a tenant is made",
    "T07": "Tenants use up all connections of PostgreSQL",
    "T08": "The disk of PostgreSQL is full",
    "T09": "The bucket for copies is full",
    "T10": "A tenant has not enough memory",
    "T11": "A tenant forks without end, and takes all the time it can get",
    "T15": "The proxy is killed under load",
    "T17": "Clocks differ, and are put forward or back",
    "T18": "60 days of copies while clocks change for summer and winter",
    "T22": "The connection to the bucket is cut in the middle of an upload",
    "T23": "The bucket refuses, stumbles, is slow, or is another one",
    "T24": "A bit of a copy is turned over",
    "T25": "A dump ends before it is whole",
    "T26": "A statement fails in a restore",
    "T27": "Copies are made while attachments come and go",
    "T28": "A copy that is tried would talk to the world",
    "T29": "The recovery key is changed, or a key is lost",
    "T30": "120 days of retention, and a customer who is erased",
    "T31": "Everything is destroyed with the credentials of the backups",
    "workers": "Two workers run at once",
    "https": "HTTPS is switched on, and off again",
    "master": "The master is down, all of it, and tenants have visitors",
}
# Cases that other levels have: one case is in one place.
ELSEWHERE = {
    "T02": ("Twenty want one name at once", "tests/e2e/test_faults.py"),
    "T03": ("Something foreign has a tenant's name", "tests/e2e/test_faults.py"),
    "T12": ("An image is missing", "tests/e2e/test_faults.py"),
    "T14": ("Somebody changes things by hand", "tests/e2e/test_drift.py"),
    "T21": ("A tenant is deleted, and its worker killed", "tests/e2e/test_archive.py"),
}


@dataclasses.dataclass
class Case:
    """One test of a case.

    :param str name: of the case it belongs to
    :param str did: what was done
    :param str expected: what had to come of it
    :param found: counts, messages, seconds, as the test saw them
    :param str failure: why it is not as expected; empty when it is
    """

    name: str
    did: str
    expected: str
    found: list[str] = dataclasses.field(default_factory=list)
    seconds: float = 0.0
    failure: str = ""


def make_report(cases: Iterable[Case], heading: str) -> str:
    """The report in Markdown; a case that nothing was run for is not left out."""
    by_name: dict[str, list[Case]] = {name: [] for name in TITLES}
    for case in cases:
        by_name[case.name].append(case)
    lines = ["# Fault run", "", heading, ""]
    lines += ["| case | | tests | seconds | result |", "|---|---|---|---|---|"]
    for name, found in by_name.items():
        seconds = sum(case.seconds for case in found)
        cells = (name, TITLES[name], len(found), f"{seconds:.1f}")
        lines.append(f"| {' | '.join(map(str, cells))} | {_result(found)} |")
    for name, (title, place) in ELSEWHERE.items():
        lines.append(f"| {name} | {title} | | | in `{place}` |")
    for name, found in by_name.items():
        lines += ["", f"## {name}: {TITLES[name]}"]
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
