#!/usr/bin/env python3
"""Answers where no tenant does, and wakes tenants that sleep.

The proxy leads such addresses here, and tells by a header whose page is meant. Words
are files that the worker writes beside the proxy's routes, in each language that the
master speaks: ``<uid>.json`` of a tenant, ``unknown.json`` of all other addresses. So
it answers while the master is down, and knows neither its database nor any secret.

Before a request goes on to a tenant that sleeps the proxy asks ``/wake/<uid>``: the
answer 200 comes when the tenant is awake, so that the request is not lost. The switch
does it. Whoever reads with a browser gets a page after two seconds that asks again;
robots, monitors and health checks wake nobody.
"""

from __future__ import annotations

import base64
import concurrent.futures
import hashlib
import html
import json
import os
import pathlib
import re
import socket
import threading
import time
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PORT = 8070
PAGES = pathlib.Path("/var/lib/saas/routes")
PAGE_HEADER = "X-Saas-Page"  # the name of it stands in the routes, too
UID = re.compile(r"t[0-9a-f]{12}")
WEIGHT = re.compile(r"q=([01](?:\.[0-9]{0,3})?)")
RETRY_SECONDS = 3600
RELOAD_SECONDS = 2
SWITCH = "/run/saas/switch/switch.sock"
WAKE_PATH = re.compile(r"/wake/(t[0-9a-f]{12})")
SECONDS_TO_PAGE = 2
SECONDS_TO_WAKE = 25  # Traefik asks for 30 at most
SECONDS_BETWEEN = 0.015  # of many who wait; a tenant has few threads
PROBES = re.compile(
    "|".join(
        [
            "bot|crawl|spider|slurp|preview|facebookexternalhit|whatsapp|telegram",
            "monitor|uptime|pingdom|statuscake|site24x7|nagios|zabbix|icinga",
            "prometheus|blackbox|healthcheck|kube-probe|elb-health|datadog",
            *map(re.escape, filter(None, os.environ.get("PROBES", "").split(","))),
        ]
    ),
    re.IGNORECASE,
)
SECONDS_TO_ASK = 10
LARGEST_BODY = 1024 * 1024  # bytes of a request that are read to let it end well

STYLE = """
:root { color-scheme: light; }
body { margin: 0; color: #1f2328; background: #f6f7f9;
       font: 1rem/1.6 system-ui, sans-serif; }
main { box-sizing: border-box; max-width: 36rem; margin: 12vh auto 2rem;
       padding: 2rem 1.5rem; background: #fff; border-top: .25rem solid #714b67;
       overflow-wrap: anywhere; }
h1 { margin: 0 0 1rem; font-size: 1.6rem; line-height: 1.25; }
p { margin: 0 0 1rem; }
.host { margin: 0 0 .5rem; color: #57606a; }
ul { margin: 0; padding: 0; list-style: none; }
a { display: inline-block; padding: .25rem 0; color: #5c3a54; }
a:focus-visible { outline: .15rem solid #714b67; outline-offset: .15rem; }
progress { width: 100%; accent-color: #714b67; }
@media (max-width: 40rem) { main { margin-top: 0; } }
"""

# What it asks for is held until the tenant is awake, as any request but a browser's.
SCRIPT = """
const ask = () => fetch("/web/static/img/favicon.ico", {cache: "no-store"})
    .then((answer) => answer.status >= 502 ? Promise.reject() : location.reload())
    .catch(() => setTimeout(ask, 2000));
ask();
"""


def hash_of(text):
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        f"default-src 'none'; style-src '{hash_of(STYLE)}';"
        f" script-src '{hash_of(SCRIPT)}'; connect-src 'self';"
        " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "X-Robots-Tag": "noindex",
}

PAGE = """<!doctype html>
<html lang="{language}" dir="{direction}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">{reload}
<title>{title}</title>
<style>{style}</style>
</head>
<body><main>{body}</main></body>
</html>
"""


RELOAD = f"""
<noscript><meta http-equiv="refresh" content="{RELOAD_SECONDS}"></noscript>
<script>{SCRIPT}</script>"""


def read_words(name):
    """Return what the worker wrote, empty where there is nothing (yet)."""
    try:
        return dict(json.loads((PAGES / f"{name}.json").read_bytes()))
    except (OSError, ValueError):
        return {}


def choose_page(pages, accepted):
    """Return the page that its reader understands best, or the first."""
    for wanted in read_languages(accepted):
        for matches in (str.__eq__, speak_alike):
            for page in pages:
                if matches(page["language"].lower(), wanted):
                    return page
    return pages[0] if pages else {}


def read_languages(accepted):
    """Return the languages of a header ``Accept-Language``, the dearest first."""
    weights = {}
    for part in accepted.lower().split(","):
        language, _, weight = part.partition(";")
        weights[language.strip()] = WEIGHT.search(weight)
    liked = {tag: float(found[1]) if found else 1 for tag, found in weights.items()}
    return sorted(filter(liked.get, liked), key=liked.get, reverse=True)


def speak_alike(one, other):
    """Whether two tags are of one language, of whatever country."""
    return one.partition("-")[0] == other.partition("-")[0]


