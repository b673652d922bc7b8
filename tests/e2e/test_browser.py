"""An operator's first tenant, as they see it in a real browser."""

import contextlib
import os
import pathlib
import re
import secrets

import pytest
from playwright.sync_api import expect, sync_playwright

from .web import operator

CHROMIUM = "/usr/bin/chromium"
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
SCREENSHOTS = pathlib.Path(__file__).resolve().parents[2] / ".cache" / "screenshots"
DESK = {"width": 1280, "height": 800}
PHONE = {"width": 390, "height": 844}
SECONDS = 1000
# A file for blurred backgrounds in calls that Debian's package leaves out.
LEFT_OUT = "selfie_segmentation.js"

expect.set_options(timeout=30 * SECONDS)


@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=list(FLAGS), headless=True
        )
        yield browser
        browser.close()


class Desk:
    """One person's browser; remembers what its pages complained about."""

    def __init__(self, context):
        self.context = context
        self.errors = []
        context.set_default_timeout(30 * SECONDS)
        context.on("console", self._note)
        context.on("weberror", lambda error: self.errors.append(str(error.error)))
        context.on("response", self._note_response)

    def _note(self, message):
        if message.type == "error" and LEFT_OUT not in message.text:
            self.errors.append(f"{message.text} ({message.location.get('url')})")

    def _note_response(self, response):
        if response.status >= 500:
            self.errors.append(f"{response.status} {response.url}")

    def log_in(self, login, password):
        page = self.context.new_page()
        page.goto(f"{os.environ['SAAS_URL']}/web/login")
        page.fill("input#login", login)
        page.fill("input#password", password)
        page.click(".oe_login_buttons button[type=submit]")
        expect(page.locator(".o_main_navbar")).to_be_visible()
        return page


@pytest.fixture
def desk(browser):
    with contextlib.closing(browser.new_context(viewport=DESK)) as context:
        yield Desk(context)


def take_screenshots(page, name, saved=True):
    """The page as it is on a desk and on a phone; nothing is wider than the phone.

    :param saved: it may be loaded again, so that Odoo chooses what suits a phone
    """
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    for size in (DESK, PHONE):
        page.set_viewport_size(size)
        if saved:
            page.reload()
            expect(page.locator(".o_action_manager > .o_action")).to_be_visible()
        page.wait_for_timeout(700)
        page.screenshot(path=SCREENSHOTS / f"{name}-{size['width']}.png")
        width = page.evaluate("document.documentElement.scrollWidth")
        assert width <= size["width"], (name, width)
    page.set_viewport_size(DESK)
    if saved:
        page.reload()


def open_tenants(page):
    page.click(".o_navbar_apps_menu button")
    page.click('.o_app[data-menu-xmlid="saas.saas_menu_root"]')
    expect(page.locator(".o_last_breadcrumb_item")).to_contain_text("Tenants")


def choose(page, field, text):
    """Choose a record by typing, as people do."""
    page.click(f"div[name={field}] input")
    page.fill(f"div[name={field}] input", text)
    page.locator(".o-autocomplete--dropdown-item", has_text=text).first.click()
    page.keyboard.press("Tab")
    expect(page.locator(".o-autocomplete--dropdown-menu")).to_have_count(0)


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
        take_screenshots(page, "1-new-tenant", saved=False)

        page.click("button[name=action_provision]")
        try:
            steps = page.locator(".o_saas_latest_steps li")
            expect(steps).to_have_count(9)
            expect(page.locator(".o_arrow_button_current")).to_have_text(
                re.compile("Provisioning|Running")
            )
            # By itself, without anybody reloading the page.
            expect(page.locator(".o_arrow_button_current")).to_have_text(
                "Running", timeout=60 * SECONDS
            )
            expect(steps.locator(".fa-check-circle")).to_have_count(9)
            take_screenshots(page, "2-running-tenant")

            with page.expect_popup() as popup:
                page.click("button[name=action_login]")
            check_home(popup.value, name, customer)
            take_screenshots(popup.value, "3-home-of-the-tenant")

            page.click(".o_back_button, .breadcrumb-item a")
            row = page.locator(".o_data_row", has_text=name)
            expect(row.locator("td[name=state]")).to_have_text("Running")
            take_screenshots(page, "4-tenants")
            assert desk.errors == []
        finally:
            tenants = master.search("saas.tenant", [("partner_id", "=", partner)])
            for tenant in tenants:
                master.settle(tenant)
                assert master.run(tenant, "action_delete", True)[0] == "done"


def check_home(home, name, customer):
    """It is the tenant's own address, and its administrator is logged in."""
    expect(home.locator(".o_main_navbar")).to_be_visible()
    host = f"{name}.{os.environ['SAAS_TENANT_DOMAIN']}:{os.environ['SAAS_HTTP_PORT']}"
    assert home.url.startswith(f"http://{host}/odoo")
    assert "token" not in home.url
    home.click(".o_user_menu button")
    expect(home.locator(".o_user_menu")).to_contain_text(customer)
    home.keyboard.press("Escape")


def test_an_unusable_name_is_said_on_the_form_and_nothing_is_made(master, desk, names):
    customer = f"Browser {next(names)}"
    partner = master.create("res.partner", {"name": customer})
    with operator(master) as (login, password):
        page = desk.log_in(login, password)
        open_tenants(page)
        fill_form(page, "www", customer)
        page.click("button[name=action_provision]")
        expect(page.locator(".modal-dialog")).to_contain_text("is reserved")
        page.screenshot(path=SCREENSHOTS / "5-refused-1280.png")
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
        take_screenshots(page, "6-tenants-in-trouble")
        # What a phone shows as cards is a list again on the desk.
        page.click(".o_switch_view.o_list")
        row.locator("td[name=name]").click()
        expect(page.locator(".alert-danger")).to_contain_text(image)
        expect(page.locator("button[name=action_provision]")).to_be_visible()
        take_screenshots(page, "7-tenant-in-trouble")
        assert desk.errors == []
