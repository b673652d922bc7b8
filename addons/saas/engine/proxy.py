"""What leads host names to tenants: the contract, and Traefik by its watched files."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import json
import logging
import os
import pathlib
import re
import tempfile
import time
import urllib.error
import urllib.request
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from typing import Any, Protocol

from . import names
from .errors import RefusedError, RetryableError

_logger = logging.getLogger(__name__)

PROBE_TIMEOUT = 5
"""Seconds to wait for the proxy itself."""

LEFTOVER_AGE = 60
"""Seconds after which a temporary file belongs to nobody any more."""


@dataclasses.dataclass(frozen=True, slots=True)
class Page:
    """What visitors read instead of a tenant that does not run, in one language.

    :param sentences: what happened, for anybody who comes by
    :param str ask: who can say more
    :param contacts: how to reach them: words and address (``mailto:``, ``tel:``,
        ``https:``) of each
    :param str language: in which it is written, e.g. ``pt-BR``
    :param str direction: how that is read, ``ltr`` or ``rtl``
    """

    title: str
    sentences: tuple[str, ...] = ()
    ask: str = ""
    contacts: tuple[tuple[str, str], ...] = ()
    language: str = "en"
    direction: str = "ltr"


@dataclasses.dataclass(frozen=True, slots=True)
class Route:
    """One tenant's address; a proxy holds at most one for a uid.

    It leads to the tenant, or, with pages, to the gateway that shows one of them. With
    both the tenant sleeps: the gateway wakes it before a request goes on to it, and
    shows a page where that takes long.

    :param hosts: host names, all of which lead there; the main one first
    :param str http: where the tenant answers, e.g. ``http://172.30.0.17:8069``
    :param str websocket: where it takes websockets; often the same
    :param pages: the same page in each language; the first for whoever reads none
    :param redirects: host names that send visitors on to the main one
    :param bool passing: it is there for a look only, and asks for no certificates
    """

    uid: str
    hosts: tuple[str, ...]
    http: str = ""
    websocket: str = ""
    pages: tuple[Page, ...] = ()
    redirects: tuple[str, ...] = ()
    passing: bool = False

    @property
    def is_asleep(self) -> bool:
        return bool(self.http and self.pages)


class Proxy(ABC):
    """A proxy in front of tenants; calls are bounded, repeatable, and never wait."""

    @abstractmethod
    def check(self) -> str:
        """Look whether routes can be changed; one line about it for people."""

    @abstractmethod
    def put_route(self, route: Route) -> None:
        """Make or change the route of that uid; unchanged is left alone."""

    @abstractmethod
    def delete_route(self, uid: str) -> None:
        """Remove the route of that uid; absent is success."""

    @abstractmethod
    def find_route(self, uid: str) -> Route | None:
        """The route of that uid, None when it is certain that there is none."""

    @abstractmethod
    def list_routes(self) -> dict[str, Route]:
        """All tenants' routes by uid, orphans too."""

    @abstractmethod
    def list_versions(self) -> dict[str, str]:
        """A word for each uid's route that is another one when the route is; cheap."""

    @abstractmethod
    def put_unknown_pages(self, pages: tuple[Page, ...]) -> None:
        """Make or change what addresses of the tenants' domain say that nobody has."""


class RouteFiles(Protocol):
    """Where the proxy watches for files; a directory here or on another machine."""

    def write(self, name: str, content: bytes) -> None:
        """Lay a file whole or not at all; unchanged is left alone."""

    def remove(self, name: str) -> None:
        """Remove a file; absent is success."""

    def read(self, name: str) -> bytes | None:
        """What a file holds, None when it is certain that it is absent."""

    def read_all(self) -> dict[str, bytes]:
        """All files by name, also those of others; no temporary ones."""

    def list_versions(self) -> dict[str, str]:
        """A word for each of them that is another one when the file is; cheap."""


