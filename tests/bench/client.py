"""Programs that talk to the master and to tenants, and wait for them."""

from __future__ import annotations

import contextlib
import re
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import requests
from docker.models.containers import Container

INTERVAL = 0.05
SECONDS = 300
UNFINISHED = ("pending", "running")
LOGGED_IN = re.compile(r'"uid": \d+')
COUNTRY = re.compile(r'<option[^>]* value="(\d+)"')
TOKEN = re.compile(r'name="csrf_token" value="([^"]+)"')


class BenchError(Exception):
    """Something did not work; the numbers of that sample would mean nothing."""


@contextlib.contextmanager
def local_names() -> Iterator[None]:
    """Resolve ``*.localhost`` to this machine, as browsers do and libraries do not."""
    resolve = socket.getaddrinfo

    def getaddrinfo(host: Any, *args: Any, **kwargs: Any) -> Any:
        if isinstance(host, str) and host.endswith(".localhost"):
            host = "127.0.0.1"
        return resolve(host, *args, **kwargs)

    socket.getaddrinfo = getaddrinfo
    try:
        yield
    finally:
        socket.getaddrinfo = resolve


class Master:
    """The master's JSON-2 interface, over one connection."""

    def __init__(self, url: str, database: str, key: str) -> None:
        self.url = url
        self._session = requests.Session()
        self._session.headers["Authorization"] = f"bearer {key}"
        self._session.headers["X-Odoo-Database"] = database

    def call(self, model: str, method: str, **values: Any) -> Any:
        answer = self._session.post(
            f"{self.url}/json/2/{model}/{method}", json=values, timeout=SECONDS
        )
        if not answer.ok:
            raise BenchError(f"{model}.{method}: {answer.json()['message']}")
        return answer.json()

    def create(self, model: str, **values: Any) -> int:
        [record] = self.call(model, "create", vals_list=[values])
        return record

    def read(self, model: str, record: int, *fields: str) -> dict[str, Any]:
        [found] = self.call(model, "read", ids=[record], fields=list(fields))
        return found

    def follow(self, operation: int) -> None:
        """Wait for the end of an operation."""

        def ended() -> bool:
            found = self.read("saas.operation", operation, "state", "message")
            if found["state"] not in (*UNFINISHED, "done"):
                raise BenchError(found["message"])
            return found["state"] == "done"

        wait(ended)

    def read_steps(self, operation: int) -> dict[str, float]:
        """The seconds that each step of an operation took."""
        steps = self.call(
            "saas.operation.step",
            "search_read",
            domain=[["operation_id", "=", operation]],
            fields=["name", "duration"],
        )
        return {f"step {step['name']}": step["duration"] for step in steps}


def wait(condition: Callable[[], bool], interval: float = INTERVAL) -> None:
    until = time.monotonic() + SECONDS
    while not condition():
        if time.monotonic() > until:
            raise BenchError(f"it did not happen within {SECONDS} s")
        time.sleep(interval)


def answers(url: str) -> bool:
    """Whether a page is served there."""
    try:
        return requests.get(url, timeout=SECONDS).status_code == 200
    except requests.RequestException:
        return False


def address(container: Container) -> str:
    """Where a container is reached, in the one network that it is in."""
    container.reload()
    [network] = container.attrs["NetworkSettings"]["Networks"].values()
    return network["IPAddress"]


def follow_link(link: str) -> None:
    """Open a login link with a cookie jar; it must end in a logged-in /odoo."""
    with requests.Session() as session:
        _check_logged_in(session.get(link, timeout=SECONDS))


def log_in(url: str, login: str, password: str) -> None:
    """Log in by password; it must end in a logged-in /odoo."""
    with requests.Session() as session:
        page = session.get(f"{url}/web/login", timeout=SECONDS)
        found = TOKEN.search(page.text)
        if not found:
            raise BenchError(f"{url}/web/login has no form")
        values = {"login": login, "password": password, "csrf_token": found[1]}
        session.post(f"{url}/web/login", data=values, timeout=SECONDS)
        _check_logged_in(session.get(f"{url}/odoo", timeout=SECONDS))


class Visitor:
    """Somebody who signs up on the website."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._page = ""
        self._token = ""
        self._session = requests.Session()

    def sign_up(self, plan: str, name: str, email: str) -> None:
        """Fill in the form of a plan (its path); a code is mailed."""
        form = self._session.get(f"{self._url}{plan}", timeout=SECONDS).text
        values = {
            "company_name": name,
            "contact_name": name,
            "email": email,
            "name": name,
            "lang": "en_US",
            "country_id": COUNTRY.findall(form)[-1],
        }
        answer = self._post(f"{self._url}{plan}", self._find_token(form), values)
        self._page = answer.url
        if "/saas/signup/" not in self._page:
            raise BenchError(f"{self._page} answered {answer.status_code}")
        self._token = self._find_token(answer.text)

    def confirm(self, code: str) -> None:
        answer = self._post(f"{self._page}/code", self._token, {"code": code})
        if answer.status_code != 200 or 'name="code"' in answer.text:
            raise BenchError(f"the code was not taken: {answer.status_code}")
        self._token = self._find_token(answer.text, self._token)

    def is_built(self) -> bool:
        found = self._session.get(f"{self._page}/status", timeout=SECONDS).json()
        if found["state"] == "failed":
            raise BenchError("the tenant could not be built")
        return bool(found["state"] == "done")

    def open(self) -> None:
        """Go on to the tenant; it must end in a logged-in /odoo."""
        page = self._session.get(self._page, timeout=SECONDS).text
        answer = self._post(f"{self._page}/open", self._find_token(page), {})
        _check_logged_in(answer)

    def _post(self, url: str, token: str, values: dict[str, str]) -> requests.Response:
        form = {"csrf_token": token, **values}
        return self._session.post(url, data=form, timeout=SECONDS)

    @staticmethod
    def _find_token(page: str, default: str = "") -> str:
        found = TOKEN.search(page)
        if not found and not default:
            raise BenchError("the page has no form")
        return found[1] if found else default


def _check_logged_in(answer: requests.Response) -> None:
    path = answer.url.split("://")[1].partition("/")[2]
    if answer.status_code != 200 or not path.startswith("odoo"):
        raise BenchError(f"{answer.url.split('?')[0]} answered {answer.status_code}")
    if not LOGGED_IN.search(answer.text):
        raise BenchError(f"{answer.url.split('?')[0]} is not logged in")
