"""Runs the arms in turn, round by round, and writes down what each took.

The argument says which arms run: ``tenant``, ``backup``, ``wake``, or their letters;
all without it. A second one names a file with what ``fleet.py`` has measured; where the
first is ``fleet`` that is all. ``SAAS_BENCH_N`` is how many rounds there are (10). It
never judges the numbers; it fails only when something did not work.
"""

from __future__ import annotations

import datetime
import json
import os
import pathlib
import sys
import time

from . import arms, client, machine, report

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAUSE = 2.0
"""Seconds between two samples, so that one does not pay for the end of the other."""


FLEET = "fleet"
GROUPS = {"tenant": "ABECD", "backup": "FGHIJKLMNOP", "wake": "QRSTU"}


def main(only: str = "", fleet: str = "") -> int:
    folder = _make_folder()
    facts = machine.describe()
    if fleet:
        rows = json.loads(pathlib.Path(fleet).read_text(encoding="utf-8"))
        text = report.fleet_summary(facts, rows)
        folder.joinpath("fleet.md").write_text(text, encoding="utf-8")
        print(text, flush=True)
    if only == FLEET:
        return 0
    rounds = int(os.environ.get("SAAS_BENCH_N", "10"))
    everything = "".join(GROUPS.values())
    wanted = GROUPS.get(only, only) or everything
    if unknown := set(wanted) - set(everything):
        names = ", ".join([*GROUPS, FLEET])
        raise SystemExit(f"There is no {unknown.pop()}: say {names} or letters.")
    print(f"{rounds} rounds of {', '.join(wanted)}; numbers go to {folder}", flush=True)
    with client.local_names(), arms.make_all(wanted, os.environ) as chosen:
        samples = []
        try:
            for number in range(rounds):
                samples += _run_round(number, chosen)
        finally:
            # A run that is broken off leaves the numbers that it has.
            report.write(folder, facts, samples)
    print(report.summary(facts, samples))
    return 0


def _run_round(number: int, chosen: list[arms.Arm]) -> list[report.Sample]:
    """One sample of each arm; each round begins with another arm."""
    turn = number % len(chosen)
    samples = []
    for arm in chosen[turn:] + chosen[:turn]:
        time.sleep(PAUSE)
        load = os.getloadavg()[0]
        measured = arm.measure()
        seconds = measured.seconds
        samples.append(
            report.Sample(
                arm.key, number, seconds, load, measured.parts, measured.sizes
            )
        )
        print(f"  round {number + 1}  {arm.key}  {seconds:6.2f} s  load {load:.1f}")
        sys.stdout.flush()
    return samples


def _make_folder() -> pathlib.Path:
    moment = datetime.datetime.now().astimezone().strftime("%Y-%m-%d-%H%M%S")
    folder = ROOT / ".cache" / "bench" / moment
    folder.mkdir(parents=True)
    return folder


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
