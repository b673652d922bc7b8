"""The configuration file of a tenant's Odoo, as a pure function of what goes in."""

from __future__ import annotations

import base64
import configparser
import dataclasses
import hashlib
import io
from collections.abc import Mapping

ADMIN_ROUNDS = 1000
"""Rounds for a hash of 256 random bits, which no number of rounds makes harder."""

SALT_SIZE = 16
PUBLIC_KEY_SIZE = 32

DATA_DIRECTORY = "/var/lib/odoo"
HTTP_PORT = 8069
WEBSOCKET_PORT = 8072
MODULES = ("base", "rpc", "web", "saas_agent")

TIME_LIMIT = 600
"""Seconds of processor time for one request; twice that on the clock."""

CONNECTIONS = 16
SPARE_CONNECTIONS = 2
"""Those of a role's limit that its Odoo leaves to copies and to the master."""

PROCESS_CONNECTIONS = 3
"""What a process needs: for its request, for one beside it, and to listen."""

WORKER_PROCESSES = 4
"""Processes and threads of one HTTP worker, with some room."""

WORKER_MEMORY = 128 * 2**20
BASE_MEMORY = 256 * 2**20
BASE_PROCESSES = 50


@dataclasses.dataclass(frozen=True, slots=True)
class Needs:
    """The least that a tenant needs; memory in bytes."""

    memory: int
    processes: int
    connections: int


def get_needs(workers: int) -> Needs:
    """What an Odoo with so many HTTP workers needs; 0 is one process with threads."""
    if not workers:
        return Needs(BASE_MEMORY, BASE_PROCESSES, connections=4)
    return Needs(
        memory=BASE_MEMORY + workers * WORKER_MEMORY,
        processes=BASE_PROCESSES + workers * WORKER_PROCESSES,
        connections=_count_processes(workers) * PROCESS_CONNECTIONS + SPARE_CONNECTIONS,
    )


def _count_processes(workers: int) -> int:
    """Those with connections: beside the workers one for scheduled actions, and one
    for websockets.
    """
    return workers + 2


def make_config(
    *,
    uid: str,
    database_host: str,
    database_port: int,
    password: str,
    admin_password: str,
    public_key: str = "",
    connections: int = CONNECTIONS,
    workers: int = 0,
) -> bytes:
    """The content of ``odoo.conf``: the same bytes for the same values.

    :param str uid: also the name of the database and of its role
    :param str database_host: the database server as tenants reach it
    :param str password: the role's
    :param str admin_password: opens Odoo's database manager; 256 random bits
    :param str public_key: checks login tokens: raw Ed25519 in base64 or hexadecimal;
        empty where nobody will log in
    :param int connections: the role's limit
    :param int workers: processes that answer requests; 0 is one with threads
    :raise ValueError: a value that would not stay on its own line, or no key
    """
    parser = configparser.RawConfigParser()
    parser["options"] = _check_values(
        {
            "db_host": database_host,
            "db_port": database_port,
            "db_user": uid,
            "db_password": password,
            "db_name": uid,
            "admin_passwd": make_admin_hash(admin_password),
            "workers": workers,
            **_share_connections(connections, workers),
            **_OPTIONS,
        }
    )
    agent = {"uid": uid}
    if public_key:
        agent["public_key"] = _encode_public_key(public_key)
    parser["saas_agent"] = _check_values(agent)
    text = io.StringIO()
    parser.write(text)
    return text.getvalue().encode()


def make_admin_hash(password: str) -> str:
    """The hash of the master password in the form that Odoo verifies.

    Always the same for the same password: its salt comes from the password, which is
    as random as a salt could be.
    """
    salt = hashlib.blake2b(
        password.encode(), digest_size=SALT_SIZE, person=b"saas.salt"
    ).digest()
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, ADMIN_ROUNDS)
    return f"$pbkdf2-sha512${ADMIN_ROUNDS}${_encode_hash(salt)}${_encode_hash(digest)}"


_OPTIONS = {
    "list_db": False,
    "proxy_mode": True,
    "data_dir": DATA_DIRECTORY,
    "http_interface": "0.0.0.0",  # noqa: S104
    "http_port": HTTP_PORT,
    "gevent_port": WEBSOCKET_PORT,
    "max_cron_threads": 1,
    # Odoo measures virtual memory, which threads reserve and never use: the
    # container's own limit is the one that counts.
    "limit_memory_soft": 0,
    "limit_memory_hard": 0,
    "limit_time_cpu": TIME_LIMIT,
    "limit_time_real": TIME_LIMIT * 2,
    "limit_time_real_cron": TIME_LIMIT * 2,
    "server_wide_modules": ",".join(MODULES),
    "with_demo": False,
    "log_level": "info",
}


def _share_connections(connections: int, workers: int) -> dict[str, int]:
    """The pool of each process: all of them together stay below the role's limit."""
    left = connections - SPARE_CONNECTIONS
    if not workers:
        return {"db_maxconn": max(left, 2)}
    each = max(left // _count_processes(workers), 1)
    # All websockets share one process, so it gets what remains.
    return {
        "db_maxconn": each,
        "db_maxconn_gevent": max(left - each * (workers + 1), each),
    }


def _check_values(values: Mapping[str, object]) -> dict[str, str]:
    checked = {name: str(value) for name, value in values.items()}
    for name, value in checked.items():
        if not value or not value.isprintable() or value != value.strip():
            raise ValueError(f"the value of {name} does not fit on a line of its own")
    return checked


def _encode_public_key(text: str) -> str:
    text = text.strip()
    try:
        is_hex = len(text) == 2 * PUBLIC_KEY_SIZE
        key = bytes.fromhex(text) if is_hex else base64.b64decode(text, validate=True)
    except ValueError:
        key = b""
    if len(key) != PUBLIC_KEY_SIZE:
        raise ValueError("the public key for logins is not a raw Ed25519 key")
    return base64.b64encode(key).decode()


def _encode_hash(data: bytes) -> str:
    """Base64 as passlib writes it: a dot for the plus sign, nothing to fill up."""
    return base64.b64encode(data).decode().rstrip("=").replace("+", ".")
