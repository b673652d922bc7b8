"""What the operator can set: the ``.env`` file, the environment, and defaults."""

from __future__ import annotations

import dataclasses
import hashlib
import ipaddress
import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from .shell import StackError

ROOT = Path(__file__).resolve().parents[2]
TEST_STACK = "saas-test"
EMPTY_STACK = "saas-empty"
FAULTS_STACK = "saas-faults"
FAULTY_STACK = "saas-faulty"

DEFAULTS = {
    "SAAS_STACK": "saas",
    "SAAS_HTTP_PORT": "8080",
    "SAAS_HTTPS_PORT": "",
    "SAAS_CERTIFICATE": "",
    "SAAS_CERTIFICATE_KEY": "",
    "SAAS_ACME_EMAIL": "",
    "SAAS_ACME_SERVER": "",
    "SAAS_ACME_CA": "",
    "SAAS_ACME_DNS": "",
    "SAAS_ACME_DNS_FILE": "",
    "SAAS_HOST": "saas.localhost",
    "SAAS_TENANT_DOMAIN": "odoo.localhost",
    "SAAS_FIRST_SERVER": "yes",
    "SAAS_MAILBOX": "yes",
    "SAAS_MAIL_PORT": "8025",
    "SAAS_LANGUAGES": "pt_BR,es_ES",
    "SAAS_SNAPSHOTS": "no",
    "SAAS_CONTROL_SUBNET": "172.30.0.0/24",
    "SAAS_TENANT_SUBNET": "172.28.0.0/20",
    "SAAS_TENANT_BRIDGE": "saas0",
    "DEBIAN_MIRROR": "",
    "BASE_IMAGE": "debian:trixie-slim",
    "ODOO_BASE_IMAGE": "",
    "POSTGRES_BASE_IMAGE": "",
    "TRAEFIK_BASE_IMAGE": "",
    "ODOO_DEB": "",
    "ODOO_DEB_UNCHECKED": "",
}
FILES = (
    "SAAS_CERTIFICATE",
    "SAAS_CERTIFICATE_KEY",
    "SAAS_ACME_CA",
    "SAAS_ACME_DNS_FILE",
)
SECRETS = ("SAAS_ADMIN_PASSWORD",)
SMALLEST_NETWORK = 64
TEST_VALUES = {
    "SAAS_STACK": TEST_STACK,
    "SAAS_HTTP_PORT": "18080",
    "SAAS_HOST": "saas.localhost",
    "SAAS_TENANT_DOMAIN": "odoo.localhost",
    "SAAS_MAIL_PORT": "18025",
    "SAAS_CONTROL_SUBNET": "172.30.1.0/24",
    "SAAS_TENANT_SUBNET": "172.28.16.0/20",
    "SAAS_TENANT_BRIDGE": "saastest0",
    # The first of the tests' stacks installs the addons for all of them.
    "SAAS_SNAPSHOTS": "yes",
    # Half of what it is elsewhere, so that a busy machine reaches it too.
    "SAAS_RATE_AVERAGE": "100",
    # Stands for a load balancer; other addresses of this machine are strangers.
    "SAAS_TRUSTED_PROXIES": "127.0.0.2",
}
# Beside it, for the test of an operator's first steps: a master without a server.
EMPTY_VALUES = {
    "SAAS_STACK": EMPTY_STACK,
    "SAAS_HTTP_PORT": "18081",
    "SAAS_MAIL_PORT": "18026",
    "SAAS_CONTROL_SUBNET": "172.30.2.0/24",
    "SAAS_TENANT_SUBNET": "172.28.32.0/20",
    "SAAS_TENANT_BRIDGE": "saasempty0",
    "SAAS_FIRST_SERVER": "no",
    "SAAS_LANGUAGES": "",
    "SAAS_DB_MAX_CONNECTIONS": "100",
    "SAAS_DB_SHARED_BUFFERS": "64MB",
}
# For what only a whole stack can show while parts of it fail.
FAULTS_VALUES = {
    "SAAS_STACK": FAULTY_STACK,
    "SAAS_HTTP_PORT": "18082",
    "SAAS_MAIL_PORT": "18027",
    "SAAS_CONTROL_SUBNET": "172.30.3.0/24",
    "SAAS_TENANT_SUBNET": "172.28.48.0/20",
    "SAAS_TENANT_BRIDGE": "saasfaults0",
    "SAAS_LANGUAGES": "",
    "SAAS_DB_MAX_CONNECTIONS": "150",
    "SAAS_DB_SHARED_BUFFERS": "64MB",
    # All requests of a test come from one address.
    "SAAS_RATE_AVERAGE": "1000",
}
FIRST_ENV = """\
# Settings of this stack; README.md says what each means. Not in git.
SAAS_HTTP_PORT=8080
SAAS_HOST=saas.localhost
SAAS_TENANT_DOMAIN=odoo.localhost
"""


