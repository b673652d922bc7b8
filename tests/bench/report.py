"""From samples to what people read: pure functions, and the files that keep both."""

from __future__ import annotations

import csv
import dataclasses
import json
import pathlib
import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

ARMS = {
    "A": "a tenant with base, call to logged-in page",
    "B": "a tenant with website and sale_management, the same",
    "C": "`odoo -i base` in a fresh container, to the logged-in page",
    "E": "a visitor of the website, confirmed code to logged-in page",
    "D": "PostgreSQL and Odoo in containers of the client's own, to the login page",
    "F": "55 MB of database: `saas-backup`",
    "G": "55 MB of database: `odoo db dump --no-filestore`",
    "H": "55 MB of database: `odoo db dump --format dump`",
    "I": "1 GB of database: `saas-backup`",
    "J": "1 GB of database: `odoo db dump --no-filestore`",
    "K": "1 GB of database: `odoo db dump --format dump`",
    "L": "1 GB of files, 1 % new, and 55 MB of database: `saas-backup`",
    "M": "1 GB of files and 55 MB of database: `odoo db dump`",
    "N": "a copy of 55 MB as a new tenant, call to logged-in page",
    "O": "a copy of 55 MB in place, with a copy before it, the same",
    "P": "55 MB: `odoo db load`, then Odoo's start, to the login page",
    "Q": "the first request to a paused tenant",
    "R": "the first request to a stopped one that sleeps",
    "S": "200 first requests to a paused one, GET and POST, to the last answer",
    "T": "the same to a stopped one that sleeps",
    "U": "a request to one that has slept, less one to another",
}
BARS = {
    "A": 3.0,
    "B": 5.0,
    "E": 3.5,
    "L": 1.0,
    "N": 8.0,
    "Q": 0.15,
    "R": 1.8,
    "U": 0.001,
}
"""Seconds that the median should not pass."""

SHORT = 0.02
"""Seconds below which thousandths are told."""

PAIRS = {
    ("F", "G"): 0.6,
    ("F", "H"): 0.6,
    ("I", "J"): 0.6,
    ("I", "K"): 0.6,
    ("L", "M"): 1 / 30,
    ("N", "P"): None,
}
"""What share of the second arm's time the first one's should not pass."""


@dataclasses.dataclass(frozen=True)
class Measured:
    """What one run of an arm took.

    :param parts: seconds by name, in their order
    :param sizes: bytes by name
    """

    seconds: float
    parts: Mapping[str, float] = dataclasses.field(default_factory=dict)
    sizes: Mapping[str, int] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Sample:
    """One run of one arm, as ``Measured`` and with when it was.

    :param float load: the machine's load average when it began
    """

    arm: str
    round: int
    seconds: float
    load: float
    parts: Mapping[str, float]
    sizes: Mapping[str, int] = dataclasses.field(default_factory=dict)


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which that share of the values lies, between two if need be."""
    ordered = sorted(values)
    place = (len(ordered) - 1) * share
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def summary(facts: Mapping[str, str], samples: Sequence[Sample]) -> str:
    """Tables in Markdown: the arms, each beside another one, and the parts of each."""
    arms = sorted({sample.arm for sample in samples})
    lines = ["", "## Measured", ""]
    lines += [f"- {name}: {value}" for name, value in facts.items()]
    lines += ["", *_table(_ARM_TITLES, (_arm_row(arm, samples) for arm in arms))]
    pairs = [pair for pair in PAIRS if set(pair) <= set(arms)]
    if pairs:
        rows = [_pair_row(pair, samples) for pair in pairs]
        lines += ["", "### In the same round", "", *_table(_PAIR_TITLES, rows)]
    for arm in arms:
        mine = [sample for sample in samples if sample.arm == arm]
        if rows := [*_part_rows(mine), *_size_rows(mine)]:
            lines += ["", f"### Parts of {arm}", "", *_table(_PART_TITLES, rows)]
    return "\n".join([*lines, ""])


_ARM_TITLES = ("arm", "what", "n", "p50", "p95", "min", "max", "bar", "load")
_PAIR_TITLES = ("arms", "n", "p50", "p95", "bar", "times as fast")
_PART_TITLES = ("part", "p50", "p95", "max")


def _arm_row(arm: str, samples: Sequence[Sample]) -> list[str]:
    mine = [sample for sample in samples if sample.arm == arm]
    seconds = [sample.seconds for sample in mine]
    middle = percentile(seconds, 0.5)
    bar = "-"
    if arm in BARS:
        word = "met" if middle <= BARS[arm] else "missed"
        bar = f"{BARS[arm]:g} s {word}"
    return [
        arm,
        ARMS[arm],
        str(len(mine)),
        *map(_tell, (middle, percentile(seconds, 0.95), min(seconds), max(seconds))),
        bar,
        f"{statistics.mean(sample.load for sample in mine):.1f}",
    ]


def _tell(seconds: float) -> str:
    """Seconds, or thousandths of one where it is about few of them."""
    if abs(seconds) < SHORT:
        return f"{seconds * 1000:.2f} ms"
    return f"{seconds:.2f} s"


def _pair_row(pair: tuple[str, str], samples: Sequence[Sample]) -> list[str]:
    """What share of the second arm's time the first one took, round by round."""
    first, second = (
        {sample.round: sample.seconds for sample in samples if sample.arm == arm}
        for arm in pair
    )
    shares = [first[number] / second[number] for number in first.keys() & second.keys()]
    middle, bar = percentile(shares, 0.5), PAIRS[pair]
    met = "met" if bar and middle <= bar else "missed"
    return [
        f"{pair[0]} / {pair[1]}",
        str(len(shares)),
        f"{middle:.3f}",
        f"{percentile(shares, 0.95):.3f}",
        f"{bar:.3f} {met}" if bar else "-",
        f"{1 / middle:.1f}",
    ]


