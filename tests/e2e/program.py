"""The program behind the Makefile, for the stack of these tests."""

from __future__ import annotations

import dataclasses
import importlib
import importlib.util
import os
import pathlib
import sys

FOLDER = pathlib.Path(__file__).resolve().parents[2] / "docker" / "stack"


def load():
    """Import it by its path: the folder around it has a folder ``odoo`` too."""
    if "stack" not in sys.modules:
        spec = importlib.util.spec_from_file_location(
            "stack", FOLDER / "__init__.py", submodule_search_locations=[str(FOLDER)]
        )
        sys.modules["stack"] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules["stack"])
    names = ("demo", "settings", "shell")
    return [importlib.import_module(f"stack.{name}") for name in names]


def make_stack(log):
    """The program for the stack that the environment names."""
    demo, settings, shell = load()
    values = settings.load_test()
    told = {name: os.environ[name] for name in values.values if name in os.environ}
    values = dataclasses.replace(values, values={**values.values, **told})
    return demo.Stack(values, shell.Shell(log), shell.Progress(demo.STACK_PHASES))
