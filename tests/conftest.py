"""Makes what is tested importable: the addons' plain Python, and the command line.

The addons are ``odoo.addons.<addon>...`` without Odoo.
``odoo``, ``odoo.addons`` and each addon become empty modules that only have a path, so
no addon's ``__init__`` runs: whatever then imports Odoo itself fails at collection.
"""

from __future__ import annotations

import importlib.util
import pathlib
import sys
import types

ROOT = pathlib.Path(__file__).resolve().parent.parent
ADDONS = ROOT / "addons"
STACK = ROOT / "docker" / "stack"


def _register(name: str, *paths: pathlib.Path) -> None:
    module = types.ModuleType(name)
    module.__path__ = [str(path) for path in paths]
    sys.modules[name] = module
    parent, _, child = name.rpartition(".")
    if parent:
        setattr(sys.modules[parent], child, module)


def _mount_addons() -> None:
    _register("odoo")
    _register("odoo.addons", ADDONS)
    for folder in sorted(path for path in ADDONS.iterdir() if path.is_dir()):
        _register(f"odoo.addons.{folder.name}", folder)


def _load_stack() -> None:
    """Import the command line as ``stack``.

    Its folder's parent cannot simply be put on the path: it has a folder ``odoo`` too.
    """
    spec = importlib.util.spec_from_file_location(
        "stack", STACK / "__init__.py", submodule_search_locations=[str(STACK)]
    )
    module = importlib.util.module_from_spec(spec)
    sys.modules["stack"] = module
    spec.loader.exec_module(module)


_mount_addons()
_load_stack()
