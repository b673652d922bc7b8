#!/usr/bin/env python3
"""A mailbox for everybody: takes every mail by SMTP, sends none on, and shows them.

``/``
    a page with the newest mails, for people
``/mails/<id>``
    one mail, for people
``/messages?to=<address>``
    mails as JSON, oldest first, for programs: ``id``, ``to`` (the envelope's),
    ``from``, ``subject``, ``date``, ``text``, ``html``

Mails are kept in memory, the newest 500 of them. Only for trials and tests: whoever
reaches the page reads everybody's mail.
"""

import asyncio
import collections
import email
import email.policy
import html
import itertools
import json
import threading
import urllib.parse
from email.utils import format_datetime, localtime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from aiosmtpd.smtp import SMTP

SMTP_PORT = 1025
HTTP_PORT = 8025
KEPT = 500
BASE_TARGET = '<base target="_blank">'
LARGEST = 25 * 1024 * 1024  # bytes of one mail

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
body {{ margin: 0 auto; max-width: 52rem; padding: 1.5rem 1rem; color: #1f2328;
       font: 16px/1.5 system-ui, sans-serif; background: #f6f7f9; }}
h1 {{ font-size: 1.4rem; margin: 0 0 .25rem; overflow-wrap: anywhere; }}
p {{ margin: 0 0 1rem; color: #57606a; overflow-wrap: anywhere; }}
ul {{ list-style: none; margin: 0; padding: 0; }}
li a {{ display: block; padding: .75rem 1rem; margin-bottom: .5rem; background: #fff;
       border: 1px solid #d0d7de; border-radius: .5rem; color: inherit;
       text-decoration: none; overflow-wrap: anywhere; }}
li a:hover, li a:focus {{ border-color: #714b67; }}
li small {{ display: block; color: #57606a; }}
iframe {{ width: 100%; height: 60vh; background: #fff; border: 1px solid #d0d7de;
         border-radius: .5rem; }}
pre {{ padding: 1rem; background: #fff; border: 1px solid #d0d7de; border-radius: .5rem;
      white-space: pre-wrap; overflow-wrap: anywhere; }}
</style>
</head>
<body><main>{body}</main></body>
</html>
"""


class Mailbox:
    """What came in, the newest mails of it."""

    def __init__(self):
        self._mails = collections.deque(maxlen=KEPT)
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()

    def add(self, recipients, content):
        message = email.message_from_bytes(content, policy=email.policy.default)
        mail = {
            "to": list(recipients),
            "from": str(message["from"] or ""),
            "subject": str(message["subject"] or ""),
            "date": format_datetime(localtime()),
            "text": read_part(message, "plain"),
            "html": read_part(message, "html"),
        }
        with self._lock:
            self._mails.append({"id": next(self._numbers), **mail})

    def list(self, address=""):
        with self._lock:
            mails = list(self._mails)
        wanted = address.strip().lower()
        return [
            mail
            for mail in mails
            if not wanted or wanted in (to.lower() for to in mail["to"])
        ]

    def get(self, number):
        return next((mail for mail in self.list() if str(mail["id"]) == number), None)


def read_part(message, subtype):
    """Return the text of a mail in that form, empty where it has none."""
    part = message.get_body((subtype,))
    return part.get_content() if part else ""


class Receiver:
    """What aiosmtpd calls for each mail."""

    def __init__(self, mailbox):
        self._mailbox = mailbox

    async def handle_DATA(self, _server, _session, envelope):
        self._mailbox.add(envelope.rcpt_tos, envelope.content)
        return "250 Kept in the mailbox"


class Page(BaseHTTPRequestHandler):
    mailbox = None

    def do_GET(self):
        # A page of elsewhere whose name was made to lead here reads nothing.
        host = self.headers.get("Host", "").rpartition(":")[0]
        if host not in ("127.0.0.1", "localhost"):
            self._send("Not for this host name.", HTTPStatus.MISDIRECTED_REQUEST)
            return
        url = urllib.parse.urlsplit(self.path)
        query = urllib.parse.parse_qs(url.query)
        if url.path == "/messages":
            mails = self.mailbox.list(query.get("to", [""])[0])
            self._send(json.dumps(mails), kind="application/json")
        elif url.path == "/":
            self._send(PAGE.format(title="Mailbox", body=self._render_list()))
        elif mail := self.mailbox.get(url.path.removeprefix("/mails/")):
            title = html.escape(mail["subject"])
            self._send(PAGE.format(title=title, body=render_mail(mail)))
        else:
            self._send("There is no such mail.", HTTPStatus.NOT_FOUND)

    def _render_list(self):
        rows = "".join(
            f'<li><a href="/mails/{mail["id"]}"><strong>{html.escape(mail["subject"])}'
            f"</strong><small>to {html.escape(', '.join(mail['to']))}, "
            f"{html.escape(mail['date'])}</small></a></li>"
            for mail in reversed(self.mailbox.list())
        )
        empty = "<p>Nothing came in yet.</p>"
        return (
            "<h1>Mailbox of the stack</h1><p>Mail that the master sends ends here: "
            "none leaves this machine.</p>" + (f"<ul>{rows}</ul>" if rows else empty)
        )

    def _send(self, text, status=HTTPStatus.OK, kind="text/html"):
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args):
        """Say nothing: addresses and subjects are nobody's business in a log."""


def render_mail(mail):
    head = (
        f'<p><a href="/">All mails</a></p><h1>{html.escape(mail["subject"])}</h1>'
        f"<p>from {html.escape(mail['from'])} to {html.escape(', '.join(mail['to']))}, "
        f"{html.escape(mail['date'])}</p>"
    )
    if mail["html"]:
        # Sandboxed: links open beside it, scripts do not run.
        return (
            f'{head}<iframe title="The mail" sandbox="allow-popups '
            f'allow-popups-to-escape-sandbox" srcdoc="'
            f'{html.escape(BASE_TARGET + mail["html"])}"></iframe>'
        )
    return f"{head}<pre>{html.escape(mail['text'])}</pre>"


def serve():
    Page.mailbox = Mailbox()
    web = ThreadingHTTPServer(("0.0.0.0", HTTP_PORT), Page)  # noqa: S104
    threading.Thread(target=web.serve_forever, daemon=True).start()

    loop = asyncio.new_event_loop()

    def make_server():
        return SMTP(Receiver(Page.mailbox), data_size_limit=LARGEST, loop=loop)

    loop.run_until_complete(
        loop.create_server(make_server, "0.0.0.0", SMTP_PORT)  # noqa: S104
    )
    loop.run_forever()


if __name__ == "__main__":
    serve()
