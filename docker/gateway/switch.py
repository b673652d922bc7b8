#!/usr/bin/env python3
"""Starts or unpauses a tenant that sleeps, when the gateway asks for it.

The gateway faces visitors, so it has no engine; this has one, and takes nothing but a
uid by a socket that the gateway alone can reach. It wakes only a tenant of this stack
whose file beside the routes says that it sleeps. The answer is ``awake`` or ``no``.
"""

from __future__ import annotations

import http.client
import json
import os
import pathlib
import re
import socket
import socketserver
import threading
import time
import urllib.parse

ENGINE = "/var/run/docker.sock"
ROUTES = pathlib.Path("/var/lib/saas/routes")
SOCKET = pathlib.Path("/run/saas/switch/switch.sock")
STACK = os.environ.get("STACK", "")
UID = re.compile(r"t[0-9a-f]{12}")
SECONDS_TO_ASK = 10
SECONDS_TO_SLEEP = 3
SECONDS_TO_ANSWER = 25
INTERVAL = 0.02
STOPPED = ("created", "exited")

# Each start costs a second of a core: more at once are all late.
starts = threading.BoundedSemaphore(2 * (os.cpu_count() or 1))
# Tenants that were woken, and from which sleep.
woken: dict[str, int] = {}


class Engine(http.client.HTTPConnection):
    """The engine, by its socket."""

    def __init__(self):
        super().__init__("docker", timeout=SECONDS_TO_ASK)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(ENGINE)


def call(method, uid, verb):
    engine = Engine()
    try:
        engine.request(method, f"/containers/saas-{uid}/{verb}")
        answer = engine.getresponse()
        return answer.status, answer.read()
    finally:
        engine.close()


def observe(uid):
    """Return what the engine says a tenant of this stack is; empty for no such."""
    status, body = call("GET", uid, "json")
    if status != http.HTTPStatus.OK:
        return ""
    found = json.loads(body)
    labels = found["Config"]["Labels"] or {}
    wanted = {"saas.stack": STACK, "saas.tenant": uid, "saas.kind": "tenant"}
    ours = all(labels.get(name) == value for name, value in wanted.items())
    return found["State"]["Status"] if ours else ""


def read_sleeper(uid):
    """Return what a tenant answers when awake, and since when it sleeps.

    Both are empty for whoever does not sleep.
    """
    try:
        words = json.loads((ROUTES / f"{uid}.json").read_bytes())
    except (OSError, ValueError):
        return [], 0
    main, websocket = words.get("http"), words.get("websocket")
    if not main:
        return [], 0
    pages = [f"{main}/web/health"]
    # With workers another process takes websockets.
    if websocket and websocket != main:
        pages.append(f"{websocket}/websocket/health")
    return pages, words.get("since", 0)


def wake(uid):
    """Wake a tenant that sleeps; whether it is awake."""
    pages, since = read_sleeper(uid) if UID.fullmatch(uid) else ([], 0)
    if not pages:
        return False
    state = observe(uid)
    if state == "running" and woken.get(uid) != since:
        state = wait_until_paused(uid)
    if state == "running" and woken.get(uid) == since:
        return True
    if state == "paused":
        call("POST", uid, "unpause")
    if state in STOPPED:
        with starts:
            call("POST", uid, "start")
            awake = wait_until_answers(pages)
    else:
        awake = bool(state) and wait_until_answers(pages)
    if awake:
        woken[uid] = since
    return awake


def wait_until_paused(uid):
    """Let who is being put to sleep fall asleep first; return what it is then."""
    until = time.monotonic() + SECONDS_TO_SLEEP
    while (state := observe(uid)) == "running" and time.monotonic() < until:
        time.sleep(INTERVAL)
    return state


def wait_until_answers(pages):
    until = time.monotonic() + SECONDS_TO_ANSWER
    while not all(map(answers, pages)):
        if time.monotonic() > until:
            return False
        time.sleep(INTERVAL)
    return True


def answers(page):
    """Whether a tenant says that it is well; where else it points is not followed."""
    where = urllib.parse.urlsplit(page)
    connection = http.client.HTTPConnection(where.netloc, timeout=5)
    # A database without websockets has no page for them, which is an answer too.
    well = (http.HTTPStatus.OK,)
    if where.path == "/websocket/health":
        well += (http.HTTPStatus.NOT_FOUND,)
    try:
        connection.request("GET", where.path)
        return connection.getresponse().status in well
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


class Request(socketserver.StreamRequestHandler):
    timeout = SECONDS_TO_ASK

    def handle(self):
        uid = self.rfile.readline(64).decode("ascii", "replace").strip()
        self.wfile.write(b"awake\n" if wake(uid) else b"no\n")


class Switch(socketserver.ThreadingUnixStreamServer):
    request_queue_size = 64
    daemon_threads = True


def serve():
    SOCKET.unlink(missing_ok=True)
    with Switch(str(SOCKET), Request) as switch:
        switch.serve_forever()


if __name__ == "__main__":
    serve()
