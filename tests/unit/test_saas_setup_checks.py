"""What the set-up of a new master finds on the outside, with real listeners."""

from __future__ import annotations

import contextlib
import datetime
import http.server
import socket
import ssl
import threading
import time

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from odoo.addons.saas.engine import setup_checks
from odoo.addons.saas.engine.fake import FakeProxy
from odoo.addons.saas.engine.setup_checks import (
    Finding,
    check_certificate,
    check_dns,
    check_domain,
    check_proxy,
)

MASTER = "saas.example"
DOMAIN = "tenants.test"
TENANT = f"shop.{DOMAIN}"

# === DOMAIN === #


@pytest.mark.parametrize(
    ("domain", "reason"),
    [
        (DOMAIN, "ok"),
        ("", "domain_missing"),
        ("example", "domain_invalid"),
        ("Shop.Example", "domain_invalid"),
        ("192.0.2.1", "domain_invalid"),
        ("my shop.example", "domain_invalid"),
        (MASTER, "domain_shared"),
        ("tenants.saas.example", "domain_shared"),
    ],
)
def test_a_domain_is_taken_only_if_tenants_may_live_there(domain, reason):
    assert check_domain(domain, MASTER).reason == reason


def test_a_master_inside_the_tenants_domain_is_found():
    assert check_domain("example.org", "saas.example.org").reason == "domain_shared"


def test_a_common_parent_is_allowed_and_named():
    found = check_domain("odoo.example.org", "saas.example.org")
    assert (found.reason, found.facts["parent"]) == ("ok_related", "example.org")
    assert check_domain("odoo.localhost", "saas.localhost").reason == "ok"


def test_an_invalid_domain_is_found_with_the_cause():
    assert "192.0.2.1" in str(check_domain("192.0.2.1", MASTER).facts["cause"])


# === WILDCARD === #


class Resolver:
    """Answers as a name server would that has these records."""

    def __init__(self, **records):
        self.records = {
            name.replace("_", "."): value for name, value in records.items()
        }
        self.asked = []

    def __call__(self, host):
        self.asked.append(host)
        for suffix, addresses in self.records.items():
            if host == suffix or host.endswith(f".{suffix}"):
                return frozenset(addresses)
        return frozenset()


@pytest.mark.parametrize(
    ("records", "reason"),
    [
        ({"saas_example": ["192.0.2.1"], "tenants_test": ["192.0.2.1"]}, "ok"),
        ({"saas_example": ["192.0.2.1"]}, "dns_missing"),
        ({"tenants_test": ["192.0.2.1"]}, "dns_master_missing"),
        (
            {"saas_example": ["192.0.2.1"], "tenants_test": ["192.0.2.9"]},
            "dns_elsewhere",
        ),
        (
            {"saas_example": ["192.0.2.1"], "tenants_test": ["192.0.2.1", "192.0.2.9"]},
            "dns_elsewhere",
        ),
    ],
)
def test_a_wildcard_has_to_lead_where_the_master_is(records, reason):
    assert check_dns(DOMAIN, MASTER, Resolver(**records)).reason == reason


def test_only_a_name_that_nobody_made_shows_that_there_is_a_wildcard():
    resolver = Resolver()
    check_dns(DOMAIN, MASTER, resolver)
    check_dns(DOMAIN, MASTER, resolver)
    names = [name for name in resolver.asked if name.endswith(f".{DOMAIN}")]
    assert len(set(names)) == 2


def test_addresses_that_differ_are_both_named():
    found = check_dns(
        DOMAIN,
        MASTER,
        Resolver(saas_example=["192.0.2.1"], tenants_test=["192.0.2.9"]),
    )
    assert found.facts["addresses"] == "192.0.2.9"
    assert found.facts["proxy"] == "192.0.2.1"


def test_names_under_localhost_are_this_machine_without_asking_anybody():
    resolver = Resolver()
    found = check_dns("odoo.localhost", "saas.localhost", resolver)
    assert found.reason == "ok_local"
    assert resolver.asked == []


def test_a_public_master_with_local_tenants_is_found():
    resolver = Resolver(saas_example=["192.0.2.1"])
    assert check_dns("odoo.localhost", MASTER, resolver).reason == "dns_elsewhere"


def test_a_resolver_that_hangs_is_given_up_in_time(monkeypatch):
    monkeypatch.setattr(
        setup_checks.socket, "getaddrinfo", lambda *_args: time.sleep(1)
    )
    began = time.monotonic()
    found = check_dns(DOMAIN, MASTER, lambda h: setup_checks.resolve(h, timeout=0.1))
    assert time.monotonic() - began < 0.9
    assert found.reason == "dns_silent"
    assert found.facts["cause"] == "no answer in time"