def parse_env(text: str) -> dict[str, str]:
    """The ``NAME=value`` lines of an env file; quotes around a value are dropped."""
    values = {}
    for line in text.splitlines():
        name, separator, value = line.strip().partition("=")
        if not separator or name.startswith("#"):
            continue
        value = value.strip()
        if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"":
            value = value[1:-1]
        values[name.removeprefix("export ").strip()] = value
    return values


@dataclasses.dataclass(frozen=True)
class Settings:
    """The settings of one stack; everything in it is known before anything runs."""

    root: Path
    values: Mapping[str, str] = dataclasses.field(repr=False)

    def __getitem__(self, name: str) -> str:
        return self.values[name]

    @property
    def stack(self) -> str:
        return self["SAAS_STACK"]

    @property
    def port(self) -> int:
        return int(self["SAAS_HTTP_PORT"])

    @property
    def ports(self) -> dict[str, int]:
        """The ports of this machine that the stack listens on, by their settings."""
        names = [
            "SAAS_HTTP_PORT",
            *(["SAAS_HTTPS_PORT"] if self.has_https else []),
            *(["SAAS_MAIL_PORT"] if self.has_mailbox else []),
        ]
        return {name: int(self[name]) for name in names}

    @property
    def host(self) -> str:
        return self["SAAS_HOST"]

    @property
    def mailbox_url(self) -> str:
        """Where the stack's own mailbox is read; empty where it has none."""
        return f"http://127.0.0.1:{self['SAAS_MAIL_PORT']}" if self.has_mailbox else ""

    @property
    def has_mailbox(self) -> bool:
        return self["SAAS_MAILBOX"] == "yes"

    @property
    def has_first_server(self) -> bool:
        """Whether the master comes with a server, or an operator sets it up."""
        return self["SAAS_FIRST_SERVER"] == "yes"

    @property
    def has_snapshots(self) -> bool:
        """Whether stacks share what was installed from the same image."""
        return self["SAAS_SNAPSHOTS"] == "yes"

    @property
    def admin_password(self) -> str:
        return self["SAAS_ADMIN_PASSWORD"]

    @property
    def cache(self) -> Path:
        """Downloads, logs and build contexts; may be removed at any time."""
        return self.root / ".cache"

    @property
    def tenant_network(self) -> str:
        return f"{self.stack}_tenants"

    @property
    def has_https(self) -> bool:
        return bool(self["SAAS_HTTPS_PORT"])

    @property
    def scheme(self) -> str:
        return "https" if self.has_https else "http"

    @property
    def public_port(self) -> int:
        """The port that people see."""
        return int(self["SAAS_HTTPS_PORT"]) if self.has_https else self.port

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.host}{self.port_suffix}"

    @property
    def port_suffix(self) -> str:
        default = 443 if self.has_https else 80
        return "" if self.public_port == default else f":{self.public_port}"

    @property
    def authority(self) -> str:
        """The certificate of an authority that is not known everywhere; or nothing."""
        path = self["SAAS_ACME_CA"]
        return Path(path).read_text(encoding="ascii") if path else ""

    @property
    def has_certificate(self) -> bool:
        """Whether the master and all tenants' addresses with us have a given one."""
        return self.has_https and bool(self["SAAS_CERTIFICATE"])

    def proxy_values(self) -> dict[str, str | int | bool]:
        """What the record of the proxy says about addresses and certificates."""
        asks = self.has_https and bool(self["SAAS_ACME_EMAIL"])
        covers = self.has_certificate or (asks and bool(self["SAAS_ACME_DNS"]))
        return {
            # Without HTTPS of its own something in front of it may have one.
            **({"scheme": "https"} if self.has_https else {}),
            "port": self.public_port,
            "https_entry_point": self.has_https and "websecure",
            "certificate_resolver": asks and "http",
            "covered": covers and f"*.{self['SAAS_TENANT_DOMAIN']}",
            "authority": self.authority or False,
        }

    def control_address(self, number: int) -> str:
        """A fixed address in the control network."""
        return str(_network(self, "SAAS_CONTROL_SUBNET")[number])

    @property
    def tenant_gateway(self) -> str:
        """The host's address in the tenants' network; PostgreSQL is published there."""
        return str(_network(self, "SAAS_TENANT_SUBNET")[1])

    @property
    def tenant_dynamic_range(self) -> str:
        """The upper half of the tenants' network: addresses that Docker may choose.

        The lower half is given out by the master, one fixed address per tenant.
        """
        return str(list(_network(self, "SAAS_TENANT_SUBNET").subnets(1))[1])

    def _certificate_id(self) -> str:
        """Another word for another certificate: the proxy is made anew for it."""
        if not self.has_certificate:
            return ""
        content = Path(self["SAAS_CERTIFICATE"]).read_bytes()
        return hashlib.sha256(content).hexdigest()[:12]

    def _needs_root(self) -> bool:
        return min(self.port, self.public_port) < 1024

    def compose_values(self) -> dict[str, str]:
        """What the Compose file may refer to; never a secret."""
        given = {
            name: value
            for name, value in self.values.items()
            if name.startswith("SAAS_") and name not in SECRETS
        }
        return {
            # Only root may listen on such a port.
            **({"SAAS_PROXY_USER": "0:0"} if self._needs_root() else {}),
            **given,
            "SAAS_CERTIFICATE_ID": self._certificate_id(),
            "SAAS_WEB_ADDRESS": self.control_address(10),
            "SAAS_WORKER_ADDRESS": self.control_address(11),
            "SAAS_DB_ADDRESS": self.control_address(12),
            "SAAS_GATEWAY_ADDRESS": self.control_address(13),
            "SAAS_TENANT_GATEWAY": self.tenant_gateway,
        }


