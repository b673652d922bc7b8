"""What the images are made from and no distribution release holds: fetched once."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path

from . import images
from .packages import Apt
from .settings import Settings
from .shell import Shell, StackError

ODOO_VERSION = "19.0.0+dfsg-1"
ODOO_FILE = f"odoo-19_{ODOO_VERSION}_all.deb"
ODOO_POOL = f"pool/main/o/odoo/{ODOO_FILE}"
ODOO_SHA256 = "9d2f598b0555db17e291d48ed24df184c70823c053c4c5ed53c467ca7f629bbf"
# Lists of wheels with their hashes -> the folder that the image takes them from.
WHEELS = {
    "docker/master/oca.txt": "docker/master/downloads",
    "docker/traefik/wheels.txt": "docker/traefik/downloads",
}
CHUNK = 1 << 20


def sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        for chunk in iter(lambda: file.read(CHUNK), b""):
            digest.update(chunk)
    return digest.hexdigest()


def odoo_package(settings: Settings, shell: Shell, note: Callable[[str], None]) -> Path:
    """Odoo's Debian package: the operator's file, the cached one, or the mirror's.

    :raise StackError: it cannot be had, or is not the one that is expected
    """
    if settings["ODOO_DEB"]:
        return _local_package(settings)
    path = settings.cache / "downloads" / ODOO_FILE
    if path.exists() and sha256(path) == ODOO_SHA256:
        return path
    url = f"{images.mirror(settings, shell)}/{ODOO_POOL.replace('+', '%2B')}"
    note(ODOO_FILE)
    fetch(url, path, note)
    if sha256(path) != ODOO_SHA256:
        path.unlink()
        raise StackError(
            f"{url} is not the file that is expected (SHA-256 {ODOO_SHA256}): try "
            "again, or give a good copy as ODOO_DEB=/path in .env."
        )
    return path


def _local_package(settings: Settings) -> Path:
    path = Path(settings["ODOO_DEB"]).expanduser()
    if not path.is_absolute():
        path = settings.root / path
    if not path.is_file():
        raise StackError(f"ODOO_DEB names a file that is not there: {path}.")
    if not settings["ODOO_DEB_UNCHECKED"] and sha256(path) != ODOO_SHA256:
        raise StackError(
            f"{path} is not {ODOO_FILE} (its SHA-256 differs): give that file, or set "
            "ODOO_DEB_UNCHECKED=1 if you know what it is."
        )
    return path


def fetch(url: str, path: Path, note: Callable[[str], None]) -> None:
    """Download to a file that is there only when it is whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    try:
        with urllib.request.urlopen(url, timeout=60) as answer, part.open("wb") as file:
            total = int(answer.headers.get("Content-Length") or 0)
            done = 0
            while chunk := answer.read(CHUNK):
                file.write(chunk)
                done += len(chunk)
                share = f" of {total >> 20} MB" if total else ""
                note(f"{path.name}: {done >> 20}{share}")
    except urllib.error.HTTPError as error:
        if error.code != HTTPStatus.NOT_FOUND:
            raise _unfetched(url, error) from error
        raise StackError(
            f"{url} is not there any more: the distribution has a newer one. Take "
            f"{path.name} from snapshot.debian.org, and name it as ODOO_DEB=/path in "
            ".env."
        ) from error
    except (urllib.error.URLError, OSError) as error:
        part.unlink(missing_ok=True)
        raise _unfetched(url, error) from error
    part.replace(path)


def _unfetched(url: str, error: Exception) -> StackError:
    return StackError(
        f"{url} cannot be fetched ({getattr(error, 'reason', error)}): see that the "
        "network works, or give a local copy as ODOO_DEB=/path in .env."
    )


def lay(source: Path, folder: Path, pattern: str) -> None:
    """Have ``source`` in ``folder`` as the only file that matches ``pattern``."""
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / source.name
    for other in folder.glob(pattern):
        if other != target:
            other.unlink()
    if target.exists() and target.stat().st_size == source.stat().st_size:
        return
    target.unlink(missing_ok=True)
    try:
        os.link(source, target)
    except OSError:  # another file system
        shutil.copyfile(source, target)


def wheels(settings: Settings, shell: Shell, apt: Apt, listing: Path) -> list[Path]:
    """The wheels of a list, checked against its hashes.

    :raise StackError: one of them cannot be had
    """
    text = listing.read_bytes()
    folder = settings.cache / "downloads" / hashlib.sha256(text).hexdigest()[:12]
    complete = folder / ".complete"
    if not complete.exists():
        if shell.run(
            [sys.executable, "-m", "pip", "--version"], check=False
        ).returncode:
            apt.install("python3-pip")
        pip = [sys.executable, "-m", "pip", "download", "--no-deps", "--require-hashes"]
        shell.run(
            [*pip, "--only-binary=:all:", "--dest", str(folder), "-r", str(listing)],
            f"The wheels of {listing.relative_to(settings.root)} cannot be fetched: "
            "see that pip reaches its index, then try again.",
        )
        complete.touch()
    return sorted(folder.glob("*.whl"))


def ensure(
    settings: Settings, shell: Shell, apt: Apt, note: Callable[[str], None]
) -> None:
    """Have everything in the folders that the images are built from."""
    if not settings["ODOO_BASE_IMAGE"]:
        package = odoo_package(settings, shell, note)
        lay(package, settings.root / "docker/odoo/downloads", "odoo-19_*.deb")
    for name, folder in WHEELS.items():
        listing = settings.root / name
        if not listing.exists():
            continue
        note(f"wheels of {listing.parent.name}")
        for wheel in wheels(settings, shell, apt, listing):
            distribution = wheel.name.split("-")[0]
            lay(wheel, settings.root / folder, f"{distribution}-*.whl")
