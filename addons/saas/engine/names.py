"""The one validator for subdomains and host names, and new ids."""

from __future__ import annotations

import re
import secrets

SHORTEST = 2
LONGEST = 63
"""Bounds of one label of a host name in characters; 63 is the DNS's own (RFC 1035)."""

LONGEST_HOST = 253

# Names that people trust, that services look for by themselves (RFC 2142, RFC 6761,
# mail and browser autodiscovery), or that the hosting company needs for itself.
_RESERVED = """
abuse account accounts activate admin administrateur administration administrator
alert alerts analytics api apis app apps assets auth authentication autoconfig
autodiscover backup backups billing broadcasthost cache cdn cert certificate
checkout config confirm connect console control cpanel dashboard data database
databases db debug default dev devel developer developers dns docker docs
documentation domain domains download downloads email error errors example external
faq file files firewall forgot ftp gateway git grafana graphql health healthcheck
help helpdesk home host hosting hostmaster http https id identity imap info internal
internet intranet invalid invoice invoices ipv4 ipv6 irc isatap kube kubernetes ldap
legal lists local localdomain localhost localnet log login logout logs mail mail1
mail2 mailer mailer-daemon mailerdaemon manage management manager master metrics
monitor monitoring mta-sts mx mysql network newsletter no-reply nobody noc noreply
ns ns1 ns2 ns3 ns4 null oauth odoo official openid operator ops owner password pay
payment payments pgadmin ping pop pop3 portal post postgres postgresql postmaster
prod production profile prometheus proxy public queue redis register registration
registry reset root router rss s3 saas sales secure security server servers service
services session settings setup sftp sign-in sign-up signin signup sip smtp sql ssh
ssl ssladmin sslwebmaster sso staff stage staging stat static statistics stats
status storage stripe sudo superuser support sys sysadmin sysadministrator system
telnet temp template templates tenant tenants test testing tls tmp token tools
traefik undefined unsubscribe update updates upload uploads usenet user username
users uucp vault verify vpn web webadmin webhook webhooks webmail webmaster
websocket websockets whois wiki worker wpad www www1 www2 www3 xmlrpc
"""

RESERVED = frozenset(_RESERVED.split())


class InvalidName(ValueError):
    """A name that cannot be used; the message says why, to the person who chose it."""


def check_subdomain(name: str) -> str:
    """Accept a name that a tenant may have under the tenants' domain.

    :return: the name as it is; nothing is repaired in silence
    :raise InvalidName: the first rule that it breaks
    """
    _check_label(name, what="The name")
    if name in RESERVED:
        raise InvalidName(f"The name “{name}” is reserved. Please choose another one.")
    return name


def check_host(host: str) -> str:
    """Accept a host name, e.g. ``alfa.odoo.localhost``, that a route may carry.

    :return: the host name as it is
    :raise InvalidName: the first rule that it breaks
    """
    _check_text(host, what="The host name")
    if len(host) > LONGEST_HOST:
        raise InvalidName(
            f"The host name is too long: at most {LONGEST_HOST} characters."
        )
    labels = host.split(".")
    if len(labels) < 2:
        raise InvalidName(
            f"The host name “{host}” has no domain, as in “shop.example”."
        )
    for label in labels:
        _check_host_label(label, host)
    if labels[-1].isdigit():
        raise InvalidName(f"“{host}” is an address, not a host name.")
    return host


def check_uid(uid: str) -> str:
    """Accept the id of a tenant or template."""
    if not re.fullmatch(r"t[0-9a-f]{12}|tpl[0-9a-f]{10}", uid):
        raise InvalidName(f"{uid!r} is not the id of a tenant or template.")
    return uid


def new_uid() -> str:
    """A new tenant's id: opaque, immutable, a valid database and container name."""
    return f"t{secrets.token_hex(6)}"


def new_template_uid() -> str:
    """A new template's id."""
    return f"tpl{secrets.token_hex(5)}"


def _check_text(text: str, *, what: str) -> None:
    if not text:
        raise InvalidName(f"{what} is empty.")
    if not text.isprintable() or any(character.isspace() for character in text):
        raise InvalidName(f"{what} must not contain spaces or line breaks.")
    if not text.isascii():
        raise InvalidName(f"{what} may use the letters a to z only, without accents.")
    if text != text.lower():
        raise InvalidName(f"{what} must be in lower case: “{text.lower()}”.")


def _check_label(label: str, *, what: str) -> None:
    _check_text(label, what=what)
    if len(label) < SHORTEST:
        raise InvalidName(f"{what} is too short: at least {SHORTEST} characters.")
    if len(label) > LONGEST:
        raise InvalidName(f"{what} is too long: at most {LONGEST} characters.")
    if not re.fullmatch(r"[a-z0-9-]+", label):
        raise InvalidName(f"{what} may contain letters, digits and hyphens only.")
    if label.startswith("-") or label.endswith("-"):
        raise InvalidName(f"{what} must not begin or end with a hyphen.")
    # Names of that shape mean something else to browsers (RFC 5891): xn-- and kin.
    if label[2:4] == "--":
        raise InvalidName(
            f"{what} must not have two hyphens in third and fourth place, as in “xn--”."
        )
    if not label[0].isalpha():
        raise InvalidName(f"{what} must begin with a letter.")


def _check_host_label(label: str, host: str) -> None:
    if not re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", label):
        raise InvalidName(
            f"“{host}” is not a host name: the parts between its dots may have 1 to"
            f" {LONGEST} letters, digits and hyphens, no hyphen first or last."
        )