def _network(settings: Settings, name: str) -> ipaddress.IPv4Network:
    try:
        return ipaddress.IPv4Network(settings[name])
    except ValueError as error:
        raise StackError(
            f"{name} is not an IPv4 network ({settings[name]}): correct it in .env."
        ) from error


def load(root: Path = ROOT) -> Settings:
    """The settings of the stack that people use; makes ``.env`` on the first run."""
    path = root / ".env"
    ensure_env_file(path)
    stored = parse_env(path.read_text(encoding="utf-8"))
    given = {name: os.environ[name] for name in DEFAULTS if os.environ.get(name)}
    return checked(Settings(root, {**DEFAULTS, **stored, **given}))


def load_test(root: Path = ROOT) -> Settings:
    """The settings of the stack that the end-to-end tests have to themselves."""
    path = root / ".env"
    stored = parse_env(path.read_text(encoding="utf-8")) if path.exists() else {}
    kept = {name: stored[name] for name in stored if not name.startswith("SAAS_")}
    given = {
        name: os.environ[name]
        for name in DEFAULTS
        if os.environ.get(name) and not name.startswith("SAAS_")
    }
    password = parse_env(_read_or_make(root / ".cache" / "test.env"))
    return checked(
        Settings(root, {**DEFAULTS, **kept, **given, **TEST_VALUES, **password})
    )


