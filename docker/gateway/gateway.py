#!/usr/bin/env python3
"""Answers for tenants that do not run, and for addresses that nobody has.

The proxy leads such addresses here, and tells by a header whose page is meant. Words
are files that the worker writes beside the proxy's routes, in each language that the
master speaks: ``<uid>.json`` of a tenant, ``unknown.json`` of all other addresses. So
it answers while the master is down, and knows neither its database nor any secret.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import pathlib
import re
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PORT = 8070
PAGES = pathlib.Path("/var/lib/saas/routes")
PAGE_HEADER = "X-Saas-Page"  # the name of it stands in the routes, too
UID = re.compile(r"t[0-9a-f]{12}")
WEIGHT = re.compile(r"q=([01](?:\.[0-9]{0,3})?)")
RETRY_SECONDS = 3600
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
@media (max-width: 40rem) { main { margin-top: 0; } }
"""
STYLE_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{STYLE_HASH}'; base-uri 'none';"
        " form-action 'none'; frame-ancestors 'none'"
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
<meta name="robots" content="noindex">
<title>{title}</title>
<style>{style}</style>
</head>
<body><main>{body}</main></body>
</html>
"""


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


def render(page, host):
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
    return PAGE.format(
        language=html.escape(page.get("language", "en")),
        direction=html.escape(page.get("direction", "ltr")),
        title=title,
        style=STYLE,
        body="".join(lines),
    )


class Gateway(BaseHTTPRequestHandler):
    timeout = SECONDS_TO_ASK
    server_version, sys_version = "saas", ""

    def do_GET(self):
        uid = self.headers.get(PAGE_HEADER, "")
        if UID.fullmatch(uid):
            self._answer(HTTPStatus.SERVICE_UNAVAILABLE, read_words(uid))
        else:
            self._answer(HTTPStatus.NOT_FOUND, read_words("unknown"))

    do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = do_GET

    def _answer(self, status, words):
        # A proxy that could not send all takes the answer for a failure.
        self.rfile.read(min(self._count_body(), LARGEST_BODY))
        host = self.headers.get("Host", "").partition(":")[0]
        accepted = self.headers.get("Accept-Language", "")
        page = choose_page(words.get("pages", ()), accepted)
        body = render({"title": status.phrase, **page}, host).encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        if page:
            self.send_header("Content-Language", page["language"])
        if status == HTTPStatus.SERVICE_UNAVAILABLE:
            self.send_header("Retry-After", str(RETRY_SECONDS))
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


def make_server(port=PORT):
    return ThreadingHTTPServer(("0.0.0.0", port), Gateway)  # noqa: S104


if __name__ == "__main__":
    make_server().serve_forever()