@pytest.mark.parametrize(
    ("number", "reason"),
    [(socket.EAI_NONAME, "dns_missing"), (socket.EAI_AGAIN, "dns_silent")],
)
def test_no_such_name_is_not_the_same_as_nobody_to_ask(monkeypatch, number, reason):
    def fail(*_args):
        raise socket.gaierror(number, "as the library says")

    monkeypatch.setattr(setup_checks.socket, "getaddrinfo", fail)
    assert check_dns(DOMAIN, MASTER).reason == reason


def test_the_machines_resolver_gives_addresses():
    assert setup_checks.resolve("127.0.0.1") == {"127.0.0.1"}


# === PROXY === #


class Listener(FakeProxy):
    """A proxy that leads host names by its routes, and one more to the master."""

    def __init__(self, *, master=200, obeys=True):
        super().__init__()
        self.master, self.obeys, self.hosts = master, obeys, []

    def status(self, host):
        self.hosts.append(host)
        if host == MASTER:
            return self.master
        known = {name for route in self.routes.values() for name in route.hosts}
        return 502 if self.obeys and host in known else 404


@contextlib.contextmanager
def serve(proxy):
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(proxy.status(self.headers["Host"]))
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    ("proxy", "reason"),
    [
        (Listener(), "ok"),
        (Listener(master=404), "proxy_no_master"),
        (Listener(master=502), "proxy_master_down"),
        (Listener(obeys=False), "proxy_ignores_routes"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_proxy_has_to_know_the_master_and_obey_routes(monkeypatch, proxy, reason):
    monkeypatch.setattr(setup_checks, "ROUTE_SECONDS", 0.2)
    with serve(proxy) as url:
        assert check_proxy(proxy, url, DOMAIN, MASTER).reason == reason
    assert proxy.routes == {}, "the route of the check is gone again"


def test_a_check_of_a_proxy_asks_for_a_host_of_the_tenants():
    proxy = Listener()
    with serve(proxy) as url:
        check_proxy(proxy, url, DOMAIN, MASTER)
    assert proxy.hosts[0] == MASTER
    assert proxy.hosts[-1].endswith(f".{DOMAIN}")


@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "172.30.0.1:8080", ""])
def test_a_proxy_that_nobody_reaches_is_found_with_the_cause(url):
    found = check_proxy(FakeProxy(), url, DOMAIN, MASTER)
    assert found.reason == "proxy_silent"
    assert found.facts["cause"]


def test_a_proxy_that_does_not_answer_is_given_up_in_time():
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        found = check_proxy(FakeProxy(), url, DOMAIN, MASTER, timeout=0.2)
    assert found.facts["cause"] == "no answer in time"


# === CERTIFICATE === #


def make_certificate(name, *, days=90, began=-1):
    """A certificate that signs itself, and its key (PEM)."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + datetime.timedelta(days=began))
        .not_valid_after(now + datetime.timedelta(days=days, hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    return certificate.public_bytes(pem), key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


@contextlib.contextmanager
def listen(tmp_path, certificate, key):
    """The port of a listener that shows that certificate."""
    (tmp_path / "pair.pem").write_bytes(certificate + key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "pair.pem")

    def serve(server):
        with contextlib.suppress(OSError):
            while True:
                plain, _address = server.accept()
                with plain, contextlib.suppress(OSError):
                    context.wrap_socket(plain, server_side=True).close()

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=serve, args=(server,), daemon=True).start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)


def look(tmp_path, name, *, trusted=True, **validity):
    certificate, key = make_certificate(name, **validity)
    context = ssl.create_default_context()
    if trusted:
        context.load_verify_locations(cadata=certificate.decode())
    with listen(tmp_path, certificate, key) as port:
        return check_certificate(TENANT, port, address="127.0.0.1", context=context)


def test_a_certificate_for_all_tenants_is_found_with_its_days(tmp_path):
    found = look(tmp_path, f"*.{DOMAIN}", days=90)
    assert found.reason == "ok"
    assert found.facts["days"] == 90


@pytest.mark.parametrize(
    ("reason", "options"),
    [
        ("ok_expiring", {"name": f"*.{DOMAIN}", "days": 13}),
        ("certificate_expired", {"name": f"*.{DOMAIN}", "days": -1, "began": -9}),
        ("certificate_too_early", {"name": f"*.{DOMAIN}", "days": 9, "began": 1}),
        ("certificate_wrong_name", {"name": MASTER}),
        ("certificate_untrusted", {"name": f"*.{DOMAIN}", "trusted": False}),
    ],
)
def test_what_a_browser_would_not_take_is_found(tmp_path, reason, options):
    assert look(tmp_path, **options).reason == reason


def test_a_port_without_tls_is_found():
    with serve(Listener()) as url:
        port = int(url.rpartition(":")[2])
        found = check_certificate(TENANT, port, address="127.0.0.1")
    assert found.reason == "certificate_silent"
    assert found.facts["host"] == TENANT


def test_a_port_where_nobody_listens_is_found_with_the_cause():
    found = check_certificate(TENANT, 9, address="127.0.0.1")
    assert found == Finding(
        "certificate_silent",
        {"host": TENANT, "port": 9, "cause": "Connection refused"},
    )
