"""What a new operator's set-up looks at on the outside: names, proxy, certificate.

Each check returns one ``Finding``: a stable word and the facts that a sentence about it
needs. Only ``ok`` words begin with ``ok``. None of them waits longer than its time-out.
"""

from __future__ import annotations

import concurrent.futures
import dataclasses
import datetime
import http.client
import secrets
import socket
import ssl
import time
import urllib.parse
from collections.abc import Callable, Mapping

from . import names
from .errors import RefusedError
from .proxy import HEALTH_PATH, Proxy, Route

TIMEOUT = 5.0
"""Seconds that one question to the outside may take."""

ROUTE_SECONDS = 3.0
ROUTE_INTERVAL = 0.05
FEW_DAYS = 14
THIS_MACHINE = frozenset({"127.0.0.1"})
NOWHERE = "http://127.0.0.1:9"
"""A target where nobody listens: a proxy that has the route says that it is gone."""

NOT_FOUND = 404

# OpenSSL's words for what is wrong with a certificate (X509_V_ERR_...).
_TLS_ERRORS = {9: "too_early", 10: "expired", 62: "wrong_name", 64: "wrong_name"}

_CONNECTIONS = {
    "http": http.client.HTTPConnection,
    "https": http.client.HTTPSConnection,
}

Resolve = Callable[[str], frozenset[str]]
"""Gives the addresses of a host name: none where there is no such name.

:raise OSError: nobody could be asked, or nobody answered in time
"""


@dataclasses.dataclass(frozen=True, slots=True)
class Finding:
    """What was found: a word for programs, and the facts for a sentence."""

    reason: str
    facts: Mapping[str, str | int] = dataclasses.field(default_factory=dict)


# === NAMES === #


def check_domain(domain: str, master_host: str) -> Finding:
    """Look whether tenants may live under that domain, beside that master."""
    if not domain:
        return Finding("domain_missing")
    facts = {"domain": domain, "master": master_host}
    try:
        names.check_host(domain)
    except names.InvalidName as error:
        return Finding("domain_invalid", {**facts, "cause": str(error)})
    if _is_within(master_host, domain) or _is_within(domain, master_host):
        return Finding("domain_shared", facts)
    parent = _common_parent(domain, master_host)
    if "." in parent:
        return Finding("ok_related", {**facts, "parent": parent})
    return Finding("ok", facts)


def _is_within(host: str, domain: str) -> bool:
    return host == domain or host.endswith(f".{domain}")


def _common_parent(one: str, other: str) -> str:
    common: list[str] = []
    for left, right in zip(
        reversed(one.split(".")), reversed(other.split(".")), strict=False
    ):
        if left != right:
            break
        common.insert(0, left)
    return ".".join(common)


def resolve(host: str, timeout: float = TIMEOUT) -> frozenset[str]:
    """The addresses of a host name, by this machine's resolver."""
    pool = concurrent.futures.ThreadPoolExecutor(1)
    try:
        found = pool.submit(socket.getaddrinfo, host, None).result(timeout)
    except socket.gaierror as error:
        if error.errno in (socket.EAI_NONAME, socket.EAI_NODATA):
            return frozenset()
        raise
    finally:
        # A resolver that hangs keeps its thread for a while, and nobody else.
        pool.shutdown(wait=False)
    return frozenset(str(address[0]) for _, _, _, _, address in found)


def check_dns(domain: str, master_host: str, resolver: Resolve = resolve) -> Finding:
    """Look whether any name under the domain leads to where the master is."""
    facts = {"domain": domain, "master": master_host}
    try:
        ours = _look_up(master_host, resolver)
        theirs = _look_up(random_host(domain), resolver)
    except OSError as error:
        return Finding("dns_silent", {**facts, "cause": _cause(error)})
    if not theirs:
        return Finding("dns_missing", facts)
    if not ours:
        return Finding("dns_master_missing", facts)
    facts["addresses"] = ", ".join(sorted(theirs))
    if not theirs <= ours:
        return Finding("dns_elsewhere", {**facts, "proxy": ", ".join(sorted(ours))})
    return Finding("ok_local" if theirs == THIS_MACHINE else "ok", facts)


def random_host(domain: str) -> str:
    """A name under the domain that nobody has: only a wildcard answers for it."""
    return f"check-{secrets.token_hex(6)}.{domain}"


def _look_up(host: str, resolver: Resolve) -> frozenset[str]:
    # Browsers know that these names are the machine on which they run (RFC 6761).
    if host == "localhost" or host.endswith(".localhost"):
        return THIS_MACHINE
    return resolver(host)


