"""A visitor becomes a customer, as they see it in a real browser."""

import re
import secrets

import pytest
from playwright.sync_api import expect

from .desk import DESK, PHONE, SECONDS, check_home, choose
from .keyboard import Keyboard
from .mailbox import read_code
from .visitor import (
    TO_BUILD,
    choose_plan,
    enter_code,
    fill_form,
    log_in_by_mail,
    send_form,
    sign_up,
)
from .web import operator

FREE = re.compile("is free")


def heading(page):
    return page.get_by_role("heading", level=1)


def find_tenant(master, visitor):
    [tenant] = master.search("saas.tenant", [("name", "=", visitor.name)])
    return tenant


@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
def test_a_visitor_gets_an_odoo_and_lands_in_it(
    mailbox, new_desk, new_visitor, residents, size
):
    desk, visitor = new_desk(viewport=size), new_visitor()
    page = desk.open("/plans")
    choose_plan(page, visitor.plan)
    fill_form(page, visitor)
    expect(page.get_by_text(FREE)).to_be_visible()

    address = page.get_by_label("Address of your Odoo")
    address.fill(residents[0].name)
    expect(page.get_by_text("is taken")).to_be_visible()
    suggestion = page.get_by_role("group", name="Free addresses").get_by_role("button")
    name = suggestion.first.text_content()
    suggestion.first.click()
    expect(address).to_have_value(name)
    expect(page.get_by_text(FREE)).to_be_visible()
    address.fill(visitor.name)

    send_form(page)
    enter_code(page, read_code(mailbox, visitor.email))
    expect(heading(page)).to_have_text("Building your Odoo…")
    steps = page.locator(".o_saas_steps li")
    expect(steps.first).to_have_attribute("data-state", "done")
    page.wait_for_url("**/odoo**", timeout=TO_BUILD)
    check_home(page, visitor.name, visitor.contact)
    assert desk.errors == []


def test_a_customer_comes_back_by_mail_and_looks_after_the_tenant(
    master, mailbox, new_desk, new_visitor
):
    desk, visitor = new_desk(), new_visitor()
    page = desk.open("/plans")
    sign_up(page, mailbox, visitor)
    page.wait_for_url("**/odoo**", timeout=TO_BUILD)

    page = desk.open("/my/tenants")
    page.get_by_role("button", name=visitor.contact).click()
    page.get_by_role("menuitem", name="Logout").click()
    page = desk.open("/my/tenants")
    page.get_by_role("link", name="Log in by e-mail").click()
    log_in_by_mail(page, mailbox, visitor)

    with page.expect_popup() as popup:
        page.get_by_role("button", name=f"Open {visitor.name}").click()
    check_home(popup.value, visitor.name, visitor.contact)

    page.get_by_role("link", name=visitor.name).click()
    page.get_by_role("button", name="Restart").click()
    # The page comes again by itself as long as something is under way.
    restart = page.locator("details", has_text="Restart")
    expect(restart.locator("summary")).to_contain_text("Done", timeout=60 * SECONDS)

    typed = page.get_by_label("to confirm")
    typed.fill("something-else")
    page.get_by_role("button", name="Delete").click()
    expect(page.get_by_role("alert")).to_contain_text("Nothing was deleted")
    tenant = find_tenant(master, visitor)
    assert master.settle(tenant) == "running"

    typed.fill(visitor.name)
    page.get_by_role("button", name="Delete").click()
    expect(page.get_by_text("It is deleted for good on")).to_be_visible()
    assert master.settle(tenant) == "deleting"
    assert desk.errors == []


def test_who_closes_the_browser_finds_the_tenant_on_the_portal(
    mailbox, new_desk, new_visitor
):
    desk, visitor = new_desk(), new_visitor()
    sign_up(desk.open("/plans"), mailbox, visitor)
    desk.close()

    page = new_desk().open("/saas/login-link")
    log_in_by_mail(page, mailbox, visitor)
    page.get_by_role("link", name=visitor.name).click()
    opens = page.get_by_role("button", name="Open")
    expect(opens).to_be_visible(timeout=TO_BUILD)
    with page.expect_popup() as popup:
        opens.click()
    check_home(popup.value, visitor.name, visitor.contact)


