"""Mail addresses and network addresses, made comparable so that they can be counted."""

from __future__ import annotations

import functools
import ipaddress
from pathlib import Path

DATA = Path(__file__).parent.parent / "data"

_SAME_DOMAIN = {"googlemail.com": "gmail.com"}
# Where a.b and ab are one mailbox; elsewhere they may be two people.
_IGNORES_DOTS = {"gmail.com", "pm.me", "proton.me", "protonmail.com"}


def get_domain(email: str) -> str:
    """The domain of a mail address, in lower case."""
    return email.rpartition("@")[2].lower().rstrip(".")


def count_key(email: str) -> str:
    """One word for all spellings that may reach the same mailbox.

    For counting only: mail always goes to the address as it was given.
    """
    local = email.rpartition("@")[0].lower()
    domain = get_domain(email)
    domain = _SAME_DOMAIN.get(domain, domain)
    plain = local.partition("+")[0] or local
    if domain in _IGNORES_DOTS:
        plain = plain.replace(".", "") or plain
    return f"{plain}@{domain}"


def is_disposable(email: str) -> bool:
    """Whether the domain, or one above it, is known for throw-away mailboxes."""
    return _is_listed(get_domain(email), "disposable_domains.txt")


def is_public_provider(email: str) -> bool:
    """Whether unrelated people have their mailboxes at that domain."""
    return _is_listed(get_domain(email), "public_mail_domains.txt")


def get_network(address: str) -> str:
    """The /24 (or /64 for version 6) that an address belongs to.

    :return: the address itself where it is none
    """
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return address
    if ip.version == 6 and ip.ipv4_mapped:
        ip = ip.ipv4_mapped
    prefix = 24 if ip.version == 4 else 64
    return str(ipaddress.ip_network((ip, prefix), strict=False))


def get_source(address: str) -> str:
    """What stands for one visitor: the address, or the /64 in which version 6 has as
    many addresses as one likes.
    """
    network = get_network(address)
    return network if network.endswith("/64") else address


def _is_listed(domain: str, filename: str) -> bool:
    listed = _read_list(filename)
    labels = domain.split(".")
    return any(".".join(labels[index:]) in listed for index in range(len(labels)))


@functools.cache
def _read_list(filename: str) -> frozenset[str]:
    lines = (DATA / filename).read_text(encoding="utf-8").splitlines()
    names = (line.partition("#")[0].strip().lower() for line in lines)
    return frozenset(name for name in names if name)
