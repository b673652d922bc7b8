"""The addresses of a real tenant: another subdomain, and a domain of its customer."""

import os
import time
import urllib.parse

import pytest
import requests

import dns_stand_in

SECONDS = 30
PORT = os.environ["SAAS_HTTP_PORT"]


@pytest.fixture
def dns(master, stack):
    """A DNS server that the worker asks."""
    [network] = stack.container("worker").attrs["NetworkSettings"]["Networks"].values()
    with dns_stand_in.serve({}, network["Gateway"]) as server:
        parameters = "ir.config_parameter", "set_param", "saas.dns_resolver"
        master.call(*parameters, server.address)
        yield server
        master.call(*parameters, False)


def ask(host, path="/web/login?x=1"):
    """The status at a host, and where it leads."""
    answer = requests.get(
        f"http://127.0.0.1:{PORT}{path}",
        headers={"Host": f"{host}:{PORT}"},
        allow_redirects=False,
        timeout=30,
    )
    return answer.status_code, answer.headers.get("Location")


def expect(host, *answer):
    """Have a host answer so; Traefik reads a changed file within a moment."""
    until = time.monotonic() + SECONDS
    while (found := ask(host)) != answer and time.monotonic() < until:
        time.sleep(0.1)
    assert found == answer


def led_to(host):
    return 302, f"http://{host}:{PORT}/web/login?x=1"


def check(master, domain):
    """Have the worker look for the record; what it says."""
    master.call("saas.domain", "action_check", [domain])
    until = time.monotonic() + SECONDS
    while master.read("saas.domain", domain, "check_state") == "checking":
        assert time.monotonic() < until, "the worker does not look"
        time.sleep(0.2)
    return master.read("saas.domain", domain, "check_message")


def test_a_tenant_is_found_where_it_was_moved_to(master, stack, tenant, dns, names):
    uid = master.read("saas.tenant", tenant, "uid")
    old, new = master.read("saas.tenant", tenant, "name"), next(names)
    url = urllib.parse.urlsplit(master.read("saas.tenant", tenant, "url"))
    domain = url.hostname.partition(".")[2]
    old_host, new_host, own_host = (
        f"{old}.{domain}",
        f"{new}.{domain}",
        f"{new}.example",
    )

    def known_url():
        query = "SELECT value FROM ir_config_parameter WHERE key = 'web.base.url'"
        [url] = stack.sql(query, uid)
        return url

    assert master.run(tenant, "action_rename", new) == ("done", False)
    assert master.read("saas.tenant", tenant, "url") == f"http://{new_host}:{PORT}"
    assert known_url() == f"http://{new_host}:{PORT}"
    expect(new_host, 200, None)
    expect(old_host, *led_to(new_host))

    [own] = master.call("saas.tenant", "action_add_domain", [tenant], own_host)
    assert "no TXT record" in check(master, own)
    expect(own_host, 404, None)
    proof = master.read("saas.domain", own, "proof")
    dns.records[f"_saas-proof.{own_host}", "TXT"] = [f'"{proof}"']
    assert check(master, own) == "The TXT record is there."
    assert master.settle(tenant) == "running"
    expect(own_host, *led_to(new_host))

    [operation] = master.call("saas.domain", "action_set_main", [own])
    assert master.follow(operation) == "done"
    expect(own_host, 200, None)
    expect(new_host, *led_to(own_host))
    expect(old_host, *led_to(own_host))
    assert known_url() == f"http://{own_host}:{PORT}"
    link = master.call("saas.tenant", "get_login_url", [tenant])
    assert link.startswith(f"http://{own_host}:{PORT}/saas/login?token=")

    [operation] = master.call("saas.domain", "action_remove", [own])
    assert master.follow(operation) == "done"
    expect(own_host, 404, None)
    expect(new_host, 200, None)
    assert known_url() == f"http://{new_host}:{PORT}"