# === PROXY === #


def check_proxy(
    proxy: Proxy, url: str, domain: str, master_host: str, timeout: float = TIMEOUT
) -> Finding:
    """Look whether the proxy at ``url`` leads to the master and obeys our routes.

    :raise EngineError: routes cannot be changed
    """
    facts: dict[str, str | int] = {"url": url, "master": master_host}
    try:
        status = ask(url, master_host, HEALTH_PATH, timeout)
        facts["status"] = status
        if status == NOT_FOUND:
            return Finding("proxy_no_master", facts)
        if status >= http.client.INTERNAL_SERVER_ERROR:
            return Finding("proxy_master_down", facts)
        if not _obeys(proxy, url, random_host(domain), timeout):
            return Finding("proxy_ignores_routes", facts)
    except (OSError, http.client.HTTPException) as error:
        return Finding("proxy_silent", {**facts, "cause": _cause(error)})
    return Finding("ok", facts)


def ask(url: str, host: str, path: str, timeout: float = TIMEOUT) -> int:
    """The status with which a proxy answers for a host name.

    :raise OSError: it does not answer
    """
    parts = urllib.parse.urlsplit(url)
    kind = _CONNECTIONS.get(parts.scheme)
    if kind is None or not parts.hostname:
        raise OSError(f"{url} is no address like http://172.30.0.1:8080")
    connection: http.client.HTTPConnection
    connection = kind(parts.hostname, parts.port, timeout=timeout)
    try:
        connection.request("GET", path, headers={"Host": host})
        return connection.getresponse().status
    finally:
        connection.close()


def _obeys(proxy: Proxy, url: str, host: str, timeout: float) -> bool:
    """Whether a new route makes the proxy know a host name that it did not know."""
    uid = names.new_uid()
    # It may send visitors of all names on to HTTPS, but not who asks for this page.
    before = ask(url, host, HEALTH_PATH, timeout)
    proxy.put_route(Route(uid, (host,), NOWHERE, NOWHERE, passing=True))
    try:
        until = time.monotonic() + ROUTE_SECONDS
        while ask(url, host, HEALTH_PATH, timeout) == before:
            if time.monotonic() > until:
                return False
            time.sleep(ROUTE_INTERVAL)
        return True
    finally:
        proxy.delete_route(uid)


# === CERTIFICATE === #


def check_certificate(
    host: str,
    port: int,
    *,
    address: str = "",
    context: ssl.SSLContext | None = None,
    timeout: float = TIMEOUT,
) -> Finding:
    """Look whether visitors of that host get a certificate that their browsers take.

    :param str address: where to ask; empty: where the host's name leads
    :param context: whom to trust; None: whom this machine trusts
    """
    facts: dict[str, str | int] = {"host": host, "port": port}
    context = context or ssl.create_default_context()
    try:
        with (
            socket.create_connection((address or host, port), timeout) as plain,
            context.wrap_socket(plain, server_hostname=host) as secure,
        ):
            days = _days_left(secure)
    except ssl.SSLCertVerificationError as error:
        reason = _TLS_ERRORS.get(error.verify_code, "untrusted")
        cause = error.verify_message or str(error)
        return Finding(f"certificate_{reason}", {**facts, "cause": cause})
    except OSError as error:
        return Finding("certificate_silent", {**facts, "cause": _cause(error)})
    facts["days"] = days
    return Finding("ok_expiring" if days < FEW_DAYS else "ok", facts)


def make_context(authority: str = "") -> ssl.SSLContext:
    """Whom to trust: who is known to this machine, and an authority of one's own.

    :param str authority: its certificate as PEM text
    :raise RefusedError: ``bad_authority``
    """
    context = ssl.create_default_context()
    try:
        if authority:
            context.load_verify_locations(cadata=authority)
    except (ssl.SSLError, ValueError) as error:
        raise RefusedError(
            "The trusted authority is no certificate: enter its PEM text, which begins"
            " with “-----BEGIN CERTIFICATE-----”.",
            reason="bad_authority",
        ) from error
    return context


def _days_left(secure: ssl.SSLSocket) -> int:
    certificate = secure.getpeercert() or {}
    end = ssl.cert_time_to_seconds(str(certificate["notAfter"]))
    now = datetime.datetime.now(datetime.UTC).timestamp()
    return int((end - now) // (24 * 3600))


def _cause(error: Exception) -> str:
    """What an error says for people, without its number."""
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return str(getattr(error, "strerror", None) or error or type(error).__name__)
