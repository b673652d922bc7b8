"""Starts Odoo on restored data, logs in to it as its administrator, and tells.

Runs in a task of the tenant's own image, as ``python3 boot.py``, with ``odoo.conf``,
``relay.py`` and ``boot.json`` beside it: ``uid``, ``key``, the private key (PEM) of a
pair that was made for this one start, and ``database``, the socket that leads to the
database server. The task has no network: nothing but its database can be reached, and
Odoo listens to this container alone. No scheduled action runs. The last line says what
came of it, in the form of ``saas-backup``.
"""

from __future__ import annotations

import contextlib
import http.cookiejar
import json
import pathlib
import re
import socket
import struct
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from typing import TextIO

import jwt

URL = "http://127.0.0.1:8069"
SECONDS = 240
RETRYABLE = 75
DATABASE = ("127.0.0.1", 5432)
DATABASE_SECONDS = 30
ASK_FOR_TLS = struct.pack("!II", 8, 80877103)  # which every PostgreSQL answers
ASSET = re.compile(r'(?:src|href)="(/web/assets/[^"]+)"')


class Fault(Exception):
    """The restored Odoo does not work; the word says where."""

    retryable = False

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class DatabaseAway(Fault):
    """Says nothing about the copy."""

    retryable = True

    def __init__(self) -> None:
        super().__init__("database_away", "The database server does not answer.")


def main() -> int:
    here = pathlib.Path(__file__)
    job = json.loads(here.with_name("boot.json").read_text())
    place = ":".join(map(str, DATABASE))
    relay = [sys.executable, here.with_name("relay.py"), place, job["database"]]
    with tempfile.TemporaryFile("w+") as log, running(relay, log):
        try:
            answer = {"ok": True, **start_and_try_out(job, log)}
        except Fault as error:
            log.seek(0)
            sys.stdout.write(log.read()[-4000:])
            answer = {
                "ok": False,
                "retryable": error.retryable,
                "reason": error.reason,
                "message": str(error),
            }
    sys.stdout.write("\n" + json.dumps({"saas-backup": answer}) + "\n")
    if answer["ok"]:
        return 0
    return RETRYABLE if answer["retryable"] else 1


@contextlib.contextmanager
def running(command: list, log: TextIO) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def start_and_try_out(job: dict[str, str], log: TextIO) -> dict[str, object]:
    wait_for_database(DATABASE_SECONDS)
    command = ["odoo", "--max-cron-threads=0", "--http-interface=127.0.0.1"]
    with running(command, log) as odoo:
        try:
            return try_out(job, odoo)
        except Fault:
            # Was it the copy, or is the database gone?
            wait_for_database(0)
            raise


def wait_for_database(seconds: float) -> None:
    until = time.monotonic() + seconds
    while not has_database():
        if time.monotonic() > until:
            raise DatabaseAway
        time.sleep(0.1)


def has_database() -> bool:
    try:
        with socket.create_connection(DATABASE, timeout=5) as connection:
            connection.sendall(ASK_FOR_TLS)
            return connection.recv(1) in (b"S", b"N")
    except OSError:
        return False


def try_out(job: dict[str, str], odoo: subprocess.Popen[str]) -> dict[str, object]:
    begun = time.monotonic()
    wait_until_healthy(odoo)
    ready = time.monotonic()
    browser = urllib.request.build_opener(
        urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
    )
    address, page = get(browser, f"{URL}/saas/login?token={make_token(job)}", "login")
    if "/web/login/totp" not in address and not address.startswith(f"{URL}/odoo"):
        raise Fault("login", f"The login led to {address} and not into Odoo.")
    assets = sorted(set(ASSET.findall(page)))
    for path in assets:
        get(browser, URL + path, "files")
    return {
        "command": "boot",
        "ready_seconds": round(ready - begun, 3),
        "login_seconds": round(time.monotonic() - ready, 3),
        "assets": len(assets),
    }


def wait_until_healthy(odoo: subprocess.Popen[str]) -> None:
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        if odoo.poll() is not None:
            raise Fault("boot", f"Odoo ended with code {odoo.returncode}.")
        try:
            with urllib.request.urlopen(f"{URL}/web/health", timeout=5) as answer:  # noqa: S310
                if answer.status == 200:
                    return
        except OSError:
            time.sleep(0.1)
    raise Fault("boot", f"Odoo did not answer within {SECONDS} seconds.")


def get(browser: urllib.request.OpenerDirector, url: str, reason: str) -> tuple:
    try:
        with browser.open(url, timeout=120) as answer:
            return answer.url, answer.read().decode(errors="replace")
    except urllib.error.HTTPError as error:
        path = url.removeprefix(URL).partition("?")[0]
        raise Fault(reason, f"{path} answered {error.code}.") from error
    except OSError as error:
        raise Fault(reason, f"Odoo stopped to answer: {error}.") from error


def make_token(job: dict[str, str]) -> str:
    """What the master would sign, by the key that only this start believes."""
    now = int(time.time())
    claims = {
        "iss": "saas",
        "aud": job["uid"],
        "sub": "admin",
        "iat": now,
        "nbf": now,
        "exp": now + 60,
        "jti": uuid.uuid4().hex,
    }
    return jwt.encode(claims, job["key"], algorithm="EdDSA")


if __name__ == "__main__":
    raise SystemExit(main())