def load_empty(root: Path = ROOT) -> Settings:
    """The settings of a second stack of the tests, whose master has no server yet."""
    test = load_test(root)
    return checked(Settings(root, {**test.values, **EMPTY_VALUES}))


def load_faults(root: Path = ROOT) -> Settings:
    """The settings of the stack whose parts fail."""
    test = load_test(root)
    return checked(Settings(root, {**test.values, **FAULTS_VALUES}))


def _read_or_make(path: Path) -> str:
    """The env file with the password of the tests' stack."""
    path.parent.mkdir(exist_ok=True)
    ensure_env_file(path, "")
    return path.read_text(encoding="utf-8")


def checked(settings: Settings) -> Settings:
    """The same settings.

    :raise StackError: one of them cannot be used
    """
    for name in ("SAAS_HTTP_PORT", "SAAS_MAIL_PORT"):
        _check_port(settings, name)
    _check_https(settings)
    for name in ("SAAS_MAILBOX", "SAAS_FIRST_SERVER", "SAAS_SNAPSHOTS"):
        if settings[name] not in ("yes", "no"):
            raise StackError(f"{name} is neither yes nor no: correct it in .env.")
    host = f".{settings['SAAS_HOST']}".lower()
    domain = f".{settings['SAAS_TENANT_DOMAIN']}".lower()
    if host.endswith(domain) or domain.endswith(host):
        raise StackError(
            "SAAS_HOST and SAAS_TENANT_DOMAIN lie within one another, so that tenants "
            "could set cookies for the master: choose another one in .env."
        )
    for name in ("SAAS_CONTROL_SUBNET", "SAAS_TENANT_SUBNET"):
        if _network(settings, name).num_addresses < SMALLEST_NETWORK:
            raise StackError(
                f"{name} is no network for a stack ({settings[name]}): correct it in "
                ".env."
            )
    return settings


def _check_port(settings: Settings, name: str) -> None:
    port = settings[name]
    if not port.isdigit() or not 0 < int(port) < 65536:
        raise StackError(f"{name} is not a port ({port}): correct it in .env.")


def _check_https(settings: Settings) -> None:
    if settings.has_https:
        _check_port(settings, "SAAS_HTTPS_PORT")
        if settings["SAAS_HTTPS_PORT"] == settings["SAAS_HTTP_PORT"]:
            raise StackError(
                "SAAS_HTTPS_PORT and SAAS_HTTP_PORT are the same: HTTP needs one of its"
                " own, to send visitors on to HTTPS. Correct it in .env."
            )
    if bool(settings["SAAS_CERTIFICATE"]) != bool(settings["SAAS_CERTIFICATE_KEY"]):
        raise StackError(
            "SAAS_CERTIFICATE and SAAS_CERTIFICATE_KEY belong together: set both in "
            ".env, or none."
        )
    for name in FILES:
        path = settings[name]
        if path and not (Path(path).is_absolute() and Path(path).is_file()):
            raise StackError(
                f"{name} is not the whole path of a file on this machine ({path}):"
                " correct it in .env."
            )


def ensure_env_file(path: Path, first: str = FIRST_ENV) -> None:
    """Make an env file if there is none; its password is its own, and the owner's."""
    text = path.read_text(encoding="utf-8") if path.exists() else first
    if "SAAS_ADMIN_PASSWORD" not in parse_env(text):
        # Compose interpolates some characters in such files, so only plain ones.
        text = f"{text.rstrip()}\nSAAS_ADMIN_PASSWORD={secrets.token_hex(12)}\n"
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
    path.chmod(0o600)
