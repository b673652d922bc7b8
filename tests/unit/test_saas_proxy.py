"""Traefik's configuration as a whole, and the files that it is written to."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import stat

import pytest
from proxy_contract import ASLEEP, CLOSED, OTHER, PAGE, ROUTE, UID, ProxyContract

from odoo.addons.saas.engine import proxy as engine
from odoo.addons.saas.engine.errors import RefusedError, RetryableError
from odoo.addons.saas.engine.fake import FakeProxy, LostProxy
from odoo.addons.saas.engine.names import InvalidName
from odoo.addons.saas.engine.proxy import (
    DirectoryRouteFiles,
    Route,
    TraefikProxy,
    TraefikSettings,
    make_configuration,
)

GATEWAY = "http://172.30.0.13:8070"
SECURE = TraefikSettings(
    entry_points=("websecure",), tls=True, certificate_resolver="http"
)
PLAIN = Route(
    uid=UID,
    hosts=("alfa.odoo.localhost",),
    http="http://172.28.0.16:8069",
    websocket="http://172.28.0.16:8069",
)


class TestFakeProxy(ProxyContract):
    @pytest.fixture
    def proxy(self):
        return FakeProxy()

    @pytest.fixture
    def unreachable_proxy(self):
        return LostProxy()


class TestTraefikProxy(ProxyContract):
    @pytest.fixture
    def proxy(self, tmp_path):
        settings = TraefikSettings(gateway=GATEWAY)
        return TraefikProxy(DirectoryRouteFiles(tmp_path), settings)

    @pytest.fixture
    def unreachable_proxy(self, tmp_path):
        settings = TraefikSettings(gateway=GATEWAY)
        return TraefikProxy(DirectoryRouteFiles(tmp_path / "absent"), settings)


@pytest.fixture
def proxy(tmp_path):
    settings = TraefikSettings(gateway=GATEWAY)
    return TraefikProxy(DirectoryRouteFiles(tmp_path), settings)


def test_the_whole_configuration_of_a_plain_route():
    settings = TraefikSettings(rate_average=7, rate_burst=9)
    assert make_configuration(PLAIN, settings) == {
        "http": {
            "routers": {
                UID: {
                    "rule": "(Host(`alfa.odoo.localhost`)) && "
                    f"!PathRegexp(`{engine.CLOSED_PATHS}`)",
                    "service": UID,
                    "middlewares": [f"{UID}-rate", f"{UID}-headers", f"{UID}-compress"],
                }
            },
            "services": {
                UID: {"loadBalancer": {"servers": [{"url": "http://172.28.0.16:8069"}]}}
            },
            "middlewares": {
                f"{UID}-rate": {"rateLimit": {"average": 7, "burst": 9}},
                f"{UID}-headers": {"headers": engine.SECURITY_HEADERS},
                f"{UID}-compress": {
                    "compress": {"excludedContentTypes": ["text/event-stream"]}
                },
            },
        }
    }


def test_a_second_process_for_websockets_gets_a_router_and_a_service():
    http = make_configuration(ROUTE, TraefikSettings())["http"]
    rule = http["routers"][UID]["rule"]
    assert http["routers"][f"{UID}-websocket"] == {
        **http["routers"][UID],
        "rule": f"{rule} && PathPrefix(`/websocket`)",
        "service": f"{UID}-websocket",
    }
    assert http["services"][f"{UID}-websocket"] == {
        "loadBalancer": {"servers": [{"url": "http://192.0.2.16:8072"}]}
    }


def test_a_route_to_a_page_leads_to_the_gateway_and_says_whose_it_is():
    settings = TraefikSettings(gateway=GATEWAY)
    http = make_configuration(CLOSED, settings)["http"]
    open_http = make_configuration(ROUTE, settings)["http"]
    assert http["routers"] == {UID: open_http["routers"][UID]}
    assert http["services"] == {UID: {"loadBalancer": {"servers": [{"url": GATEWAY}]}}}
    assert http["middlewares"] == {
        **open_http["middlewares"],
        f"{UID}-headers": {
            "headers": {
                **engine.SECURITY_HEADERS,
                "customRequestHeaders": {"X-Saas-Page": UID},
            }
        },
    }


def test_words_of_a_page_lie_beside_its_route_and_go_with_it(proxy, tmp_path):
    proxy.put_route(CLOSED)
    words = json.loads((tmp_path / f"{UID}.json").read_bytes())
    assert words["pages"][0] == {
        "title": "Este site está suspenso",
        "sentences": ["Há uma questão.", "Nada se perdeu."],
        "ask": "Pergunte à Nuvem.",
        "contacts": [["oi@nuvem.example", "mailto:oi@nuvem.example"]],
        "language": "pt-BR",
        "direction": "ltr",
    }
    assert [page["language"] for page in words["pages"]] == ["pt-BR", "en-US"]
    proxy.put_route(ROUTE)
    assert [path.name for path in tmp_path.iterdir()] == [f"{UID}.yml"]
    proxy.put_route(CLOSED)
    proxy.delete_route(UID)
    assert list(tmp_path.iterdir()) == []


def test_a_sleeping_tenant_s_route_asks_the_gateway_before_each_request():
    settings = TraefikSettings(gateway=GATEWAY)
    http = make_configuration(ASLEEP, settings)["http"]
    awake = make_configuration(ROUTE, settings)["http"]
    assert http["services"] == awake["services"]
    for name, router in http["routers"].items():
        middlewares = [*awake["routers"][name]["middlewares"], f"{UID}-wake"]
        assert router == {**awake["routers"][name], "middlewares": middlewares}
    assert http["middlewares"] == {
        **awake["middlewares"],
        f"{UID}-headers": {
            "headers": {
                **engine.SECURITY_HEADERS,
                "customRequestHeaders": {"X-Saas-Page": ""},
            }
        },
        f"{UID}-wake": {"forwardAuth": {"address": f"{GATEWAY}/wake/{UID}"}},
    }


def test_the_file_of_a_sleeping_tenant_says_where_it_answers(proxy, tmp_path):
    proxy.put_route(ASLEEP)
    words = json.loads((tmp_path / f"{UID}.json").read_bytes())
    assert (words["http"], words["websocket"]) == (ROUTE.http, ROUTE.websocket)
    proxy.put_route(CLOSED)
    words = json.loads((tmp_path / f"{UID}.json").read_bytes())
    assert not words.keys() & {"http", "websocket", "since"}


def test_each_sleep_has_a_moment_of_its_own(proxy, tmp_path):
    moments = set()
    for _time in range(3):
        proxy.put_route(ASLEEP)
        words = json.loads((tmp_path / f"{UID}.json").read_bytes())
        moments.add(words["since"])
    assert len(moments) == 3


def test_a_sleeping_tenant_without_a_gateway_is_a_fault(tmp_path):
    with pytest.raises(ValueError, match="is not an address"):
        TraefikProxy(DirectoryRouteFiles(tmp_path)).put_route(ASLEEP)


@pytest.mark.parametrize("content", [None, b"", b"[]", b'{"pages": [{}]}', b"{}"])
def test_a_page_without_its_words_is_a_route_that_leads_nowhere(
    proxy, tmp_path, content
):
    proxy.put_route(CLOSED)
    words = tmp_path / f"{UID}.json"
    words.write_bytes(content) if content is not None else words.unlink()
    assert proxy.list_routes() == {UID: Route(UID, ())}
    proxy.put_route(CLOSED)
    assert proxy.list_routes() == {UID: CLOSED}


def test_a_page_without_a_gateway_is_a_fault(tmp_path):
    with pytest.raises(ValueError, match="is not an address"):
        TraefikProxy(DirectoryRouteFiles(tmp_path)).put_route(CLOSED)


def test_the_words_for_unknown_addresses_are_a_file_of_their_own(proxy, tmp_path):
    proxy.put_unknown_pages((PAGE,))
    [file] = tmp_path.iterdir()
    assert file.name == "unknown.json"
    assert json.loads(file.read_bytes())["pages"][0]["title"] == PAGE.title


def test_with_tls_each_router_asks_for_it_and_browsers_are_told_to_stay():
    http = make_configuration(ROUTE, SECURE)["http"]
    assert set(http["routers"]) == {UID, f"{UID}-websocket"}
    for router in http["routers"].values():
        assert router["tls"] == {
            "certResolver": "http",
            # One certificate each: one that fails is in nobody's way.
            "domains": [{"main": host} for host in ROUTE.hosts],
        }
        assert router["entryPoints"] == ["websecure"]
    headers = http["middlewares"][f"{UID}-headers"]["headers"]
    assert headers["stsSeconds"] == 31_536_000


def test_a_host_that_has_a_certificate_already_asks_for_none():
    settings = dataclasses.replace(SECURE, covered=("*.odoo.localhost",))
    moved = dataclasses.replace(ROUTE, redirects=("old.odoo.localhost",))
    routers = make_configuration(moved, settings)["http"]["routers"]
    assert routers[UID]["tls"] == {
        "certResolver": "http",
        "domains": [{"main": "shop.alfa.example"}],
    }
    assert routers[f"{UID}-redirect"]["tls"] == {}


@pytest.mark.parametrize(
    ("name", "covered"),
    [
        ("*.odoo.localhost", True),
        ("alfa.odoo.localhost", True),
        ("odoo.localhost", False),
        ("*.localhost", False),
        ("beta.odoo.localhost", False),
        ("*.alfa.odoo.localhost", False),
    ],
)
def test_a_wildcard_is_for_one_label_and_not_for_its_domain(name, covered):
    assert engine.is_covered("alfa.odoo.localhost", [name]) is covered


def test_without_whoever_gives_certificates_only_given_ones_are_shown():
    settings = dataclasses.replace(SECURE, certificate_resolver="")
    routers = make_configuration(ROUTE, settings)["http"]["routers"]
    assert [router["tls"] for router in routers.values()] == [{}, {}]


def test_a_route_that_is_there_for_a_look_only_asks_for_no_certificate():
    passing = dataclasses.replace(ROUTE, passing=True)
    routers = make_configuration(passing, SECURE)["http"]["routers"]
    assert [router["tls"] for router in routers.values()] == [{}, {}]


def test_where_visitors_need_tls_the_worker_still_sees_whether_a_tenant_answers():
    settings = dataclasses.replace(SECURE, health_entry_points=("web",))
    routers = make_configuration(PLAIN, settings)["http"]["routers"]
    health = routers[f"{UID}-health"]
    assert health["entryPoints"] == ["web"]
    assert health["rule"] == f"{routers[UID]['rule']} && Path(`/web/health`)"
    assert health["service"] == UID
    assert "tls" not in health
    assert routers[f"{UID}-use"] == {
        **health,
        "rule": f"{routers[UID]['rule']} && Path(`/saas/use`)",
    }


def test_it_sees_the_process_of_the_websockets_of_one_with_workers():
    settings = dataclasses.replace(SECURE, health_entry_points=("web",))
    routers = make_configuration(ROUTE, settings)["http"]["routers"]
    assert routers[f"{UID}-alive"] == {
        **routers[f"{UID}-health"],
        "rule": f"{routers[UID]['rule']} && Path(`/websocket/health`)",
        "service": f"{UID}-websocket",
    }
    assert f"{UID}-alive" not in make_configuration(PLAIN, settings)["http"]["routers"]


def test_it_does_not_see_that_a_sleeper_answers_which_would_wait():
    settings = dataclasses.replace(
        SECURE, health_entry_points=("web",), gateway=GATEWAY
    )
    routers = make_configuration(ASLEEP, settings)["http"]["routers"]
    assert routers.keys() & {f"{UID}-{n}" for n in ("use", "health", "alive")} == {
        f"{UID}-use"
    }


def test_host_names_that_send_visitors_on_have_a_router_of_their_own():
    moved = dataclasses.replace(PLAIN, redirects=("old.odoo.localhost", "a.example"))
    http = make_configuration(moved, TraefikSettings())["http"]
    before = make_configuration(PLAIN, TraefikSettings())["http"]
    assert http["routers"] == {
        **before["routers"],
        f"{UID}-redirect": {
            "rule": "(Host(`old.odoo.localhost`) || Host(`a.example`)) && "
            f"!PathRegexp(`{engine.CLOSED_PATHS}`)",
            "service": UID,
            "middlewares": [f"{UID}-rate", f"{UID}-headers", f"{UID}-redirect"],
        },
    }
    assert http["services"] == before["services"]


@pytest.mark.parametrize(
    ("asked", "answered"),
    [
        ("http://old.odoo.localhost:8080/a?b=c", "http://new.example:8080/a?b=c"),
        ("https://old.odoo.localhost", "https://new.example"),
        (
            "https://old.odoo.localhost/x@evil.example/",
            "https://new.example/x@evil.example/",
        ),
    ],
)
def test_visitors_are_sent_to_the_same_page_of_the_main_host(asked, answered):
    redirect = engine._make_redirect("new.example")
    replacement = re.sub(r"\$\{(\d)\}", r"\\\1", redirect["replacement"])
    assert re.sub(redirect["regex"], replacement, asked) == answered
    assert redirect["permanent"] is False


def test_without_tls_nothing_is_said_of_it():
    text = json.dumps(make_configuration(ROUTE, TraefikSettings()))
    assert '"tls"' not in text
    assert "stsSeconds" not in text


@pytest.mark.parametrize(
    "host", ["a`) || PathPrefix(`/", "a.b`", "A.example", "a.example\n", "*", ""]
)
def test_a_host_name_cannot_bring_a_rule_of_its_own(proxy, host):
    with pytest.raises(InvalidName):
        proxy.put_route(Route(UID, ("good.example", host), PLAIN.http, PLAIN.http))
    with pytest.raises(InvalidName):
        proxy.put_route(dataclasses.replace(PLAIN, redirects=(host,)))
    assert proxy.list_routes() == {}


def test_a_route_without_a_host_name_is_a_fault(proxy):
    with pytest.raises(ValueError, match="needs a host name"):
        proxy.put_route(Route(UID, (), PLAIN.http, PLAIN.http))


@pytest.mark.parametrize(
    "target", ["", "file:///etc/passwd", "http://a:80/path", "http://a b", "ftp://a"]
)
def test_a_target_that_is_no_address_is_a_fault(proxy, target):
    with pytest.raises(ValueError, match="is not an address"):
        proxy.put_route(Route(UID, PLAIN.hosts, target, target))
    assert proxy.list_routes() == {}


@pytest.mark.parametrize("uid", ["master", "../evil", "tpl0123456789", ""])
def test_only_a_tenants_id_becomes_a_file(proxy, uid):
    with pytest.raises(ValueError, match="is not the id of a tenant"):
        proxy.put_route(Route(uid, PLAIN.hosts, PLAIN.http, PLAIN.http))


def test_files_of_others_are_neither_listed_nor_touched(proxy, tmp_path):
    others = {"master.yml": b"http: {}", "notes.txt": b"", f"{OTHER}.toml": b"x"}
    for name, content in others.items():
        (tmp_path / name).write_bytes(content)
    proxy.put_route(PLAIN)
    proxy.delete_route(UID)
    proxy.delete_route(OTHER)
    assert proxy.list_routes() == {}
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == others


@pytest.mark.parametrize("content", [b"", b"not json", b"[]", b'{"http": {}}'])
def test_a_damaged_file_is_a_route_that_leads_nowhere(proxy, tmp_path, content):
    (tmp_path / f"{UID}.yml").write_bytes(content)
    assert proxy.list_routes() == {UID: Route(UID, (), "", "")}
    proxy.put_route(PLAIN)
    assert proxy.list_routes() == {UID: PLAIN}


def test_an_unchanged_route_is_not_written_again(proxy, tmp_path):
    proxy.put_route(PLAIN)
    before = (tmp_path / f"{UID}.yml").stat().st_ino
    proxy.put_route(PLAIN)
    assert (tmp_path / f"{UID}.yml").stat().st_ino == before


def test_the_proxy_may_read_the_file(proxy, tmp_path):
    proxy.put_route(PLAIN)
    assert stat.S_IMODE((tmp_path / f"{UID}.yml").stat().st_mode) == 0o644


@pytest.mark.parametrize("verb", ["put", "delete"])
def test_what_a_killed_writer_left_is_removed_and_what_one_writes_now_is_not(
    proxy, tmp_path, verb
):
    old, young = (tmp_path / f".{UID}.yml.{age}.tmp" for age in ("old", "young"))
    for path in (old, young):
        path.write_bytes(b"half")
    os.utime(old, (1, 1))
    if verb == "put":
        proxy.put_route(PLAIN)
        assert proxy.list_routes() == {UID: PLAIN}
    else:
        proxy.delete_route(UID)
        assert proxy.list_routes() == {}
    assert list(tmp_path.glob(".*")) == [young]


def test_a_failed_write_leaves_nothing_behind(proxy, tmp_path, monkeypatch):
    def fail(*_paths):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(RetryableError) as failure:
        proxy.put_route(PLAIN)
    assert failure.value.reason == "disk_full"
    assert list(tmp_path.iterdir()) == []


def test_a_missing_directory_is_named(tmp_path):
    proxy = TraefikProxy(DirectoryRouteFiles(tmp_path / "absent"))
    with pytest.raises(RefusedError) as failure:
        proxy.check()
    assert failure.value.reason == "directory_missing"
    assert str(tmp_path / "absent") in str(failure.value)


def test_a_directory_that_may_not_be_written_is_named(proxy, monkeypatch):
    def fail(**_options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(engine.tempfile, "mkstemp", fail)
    with pytest.raises(RefusedError) as failure:
        proxy.check()
    assert failure.value.reason == "directory_closed"


def test_a_check_counts_the_routes_and_leaves_nothing(proxy, tmp_path):
    proxy.put_route(PLAIN)
    assert proxy.check() == "Traefik by files, 1 routes"
    assert [path.name for path in tmp_path.iterdir()] == [f"{UID}.yml"]


def test_a_check_says_when_nobody_reads_the_files(tmp_path):
    settings = TraefikSettings(probe_url="http://127.0.0.1:1/ping")
    proxy = TraefikProxy(DirectoryRouteFiles(tmp_path), settings)
    with pytest.raises(RetryableError) as failure:
        proxy.check()
    assert failure.value.reason == "unreachable"
    assert "Routes can be written, but Traefik does not answer" in str(failure.value)


@pytest.mark.parametrize("name", ["../a", "a/b", "", ".hidden", "A"])
def test_a_name_never_leaves_the_directory(tmp_path, name):
    files = DirectoryRouteFiles(tmp_path)
    for call in (lambda: files.write(name, b""), lambda: files.remove(name)):
        with pytest.raises(ValueError, match="not a name for a route file"):
            call()


@pytest.mark.parametrize("path", ["/web/login", "/odoo", "/shop/web-database", "/a"])
def test_ordinary_paths_are_not_closed(path):
    assert not re.match(engine.CLOSED_PATHS, path)
