#!/usr/bin/env python3
"""Draws the life of a tenant from the tables that the code follows.

python3 docs/state_diagram.py > docs/states.md
"""

from __future__ import annotations

import pathlib
import runpy
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

ADDONS = pathlib.Path(__file__).resolve().parents[1] / "addons"
TABLES = ADDONS / "saas" / "const.py"
SUBSCRIPTIONS = ADDONS / "saas_subscription" / "const.py"

HEAD = """\
# States of a tenant

Made from `addons/saas/const.py` and, of a subscription, from
`addons/saas_subscription/const.py`; do not edit it here. After a change of them:

    python3 docs/state_diagram.py > docs/states.md

A tenant's state is computed from facts and is never written: what is wanted, what was
last observed of its container, whether something holds it, whether it ever ran, whether
it was archived or erased, and what became of its last operation. So it changes when a
fact does, and not only when somebody asks for something.
"""

DIAGRAM = """\
## What leads where

An arrow is an operation that may be asked for in that state. Arrows in brackets are
not asked for: they are what was seen.
"""

RULES = """\
## How the state is computed

The first row whose facts all hold is the state.
"""

TRANSITIONS = """\
## What may be asked for when

Asking for it in its own target state is allowed too where the table names it; it makes
sure of that state. Asking again for what is under way returns the operation that is
under way. Asking for something else cancels those of these kinds that have not begun:
{superseded}.
"""

KINDS = """\
## Kinds of operations and their steps

Each step looks first and then does what is missing. An exclusive kind changes its
tenant or template: one at a time runs on each, in the order in which they were asked
for. A persistent kind is tried until it succeeds, also when it is refused, unless what
it would remove is in use; some are so from one of their steps on. The others fail after
{attempts} tries that went wrong. Waiting for something that only takes time is no such
try.
"""

SUBSCRIPTION = """\
# States of a subscription

An arrow is an event. It comes by what people and scheduled actions do, and by what is
paid or not; nothing else writes the state.
"""


def main() -> None:
    print(make_document(runpy.run_path(str(TABLES))), end="")


def make_document(tables: dict[str, Any]) -> str:
    """The whole page, from the names that ``const.py`` defines."""
    sections = (
        [HEAD, DIAGRAM, *_draw(tables)],
        [RULES, *_table(("state", "facts"), _rule_rows(tables))],
        [
            TRANSITIONS.format(superseded=", ".join(tables["SUPERSEDABLE"])),
            *_table(("operation", "in the states", "leads to"), _moves(tables)),
        ],
        [
            KINDS.format(attempts=tables["MAX_ATTEMPTS"]),
            *_table(
                ("kind", "exclusive", "persistent", "steps"),
                _kind_rows(tables["KINDS"]),
            ),
        ],
        _list_subscription(runpy.run_path(str(SUBSCRIPTIONS))),
    )
    return "\n".join("\n".join([*lines, ""]) for lines in sections)


def _list_subscription(tables: dict[str, Any]) -> list[str]:
    """The lines about subscriptions, whose state is stored."""
    edges = defaultdict(list)
    for event, (sources, target) in tables["TRANSITIONS"].items():
        for source in sources:
            edges[source, target].append(event)
    first = next(iter(tables["STATES"]))
    return [
        SUBSCRIPTION,
        "```mermaid",
        "stateDiagram-v2",
        f"    [*] --> {first}",
        *_edges(edges, indent=4),
        "```",
        "",
        *_table(("event", "in the states", "leads to"), _moves(tables)),
    ]


# === THE DIAGRAM === #


def _draw(tables: dict[str, Any]) -> list[str]:
    inner, outer = defaultdict(list), defaultdict(list)
    for kind, (sources, target) in tables["TRANSITIONS"].items():
        if set(sources) == set(tables["TENANT_STATES"]) - {target}:
            outer["tenant", target].append(kind)
            continue
        for source in sources:
            if source != target:
                inner[source, _first_state(tables, source, target)].append(kind)
    for edge, what in _seen(tables):
        inner[edge].append(what)
    return [
        "```mermaid",
        "stateDiagram-v2",
        "    [*] --> tenant",
        "    state tenant {",
        f"        [*] --> {_state(tables)}",
        *_edges(inner, indent=8),
        "    }",
        *_edges(outer, indent=4),
        *(f"    {target} --> [*]" for _source, target in outer),
        "```",
    ]


def _state(tables: dict[str, Any], **facts: Any) -> str:
    """The state of a tenant with these facts; without any, of a new one."""
    nothing = {
        "wanted": "nothing",
        "observed": "unknown",
        "held": False,
        "provisioned": False,
        "archived": False,
        "erased": False,
        "troubled": False,
    }
    return tables["compute_state"](nothing | facts)


def _first_state(tables: dict[str, Any], source: str, target: str) -> str:
    """Where an operation leads at once; what never ran has to be provisioned first."""
    started = _state(tables, wanted=target) if target == "running" else target
    never_ran = {_state(tables), _state(tables, wanted="running", troubled=True)}
    return started if source in never_ran else target


def _seen(tables: dict[str, Any]) -> Iterator[tuple[tuple[str, str], str]]:
    """What moves by itself: the end of provisioning, and a container that went down."""
    under_way = _state(tables, wanted="running")
    up = {"wanted": "running", "provisioned": True}
    yield (under_way, _state(tables, **up, observed="running")), "[it answers]"
    failed = _state(tables, wanted="running", troubled=True)
    yield (under_way, failed), "[failed or refused]"
    running = _state(tables, **up, observed="running")
    found = [state for state in tables["OBSERVED"] if state != "running"]
    down = [seen for seen in found if _state(tables, **up, observed=seen) != running]
    targets = {_state(tables, **up, observed=seen) for seen in down}
    for target in sorted(targets):
        yield (running, target), f"[seen {', '.join(down)}]"


def _edges(edges: dict[tuple[str, str], list[str]], indent: int) -> list[str]:
    return [
        f"{' ' * indent}{source} --> {target} : {', '.join(labels)}"
        for (source, target), labels in edges.items()
    ]


# === THE TABLES === #


def _table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = [titles, ["---"] * len(titles), *rows]
    return [f"| {' | '.join(cells)} |" for cells in lines]


def _rule_rows(tables: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for state, conditions in tables["STATE_RULES"]:
        facts = [_fact(name, value) for name, value in conditions.items()]
        yield state, ", ".join(facts) or "everything else"


def _fact(name: str, value: Any) -> str:
    if isinstance(value, tuple):
        return f"{name} is {' or '.join(value)}"
    return name if value else f"not {name}"


def _moves(tables: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    for kind, (sources, target) in tables["TRANSITIONS"].items():
        yield kind, ", ".join(sources), target


def _kind_rows(kinds: dict[str, Any]) -> Iterator[tuple[str, str, str, str]]:
    for name, kind in kinds.items():
        words = [_word(kind.exclusive), _word(kind.persistent)]
        yield name, *words, ", ".join(kind.steps) or "none: it is only recorded"


def _word(flag: bool | str) -> str:
    if isinstance(flag, str):
        return f"from {flag} on"
    return "yes" if flag else "no"


if __name__ == "__main__":
    main()