class DirectoryRouteFiles:
    """Route files in a directory of this machine."""

    def __init__(self, path: str | pathlib.Path) -> None:
        self._path = pathlib.Path(path)

    def write(self, name: str, content: bytes) -> None:
        target = self._locate(name)
        with self._translate_errors():
            if target.is_file() and target.read_bytes() == content:
                return
            # The proxy passes over names with a dot in front; it sees whole files only.
            descriptor, temporary = tempfile.mkstemp(
                dir=self._path, prefix=f".{name}.", suffix=".tmp"
            )
            try:
                with open(descriptor, "wb") as file:
                    file.write(content)
                os.chmod(temporary, 0o644)
                os.replace(temporary, target)
                self._remove_leftovers(name)
            except OSError:
                pathlib.Path(temporary).unlink(missing_ok=True)
                raise

    def remove(self, name: str) -> None:
        target = self._locate(name)
        with self._translate_errors():
            # A directory that is not there says nothing about the file.
            if name in os.listdir(self._path):
                target.unlink(missing_ok=True)
            self._remove_leftovers(name)

    def read(self, name: str) -> bytes | None:
        target = self._locate(name)
        with self._translate_errors():
            try:
                return target.read_bytes()
            except FileNotFoundError:
                # A directory that is not there says nothing about the file.
                self._path.stat()
        return None

    def list_versions(self) -> dict[str, str]:
        found = {}
        with self._translate_errors(), os.scandir(self._path) as entries:
            for entry in entries:
                with contextlib.suppress(FileNotFoundError):
                    if not entry.name.startswith(".") and entry.is_file():
                        facts = entry.stat()
                        words = (facts.st_ino, facts.st_mtime_ns, facts.st_size)
                        found[entry.name] = " ".join(map(str, words))
        return found

    def read_all(self) -> dict[str, bytes]:
        found = {}
        with self._translate_errors():
            for path in self._path.iterdir():
                # One that vanishes between listing and reading is simply not there.
                with contextlib.suppress(FileNotFoundError, IsADirectoryError):
                    if not path.name.startswith("."):
                        found[path.name] = path.read_bytes()
        return found

    def _remove_leftovers(self, name: str) -> None:
        """Remove what writers left that were killed; younger ones may still write."""
        for path in self._path.glob(f".{name}.*.tmp"):
            with contextlib.suppress(FileNotFoundError):
                if time.time() - path.stat().st_mtime > LEFTOVER_AGE:
                    path.unlink()

    def _locate(self, name: str) -> pathlib.Path:
        if not re.fullmatch(r"[a-z0-9][a-z0-9_.-]*", name):
            raise ValueError(f"{name!r} is not a name for a route file")
        return self._path / name

    @contextlib.contextmanager
    def _translate_errors(self) -> Iterator[None]:
        try:
            yield
        except (FileNotFoundError, NotADirectoryError) as error:
            raise RefusedError(
                f"The directory for routes, {self._path}, does not exist. Mount the"
                " directory that the proxy watches there.",
                reason="directory_missing",
            ) from error
        except PermissionError as error:
            raise RefusedError(
                f"The directory for routes, {self._path}, may not be written. Give it"
                " to the user of this process.",
                reason="directory_closed",
            ) from error
        except OSError as error:
            raise RetryableError(
                f"The directory for routes, {self._path}, failed:"
                f" {error.strerror or error}. It is tried again.",
                reason="disk_full" if error.errno == errno.ENOSPC else "directory",
            ) from error


@dataclasses.dataclass(frozen=True, slots=True)
class TraefikSettings:
    """What is alike on all routes of one Traefik.

    :param entry_points: names of Traefik's entry points; none means all default ones
    :param bool tls: whether these speak TLS themselves
    :param health_entry_points: those without TLS where the worker, and nobody's
        secret, may still see whether a tenant answers and is used
    :param str certificate_resolver: Traefik's name for whoever gives certificates;
        empty where all of them are given
    :param covered: host names for which there is a certificate without asking, also
        with a ``*`` as their first label
    :param int rate_average: requests a second that one client address may make
    :param int rate_burst: requests that it may make at once on top
    :param str probe_url: an address at which Traefik answers, for ``check``; may be
        empty
    :param str gateway: where Traefik reaches the gateway, for routes with pages
    """

    entry_points: tuple[str, ...] = ()
    tls: bool = False
    health_entry_points: tuple[str, ...] = ()
    certificate_resolver: str = ""
    covered: tuple[str, ...] = ()
    rate_average: int = 100
    rate_burst: int = 400
    probe_url: str = ""
    gateway: str = ""


