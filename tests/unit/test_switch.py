"""The switch with an engine that stands for Docker's: what it wakes, and what not."""

from __future__ import annotations

import contextlib
import dataclasses
import http.server
import json
import re
import socket
import socketserver
import threading
import time

import gateway_image
import pytest
from proxy_contract import ASLEEP, CLOSED, UID

from odoo.addons.saas.engine.proxy import (
    DirectoryRouteFiles,
    TraefikProxy,
    TraefikSettings,
)

LABELS = {"saas.stack": "saas", "saas.tenant": UID, "saas.kind": "tenant"}
NEXT = {"unpause": "running", "start": "running"}


class Engine(socketserver.ThreadingUnixStreamServer):
    """One container, in the state that it is told."""

    daemon_threads = True

    def __init__(self, path):
        self.state, self.labels, self.verbs = "paused", LABELS, []
        super().__init__(str(path), Container)


class Container(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        engine = self.server
        if engine.state and self.path == f"/containers/saas-{UID}/json":
            state, labels = {"Status": engine.state}, {"Labels": engine.labels}
            self.send(200, {"State": state, "Config": labels})
        else:
            self.send(404, {})

    def do_POST(self):
        verb = re.fullmatch(f"/containers/saas-{UID}/([a-z]+)", self.path)[1]
        self.server.verbs.append(verb)
        self.server.state = NEXT[verb]
        self.send(204, {})

    def send(self, status, body):
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def address_string(self):
        return "engine"

    def log_message(self, *_args):
        pass


class Odoo(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        awake = self.server.engine.state == "running" and self.path == "/web/health"
        self.send_response(200 if awake else 503)
        self.end_headers()


class Websockets(Odoo):
    """The process that takes websockets, where Odoo has workers."""

    def do_GET(self):
        self.server.asked.append(self.path)
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, *_args):
        pass


@pytest.fixture
def engine(tmp_path_factory):
    path = tmp_path_factory.mktemp("engine") / "socket"
    with gateway_image.running(Engine(path)) as engine:
        engine.path = path
        yield engine


@pytest.fixture
def odoo(engine):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Odoo)
    server.engine = engine
    with gateway_image.running(server):
        yield f"http://127.0.0.1:{server.server_port}"


@pytest.fixture
def proxy(tmp_path):
    settings = TraefikSettings(gateway="http://172.30.0.13:8070")
    return TraefikProxy(DirectoryRouteFiles(tmp_path), settings)


@pytest.fixture
def sleeper(odoo):
    return dataclasses.replace(ASLEEP, http=odoo, websocket=odoo)


@pytest.fixture
def switch(tmp_path, engine, proxy, sleeper):
    """The program, for a tenant that sleeps."""
    proxy.put_route(sleeper)
    switch = gateway_image.load("switch")
    switch.ROUTES, switch.ENGINE, switch.STACK = tmp_path, str(engine.path), "saas"
    switch.SECONDS_TO_SLEEP, switch.SECONDS_TO_ANSWER = 0.3, 0.3
    return switch


@pytest.mark.parametrize(
    ("state", "verb"),
    [("paused", "unpause"), ("exited", "start"), ("created", "start")],
)
def test_who_sleeps_is_woken_in_its_own_way(switch, engine, state, verb):
    engine.state = state
    assert switch.wake(UID)
    assert engine.verbs == [verb]


@pytest.mark.parametrize(("status", "awake"), [(200, True), (404, True), (502, False)])
def test_one_with_workers_is_awake_when_it_takes_websockets_too(
    switch, engine, proxy, sleeper, status, awake
):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Websockets)
    server.status, server.asked = status, []
    with gateway_image.running(server):
        websocket = f"http://127.0.0.1:{server.server_port}"
        proxy.put_route(dataclasses.replace(sleeper, websocket=websocket))
        assert switch.wake(UID) is awake
    assert set(server.asked) == {"/websocket/health"}


def test_who_is_awake_already_is_left_alone(switch, engine):
    assert switch.wake(UID)
    began = time.monotonic()
    assert switch.wake(UID)
    assert time.monotonic() - began < 0.2
    assert engine.verbs == ["unpause"]


def test_who_is_being_put_to_sleep_is_woken_after_that(switch, engine):
    engine.state = "running"
    threading.Timer(0.1, setattr, (engine, "state", "paused")).start()
    assert switch.wake(UID)
    assert engine.verbs == ["unpause"]


def test_who_was_to_be_put_to_sleep_and_was_not_is_awake(switch, engine):
    engine.state = "running"
    assert switch.wake(UID)
    assert engine.verbs == []


def test_who_sleeps_again_is_awake_only_after_that_too(switch, engine, proxy, sleeper):
    assert switch.wake(UID)
    proxy.put_route(sleeper)
    threading.Timer(0.1, setattr, (engine, "state", "paused")).start()
    assert switch.wake(UID)
    assert engine.verbs == ["unpause", "unpause"]


def test_who_does_not_answer_is_not_called_awake(switch, engine, monkeypatch):
    monkeypatch.setitem(NEXT, "unpause", "dead")
    assert not switch.wake(UID)


@pytest.mark.parametrize("state", ["", "dead", "removing", "restarting"])
def test_what_is_no_sleeper_to_the_engine_is_left_alone(switch, engine, state):
    engine.state = state
    assert not switch.wake(UID)
    assert engine.verbs == []


def test_who_may_not_run_is_not_woken_whoever_asks(switch, engine, proxy):
    proxy.put_route(CLOSED)
    assert not switch.wake(UID)
    proxy.delete_route(UID)
    assert not switch.wake(UID)
    assert engine.verbs == []


@pytest.mark.parametrize("name", LABELS)
def test_what_is_not_a_tenant_of_this_stack_is_not_touched(switch, engine, name):
    engine.labels = {**LABELS, name: "another"}
    assert not switch.wake(UID)
    engine.labels = None
    assert not switch.wake(UID)
    assert engine.verbs == []


@pytest.mark.parametrize("uid", ["", "master", "../unknown", f"{UID}/../x", "t1"])
def test_only_a_tenant_s_id_is_taken(switch, engine, uid):
    assert not switch.wake(uid)
    assert engine.verbs == []


def test_it_is_asked_by_a_line_on_its_socket(switch, engine, tmp_path_factory):
    path = tmp_path_factory.mktemp("switch") / "socket"
    with (
        gateway_image.running(switch.Switch(str(path), switch.Request)),
        contextlib.closing(socket.socket(socket.AF_UNIX)) as connection,
    ):
        connection.connect(str(path))
        connection.sendall(f"{UID}\n".encode())
        assert connection.makefile().readline() == "awake\n"
    assert engine.state == "running"
