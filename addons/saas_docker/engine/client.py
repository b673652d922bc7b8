"""The SDK's client, and the only place that knows its exceptions."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import pathlib
import re
import ssl
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

import requests
import urllib3
from docker import APIClient
from docker.errors import (
    APIError,
    DockerException,
    NotFound,
    create_api_error_from_http_exception,
)
from docker.tls import TLSConfig
from docker.utils import version_lt
from requests.adapters import HTTPAdapter

from odoo.addons.saas.engine.errors import EngineError, RefusedError, RetryableError

from .objects import DockerConfig

MINIMUM_API = "1.41"
"""Of engine 20.10; older ones lack what isolates tenants."""

CLIENT_SECONDS = 300
"""How long a client is used before a new one asks the engine what it is."""

try:
    from paramiko.ssh_exception import AuthenticationException, SSHException

    _SSH_ERRORS: tuple[type[Exception], ...] = (SSHException,)
    _SSH_REFUSALS: tuple[type[Exception], ...] = (AuthenticationException,)
except ImportError:  # only servers with an ssh:// address need it
    _SSH_ERRORS = _SSH_REFUSALS = ()

T = TypeVar("T")


# === CONSTRUCTION === #


def make_client(config: DockerConfig) -> APIClient:
    """A client that has asked the engine for its version.

    :raise RefusedError: ``engine_too_old``
    """
    url, tls = config.url, None
    if config.ca or config.cert:
        url, tls = url.replace("tcp://", "https://", 1), _PemTLS(config)
    client = APIClient(
        base_url=url, version="auto", timeout=config.timeout, tls=tls or False
    )
    if version_lt(client.api_version, MINIMUM_API):
        raise RefusedError(
            f"The Docker engine at {config.url} speaks API {client.api_version}; "
            f"{MINIMUM_API} (engine 20.10) or newer is needed.",
            reason="engine_too_old",
        )
    return client


def get_client(config: DockerConfig) -> APIClient:
    """A client that callers share; it asks for the engine's version now and then."""
    return _get_client(config, int(time.monotonic() // CLIENT_SECONDS))


@functools.lru_cache(maxsize=32)
def _get_client(config: DockerConfig, period: int) -> APIClient:
    return make_client(config)


class _PemTLS(TLSConfig):
    """TLS from PEM texts: the private key lies on a disk for a moment only."""

    def __init__(self, config: DockerConfig) -> None:
        super().__init__()
        self._context = make_ssl_context(config.ca, config.cert, config.key)

    def configure_client(self, client: APIClient) -> None:
        client.mount("https://", _ContextAdapter(self._context))


class _ContextAdapter(HTTPAdapter):
    """Uses one TLS context and trusts nobody else, whatever the environment says."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, ssl_context=self._context, **kwargs)

    def build_connection_pool_key_attributes(
        self, request: Any, verify: Any, cert: Any = None
    ) -> tuple[Any, Any]:
        host, __ = super().build_connection_pool_key_attributes(request, True, None)
        return host, {"ssl_context": self._context}

    def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:
        """Leave the connection as the context says."""


def make_ssl_context(ca: str, cert: str, key: str) -> ssl.SSLContext:
    """A context that trusts ``ca`` alone and shows ``cert``.

    :raise RefusedError: ``tls``, when a text is not what it should be
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(cadata=ca)
        if cert:
            with tempfile.TemporaryDirectory() as directory:
                path = pathlib.Path(directory, "pem")
                path.touch(mode=0o600)
                path.write_text(f"{cert.strip()}\n{key.strip()}\n")
                context.load_cert_chain(path, password=_no_password)
    except (ssl.SSLError, ValueError) as error:
        raise RefusedError(
            "The certificates of the Docker engine cannot be used: the authority, our "
            "certificate and its unencrypted key are needed, each as PEM text.",
            reason="tls",
        ) from error
    return context


def _no_password() -> str:
    """Stop OpenSSL from asking on the terminal for the key's password."""
    raise ValueError("the key is encrypted")


# === WHAT THE SDK LACKS === #


def update_limits(api: APIClient, name: str, limits: Mapping[str, Any]) -> None:
    """Change limits of a container that may run; the SDK's call knows but some."""
    url = f"{api.base_url}/v{api.api_version}/containers/{name}/update"
    answer = api.post(url, json=dict(limits), timeout=api.timeout)
    try:
        answer.raise_for_status()
    except requests.HTTPError as error:
        raise create_api_error_from_http_exception(error) from error


# === ABSENCE === #


def find(call: Callable[..., T], *args: Any, **kwargs: Any) -> T | None:
    """What the call gives, or None when the engine says that it is not there."""
    try:
        return call(*args, **kwargs)
    except NotFound:
        return None


# === ERRORS === #


@dataclasses.dataclass(frozen=True, slots=True)
class _Rule:
    """How one answer of the engine is told.

    :param status: HTTP status, or None for any
    :param str pattern: found in the engine's text
    """

    status: int | None
    pattern: str
    error: type[EngineError]
    reason: str
    sentence: str

    def applies(self, status: int | None, detail: str) -> bool:
        if self.status is not None and self.status != status:
            return False
        return re.search(self.pattern, detail, re.IGNORECASE) is not None


_RULES = (
    _Rule(
        None,
        r"no such image",
        RefusedError,
        "image_missing",
        "{subject}: its image is not on the server ({detail}); build or load it there.",
    ),
    _Rule(
        None,
        r"no space left on device|disk quota exceeded",
        RetryableError,
        "disk_full",
        "{subject}: the disk of the server {url} is full; make room there.",
    ),
    _Rule(
        None,
        r"pool overlaps|cannot create network .*conflicts with network",
        RefusedError,
        "subnet_taken",
        "{subject}: its subnet is used by another network of {url}; choose another.",
    ),
    _Rule(
        None,
        r"no available ipv4 addresses|exchange full",
        RefusedError,
        "no_room",
        "{subject}: the network of {url} is full; add another server.",
    ),
    _Rule(
        None,
        r"address already in use",
        RetryableError,
        "address_taken",
        "{subject}: its address is taken by another container of {url}; remove that "
        "one, or wait until it is gone.",
    ),
    _Rule(
        None,
        r"network \S+ not found",
        RefusedError,
        "network_missing",
        "{subject}: the network is not on the server {url}; prepare the server again.",
    ),
    _Rule(
        None,
        r"unable to find user|executable file not found|oci runtime create failed"
        r"|no such file or directory: unknown|exec format error",
        RefusedError,
        "image_unusable",
        "{subject}: its image cannot be started ({detail}); use another image.",
    ),
    _Rule(
        400,
        r"http request to an https server",
        RefusedError,
        "tls",
        "The Docker engine at {url} wants TLS; enter its certificates.",
    ),
    _Rule(
        401,
        "",
        RefusedError,
        "permission",
        "The Docker engine at {url} does not let us in ({detail}).",
    ),
    _Rule(
        403,
        "",
        RefusedError,
        "permission",
        "{subject}: the Docker engine at {url} forbids it ({detail}).",
    ),
    _Rule(
        404,
        "",
        RefusedError,
        "absent",
        "{subject} is not on the Docker engine at {url} ({detail}).",
    ),
    _Rule(
        409,
        "",
        RetryableError,
        "busy",
        "{subject}: the Docker engine at {url} is busy with it ({detail}).",
    ),
    _Rule(
        400,
        "",
        RefusedError,
        "bad_request",
        "{subject}: the Docker engine at {url} refuses it ({detail}).",
    ),
)


@contextlib.contextmanager
def translate_errors(url: str, subject: str) -> Iterator[None]:
    """Turn what the SDK raises into the two kinds of error, one sentence each.

    :param str url: where the engine is
    :param str subject: what the work is about; begins the sentence
    """
    try:
        yield
    except APIError as error:
        raise _from_answer(error, url, subject) from error
    except (
        DockerException,
        requests.RequestException,
        urllib3.exceptions.HTTPError,
        OSError,
        *_SSH_ERRORS,
    ) as error:
        raise _from_transport(error, url) from error


def _from_answer(error: APIError, url: str, subject: str) -> EngineError:
    detail = " ".join(str(error.explanation or error).split())[:300]
    for rule in _RULES:
        if rule.applies(error.status_code, detail):
            sentence = rule.sentence.format(url=url, subject=subject, detail=detail)
            return rule.error(sentence, reason=rule.reason)
    return RetryableError(
        f"{subject}: the Docker engine at {url} failed ({detail}).",
        reason="engine_failed",
    )


def _from_transport(error: Exception, url: str) -> EngineError:
    causes = list(_causes(error))
    if _is_any(causes, ssl.SSLEOFError):
        return RetryableError(
            f"The Docker engine at {url} broke off the TLS connection; look whether it "
            "runs, and whether it trusts our certificate.",
            reason="unreachable",
        )
    if _is_any(causes, ssl.SSLError):
        return RefusedError(
            f"The Docker engine at {url} and we do not trust each other's certificate "
            f"({_detail(causes, ssl.SSLError)}).",
            reason="tls",
        )
    if _is_any(causes, PermissionError, *_SSH_REFUSALS):
        return RefusedError(
            f"We may not use the Docker engine at {url}; give this process's user the "
            "right to (for a socket: its group).",
            reason="permission",
        )
    if _is_any(causes, TimeoutError, requests.Timeout, urllib3.exceptions.TimeoutError):
        return RetryableError(
            f"The Docker engine at {url} did not answer in time.", reason="timeout"
        )
    detail = _detail(causes, OSError)
    if "paramiko" in str(error) or _is_any(causes, requests.exceptions.InvalidURL):
        return RefusedError(
            f"The address {url} cannot be used ({detail}).", reason="bad_url"
        )
    if _is_any(causes, OSError, urllib3.exceptions.HTTPError, *_SSH_ERRORS):
        return RetryableError(
            f"The Docker engine at {url} cannot be reached ({detail}); is it running?",
            reason="unreachable",
        )
    return RefusedError(
        f"What answers at {url} is no Docker engine, or the address is wrong "
        f"({detail}).",
        reason="bad_url",
    )


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """An exception and all that led to it; the libraries wrap them in three ways."""
    seen: set[int] = set()
    waiting = [error]
    while waiting:
        cause = waiting.pop(0)
        if not isinstance(cause, BaseException) or id(cause) in seen:
            continue
        seen.add(id(cause))
        yield cause
        waiting += [cause.__cause__, cause.__context__, getattr(cause, "reason", None)]
        waiting += cause.args


def _is_any(causes: list[BaseException], *kinds: type[BaseException]) -> bool:
    return any(isinstance(cause, kinds) for cause in causes)


def _detail(causes: list[BaseException], kind: type[BaseException]) -> str:
    """The innermost cause of that kind, in its own words."""
    own = [
        cause
        for cause in causes
        if isinstance(cause, kind) and not isinstance(cause, requests.RequestException)
    ]
    cause = (own or causes)[-1]
    text = getattr(cause, "strerror", None) or str(cause)
    return " ".join(text.split())[:200]