SECURITY_HEADERS = {
    "contentTypeNosniff": True,
    "customFrameOptionsValue": "SAMEORIGIN",
    "referrerPolicy": "strict-origin-when-cross-origin",
    # What Odoo uses itself (barcodes, calls, attendance) stays open to its own pages.
    "permissionsPolicy": (
        "camera=(self), microphone=(self), geolocation=(self),"
        " display-capture=(self), usb=(self), serial=(self), midi=(),"
        " browsing-topics=()"
    ),
    "customResponseHeaders": {"Server": ""},
}

HSTS_SECONDS = 365 * 24 * 3600

# Closed in each way of writing that Odoo could take for the same path: any case,
# doubled or encoded slashes, backslashes, a language in front.
_SLASH = r"(?:/|\\|%2f|%5c)+"
CLOSED_PATHS = (
    rf"(?i)^{_SLASH}(?:[a-z]{{2,3}}(?:[_@-][a-z0-9]+)*{_SLASH})?"
    rf"(?:web{_SLASH}database|queue_job)"
)


HEALTH_PATH = "/web/health"
"""Where Odoo says that it answers, to anybody and without a word more."""

WEBSOCKET_HEALTH_PATH = "/websocket/health"
"""The same of the process that takes websockets."""

USE_PATH = "/saas/use"
"""Where it says to the master alone whether it is used."""

PAGE_HEADER = "X-Saas-Page"
"""Tells the gateway whose page it is to show; visitors' own is replaced."""


class TraefikProxy(Proxy):
    """Traefik 3 by its watched directory: one file ``<uid>.yml`` for each tenant.

    Words of pages lie beside it in ``<uid>.json``, which Traefik passes over and the
    gateway reads.
    """

    def __init__(
        self, files: RouteFiles, settings: TraefikSettings | None = None
    ) -> None:
        self._files = files
        self._settings = settings or TraefikSettings()

    def check(self) -> str:
        self._files.write(_PROBE, b"")
        self._files.remove(_PROBE)
        count = len(self.list_routes())
        if self._settings.probe_url:
            _probe(self._settings.probe_url)
        return f"Traefik by files, {count} routes"

    def put_route(self, route: Route) -> None:
        content = json.dumps(make_configuration(route, self._settings), indent=1)
        name = _file_name(route.uid)
        # A route never leads to a page whose words are not there.
        if route.pages:
            self._files.write(_pages_name(route.uid), _dump_words(route))
        self._files.write(name, content.encode())
        if not route.pages:
            self._files.remove(_pages_name(route.uid))

    def delete_route(self, uid: str) -> None:
        self._files.remove(_file_name(uid))
        self._files.remove(_pages_name(uid))

    def find_route(self, uid: str) -> Route | None:
        content = self._files.read(_file_name(uid))
        if content is None:
            return None
        return _read_route(uid, content, self._files.read(_pages_name(uid)) or b"")

    def list_versions(self) -> dict[str, str]:
        versions = self._files.list_versions()
        found = {}
        for name, version in versions.items():
            if match := _FILE_NAME.fullmatch(name):
                words = versions.get(_pages_name(match["uid"]), "")
                found[match["uid"]] = f"{version} {words}"
        return found

    def list_routes(self) -> dict[str, Route]:
        routes = {}
        files = self._files.read_all()
        for name, content in files.items():
            match = _FILE_NAME.fullmatch(name)
            if match:
                uid = match["uid"]
                pages = files.get(_pages_name(uid), b"")
                routes[uid] = _read_route(uid, content, pages)
        return routes

    def put_unknown_pages(self, pages: tuple[Page, ...]) -> None:
        self._files.write(_UNKNOWN_PAGES, _dump_pages(pages))


# Without an ending that Traefik would read.
_PROBE = "saas-probe"
_UNKNOWN_PAGES = "unknown.json"
_FILE_NAME = re.compile(r"(?P<uid>t[0-9a-f]{12})\.yml")
_TARGET = re.compile(r"http://[a-z0-9.-]+(?::[0-9]{1,5})?")
_HOST = re.compile(r"Host\(`([a-z0-9.-]+)`\)")


