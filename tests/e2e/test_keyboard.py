"""Staff and customers who have no mouse: Tab, Enter and what they type."""

import os
import secrets

from playwright.sync_api import expect

from .desk import SECONDS
from .keyboard import Keyboard
from .visitor import TO_BUILD, sign_up
from .web import operator


def test_staff_look_at_what_needs_them_and_try_again(master, desk, make_tenant):
    image = f"missing:{secrets.token_hex(4)}"
    number = master.create(
        "saas.image", {"name": "Missing", "sequence": 1000, "reference": image}
    )
    tenant = make_tenant(image_id=number)
    assert master.run(tenant, "action_provision")[0] == "refused"
    assert master.settle(tenant) == "failed"
    name = master.read("saas.tenant", tenant, "name")
    before = master.search("saas.operation", [("tenant_id", "=", tenant)])
    with operator(master) as (login, password):
        page = desk.log_in(login, password)
        dashboard = f"{os.environ['SAAS_URL']}/odoo/saas"
        page.goto(dashboard)
        keyboard = Keyboard(page, ".o_saas_dashboard")
        keyboard.press("button", f"Open: {name}")
        expect(page.locator(".o_last_breadcrumb_item")).to_contain_text(name)
        page.goto(dashboard)
        tile = page.get_by_role("navigation", name="Tenants by state")
        keyboard.go_to(tile.get_by_role("button").first)
        page.keyboard.press("Enter")
        expect(page.locator(".o_last_breadcrumb_item")).to_contain_text("Tenants")
        page.goto(dashboard)
        keyboard.press("button", f"Try Again: {name}")
        expect(page.locator(".o_notification")).to_contain_text("was asked for")
        assert desk.errors == []
    master.settle(tenant)
    after = master.search("saas.operation", [("tenant_id", "=", tenant)])
    assert len(after) > len(before)


def test_an_operator_goes_through_the_set_up(desk):
    page = desk.log_in("admin", os.environ["SAAS_ADMIN_PASSWORD"])
    page.goto(f"{os.environ['SAAS_URL']}/odoo/saas-setup")
    keyboard = Keyboard(page, ".o_saas_setup")
    step = page.locator("[data-step=domain]")
    expect(step).to_have_attribute("data-state", "ok")
    header = step.locator("h2 button")
    if header.get_attribute("aria-expanded") == "false":
        keyboard.go_to(header)
        page.keyboard.press("Enter")
    expect(header).to_have_attribute("aria-expanded", "true")
    keyboard.go_to(page.get_by_label("Domain of the tenants"))
    page.keyboard.press("Control+A")
    page.keyboard.type(f"x.{os.environ['SAAS_HOST']}")
    page.keyboard.press("Enter")
    refusal = step.get_by_role("alert")
    expect(refusal).to_contain_text("could set cookies for the master")
    keyboard.go_to(step.get_by_role("button", name="Check Again"))
    page.keyboard.press("Enter")
    expect(step).to_have_attribute("data-state", "ok", timeout=60 * SECONDS)
    plan = page.locator("[data-step=plan]")
    keyboard.go_to(plan.locator("h2 button"))
    page.keyboard.press("Enter")
    keyboard.go_to(plan.get_by_role("button", name="Open “Basic”"))
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert desk.errors == []


def test_a_customer_deletes_a_tenant(mailbox, desk, new_visitor):
    visitor = new_visitor()
    page = desk.open("/plans")
    sign_up(page, mailbox, visitor)
    page.wait_for_url("**/odoo**", timeout=TO_BUILD)
    page = desk.open("/my/tenants")
    keyboard = Keyboard(page, "main")
    keyboard.press("link", visitor.name)
    heading = page.get_by_role("heading", level=1)
    expect(heading).to_have_text(visitor.name)
    typed = f"Type “{visitor.name}” to confirm"
    keyboard.type(typed, "something-else")
    keyboard.press("button", "Delete")
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("Nothing was deleted")
    # What went wrong is read first.
    expect(alert).to_be_focused()
    keyboard.type(typed, visitor.name)
    page.keyboard.press("Enter")
    expect(page.get_by_text("It is deleted for good on")).to_be_visible()
    assert desk.errors == []
