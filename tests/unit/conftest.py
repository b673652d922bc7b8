"""Makes the command line of the stack importable.

Its folder's parent cannot simply be put on the path: it has a folder ``odoo`` too.
"""

from __future__ import annotations

import importlib.util
import pathlib
import sys

STACK = pathlib.Path(__file__).resolve().parents[2] / "docker" / "stack"


def _load_stack() -> None:
    spec = importlib.util.spec_from_file_location(
        "stack", STACK / "__init__.py", submodule_search_locations=[str(STACK)]
    )
    module = importlib.util.module_from_spec(spec)
    sys.modules["stack"] = module
    spec.loader.exec_module(module)


_load_stack()
