"""A visitor's browser, as far as a program needs one: cookies, redirects and forms.

The host names of the demo need no DNS: connections go to this machine, and the host is
named in the request.
"""

from __future__ import annotations

import dataclasses
import http.client
import http.cookies
import socket
import ssl
import urllib.parse
from html.parser import HTMLParser

from .shell import StackError

REDIRECTS = (301, 302, 303, 307, 308)
FORM = "application/x-www-form-urlencoded"


class LocalConnection(http.client.HTTPConnection):
    """A connection to this machine whatever host name is asked for."""

    def connect(self) -> None:
        self.sock = socket.create_connection(("127.0.0.1", self.port), self.timeout)


class SecureLocalConnection(LocalConnection):
    """The same by HTTPS.

    :param str authority: certificate of somebody to trust whom not everybody knows
    """

    default_port = http.client.HTTPS_PORT

    def __init__(
        self, host: str, port: int | None = None, *, timeout: float, authority: str
    ) -> None:
        super().__init__(host, port, timeout=timeout)
        self._context = ssl.create_default_context()
        if authority:
            self._context.load_verify_locations(cadata=authority)

    def connect(self) -> None:
        super().connect()
        self.sock = self._context.wrap_socket(self.sock, server_hostname=self.host)


def connect(
    scheme: str, host: str, port: int | None, *, timeout: float, authority: str = ""
) -> LocalConnection:
    """A connection to this machine for an address."""
    if scheme == "https":
        return SecureLocalConnection(host, port, timeout=timeout, authority=authority)
    return LocalConnection(host, port, timeout=timeout)


@dataclasses.dataclass
class Form:
    """A form of a page: where it leads, and what its fields hold."""

    action: str
    fields: dict[str, str] = dataclasses.field(default_factory=dict)


class FormReader(HTMLParser):
    """Reads the forms that are sent by POST."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self._open = False
        self._select = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag == "form" and values.get("method", "").lower() == "post":
            self.forms.append(Form(values.get("action", "")))
            self._open = True
        elif self._open and tag == "input" and values.get("name"):
            self.forms[-1].fields[values["name"]] = values.get("value", "")
        elif self._open and tag == "select":
            self._select = values.get("name", "")
        elif self._select and tag == "option" and values.get("value"):
            fields = self.forms[-1].fields
            if "selected" in values or self._select not in fields:
                fields[self._select] = values["value"]

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._open = False
        elif tag == "select":
            self._select = ""


@dataclasses.dataclass
class Answer:
    """One answer of a site, after its redirects."""

    status: int
    url: str
    body: str

    def form(self, field: str = "", action: str = "") -> Form:
        """The form that has that field, or leads to an address that ends so.

        :raise StackError: the page has no such form
        """
        reader = FormReader()
        reader.feed(self.body)
        for form in reader.forms:
            if (not field or field in form.fields) and form.action.endswith(action):
                return form
        raise StackError(f"{self.url} ({self.status}) has no form {field or action}.")


class Browser:
    """A visitor with cookies who follows redirects on this machine.

    :param str authority: certificate of somebody to trust whom not everybody knows
    """

    def __init__(self, authority: str = "") -> None:
        self._cookies: dict[str, str] = {}
        self._authority = authority

    def get(self, url: str) -> Answer:
        """Open an address.

        :raise OSError: nothing answers there (yet)
        """
        return self._ask("GET", url)

    def submit(self, page: Answer, form: Form, **values: str) -> Answer:
        """Send a form of a page, filled in.

        :raise OSError: nothing answers there
        """
        body = urllib.parse.urlencode({**form.fields, **values})
        return self._ask("POST", urllib.parse.urljoin(page.url, form.action), body)

    def _ask(self, method: str, url: str, body: str = "", redirects: int = 6) -> Answer:
        parts = urllib.parse.urlsplit(url)
        connection = connect(
            parts.scheme,
            parts.hostname or "",
            parts.port,
            timeout=30,
            authority=self._authority,
        )
        path = urllib.parse.urlunsplit(("", "", parts.path or "/", parts.query, ""))
        headers = {"User-Agent": "saas-stack"}
        if self._cookies:
            pairs = (f"{name}={value}" for name, value in self._cookies.items())
            headers["Cookie"] = "; ".join(pairs)
        if body:
            headers["Content-Type"] = FORM
        try:
            connection.request(method, path, body or None, headers)
            answer = connection.getresponse()
            text = answer.read().decode(errors="replace")
        finally:
            connection.close()
        self._keep_cookies(answer.headers.get_all("Set-Cookie") or [])
        location = answer.headers.get("Location")
        if answer.status in REDIRECTS and location and redirects:
            url = urllib.parse.urljoin(url, location)
            return self._ask("GET", url, redirects=redirects - 1)
        return Answer(answer.status, url, text)

    def _keep_cookies(self, headers: list[str]) -> None:
        for header in headers:
            for name, morsel in http.cookies.SimpleCookie(header).items():
                self._cookies[name] = morsel.value
