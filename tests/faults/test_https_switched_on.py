"""HTTPS is switched on for a whole stack, with certificates from an ACME server."""

from __future__ import annotations

import dataclasses
import functools
import shutil
import socket
import time

import pytest
import requests
from acme_stand_in import Authority
from load import PATH
from whole import RESYNC, answers, run_scheduled, wait_for

from e2e.own import OwnStack
from stack.browser import SecureLocalConnection

DAY = 24 * 60 * 60
SECONDS = 60


@dataclasses.dataclass(frozen=True)
class Secured:
    """A stack with HTTPS, as somebody finds it who trusts its authority."""

    port: int
    authority: str

    def get(self, host, path):
        connection = SecureLocalConnection(
            host, self.port, timeout=30, authority=self.authority
        )
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer, answer.read().decode(errors="replace")

    def serves(self, host, path, text):
        try:
            answer, body = self.get(host, path)
        except OSError:
            return False
        return answer.status == 200 and text in body


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def authority(values, tmp_path):
    """An ACME server that asks by HTTP at the stack's own port; its directory."""
    made = Authority(
        tmp_path / "authority",
        free_port(),
        http_port=values.port,
        dns="127.0.0.1:1",
        lifetime=DAY,
    )
    yield made
    made.close()


@pytest.fixture
def secured(stack, master, values, residents, authority, tmp_path):
    """The stack after its settings and *make demo*; in the end as it was."""
    root = tmp_path / "acme-ca.pem"
    shutil.copy(authority.root, root)
    root.chmod(0o644)  # for the proxy's user
    given = {
        "SAAS_HTTPS_PORT": str(free_port()),
        "SAAS_ACME_EMAIL": "ops@cloud.example",
        "SAAS_ACME_SERVER": authority.directory,
        "SAAS_ACME_CA": str(root),
        "SAAS_ACME_HOURS": "24",
    }
    settings = dataclasses.replace(values, values={**values.values, **given})
    OwnStack(settings).up()
    yield Secured(settings.public_port, root.read_text())
    OwnStack(values).up()
    [proxy] = master.search("saas.proxy", [])
    master.call("saas.proxy", "write", [proxy], {"scheme": "http"})
    run_scheduled(stack, "master", RESYNC, SECONDS)
    for one in residents:
        wait_for(lambda one=one: answers(one, values), SECONDS, "HTTP is not back")


@pytest.mark.case(
    did="an operator sets the port for HTTPS and an ACME server, and runs make demo; "
    "later he takes it back",
    expected="the master and its tenants are served by HTTPS, each with a certificate "
    "of that server; who comes by HTTP is sent there; in the end all is by HTTP again",
)
def test_https_is_switched_on_for_the_master_and_its_tenants(
    stack, values, residents, secured, found
):
    began = time.monotonic()
    run_scheduled(stack, "master", RESYNC, SECONDS)
    pages = {values.host: ("/web/login", "<form")}
    pages |= {one.host: (PATH, one.uid) for one in residents}
    for host, page in pages.items():
        served = functools.partial(secured.serves, host, *page)
        wait_for(served, SECONDS, f"{host} is not served by HTTPS")
        answer, _body = secured.get(host, "/web/login")
        assert answer.headers["Strict-Transport-Security"]
        sent = requests.get(
            f"http://127.0.0.1:{values.port}/odoo",
            headers={"Host": host},
            allow_redirects=False,
            timeout=30,
        )
        assert sent.status_code == 301
        assert sent.headers["Location"] == f"https://{host}:{secured.port}/odoo"
    seconds = time.monotonic() - began
    found(f"{len(pages)} hosts are served by HTTPS, the last after {seconds:.0f} s")
