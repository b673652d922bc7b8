"""Whose a domain is: whoever can put a TXT record into it, found by asking the DNS."""

from __future__ import annotations

import ipaddress
import secrets

import dns.exception
import dns.resolver

from .errors import RefusedError, RetryableError
from .names import LONGEST_HOST, InvalidName, check_host

LABEL = "_saas-proof"
"""Under it lies the record; beside a CNAME no TXT record could lie."""

TIMEOUT = 5.0
"""Seconds that one question may take."""

DNS_PORT = 53


def new_proof() -> str:
    """What a record has to say; another one each time."""
    return f"saas-proof={secrets.token_hex(16)}"


def proof_name(host: str) -> str:
    """Where the record has to lie."""
    return f"{LABEL}.{host}"


def check_own_host(host: str, ours: tuple[str, ...]) -> str:
    """Accept a host name that a customer may bring.

    :param ours: domains under which we give names ourselves
    :raise InvalidName: the first rule that it breaks
    """
    check_host(host)
    if len(proof_name(host)) > LONGEST_HOST:
        raise InvalidName(f"The domain “{host}” is too long to be proved.")
    for domain in ours:
        if _is_within(host, domain) or _is_within(domain, host):
            raise InvalidName(
                f"“{host}” lies in a domain of ours ({domain}). Choose one of your own."
            )
    return host


def _is_within(host: str, domain: str) -> bool:
    return host == domain or host.endswith(f".{domain}")


def check_proof(
    host: str, proof: str, *, resolver: str = "", timeout: float = TIMEOUT
) -> None:
    """Look whether the record is there that proves whose the domain is.

    :param str resolver: whom to ask, ``ADDRESS`` or ``ADDRESS:PORT``; empty: this
        machine's own resolvers
    :raise RefusedError: ``no_record``, ``wrong_record`` or ``bad_resolver``
    :raise RetryableError: ``dns_silent``: nobody could be asked
    """
    name = proof_name(host)
    found = _find_texts(name, _make_resolver(resolver), timeout)
    if not found:
        raise RefusedError(
            f"There is no TXT record at {name} yet. A new one can take some minutes"
            " until it is seen everywhere.",
            reason="no_record",
        )
    if proof not in found:
        raise RefusedError(
            f"The TXT record at {name} says something else. Set it to: {proof}",
            reason="wrong_record",
        )


def _make_resolver(address: str) -> dns.resolver.Resolver:
    try:
        made = dns.resolver.Resolver(configure=not address)
        if address:
            host, port = _split(address)
            made.nameservers, made.port = [host], port
    except dns.resolver.NoResolverConfiguration as error:
        raise _silent("this machine names no resolver") from error
    # Whoever has to be asked may have said a minute ago that there is no record.
    made.cache = None
    return made


def _split(address: str) -> tuple[str, int]:
    """Address and port of a resolver, e.g. ``192.0.2.53``, ``[2001:db8::53]:5353``."""
    try:
        return str(ipaddress.ip_address(address)), DNS_PORT
    except ValueError:
        host, _, port = address.rpartition(":")
    try:
        return str(ipaddress.ip_address(host.strip("[]"))), int(port)
    except ValueError as error:
        raise RefusedError(
            f"“{address}” is no DNS resolver: its address belongs there, as 192.0.2.53"
            " or 192.0.2.53:5353.",
            reason="bad_resolver",
        ) from error


def _find_texts(
    name: str, resolver: dns.resolver.Resolver, timeout: float
) -> frozenset[str]:
    try:
        answer = resolver.resolve(name, "TXT", lifetime=timeout, search=False)
    except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
        return frozenset()
    except dns.exception.Timeout as error:
        raise _silent("no answer in time") from error
    except (dns.exception.DNSException, OSError) as error:
        # What it says names machines, which are nothing for customers.
        raise _silent("its servers failed") from error
    return frozenset(
        b"".join(record.strings).decode(errors="replace") for record in answer
    )


def _silent(cause: str) -> RetryableError:
    return RetryableError(
        f"The DNS could not be asked ({cause}). Try again in a minute.",
        reason="dns_silent",
    )
