"""Makes the addons' plain Python importable as ``odoo.addons.<addon>...`` without Odoo.

``odoo``, ``odoo.addons`` and each addon become empty modules that only have a path, so
no addon's ``__init__`` runs: whatever then imports Odoo itself fails at collection.
"""

from __future__ import annotations

import pathlib
import sys
import types

ADDONS = pathlib.Path(__file__).resolve().parent.parent / "addons"


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


_mount_addons()