@pytest.fixture
def broken_plan(master):
    """The name of a plan whose image is on no server."""
    name = f"Broken {secrets.token_hex(3)}"
    image = {"name": name, "sequence": 1000, "reference": f"missing:{name[-6:]}"}
    values = {"name": name, "is_published": True, "sequence": 1000}
    values["image_id"] = master.create("saas.image", image)
    plan = master.create("saas.plan", values)
    yield name
    master.call("saas.plan", "write", plan, {"active": False})


def test_staff_mend_a_failed_tenant_and_the_customer_needs_no_new_sign_up(
    master, mailbox, new_desk, new_visitor, broken_plan
):
    customer, visitor = new_desk(), new_visitor(plan=broken_plan)
    page = customer.open("/plans")
    sign_up(page, mailbox, visitor)
    expect(heading(page)).to_have_text("Something went wrong", timeout=60 * SECONDS)
    expect(page.get_by_text("you need not sign up again")).to_be_visible()

    with operator(master) as (login, password):
        staff = new_desk()
        office = staff.log_in(login, password)
        office.goto(f"{office.url.partition('/odoo')[0]}/odoo/saas-tenants")
        row = office.locator(".o_data_row", has_text=visitor.name)
        expect(row).to_contain_text(f"missing:{broken_plan[-6:]}")
        row.locator("td[name=name]").click()
        expect(office.locator(".alert-danger")).to_contain_text("missing:")
        choose(office, "image_id", "Odoo 19.0")
        office.get_by_role("button", name="Provision").click()
        expect(office.locator(".o_arrow_button_current")).to_have_text(
            "Running", timeout=TO_BUILD
        )
        assert staff.errors == []

    page.reload()
    expect(heading(page)).to_have_text("Your Odoo is ready")
    page.get_by_role("button", name="Open my Odoo").click()
    check_home(page, visitor.name, visitor.contact)
    assert customer.errors == []


def test_without_scripts_a_visitor_gets_an_odoo_too(mailbox, new_desk, new_visitor):
    desk, visitor = new_desk(java_script_enabled=False), new_visitor()
    page = desk.open("/plans")
    sign_up(page, mailbox, visitor)
    # The page comes again by itself until there is something to press.
    expect(heading(page)).to_have_text("Your Odoo is ready", timeout=TO_BUILD)
    page.get_by_role("button", name="Open my Odoo").click()
    page.wait_for_url(f"http://{visitor.name}.**/odoo**")
    assert visitor.contact in page.content()


def test_the_keyboard_alone_is_enough(mailbox, new_desk, new_visitor):
    desk, visitor = new_desk(), new_visitor()
    page = desk.open("/plans")
    keyboard = Keyboard(page)
    card = page.get_by_role("article", name=visitor.plan)
    keyboard.go_to(card.get_by_role("link", name="Get started"))
    page.keyboard.press("Enter")
    expect(heading(page)).to_have_text("Create your Odoo")
    keyboard.type("Company", visitor.company)
    keyboard.type("Your name", visitor.contact)
    keyboard.type("E-mail", visitor.email)
    keyboard.go_to(page.get_by_label("Address of your Odoo"))
    page.keyboard.press("Control+A")
    page.keyboard.type(visitor.name)
    expect(page.get_by_text(FREE)).to_be_visible()
    keyboard.type("Country", "Belg")
    keyboard.press("button", "Continue")
    expect(heading(page)).to_have_text("Check your mail")
    keyboard.type("Code", read_code(mailbox, visitor.email))
    keyboard.press("button", "Create my Odoo")
    page.wait_for_url("**/odoo**", timeout=TO_BUILD)
    check_home(page, visitor.name, visitor.contact)
    assert desk.errors == []
