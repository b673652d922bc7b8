"""The contract of every proxy, as tests: one class, run on the fake and on real ones.

A subclass gives a ``proxy`` fixture with no routes, and an ``unreachable_proxy``.
"""

from __future__ import annotations

import dataclasses

import pytest

from odoo.addons.saas.engine.errors import EngineError
from odoo.addons.saas.engine.proxy import Page, Route

UID = "t0000000000a1"
OTHER = "t0000000000b2"
ROUTE = Route(
    uid=UID,
    hosts=("alfa.odoo.localhost", "shop.alfa.example"),
    http="http://192.0.2.16:8069",
    websocket="http://192.0.2.16:8072",
)
PAGE = Page(
    title="Este site está suspenso",
    sentences=("Há uma questão.", "Nada se perdeu."),
    ask="Pergunte à Nuvem.",
    contacts=(("oi@nuvem.example", "mailto:oi@nuvem.example"),),
    language="pt-BR",
)
IN_ENGLISH = Page(title="This site is suspended", language="en-US")
_LISTS = ("list", "find", "versions")
CLOSED = Route(uid=UID, hosts=ROUTE.hosts, pages=(PAGE, IN_ENGLISH))
ASLEEP = dataclasses.replace(ROUTE, pages=(PAGE, IN_ENGLISH))
OLD = ("old.odoo.localhost", "www.alfa.example")


class ProxyContract:
    def test_a_check_says_one_line(self, proxy):
        line = proxy.check()
        assert line
        assert "\n" not in line

    def test_a_route_is_listed_as_it_was_put(self, proxy):
        proxy.put_route(ROUTE)
        assert proxy.list_routes() == {UID: ROUTE}

    def test_a_route_with_one_target_for_all_is_listed_as_it_was_put(self, proxy):
        route = dataclasses.replace(ROUTE, websocket=ROUTE.http)
        proxy.put_route(route)
        assert proxy.list_routes() == {UID: route}

    def test_a_route_put_twice_is_one_route(self, proxy):
        proxy.put_route(ROUTE)
        proxy.put_route(ROUTE)
        assert proxy.list_routes() == {UID: ROUTE}

    def test_a_changed_route_replaces_the_one_of_that_uid(self, proxy):
        proxy.put_route(ROUTE)
        renamed = dataclasses.replace(ROUTE, hosts=("beta.odoo.localhost",))
        proxy.put_route(renamed)
        assert proxy.list_routes() == {UID: renamed}

    @pytest.mark.parametrize(
        "route", [ROUTE, CLOSED, ASLEEP], ids=["awake", "page", "asleep"]
    )
    def test_host_names_that_send_visitors_on_are_listed_as_they_were_put(
        self, proxy, route
    ):
        moved = dataclasses.replace(route, redirects=OLD)
        for put in (moved, route, moved):
            proxy.put_route(put)
            assert proxy.list_routes() == {UID: put}

    def test_a_route_to_a_page_is_listed_as_it_was_put(self, proxy):
        proxy.put_route(CLOSED)
        assert proxy.list_routes() == {UID: CLOSED}

    def test_a_page_takes_the_place_of_a_tenant_and_the_other_way_round(self, proxy):
        for route in (ROUTE, CLOSED, ASLEEP, ROUTE, ASLEEP, CLOSED, ROUTE):
            proxy.put_route(route)
            assert proxy.list_routes() == {UID: route}

    def test_other_words_replace_those_of_that_uid(self, proxy):
        proxy.put_route(CLOSED)
        words = Page(title="Closed", direction="rtl")
        other = dataclasses.replace(CLOSED, pages=(words,))
        proxy.put_route(other)
        assert proxy.list_routes() == {UID: other}

    def test_a_route_to_a_page_is_deleted_as_any(self, proxy):
        proxy.put_route(CLOSED)
        proxy.delete_route(UID)
        assert proxy.list_routes() == {}

    def test_the_page_of_unknown_addresses_is_no_tenant_s_route(self, proxy):
        proxy.put_unknown_pages((PAGE,))
        proxy.put_unknown_pages((PAGE, IN_ENGLISH))
        assert proxy.list_routes() == {}

    def test_one_route_is_found_as_it_was_put(self, proxy):
        for route in (ROUTE, CLOSED):
            proxy.put_route(route)
            assert proxy.find_route(UID) == route
        assert proxy.find_route(OTHER) is None

    def test_a_version_is_another_one_when_the_route_is(self, proxy):
        assert proxy.list_versions() == {}
        proxy.put_route(ROUTE)
        before = proxy.list_versions()
        assert list(before) == [UID]
        proxy.put_route(ROUTE)
        assert proxy.list_versions() == before
        seen = [before[UID]]
        for words in (PAGE, IN_ENGLISH):
            proxy.put_route(dataclasses.replace(CLOSED, pages=(words,)))
            seen.append(proxy.list_versions()[UID])
        assert len(set(seen)) == 3
        proxy.delete_route(UID)
        assert proxy.list_versions() == {}

    def test_deleting_removes_that_route_and_no_other(self, proxy):
        other = dataclasses.replace(ROUTE, uid=OTHER, hosts=("beta.odoo.localhost",))
        proxy.put_route(ROUTE)
        proxy.put_route(other)
        proxy.delete_route(UID)
        assert proxy.list_routes() == {OTHER: other}

    def test_deleting_what_is_absent_is_success(self, proxy):
        proxy.delete_route(UID)
        proxy.delete_route(UID)
        assert proxy.list_routes() == {}

    @pytest.mark.parametrize(
        "verb",
        ["check", "put_route", "put_page", "put_unknown", "delete_route", *_LISTS],
    )
    def test_an_unreachable_proxy_is_an_error_and_never_an_absence(
        self, unreachable_proxy, verb
    ):
        calls = {
            "check": unreachable_proxy.check,
            "put_route": lambda: unreachable_proxy.put_route(ROUTE),
            "put_page": lambda: unreachable_proxy.put_route(CLOSED),
            "put_unknown": lambda: unreachable_proxy.put_unknown_pages((PAGE,)),
            "delete_route": lambda: unreachable_proxy.delete_route(UID),
            "list": unreachable_proxy.list_routes,
            "find": lambda: unreachable_proxy.find_route(UID),
            "versions": unreachable_proxy.list_versions,
        }
        with pytest.raises(EngineError) as failure:
            calls[verb]()
        assert failure.value.reason
        assert str(failure.value)
