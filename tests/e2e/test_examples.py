"""The programs in the documentation, run as a reader would run them."""

import os
import pathlib
import re
import subprocess
import sys

import pytest
import requests

from .api_key import make_api_key

EXAMPLES = pathlib.Path(__file__).resolve().parents[2] / "docs" / "examples"
SECONDS = 300

# A reader's machine resolves *.localhost, or has lines for it in /etc/hosts.
RESOLVER = """
import socket

resolve = socket.getaddrinfo


def getaddrinfo(host, *args, **kwargs):
    local = isinstance(host, str) and host.endswith(".localhost")
    return resolve("127.0.0.1" if local else host, *args, **kwargs)


socket.getaddrinfo = getaddrinfo
"""


@pytest.fixture(scope="module")
def api_key():
    url, password = os.environ["SAAS_URL"], os.environ["SAAS_ADMIN_PASSWORD"]
    return make_api_key(url, "master", "admin", password)


@pytest.fixture
def run(api_key, tmp_path):
    """Run an example with that key; what it printed."""
    (tmp_path / "sitecustomize.py").write_text(RESOLVER)

    def run(example, *arguments, key=api_key, code=0):
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(tmp_path),
            "SAAS_URL": os.environ["SAAS_URL"],
            "SAAS_API_KEY": key,
        }
        done = subprocess.run(
            [sys.executable, str(EXAMPLES / example), *arguments],
            env=environment,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stderr if code else done.stdout

    return run


@pytest.fixture
def erase_after(master):
    """Erase the tenants of these names after the test."""
    names = []
    yield names.append
    domain = [("name", "in", names), ("state", "!=", "deleted")]
    for tenant in master.search("saas.tenant", domain):
        assert master.run(tenant, "action_delete", True)[0] == "done"


@pytest.mark.parametrize("example", ["provision_json2.py", "provision_xmlrpc.py"])
def test_an_example_provisions_a_tenant_and_prints_a_link_that_logs_in(
    master, names, run, erase_after, example
):
    name = next(names)
    erase_after(name)
    url, link = run(example, name, "Basic").split()

    [tenant] = master.search("saas.tenant", [("name", "=", name)])
    assert master.read("saas.tenant", tenant, "state") == "running"
    assert master.read("saas.tenant", tenant, "url") == url
    with requests.Session() as session:
        page = session.get(link, timeout=30)
    assert page.url.startswith(f"{url}/odoo")
    assert re.search(r'"uid": \d+', page.text)


@pytest.mark.parametrize("example", ["provision_json2.py", "provision_xmlrpc.py"])
def test_an_example_says_in_one_sentence_what_is_refused(master, run, example):
    said = run(example, "www", code=1)
    assert "reserved" in said
    assert "Traceback" not in said
    assert not master.search("saas.tenant", [("name", "=", "www")])


@pytest.mark.parametrize("example", ["provision_json2.py", "provision_xmlrpc.py"])
def test_a_wrong_key_is_refused(run, names, example):
    said = run(example, next(names), key="0" * 40, code=1)
    assert re.search("Invalid apikey|refuses the login", said)
    assert "Traceback" not in said


def test_the_life_of_a_tenant_by_odoorpc_leaves_nothing_behind(
    master, stack, names, run
):
    name = next(names)
    before = stack.take_inventory()
    said = run("lifecycle_odoorpc.py", name)

    [tenant] = master.search("saas.tenant", [("name", "=", name)])
    assert f"running at http://{name}." in said
    assert f"logged in at http://{name}." in said
    assert said.endswith("deleted\n")
    assert master.read("saas.tenant", tenant, "state") == "deleted"
    assert stack.take_inventory() == before


def test_a_password_works_where_a_key_does(names, run):
    said = run(
        "lifecycle_odoorpc.py", next(names), key=os.environ["SAAS_ADMIN_PASSWORD"]
    )
    assert said.endswith("deleted\n")
