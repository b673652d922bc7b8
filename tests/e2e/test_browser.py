"""An operator's first tenant, as they see it in a real browser."""

import os
import re
import secrets

import pytest
from playwright.sync_api import expect

from .desk import SECONDS, check_home, choose
from .web import operator


def open_tenants(page):
    page.click(".o_navbar_apps_menu button")
    page.click('.o_app[data-menu-xmlid="saas.saas_menu_root"]')
    heading = page.locator(".o_last_breadcrumb_item")
    expect(heading).to_contain_text("Needs Attention")
    page.click('.o_menu_sections [data-menu-xmlid="saas.saas_tenant_menu"]')
    expect(heading).to_contain_text("Tenants")


def fill_form(page, name, customer):
    page.click(".o_list_button_add")
    page.fill("div[name=name] input", name)
    choose(page, "partner_id", customer)
    choose(page, "plan_id", "Basic")


def test_an_operator_makes_a_tenant_watches_it_and_lands_in_it(master, desk, names):
    name = next(names)
    customer = f"Browser {name}"
    partner = master.create("res.partner", {"name": customer, "email": "b@example.com"})
    with operator(master) as (login, password):
        page = desk.log_in(login, password)
        open_tenants(page)
        fill_form(page, name, customer)

        page.click("button[name=action_provision]")
        try:
            steps = page.locator(".o_saas_latest_steps li")
            expect(steps).to_have_count(10)
            expect(page.locator(".o_arrow_button_current")).to_have_text(
                re.compile("Provisioning|Running")
            )
            # By itself, without anybody reloading the page.
            expect(page.locator(".o_arrow_button_current")).to_have_text(
                "Running", timeout=60 * SECONDS
            )
            expect(steps.locator(".fa-check-circle")).to_have_count(10)

            with page.expect_popup() as popup:
                page.click("button[name=action_login]")
            check_home(popup.value, name, customer)

            page.click(".o_back_button, .breadcrumb-item a")
            row = page.locator(".o_data_row", has_text=name)
            expect(row.locator("td[name=state]")).to_have_text("Running")
            assert desk.errors == []
        finally:
            tenants = master.search("saas.tenant", [("partner_id", "=", partner)])
            for tenant in tenants:
                master.settle(tenant)
                assert master.run(tenant, "action_delete", True)[0] == "done"


def test_an_unusable_name_is_said_on_the_form_and_nothing_is_made(master, desk, names):
    customer = f"Browser {next(names)}"
    partner = master.create("res.partner", {"name": customer})
    with operator(master) as (login, password):
        page = desk.log_in(login, password)
        open_tenants(page)
        fill_form(page, "www", customer)
        page.click("button[name=action_provision]")
        expect(page.locator(".modal-dialog")).to_contain_text("is reserved")
        assert not master.search("saas.tenant", [("partner_id", "=", partner)])


def test_a_tenant_in_trouble_is_seen_with_its_cause(master, desk, make_tenant):
    image = f"missing:{secrets.token_hex(4)}"
    number = master.create(
        "saas.image", {"name": "Missing", "sequence": 1000, "reference": image}
    )
    tenant = make_tenant(image_id=number)
    assert master.run(tenant, "action_provision")[0] == "refused"
    assert master.settle(tenant) == "failed"
    name = master.read("saas.tenant", tenant, "name")
    with operator(master) as (login, password):
        page = desk.log_in(login, password)
        open_tenants(page)
        row = page.locator(".o_data_row", has_text=name)
        expect(row).to_contain_text(image)
        # What a phone shows as cards is a list again on the desk.
        page.click(".o_switch_view.o_list")
        row.locator("td[name=name]").click()
        expect(page.locator(".alert-danger")).to_contain_text(image)
        expect(page.locator("button[name=action_provision]")).to_be_visible()
        assert desk.errors == []


@pytest.mark.parametrize(
    ("asked", "path", "shown"),
    [
        ("saas.dashboard/get_data", "saas", ".o_saas_dashboard"),
        ("saas.setup.step/get_setup", "saas-setup", ".o_saas_setup_step"),
        ("saas.tenant/get_timeline", "saas-tenants/{tenant}", ".o_saas_timeline"),
    ],
)
def test_a_page_whose_first_question_is_lost_asks_again(
    desk, residents, asked, path, shown
):
    page = desk.log_in("admin", os.environ["SAAS_ADMIN_PASSWORD"])
    page.route(f"**/{asked}", lambda route: route.abort(), times=1)
    path = path.format(tenant=residents[0].id)
    page.goto(f"{os.environ['SAAS_URL']}/odoo/{path}")
    if "timeline" in shown:
        page.get_by_role("tab", name="Timeline").click()
    expect(page.locator(shown).first).to_be_visible()
    [error] = desk.errors
    assert "net::ERR_FAILED" in error
