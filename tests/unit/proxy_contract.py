"""The contract of every proxy, as tests: one class, run on the fake and on real ones.

A subclass gives a ``proxy`` fixture with no routes, and an ``unreachable_proxy``.
"""

from __future__ import annotations

import dataclasses

import pytest

from odoo.addons.saas.engine.errors import EngineError
from odoo.addons.saas.engine.proxy import Route

UID = "t0000000000a1"
OTHER = "t0000000000b2"
ROUTE = Route(
    uid=UID,
    hosts=("alfa.odoo.localhost", "shop.alfa.example"),
    http="http://192.0.2.16:8069",
    websocket="http://192.0.2.16:8072",
)


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

    @pytest.mark.parametrize("verb", ["check", "put_route", "delete_route", "list"])
    def test_an_unreachable_proxy_is_an_error_and_never_an_absence(
        self, unreachable_proxy, verb
    ):
        calls = {
            "check": unreachable_proxy.check,
            "put_route": lambda: unreachable_proxy.put_route(ROUTE),
            "delete_route": lambda: unreachable_proxy.delete_route(UID),
            "list": unreachable_proxy.list_routes,
        }
        with pytest.raises(EngineError) as failure:
            calls[verb]()
        assert failure.value.reason
        assert str(failure.value)
