"""The gateway by HTTP: what it says of tenants that do not run, and of no tenant."""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import re

import gateway_image
import pytest
from proxy_contract import CLOSED, PAGE, UID

from odoo.addons.saas.engine import proxy as engine
from odoo.addons.saas.engine.proxy import (
    DirectoryRouteFiles,
    Page,
    TraefikProxy,
    TraefikSettings,
)

HOST = "alfa.odoo.localhost"


@pytest.fixture
def proxy(tmp_path):
    """What the worker writes with."""
    settings = TraefikSettings(gateway="http://172.30.0.13:8070")
    return TraefikProxy(DirectoryRouteFiles(tmp_path), settings)


@pytest.fixture
def gateway(tmp_path):
    with gateway_image.serve(tmp_path) as url:
        yield url.removeprefix("http://")


def ask(gateway, uid="", method="GET", body=None, path="/web/login", **headers):
    """The answer and its text."""
    connection = http.client.HTTPConnection(gateway, timeout=5)
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    headers["Host"] = f"{HOST}:8080"
    if uid:
        headers[engine.PAGE_HEADER] = uid
    try:
        connection.request(method, path, body=body, headers=headers)
        answer = connection.getresponse()
        return answer, answer.read().decode()
    finally:
        connection.close()


def test_a_suspended_tenant_s_page_says_what_happened_and_whom_to_ask(proxy, gateway):
    proxy.put_route(CLOSED)
    answer, text = ask(gateway, UID)
    assert answer.status == 503
    assert answer.headers["Retry-After"] == "3600"
    assert '<html lang="pt-BR" dir="ltr">' in text
    assert f"<h1>{PAGE.title}</h1>" in text
    for words in (*PAGE.sentences, PAGE.ask):
        assert f"<p>{words}</p>" in text
    assert '<a href="mailto:oi@nuvem.example">oi@nuvem.example</a>' in text
    assert f'<p class="host">{HOST}</p>' in text


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ("", "pt-BR"),
        ("*", "pt-BR"),
        ("ja,zh-TW;q=0.9", "pt-BR"),
        ("en", "en-US"),
        ("en-GB,pt;q=0.5", "en-US"),
        ("de, en-us;q=0.7, pt-BR;q=0.8", "pt-BR"),
        ("fr-CH, en;q=0.9, *;q=0.5", "en-US"),
        ("pt-BR;q=0, en;q=0.1", "en-US"),
        ("en;q=9, ;;, pt;q=-1,=" + "x," * 3000, "en-US"),
    ],
)
def test_visitors_read_the_language_they_like_best_of_those_there_are(
    proxy, gateway, accepted, language
):
    proxy.put_route(CLOSED)
    answer, text = ask(gateway, UID, Accept_Language=accepted)
    assert answer.status == 503
    assert f'<html lang="{language}"' in text
    assert answer.headers["Content-Language"] == language


def test_an_unknown_address_says_so(proxy, gateway):
    proxy.put_unknown_pages((Page(title="There is nothing here"),))
    answer, text = ask(gateway)
    assert answer.status == 404
    assert "Retry-After" not in answer.headers
    assert "<h1>There is nothing here</h1>" in text


@pytest.mark.parametrize("uid", ["../unknown", "T0000000000A1", "tpl0123456789", "x"])
def test_only_a_tenant_s_id_names_a_file(tmp_path, gateway, uid):
    file = tmp_path / f"{uid.rpartition('/')[2]}.json"
    file.write_text('{"pages": [{"title": "Stolen", "language": "en"}]}')
    answer, text = ask(gateway, uid)
    assert answer.status == 404
    if "unknown" not in uid:
        assert "Stolen" not in text


@pytest.mark.parametrize("words", [None, "", "{", "[]"])
def test_without_words_it_says_the_least(tmp_path, gateway, words):
    if words is not None:
        (tmp_path / f"{UID}.json").write_text(words)
        (tmp_path / "unknown.json").write_text(words)
    answer, text = ask(gateway, UID)
    assert (answer.status, "<h1>Service Unavailable</h1>" in text) == (503, True)
    answer, text = ask(gateway)
    assert (answer.status, "<h1>Not Found</h1>" in text) == (404, True)


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_each_way_of_asking_is_answered_alike(proxy, gateway, method):
    proxy.put_route(CLOSED)
    answer, text = ask(gateway, UID, method, body=b"x" * 100_000)
    assert answer.status == 503
    assert PAGE.title in text


def test_who_asks_for_the_head_alone_gets_it_alone(proxy, gateway):
    proxy.put_route(CLOSED)
    answer, text = ask(gateway, UID, "HEAD")
    assert (answer.status, text) == (503, "")
    assert int(answer.headers["Content-Length"]) > 500


def test_a_websocket_is_told_the_same(proxy, gateway):
    proxy.put_route(CLOSED)
    answer, _text = ask(gateway, UID, Connection="Upgrade", Upgrade="websocket")
    assert answer.status == 503


def test_nobody_keeps_it_or_finds_it_by_searching_and_it_sets_no_cookie(gateway):
    for uid in (UID, ""):
        headers = ask(gateway, uid)[0].headers
        assert headers["Cache-Control"] == "no-store"
        assert headers["X-Robots-Tag"] == "noindex"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert "Set-Cookie" not in headers
        assert headers["Server"].strip() == "saas"


def test_its_own_style_alone_is_let_in(gateway):
    answer, text = ask(gateway)
    style = re.search("<style>(.*?)</style>", text, re.DOTALL)[1]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith(f"default-src 'none'; style-src 'sha256-{digest}';")


def test_words_stay_words(tmp_path, gateway):
    evil = '"><script>alert(1)</script>'
    words = dict.fromkeys(("title", "ask", "language", "direction"), evil)
    words |= {"sentences": [evil], "contacts": [[evil, evil]]}
    (tmp_path / f"{UID}.json").write_text(json.dumps({"pages": [words]}))
    assert "<script" not in ask(gateway, UID)[1]


def test_other_words_count_at_once(proxy, gateway):
    proxy.put_unknown_pages((Page(title="Before"),))
    assert "Before" in ask(gateway)[1]
    proxy.put_unknown_pages((Page(title="After"),))
    assert "After" in ask(gateway)[1]
