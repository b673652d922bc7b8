"""The master as an outside program sees it: XML-RPC through the proxy."""

from __future__ import annotations

import http.client
import xmlrpc.client
from typing import Any

from .browser import connect
from .settings import Settings
from .shell import StackError

DATABASE = "master"
LOGIN = "admin"
SECONDS = 60


class LocalTransport(xmlrpc.client.Transport):
    """XML-RPC over such a connection."""

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self._settings = settings

    def make_connection(self, host: Any) -> http.client.HTTPConnection:
        connection = connect(
            self._settings.scheme,
            self._settings.host,
            self._settings.public_port,
            timeout=SECONDS,
            authority=self._settings.authority,
        )
        self._connection = host, connection
        return connection


class Master:
    """The external API of the master.

    :raise StackError: what it refuses, in its own words
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._uid: int | None = None

    @property
    def authority(self) -> str:
        """Whom its programs trust beside those whom everybody knows."""
        return self._settings.authority

    def _call(self, service: str, method: str, *args: Any) -> Any:
        proxy = xmlrpc.client.ServerProxy(
            f"{self._settings.url}/xmlrpc/2/{service}",
            transport=LocalTransport(self._settings),
            allow_none=True,
        )
        try:
            return getattr(proxy, method)(*args)
        except xmlrpc.client.Fault as fault:
            raise StackError(fault_sentence(fault.faultString)) from fault
        except (OSError, xmlrpc.client.Error, http.client.HTTPException) as error:
            raise StackError(
                f"The master does not answer at {self._settings.url} ({error}): see "
                "make ps, and make demo to start it."
            ) from error

    def login(self) -> int:
        """Log in as staff; the id of the user."""
        if self._uid is None:
            uid = self._call(
                "common",
                "authenticate",
                DATABASE,
                LOGIN,
                self._settings.admin_password,
                {},
            )
            if not uid:
                raise StackError(
                    "The master refuses the password in .env (SAAS_ADMIN_PASSWORD): "
                    "put the right one there."
                )
            self._uid = uid
        return self._uid

    def execute(self, model: str, method: str, *args: Any, **kwargs: Any) -> Any:
        return self._call(
            "object",
            "execute_kw",
            *(DATABASE, self.login(), self._settings.admin_password),
            *(model, method, list(args), kwargs),
        )

    def search(self, model: str, domain: list[Any], **kwargs: Any) -> list[int]:
        return list(self.execute(model, "search", domain, **kwargs))

    def read(self, model: str, record: int, *fields: str) -> dict[str, Any]:
        return dict(self.execute(model, "read", [record], fields=list(fields))[0])

    def create(self, model: str, **values: Any) -> int:
        return int(self.execute(model, "create", [values])[0])


def fault_sentence(fault: str) -> str:
    """What a fault says for people: the last line where it holds a traceback."""
    lines = [line.strip() for line in fault.splitlines() if line.strip()]
    if not lines:
        return "The master failed without a word: see make logs."
    if not lines[0].startswith("Traceback"):
        return " ".join(lines)
    return lines[-1].partition(": ")[2] or lines[-1]