def _size_rows(samples: Sequence[Sample]) -> list[list[str]]:
    names = dict.fromkeys(name for sample in samples for name in sample.sizes)
    rows = []
    for name in names:
        values = [sample.sizes[name] for sample in samples]
        shares = (percentile(values, share) for share in (0.5, 0.95, 1.0))
        rows.append([name, *(f"{value / 1e6:.2f} MB" for value in shares)])
    return rows


def _part_rows(samples: Sequence[Sample]) -> list[list[str]]:
    names = dict.fromkeys(name for sample in samples for name in sample.parts)
    rows = []
    for name in names:
        values = [sample.parts[name] for sample in samples if name in sample.parts]
        shares = (percentile(values, share) for share in (0.5, 0.95, 1.0))
        rows.append([name, *(f"{value:.3f} s" for value in shares)])
    return rows


def _table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = [titles, ["---"] * len(titles), *rows]
    return [f"| {' | '.join(cells)} |" for cells in lines]


FLEET_BARS = {"tick, nothing changed": (5, 0.05), "resync, nothing changed": (None, 2)}
"""Questions to the database and seconds that the largest fleet should not take."""


def fleet_summary(facts: Mapping[str, str], rows: Sequence[Mapping[str, Any]]) -> str:
    """What the sweeps of a fleet cost, as a table in Markdown."""
    titles = ("what", "tenants", "changed", "n", "queries", "p50", "max", "bar")
    largest = max(row["tenants"] for row in rows)
    lines = ["", "## A fleet on fake servers", ""]
    lines += [f"- {name}: {value}" for name, value in facts.items()]
    cells = [
        [
            row["what"],
            f"{row['tenants']:,}",
            str(row["changed"]),
            str(row["rounds"]),
            str(row["queries"]),
            f"{row['p50'] * 1000:.1f} ms",
            f"{row['max'] * 1000:.1f} ms",
            _fleet_bar(row) if row["tenants"] == largest else "-",
        ]
        for row in rows
    ]
    return "\n".join([*lines, "", *_table(titles, cells), ""])


def _fleet_bar(row: Mapping[str, Any]) -> str:
    if row["what"] not in FLEET_BARS:
        return "-"
    queries, seconds = FLEET_BARS[row["what"]]
    met = row["p50"] <= seconds and (queries is None or row["queries"] <= queries)
    asked = f"{queries} queries, " if queries else ""
    return f"{asked}{seconds * 1000:g} ms {'met' if met else 'missed'}"


def write(
    folder: pathlib.Path, facts: Mapping[str, str], samples: Sequence[Sample]
) -> None:
    """Keep the raw numbers beside what is read of them."""
    raw = {
        "machine": dict(facts),
        "samples": [dataclasses.asdict(sample) for sample in samples],
    }
    folder.joinpath("samples.json").write_text(json.dumps(raw, indent=1))
    with folder.joinpath("samples.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["round", "arm", "part", "seconds", "bytes", "load"])
        for sample in samples:
            row, load = [sample.round, sample.arm], f"{sample.load:.2f}"
            rows.writerow([*row, "", f"{sample.seconds:.4f}", "", load])
            for name, seconds in sample.parts.items():
                rows.writerow([*row, name, f"{seconds:.4f}", "", load])
            for name, size in sample.sizes.items():
                rows.writerow([*row, name, "", size, load])
    if samples:
        folder.joinpath("summary.md").write_text(summary(facts, samples))