def make_configuration(route: Route, settings: TraefikSettings) -> dict[str, Any]:
    """Traefik's dynamic configuration for one route.

    :raise InvalidName: a host name that could not stand in a rule
    :raise ValueError: a target that is not a plain address
    """
    uid = route.uid
    rule = _make_rule(route.hosts)
    middlewares = [f"{uid}-rate", f"{uid}-headers", f"{uid}-compress"]
    if route.is_asleep:
        middlewares.append(f"{uid}-wake")
    if route.passing:
        settings = dataclasses.replace(settings, certificate_resolver="")
    tls = _make_tls(route.hosts, settings)
    routers = {uid: _make_router(rule, uid, middlewares, settings, tls)}
    shown = route.pages and not route.http
    services = {uid: _make_service(settings.gateway if shown else route.http)}
    if route.websocket != route.http:
        routers[f"{uid}-websocket"] = _make_router(
            f"{rule} && PathPrefix(`/websocket`)",
            f"{uid}-websocket",
            middlewares,
            settings,
            tls,
        )
        services[f"{uid}-websocket"] = _make_service(route.websocket)
    if route.redirects:
        routers[f"{uid}-redirect"] = _make_router(
            _make_rule(route.redirects),
            uid,
            [f"{uid}-rate", f"{uid}-headers", f"{uid}-redirect"],
            settings,
            _make_tls(route.redirects, settings),
        )
    if settings.health_entry_points:
        routers |= _make_looks(route, rule, settings)
    return {
        "http": {
            "routers": routers,
            "services": services,
            "middlewares": _make_middlewares(route, settings),
        }
    }


def _make_looks(route: Route, rule: str, settings: TraefikSettings) -> dict[str, Any]:
    """What the worker looks at without TLS, and no visitor is sent on from."""
    looks = {"use": (USE_PATH, route.uid)}
    # Who asks a sleeping one whether it answers would wait until it is awake.
    if not route.is_asleep:
        looks["health"] = (HEALTH_PATH, route.uid)
        if route.websocket != route.http:
            looks["alive"] = (WEBSOCKET_HEALTH_PATH, f"{route.uid}-websocket")
    return {
        f"{route.uid}-{name}": {
            "rule": f"{rule} && Path(`{path}`)",
            "service": service,
            "middlewares": [f"{route.uid}-rate", f"{route.uid}-headers"],
            "entryPoints": list(settings.health_entry_points),
        }
        for name, (path, service) in looks.items()
    }


def _make_rule(hosts: tuple[str, ...]) -> str:
    if not hosts:
        raise ValueError("a route needs a host name")
    rule = " || ".join(f"Host(`{names.check_host(host)}`)" for host in hosts)
    return f"({rule}) && !PathRegexp(`{CLOSED_PATHS}`)"


def _make_tls(hosts: tuple[str, ...], settings: TraefikSettings) -> dict[str, Any]:
    """Have each host a certificate of its own: one that fails is in nobody's way."""
    wanting = [host for host in hosts if not is_covered(host, settings.covered)]
    if not settings.certificate_resolver or not wanting:
        return {}
    return {
        "certResolver": settings.certificate_resolver,
        "domains": [{"main": host} for host in wanting],
    }


def is_covered(host: str, names: Iterable[str]) -> bool:
    """Whether a certificate for these names is one for that host."""
    _, _, parent = host.partition(".")
    return any(name in (host, f"*.{parent}") for name in names)


def _make_router(
    rule: str,
    service: str,
    middlewares: list[str],
    settings: TraefikSettings,
    tls: dict[str, Any],
) -> dict[str, Any]:
    router: dict[str, Any] = {
        "rule": rule,
        "service": service,
        "middlewares": middlewares,
    }
    if settings.entry_points:
        router["entryPoints"] = list(settings.entry_points)
    if settings.tls:
        router["tls"] = tls
    return router


def _make_service(target: str) -> dict[str, Any]:
    return {"loadBalancer": {"servers": [{"url": _check_target(target)}]}}


def _check_target(target: str) -> str:
    if not _TARGET.fullmatch(target):
        raise ValueError(f"{target!r} is not an address like http://172.28.0.16:8069")
    return target


def _make_middlewares(route: Route, settings: TraefikSettings) -> dict[str, Any]:
    uid = route.uid
    headers = dict(SECURITY_HEADERS)
    if settings.tls:
        headers["stsSeconds"] = HSTS_SECONDS
    wake = {}
    if route.is_asleep:
        wake[f"{uid}-wake"] = _make_wake(uid, settings.gateway)
    if route.pages:
        # The gateway takes a request without it for a question of the proxy's own.
        shown = "" if route.is_asleep else uid
        headers["customRequestHeaders"] = {PAGE_HEADER: shown}
    made = {
        **wake,
        f"{uid}-rate": {
            "rateLimit": {
                "average": settings.rate_average,
                "burst": settings.rate_burst,
            }
        },
        f"{uid}-headers": {"headers": headers},
        f"{uid}-compress": {
            "compress": {"excludedContentTypes": ["text/event-stream"]}
        },
    }
    if route.redirects:
        made[f"{uid}-redirect"] = {"redirectRegex": _make_redirect(route.hosts[0])}
    return made