def ask_switch(uid):
    """Have the switch wake a tenant; whether it is awake."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(SECONDS_TO_WAKE)
        connection.connect(SWITCH)
        connection.sendall(f"{uid}\n".encode())
        return connection.makefile().readline() == "awake\n"


class Waker:
    """Wakes tenants; who comes meanwhile waits for the same wake and their turn."""

    def __init__(self):
        self._wakes = {}
        self._waiting = {}
        self._lock = threading.Lock()
        self._pool = concurrent.futures.ThreadPoolExecutor(max_workers=32)

    def wake(self, uid, seconds):
        """Whether a tenant is awake, as soon as it is and it can take one more."""
        until = time.monotonic() + seconds
        with self._lock:
            found = self._wakes.get(uid)
            if found is None or found.done():
                found = self._wakes[uid] = self._pool.submit(ask_switch, uid)
                self._waiting[uid] = 0
            turn = self._waiting[uid]
            self._waiting[uid] += 1
        awake = found.result(seconds)
        wait = turn * SECONDS_BETWEEN
        if time.monotonic() + wait > until:
            return False
        time.sleep(wait)
        return awake


def render(page, host, *, waking):
    title = html.escape(page["title"])
    sentences = [*page.get("sentences", ()), page.get("ask", "")]
    lines = [f'<p class="host">{html.escape(host)}</p>'] if host else []
    lines.append(f"<h1>{title}</h1>")
    lines += [f"<p>{html.escape(words)}</p>" for words in sentences if words]
    links = "".join(
        f'<li><a href="{html.escape(address)}">{html.escape(words)}</a></li>'
        for words, address in page.get("contacts", ())
    )
    if links:
        lines.append(f"<ul>{links}</ul>")
    if waking:
        lines.append(f'<progress aria-label="{title}"></progress>')
    return PAGE.format(
        language=html.escape(page.get("language", "en")),
        direction=html.escape(page.get("direction", "ltr")),
        title=title,
        reload=RELOAD if waking else "",
        style=STYLE,
        body="".join(lines),
    )


class Gateway(BaseHTTPRequestHandler):
    timeout = SECONDS_TO_ASK
    server_version, sys_version = "saas", ""
    waker = Waker()

    def do_GET(self):
        uid = self.headers.get(PAGE_HEADER, "")
        sleeper = WAKE_PATH.fullmatch(self.path)
        if UID.fullmatch(uid):
            self._answer(HTTPStatus.SERVICE_UNAVAILABLE, read_words(uid))
        elif sleeper and not uid:
            self._wake(sleeper[1])
        else:
            self._answer(HTTPStatus.NOT_FOUND, read_words("unknown"))

    do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = do_GET

    def _wake(self, uid):
        """Answer when the tenant is awake, or that it is not."""
        words = read_words(uid)
        person = self._is_person()
        # Its route leads past here again once it has no page. Who asks a tenant about
        # its use is to hear it from itself, which who sleeps does not say.
        awake = not words or self._get_path() == "/saas/use"
        if not awake and words.get("http") and not self._is_probe():
            try:
                seconds = SECONDS_TO_PAGE if person else SECONDS_TO_WAKE
                awake = self.waker.wake(uid, seconds)
            except (OSError, TimeoutError):
                awake = False
        if awake:
            self.send_response(HTTPStatus.OK)
            self.send_header("Content-Length", "0")
            self.end_headers()
        else:
            waking = bool(words.get("http")) and person
            self._answer(HTTPStatus.SERVICE_UNAVAILABLE, words, waking=waking)

    def _get_path(self):
        return self.headers.get("X-Forwarded-Uri", "").partition("?")[0]

    def _is_probe(self):
        """Whether nobody waits for the answer who needs the tenant."""
        return (
            self.headers.get("X-Forwarded-Method") == "HEAD"
            or self._get_path() in ("/web/health", "/websocket/health", "/robots.txt")
            or bool(PROBES.search(self.headers.get("User-Agent", "")))
        )

    def _is_person(self):
        """Whether it is somebody at a browser, who can read and come back."""
        method = self.headers.get("X-Forwarded-Method")
        return method == "GET" and "text/html" in self.headers.get("Accept", "")

    def _answer(self, status, words, *, waking=False):
        # A proxy that could not send all takes the answer for a failure.
        self.rfile.read(min(self._count_body(), LARGEST_BODY))
        # Where the proxy asks by itself the host is the gateway's own.
        host = self.headers.get("X-Forwarded-Host") or self.headers.get("Host", "")
        host = host.partition(":")[0]
        accepted = self.headers.get("Accept-Language", "")
        page = choose_page(words.get("pages", ()), accepted)
        words = {"title": status.phrase, **page}
        body = render(words, host, waking=waking).encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        if page:
            self.send_header("Content-Language", page["language"])
        if status == HTTPStatus.SERVICE_UNAVAILABLE:
            seconds = RELOAD_SECONDS if waking else RETRY_SECONDS
            self.send_header("Retry-After", str(seconds))
        for name, value in HEADERS.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _count_body(self):
        length = self.headers.get("Content-Length", "0")
        return int(length) if length.isdecimal() else 0

    def log_message(self, *_args):
        """Say nothing: the proxy has written down who asked for what."""


class Server(ThreadingHTTPServer):
    request_queue_size = 1024  # many may come for one that sleeps
    daemon_threads = True


def make_server(port=PORT):
    return Server(("0.0.0.0", port), Gateway)  # noqa: S104


if __name__ == "__main__":
    make_server().serve_forever()
