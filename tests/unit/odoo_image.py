"""Loads the programs of the tenant image, which are no package."""

from __future__ import annotations

import importlib.util
import pathlib
import sys

FOLDER = (
    pathlib.Path(__file__).resolve().parents[2]
    / "docker/odoo/rootfs/usr/local/lib/saas"
)


def load(name):
    """The program of that name as a module, without leaving import hooks behind."""
    spec = importlib.util.spec_from_file_location(
        f"odoo_image_{name}", FOLDER / f"{name}.py"
    )
    module = importlib.util.module_from_spec(spec)
    # Dataclasses look their module up by name.
    sys.modules[spec.name] = module
    hooks = list(sys.meta_path)
    spec.loader.exec_module(module)
    sys.meta_path[:] = hooks
    return module
