"""Adds the files of a restored filestore to a tenant's: ``merge.py SOURCE TARGET``.

Files are named by their content, so that adding some changes nothing for an Odoo that
runs meanwhile. Each is there whole or not at all; a repetition does what is missing.
"""

from __future__ import annotations

import os
import pathlib
import shutil
import sys

SOURCE = pathlib.Path("/mnt/source/filestore")
TARGET = pathlib.Path("/var/lib/odoo/filestore")


def main(source: pathlib.Path, target: pathlib.Path) -> int:
    added = sum(add(path, target / path.relative_to(source)) for path in find(source))
    os.sync()
    sys.stdout.write(f"{added} files added.\n")
    return 0


def find(folder: pathlib.Path) -> list[pathlib.Path]:
    """The files by content; Odoo's own notes of what to remove are none."""
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.glob("??/*") if path.is_file())


def add(path: pathlib.Path, place: pathlib.Path) -> bool:
    if place.exists() and place.stat().st_size == path.stat().st_size:
        return False
    place.parent.mkdir(parents=True, exist_ok=True)
    part = place.with_name(f"{place.name}.part")
    shutil.copyfile(path, part)
    part.replace(place)
    return True


if __name__ == "__main__":
    raise SystemExit(main(SOURCE / sys.argv[1], TARGET / sys.argv[2]))
