"""The gateway as the proxy asks it before each request to a tenant that sleeps."""

from __future__ import annotations

import base64
import concurrent.futures
import hashlib
import http.client
import re
import threading
import time

import gateway_image
import pytest
from proxy_contract import ASLEEP, CLOSED, PAGE, UID

from odoo.addons.saas.engine.proxy import (
    DirectoryRouteFiles,
    TraefikProxy,
    TraefikSettings,
)

BROWSER = {"User-Agent": "Mozilla/5.0 (X11; Linux) Firefox/140", "Accept": "text/html"}
PROGRAM = {"User-Agent": "python-requests/2.32", "Accept": "*/*"}


@pytest.fixture
def proxy(tmp_path):
    settings = TraefikSettings(gateway="http://172.30.0.13:8070")
    proxy = TraefikProxy(DirectoryRouteFiles(tmp_path), settings)
    proxy.put_route(ASLEEP)
    return proxy


@pytest.fixture
def awake():
    """Set once the tenant is to be awake."""
    return threading.Event()


@pytest.fixture
def switch(tmp_path_factory, awake):
    path = tmp_path_factory.mktemp("switch") / "socket"
    stand_in = gateway_image.Switch(path, lambda _uid: awake.wait(3))
    stand_in.path = path
    with gateway_image.running(stand_in):
        yield stand_in


@pytest.fixture
def gateway(tmp_path, proxy, switch):
    limits = {"SECONDS_TO_PAGE": 0.2, "SECONDS_TO_WAKE": 1.0}
    with gateway_image.serve(tmp_path, switch.path, **limits) as url:
        yield url.removeprefix("http://")


def ask(gateway, *, method="GET", uri="/odoo", uid=UID, client=PROGRAM, **headers):
    """The answer as Traefik gets it, and its text."""
    connection = http.client.HTTPConnection(gateway, timeout=5)
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    headers["X-Forwarded-Host"] = "alfa.odoo.localhost:8080"
    headers |= {**client, "X-Forwarded-Method": method, "X-Forwarded-Uri": uri}
    try:
        connection.request("GET", f"/wake/{uid}", headers=headers)
        answer = connection.getresponse()
        return answer, answer.read().decode()
    finally:
        connection.close()


@pytest.mark.parametrize("client", [BROWSER, PROGRAM])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_who_comes_wakes_the_tenant_and_goes_on(gateway, switch, awake, client, method):
    awake.set()
    answer, text = ask(gateway, method=method, client=client)
    assert (answer.status, text) == (200, "")
    assert switch.asked == [UID]


def test_all_who_come_at_once_wait_for_one_wake(gateway, switch, awake):
    with concurrent.futures.ThreadPoolExecutor(40) as pool:
        answers = [pool.submit(ask, gateway) for _each in range(40)]
        time.sleep(0.3)
        awake.set()
        assert {answer.result()[0].status for answer in answers} == {200}
    assert switch.asked == [UID]


def test_of_many_who_wait_one_after_the_other_is_let_through(gateway, awake):
    def take():
        answer, _text = ask(gateway)
        return answer.status, time.monotonic()

    with concurrent.futures.ThreadPoolExecutor(40) as pool:
        answers = [pool.submit(take) for _each in range(40)]
        time.sleep(0.3)
        awake.set()
        moments = sorted(answer.result()[1] for answer in answers)
    assert {answer.result()[0] for answer in answers} == {200}
    assert moments[-1] - moments[0] > 0.5


def test_who_reads_in_a_browser_gets_a_page_that_asks_again(gateway):
    began = time.monotonic()
    answer, text = ask(gateway, client=BROWSER)
    assert time.monotonic() - began < 0.9
    assert answer.status == 503
    assert answer.headers["Retry-After"] == "2"
    assert '<noscript><meta http-equiv="refresh" content="2"></noscript>' in text
    script = re.search("<script>(.*?)</script>", text, re.DOTALL)[1]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = answer.headers["Content-Security-Policy"]
    assert f"script-src 'sha256-{digest}'; connect-src 'self';" in policy
    assert f"<h1>{PAGE.title}</h1>" in text
    assert '<p class="host">alfa.odoo.localhost</p>' in text


@pytest.mark.parametrize(
    "question", [{"client": PROGRAM}, {"client": BROWSER, "method": "POST"}]
)
def test_who_cannot_come_back_is_held_until_the_limit(gateway, awake, question):
    threading.Timer(0.5, awake.set).start()
    assert ask(gateway, **question)[0].status == 200


def test_a_tenant_that_does_not_wake_is_called_unavailable(gateway):
    answer, text = ask(gateway)
    assert answer.status == 503
    assert 'http-equiv="refresh"' not in text


def test_without_a_switch_nothing_wakes_and_nothing_breaks(tmp_path, proxy):
    with gateway_image.serve(tmp_path) as url:
        answer, _text = ask(url.removeprefix("http://"))
    assert answer.status == 503


@pytest.mark.parametrize(
    "question",
    [
        {"method": "HEAD"},
        {"uri": "/web/health"},
        {"uri": "/web/health?db_server_status=1"},
        {"uri": "/robots.txt"},
        {"uri": "/websocket/health"},
        {"client": {"User-Agent": "Mozilla/5.0 (compatible; Googlebot/2.1)"}},
        {"client": {"User-Agent": "UptimeRobot/2.0"}},
        {"client": {"User-Agent": "Blackbox Exporter/0.27"}},
    ],
)
def test_probes_wake_nobody(gateway, switch, awake, question):
    awake.set()
    answer, text = ask(gateway, **question)
    assert answer.status == 503
    assert 'http-equiv="refresh"' not in text
    assert switch.asked == []


def test_a_question_about_its_use_goes_to_the_tenant_and_does_not_wake_it(
    gateway, switch
):
    assert ask(gateway, method="POST", uri="/saas/use")[0].status == 200
    assert switch.asked == []


def test_who_would_be_let_through_too_late_reads_the_page(gateway, awake):
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        answers = [pool.submit(ask, gateway, client=BROWSER) for _each in range(20)]
        time.sleep(0.1)
        awake.set()
        codes = [answer.result()[0].status for answer in answers]
    assert codes.count(200) >= 1
    assert codes.count(503) >= 5


def test_who_does_not_sleep_is_not_woken(gateway, switch, awake, proxy):
    awake.set()
    proxy.put_route(CLOSED)
    assert ask(gateway)[0].status == 503
    assert switch.asked == []


def test_who_was_woken_meanwhile_is_let_through(gateway, switch, proxy):
    proxy.delete_route(UID)
    assert ask(gateway)[0].status == 200
    assert switch.asked == []


@pytest.mark.parametrize("page", [UID, "unknown"])
def test_a_visitor_of_another_address_cannot_wake_anybody(gateway, switch, awake, page):
    awake.set()
    answer, _text = ask(gateway, X_Saas_Page=page)
    assert answer.status in (404, 503)
    assert switch.asked == []
