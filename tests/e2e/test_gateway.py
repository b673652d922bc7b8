"""What visitors read at an address whose tenant does not run, or that nobody has."""

import contextlib
import os
import re

import pytest
import requests
from playwright.sync_api import expect

from .conftest import tenants_made
from .pictures import Gallery
from .residents import look_up
from .test_stack import resync

REASON = "They insulted Bob"
CONTACTS = {"phone": "+351 210 000 000", "website": "https://cloud.example"}


@pytest.fixture(scope="module")
def company(master):
    """The company that runs the master, with all that visitors may ask it by."""
    [company] = master.search("res.company", [], limit=1)
    before = {name: master.read("res.company", company, name) for name in CONTACTS}
    master.call("res.company", "write", company, CONTACTS)
    yield company
    master.call("res.company", "write", company, before)


@pytest.fixture(scope="module")
def suspended(master, stack, plan, names, company):
    """A tenant with a customer's data that staff have suspended."""
    with tenants_made(master, plan, names) as make:
        tenant = make()
        master.provision(tenant)
        resident = look_up(master, stack, tenant)
        stack.sql("UPDATE res_partner SET street = 'kept' WHERE id = 1", resident.uid)
        assert master.run(tenant, "action_suspend", REASON) == ("done", False)
        yield resident


@pytest.fixture
def gallery():
    gallery = Gallery()
    yield gallery
    assert not gallery.flaws, "\n".join(gallery.flaws)


def unknown_url():
    host = f"nobody.{os.environ['SAAS_TENANT_DOMAIN']}"
    return f"http://{host}:{os.environ['SAAS_HTTP_PORT']}"


def test_a_suspended_tenant_s_address_says_what_happened_and_whom_to_ask(
    suspended, desk, gallery
):
    page = desk.context.new_page()
    answer = page.goto(f"{suspended.url}/odoo/contacts")
    assert answer.status == 503
    expect(page.get_by_role("heading", level=1)).to_have_text("This site is suspended")
    expect(page.get_by_role("main")).to_contain_text(suspended.host)
    expect(page.get_by_role("main")).to_contain_text("suspended by its provider")
    expect(page.get_by_role("main")).to_contain_text("all of its data are kept")
    for words in CONTACTS.values():
        expect(page.get_by_role("link", name=words)).to_be_visible()
    assert REASON not in page.content()
    gallery.take(page, "tenant-suspended")


def test_programs_and_searchers_are_told_to_come_back_later(suspended):
    for method in ("GET", "HEAD", "POST"):
        answer = requests.request(
            method, f"{suspended.url}/xmlrpc/2/common", data=b"x" * 200_000, timeout=30
        )
        assert answer.status_code == 503, method
        assert int(answer.headers["Retry-After"]) > 0
        assert answer.headers["X-Robots-Tag"] == "noindex"
        assert answer.headers["Cache-Control"] == "no-store"
        assert "Set-Cookie" not in answer.headers
        assert "Server" not in answer.headers


def test_it_does_not_run_and_its_data_stay(suspended, stack):
    suspended.container.reload()
    assert suspended.container.status == "exited"
    street = "SELECT street FROM res_partner WHERE id = 1"
    assert stack.sql(street, suspended.uid) == ["kept"]


@contextlib.contextmanager
def frozen(stack, *services):
    """Let parts of the stack stand still."""
    containers = [stack.container(service) for service in services]
    for container in containers:
        container.pause()
    try:
        yield
    finally:
        for container in containers:
            container.unpause()


def test_the_page_is_there_while_the_master_is_not(suspended, stack):
    with frozen(stack, "web", "worker", "db"):
        answer = requests.get(f"{suspended.url}/web", timeout=10)
        assert requests.get(unknown_url(), timeout=10).status_code == 404
    assert answer.status_code == 503
    assert "This site is suspended" in answer.text


def test_visitors_read_it_in_their_language(suspended, new_desk, gallery):
    page = new_desk(locale="pt-BR").context.new_page()
    page.goto(suspended.url)
    assert page.locator("html").get_attribute("lang") == "pt-BR"
    expect(page.get_by_role("heading", level=1)).to_have_text("Este site está suspenso")
    gallery.take(page, "tenant-suspended-pt")


def test_an_address_that_nobody_has_says_so(master, stack, company, desk, gallery):
    resync(master, stack)
    page = desk.context.new_page()
    answer = page.goto(f"{unknown_url()}/shop")
    assert answer.status == 404
    title = "There is nothing at this address"
    expect(page.get_by_role("heading", level=1)).to_have_text(title)
    expect(page.get_by_role("link", name=CONTACTS["website"])).to_be_visible()
    gallery.take(page, "tenant-unknown")


def test_nobody_chooses_whose_page_is_shown(suspended):
    for uid in (suspended.uid, "unknown"):
        headers = {"X-Saas-Page": uid}
        answer = requests.get(unknown_url(), headers=headers, timeout=30)
        assert answer.status_code == 404
        assert "suspended" not in answer.text
    headers = {"X-Saas-Page": "t000000000000"}
    answer = requests.get(suspended.url, headers=headers, timeout=30)
    assert "This site is suspended" in answer.text


def test_the_gateway_has_neither_secrets_nor_anything_to_write(stack):
    container = stack.container("gateway")
    mounts = {mount["Destination"]: mount["RW"] for mount in container.attrs["Mounts"]}
    assert mounts == {"/var/lib/saas/routes": False}
    environment = "\n".join(container.attrs["Config"]["Env"])
    assert not re.search("SAAS_|PASSWORD|KEY", environment)
    assert container.exec_run(["id", "-un"]).output.decode().strip() == "nobody"


def test_resumed_its_odoo_answers_again_with_all_that_was_in_it(
    suspended, master, stack
):
    assert master.run(suspended.id, "action_resume") == ("done", False)
    answer = requests.get(f"{suspended.url}/web/login", timeout=30)
    assert (answer.status_code, "<form" in answer.text) == (200, True)
    street = "SELECT street FROM res_partner WHERE id = 1"
    assert stack.sql(street, suspended.uid) == ["kept"]
