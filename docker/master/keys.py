#!/usr/bin/env python3
"""Have every secret of the stack in the volume of those who may read it.

Run as root in the master's image, as often as wanted: what is there is kept. Files:

``/run/saas/web``: ``pgpass`` (libpq passfile of the role ``saas_master``),
``login_key`` (Ed25519, PEM), ``login_public`` (32 bytes, base64), ``sealing_public``
(32 bytes, hexadecimal), ``certificate_public`` (32 bytes, base64), ``admin_passwd``
(hash of a password that nobody knows)
``/run/saas/worker``: ``sealing_private`` (32 bytes, hexadecimal), ``certificate_key``
(Ed25519, PEM), ``provisioner_password``
``/run/saas/db``: ``saas_master``, ``saas_provisioner`` (passwords of these roles)
"""

from __future__ import annotations

import base64
import fcntl
import os
import pwd
import secrets
import sys
from collections.abc import Callable
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from nacl.public import PrivateKey
from passlib.context import CryptContext

WEB = Path("/run/saas/web")
WORKER = Path("/run/saas/worker")
DATABASE = Path("/run/saas/db")
STATE = Path("/var/lib/odoo")
ROUTES = Path("/var/lib/saas/routes")
CERTIFICATES = Path("/var/lib/traefik")
DATABASES = Path("/run/saas/databases")
MASTER_ROUTE = Path("/etc/traefik/traefik-master.yml")  # in the proxy's container


class KeysError(Exception):
    """Secrets contradict each other; the message says which, and what to do."""


def main() -> int:
    odoo = pwd.getpwnam("odoo")
    postgres = int(os.environ.get("SAAS_POSTGRES_UID", "999"))
    for folder in (WEB, WORKER):
        own_folder(folder, odoo.pw_uid, odoo.pw_gid, 0o700)
    own_folder(DATABASE, postgres, postgres, 0o700)
    own_folder(STATE, odoo.pw_uid, odoo.pw_gid, 0o750)
    own_folder(ROUTES, odoo.pw_uid, odoo.pw_gid, 0o755)
    own_certificates(os.environ.get("SAAS_PROXY_USER", "65532:65532"))
    # Tenants' own database servers lay their sockets there.
    own_folder(DATABASES, postgres, postgres, 0o755)
    with (DATABASE / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        made = make_all((odoo.pw_uid, odoo.pw_gid), (postgres, postgres))
    print(f"made {', '.join(made)}" if made else "all keys are there")
    return 0


def make_all(odoo: tuple[int, int], postgres: tuple[int, int]) -> list[str]:
    """Make what is missing; the names of what was made."""
    made: list[str] = []

    def ensure(path: Path, owner: tuple[int, int], make: Callable[[], str]) -> str:
        text, is_new = ensure_file(path, owner, make)
        if is_new:
            made.append(path.name)
        return text

    # Derived files follow their source: what is lost is made from what is left.
    master = ensure(DATABASE / "saas_master", postgres, new_password)
    provisioner = ensure(DATABASE / "saas_provisioner", postgres, new_password)
    follow(WEB / "pgpass", odoo, f"*:*:*:saas_master:{master}", made)
    follow(WORKER / "provisioner_password", odoo, provisioner, made)
    login = ensure(WEB / "login_key", odoo, new_signing_key)
    follow(WEB / "login_public", odoo, signing_public(login), made)
    certificate = ensure(WORKER / "certificate_key", odoo, new_signing_key)
    follow(WEB / "certificate_public", odoo, signing_public(certificate), made)
    if read(WEB / "sealing_public") and not read(WORKER / "sealing_private"):
        raise KeysError(
            f"{WORKER}/sealing_private is lost, and what was sealed for it cannot be "
            f"opened by another: put it back from your backup, or remove "
            f"{WEB}/sealing_public and enter the engines' credentials again."
        )
    sealing = ensure(WORKER / "sealing_private", odoo, new_sealing_key)
    follow(WEB / "sealing_public", odoo, sealing_public(sealing), made)
    ensure(WEB / "admin_passwd", odoo, new_admin_hash)
    link_master_route()
    return made


def ensure_file(
    path: Path, owner: tuple[int, int], make: Callable[[], str]
) -> tuple[str, bool]:
    """The text of a file, made if it is missing or empty; whether it was made."""
    text = read(path)
    if text:
        protect(path, owner)
        return text, False
    text = make().strip()
    write(path, owner, text)
    return text, True


def follow(path: Path, owner: tuple[int, int], text: str, made: list[str]) -> None:
    """Have that text in a file."""
    if read(path) == text:
        protect(path, owner)
        return
    write(path, owner, text)
    made.append(path.name)


def read(path: Path) -> str:
    """The text of a file; empty when there is none."""
    try:
        return path.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return ""


def write(path: Path, owner: tuple[int, int], text: str) -> None:
    """Have a whole file or none, whenever it is interrupted."""
    part = path.with_name(f".{path.name}.new")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(f"{text}\n")
        file.flush()
        os.fsync(file.fileno())
    protect(part, owner)
    part.replace(path)


def protect(path: Path, owner: tuple[int, int]) -> None:
    os.chown(path, *owner)
    path.chmod(0o600)


def own_folder(path: Path, user: int, group: int, mode: int) -> None:
    """Have a folder that belongs to somebody; a volume begins as its first user's."""
    path.mkdir(parents=True, exist_ok=True)
    os.chown(path, user, group)
    path.chmod(mode)


def own_certificates(proxy: str) -> None:
    """Give what the proxy keeps of its certificates to the user that it runs as."""
    user, _, group = proxy.partition(":")
    own_folder(CERTIFICATES, int(user), int(group), 0o700)
    for path in CERTIFICATES.iterdir():
        protect(path, (int(user), int(group)))


def link_master_route() -> None:
    """Lead Traefik from the watched folder to the master's route in its own image."""
    link = ROUTES / "master.yml"
    if link.is_symlink() and link.readlink() == MASTER_ROUTE:
        return
    part = ROUTES / ".master.yml.new"
    part.unlink(missing_ok=True)
    part.symlink_to(MASTER_ROUTE)
    part.replace(link)


def new_password() -> str:
    # No colon and no backslash: they mean something in a passfile.
    return secrets.token_urlsafe(32)


def new_signing_key() -> str:
    key = Ed25519PrivateKey.generate()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(
        "ascii"
    )


def signing_public(pem: str) -> str:
    """The public key of a private one: 32 bytes in base64."""
    key = load_pem_private_key(pem.encode("ascii"), password=None).public_key()
    raw = key.public_bytes(Encoding.Raw, PublicFormat.Raw)
    return base64.b64encode(raw).decode("ascii")


def new_sealing_key() -> str:
    return bytes(PrivateKey.generate()).hex()


def sealing_public(private: str) -> str:
    return bytes(PrivateKey(bytes.fromhex(private)).public_key).hex()


def new_admin_hash() -> str:
    """A hash in Odoo's format of a password that is thrown away."""
    context = CryptContext(schemes=["pbkdf2_sha512"], pbkdf2_sha512__rounds=100_000)
    return context.hash(secrets.token_urlsafe(32))


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeysError as error:
        sys.exit(str(error))
