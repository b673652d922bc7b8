"""Kills the master at its fail points, and looks at what becomes of it. In its image.

Each line that it prints is one JSON value: first all points of each kind, then one for
each that was tried, with the seconds until all was as it should be, or why it was not.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import tempfile
from pathlib import Path

from odoo.modules.registry import Registry
from odoo.tools import config

FOLDER = Path(tempfile.mkdtemp())


def main():
    arguments = _parse()
    registry = _load(arguments.odoo)
    # These import the addons, which are found as soon as Odoo is configured.
    from kinds import Kinds, find_kinds
    from trials import Trials
    from world import World

    from master import Master, make_keys

    make_keys(FOLDER / "keys")
    master = Master(registry, World(FOLDER), FOLDER / "points")
    trials = Trials(Kinds(master))
    kinds = arguments.only.split(",") if arguments.only else find_kinds()
    traces = {kind: trials.trace(kind) for kind in kinds}
    _say({kind: trace.points for kind, trace in traces.items()})
    for kind, trace in traces.items():
        if trace.failure:
            _say({"kind": kind, "point": "none", "failure": trace.failure})
    for kind, point in _choose(traces, arguments):
        _say({"kind": kind, "point": point, **trials.try_at(traces[kind], point)})


def _parse():
    parser = argparse.ArgumentParser()
    parser.add_argument("--sample", type=int, help="that many points; else all")
    parser.add_argument("--seed", default="")
    parser.add_argument("--only", default="", help="kinds, by commas")
    parser.add_argument("odoo", nargs="*", help="what Odoo is started with")
    return parser.parse_args()


def _load(arguments):
    """Odoo with its database, its keys, and its fail points."""
    for name in ("points", "keys"):
        (FOLDER / name).mkdir()
    os.environ["SAAS_FAIL_POINTS"] = str(FOLDER / "points")
    os.environ["SAAS_WEB_KEYS"] = os.environ["SAAS_WORKER_KEYS"] = str(FOLDER / "keys")
    config.parse_config(arguments, setup_logging=True)
    [database] = config["db_name"]
    return Registry(database)


def _choose(traces, arguments):
    points = [(kind, p) for kind, trace in traces.items() for p in trace.points]
    if arguments.sample:
        return random.Random(arguments.seed).sample(points, arguments.sample)
    return points


def _say(line):
    sys.__stdout__.write(f"{json.dumps(line)}\n")
    sys.__stdout__.flush()


if __name__ == "__main__":
    main()