def _make_redirect(host: str) -> dict[str, Any]:
    """Send visitors on to the same page, port and scheme of that host.

    Not for good: browsers would remember it, and names are given to others in time.
    """
    return {
        "regex": r"^(https?)://[^/:]+(:[0-9]+)?(/.*)?$",
        "replacement": f"${{1}}://{host}${{2}}${{3}}",
        "permanent": False,
    }


def _make_wake(uid: str, gateway: str) -> dict[str, Any]:
    """Ask the gateway before each request; it holds it until the tenant is awake."""
    return {"forwardAuth": {"address": f"{_check_target(gateway)}/wake/{uid}"}}


def _file_name(uid: str) -> str:
    name = f"{uid}.yml"
    if not _FILE_NAME.fullmatch(name):
        raise ValueError(f"{uid!r} is not the id of a tenant")
    return name


def _pages_name(uid: str) -> str:
    return f"{uid}.json"


def _dump_words(route: Route) -> bytes:
    """Words of a page; of a tenant that sleeps also where it answers when awake.

    Each sleep has its own moment, so that who was woken from the last one is not taken
    for awake in this one.
    """
    if not route.is_asleep:
        return _dump_pages(route.pages)
    since = time.time_ns()
    return _dump_pages(
        route.pages, http=route.http, websocket=route.websocket, since=since
    )


def _dump_pages(pages: tuple[Page, ...], **facts: str | int) -> bytes:
    words = {**facts, "pages": [dataclasses.asdict(page) for page in pages]}
    return json.dumps(words, indent=1).encode()


def _read_route(uid: str, content: bytes, pages: bytes) -> Route:
    """The route in one of our files; a damaged one is a route that leads nowhere."""
    try:
        http = json.loads(content)["http"]
        hosts = _read_hosts(http, uid)
        redirects = _read_hosts(http, f"{uid}-redirect")
        headers = http["middlewares"][f"{uid}-headers"]["headers"]
        if headers.get("customRequestHeaders", {}).get(PAGE_HEADER):
            return Route(uid, hosts, pages=_read_pages(pages), redirects=redirects)
        targets = {
            name: service["loadBalancer"]["servers"][0]["url"]
            for name, service in http["services"].items()
        }
        return Route(
            uid=uid,
            hosts=hosts,
            http=targets[uid],
            websocket=targets.get(f"{uid}-websocket", targets[uid]),
            pages=_read_pages(pages) if f"{uid}-wake" in http["middlewares"] else (),
            redirects=redirects,
        )
    except (ValueError, LookupError, TypeError, AttributeError):
        _logger.warning("the route file of %s is damaged", uid)
        return Route(uid=uid, hosts=())


def _read_hosts(http: dict[str, Any], router: str) -> tuple[str, ...]:
    found = http["routers"].get(router, {"rule": ""})
    return tuple(_HOST.findall(found["rule"]))


def _read_pages(content: bytes) -> tuple[Page, ...]:
    return tuple(_read_page(words) for words in json.loads(content)["pages"])


def _read_page(words: dict[str, Any]) -> Page:
    words["sentences"] = tuple(words["sentences"])
    words["contacts"] = tuple((text, address) for text, address in words["contacts"])
    return Page(**words)


def _probe(url: str) -> None:
    """Look whether anything answers there at all; a 404 is an answer."""
    if not url.startswith(("http://", "https://")):
        raise RefusedError(
            f"{url} is not an address to look for Traefik.", reason="bad_url"
        )
    try:
        urllib.request.urlopen(url, timeout=PROBE_TIMEOUT).close()  # noqa: S310
    except urllib.error.HTTPError as error:
        error.close()
    except OSError as error:
        raise RetryableError(
            f"Routes can be written, but Traefik does not answer at {url}."
            " Look whether it runs.",
            reason="unreachable",
        ) from error
