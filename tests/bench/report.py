"""From samples to what people read: pure functions, and the files that keep both."""

from __future__ import annotations

import csv
import dataclasses
import json
import pathlib
import statistics
from collections.abc import Iterable, Mapping, Sequence

ARMS = {
    "A": "a tenant with base, call to logged-in page",
    "B": "a tenant with website and sale_management, the same",
    "C": "`odoo -i base` in a fresh container, to the logged-in page",
    "E": "a visitor of the website, confirmed code to logged-in page",
    "D": "PostgreSQL and Odoo in containers of the client's own, to the login page",
}
BARS = {"A": 3.0, "B": 5.0, "E": 3.5}
"""Seconds that the median should not pass."""


@dataclasses.dataclass(frozen=True)
class Sample:
    """One run of one arm.

    :param float load: the machine's load average when it began
    :param parts: seconds by name, in their order
    """

    arm: str
    round: int
    seconds: float
    load: float
    parts: Mapping[str, float]


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which that share of the values lies, between two if need be."""
    ordered = sorted(values)
    place = (len(ordered) - 1) * share
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def summary(facts: Mapping[str, str], samples: Sequence[Sample]) -> str:
    """Tables in Markdown: the arms, and the parts of each."""
    arms = sorted({sample.arm for sample in samples})
    lines = ["", "## A new tenant", ""]
    lines += [f"- {name}: {value}" for name, value in facts.items()]
    lines += ["", *_table(_ARM_TITLES, (_arm_row(arm, samples) for arm in arms))]
    for arm in arms:
        rows = _part_rows([sample for sample in samples if sample.arm == arm])
        if rows:
            lines += ["", f"### Parts of {arm}", "", *_table(_PART_TITLES, rows)]
    return "\n".join([*lines, ""])


_ARM_TITLES = ("arm", "what", "n", "p50", "p95", "min", "max", "bar", "load")
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
        f"{middle:.2f} s",
        f"{percentile(seconds, 0.95):.2f} s",
        f"{min(seconds):.2f} s",
        f"{max(seconds):.2f} s",
        bar,
        f"{statistics.mean(sample.load for sample in mine):.1f}",
    ]


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
        rows.writerow(["round", "arm", "part", "seconds", "load"])
        for sample in samples:
            row = [sample.round, sample.arm]
            rows.writerow([*row, "", f"{sample.seconds:.4f}", f"{sample.load:.2f}"])
            for name, seconds in sample.parts.items():
                rows.writerow([*row, name, f"{seconds:.4f}", f"{sample.load:.2f}"])
    if samples:
        folder.joinpath("summary.md").write_text(summary(facts, samples))
