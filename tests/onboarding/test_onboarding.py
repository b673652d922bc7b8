"""An operator's first hour: from a master that has nothing to the first tenant."""

import re
import secrets

from playwright.sync_api import expect

from e2e.desk import DESK, PHONE, SECONDS
from e2e.mailbox import Mailbox
from stack import settings

SCREENSHOTS = settings.ROOT / ".cache" / "screenshots"


class SetUp:
    """The page, as somebody sees it who has never seen it before."""

    def __init__(self, page):
        self.page = page

    def of(self, code):
        return self.page.locator(f"[data-step={code}]")

    def press(self, code, label):
        self.of(code).get_by_role("button", name=label, exact=True).click()

    def unfold(self, code):
        header = self.of(code).locator("h2 button")
        if header.get_attribute("aria-expanded") == "false":
            header.click()

    def expect_ready(self, code, seconds=30):
        expect(self.of(code)).to_have_attribute(
            "data-state", "ok", timeout=seconds * SECONDS
        )

    def expect_open(self, code, sentence):
        """It is the step that the page opens by itself, and says that."""
        expect(self.of(code).locator("h2 button")).to_have_attribute(
            "aria-expanded", "true"
        )
        expect(self.of(code)).to_contain_text(sentence)

    def shoot(self, name):
        """What it looks like on a desk and on a phone; nothing is wider than that."""
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        for size in (PHONE, DESK):
            self.page.set_viewport_size(size)
            self.page.wait_for_timeout(500)
            path = SCREENSHOTS / f"set-up-{name}-{size['width']}.png"
            self.page.screenshot(path=path, full_page=True)
            width = self.page.evaluate("document.documentElement.scrollWidth")
            assert width <= size["width"], (name, width)


def open_app(page):
    page.click(".o_navbar_apps_menu button")
    page.click('.o_app[data-menu-xmlid="saas.saas_menu_root"]')


def test_an_operator_comes_from_an_empty_master_to_the_first_tenant(empty, new_desk):
    desk = new_desk(url=empty.url)
    page = desk.log_in("admin", empty.admin_password)
    # Nobody has to look for the page while there is no server.
    open_app(page)
    set_up = SetUp(page)
    check_domain(set_up)
    take_machine(set_up, page)
    check_certificate_and_mail(set_up, empty)
    make_plan(set_up, page)
    make_tenant(set_up, page, empty)
    expect(page.locator(".alert-success")).to_contain_text("Your master is ready.")
    expect(page.get_by_role("status").first).to_have_text("8 of 8 ready")
    set_up.shoot("ready")
    # The app is now about tenants; the page has its place in the configuration.
    page.goto(f"{empty.url}/odoo")
    open_app(page)
    expect(page.locator(".o_last_breadcrumb_item")).to_contain_text("Needs Attention")
    assert desk.errors == []


def check_domain(set_up):
    set_up.expect_ready("domain")
    set_up.unfold("domain")
    expect(set_up.of("domain")).to_contain_text("for trials only")
    field = set_up.page.get_by_label("Domain of the tenants")
    field.fill("saas.localhost")
    set_up.press("domain", "Save")
    refusal = set_up.of("domain").get_by_role("alert")
    expect(refusal).to_contain_text("could set cookies for the master")
    set_up.shoot("refused-domain")
    field.fill("tenants.localhost")
    set_up.press("domain", "Save")
    # Once it is ready, the next step is shown.
    set_up.expect_open("database_server", "There is no PostgreSQL yet")
    set_up.unfold("domain")
    expect(set_up.of("domain")).to_contain_text("under tenants.localhost leads to")
    set_up.unfold("database_server")


def take_machine(set_up, page):
    """Take what the stack offers, and leave the page in the middle."""
    set_up.expect_open("database_server", "There is no PostgreSQL yet")
    expect(set_up.of("database_server")).to_contain_text("saas_provisioner")
    set_up.shoot("offer")
    set_up.press("database_server", "Use This One")
    set_up.expect_ready("database_server")
    set_up.expect_open("proxy", "There is no proxy yet")
    set_up.press("proxy", "Use This One")
    set_up.expect_ready("proxy")
    page.reload()
    set_up.expect_open("server", "There is no engine yet")
    set_up.expect_ready("database_server")
    set_up.press("server", "Use This One")
    set_up.expect_ready("server")


def check_certificate_and_mail(set_up, empty):
    # What had waited for the proxy was looked at again by itself.
    set_up.expect_ready("certificate")
    set_up.unfold("certificate")
    expect(set_up.of("certificate")).to_contain_text("without HTTPS")
    set_up.expect_ready("mail")
    set_up.unfold("mail")
    set_up.press("mail", "Enter Your Own E-Mail")
    address = f"olivia-{secrets.token_hex(3)}@example.com"
    dialog = set_up.page.locator(".modal")
    dialog.locator("div[name=email] input").first.fill(address)
    dialog.locator(".o_form_button_save").click()
    expect(dialog).to_have_count(0)
    set_up.press("mail", "Send a Test Mail to Me")
    expect(set_up.of("mail")).to_contain_text(f"has taken a test mail to {address}")
    subject = re.compile("A test mail of your SaaS master")
    assert Mailbox(empty.mailbox_url).find(subject, "subject", address)


def make_plan(set_up, page):
    set_up.unfold("plan")
    set_up.press("plan", "Use This One")
    expect(set_up.of("plan")).to_contain_text("There is no plan yet")
    set_up.press("plan", "Make the First Plan")
    expect(page.locator(".modal div[name=image_id] input")).to_have_value("Odoo 19.0")
    page.screenshot(path=SCREENSHOTS / "set-up-new-plan-1280.png")
    page.locator(".modal .o_form_button_save").click()
    expect(set_up.of("plan")).to_have_attribute("data-state", "checking")
    expect(set_up.of("plan").locator(".o_saas_setup_progress li")).to_have_count(4)
    set_up.shoot("building")
    set_up.expect_ready("plan", seconds=300)


def make_tenant(set_up, page, empty):
    name = f"first-{secrets.token_hex(2)}"
    set_up.expect_open("tenant", "There is no tenant yet")
    set_up.press("tenant", "Make the First Tenant")
    page.fill(".modal div[name=name] input", name)
    page.locator(".modal div[name=partner_id] input").fill("First Customer")
    page.locator(".o-autocomplete--dropdown-item", has_text="Create").first.click()
    expect(page.locator(".o-autocomplete--dropdown-menu")).to_have_count(0)
    page.screenshot(path=SCREENSHOTS / "set-up-new-tenant-1280.png")
    page.locator(".modal .o_form_button_save").click()
    expect(set_up.of("tenant").locator(".o_saas_setup_progress li")).to_have_count(10)
    set_up.expect_ready("tenant", seconds=120)
    host = f"http://{name}.tenants.localhost:{empty.port}"
    expect(set_up.of("tenant")).to_contain_text(f"{name} runs at {host}")
    with page.expect_popup() as popup:
        set_up.press("tenant", f"Open “{name}”")
    expect(popup.value.locator(".o_main_navbar")).to_be_visible()
    assert popup.value.url.startswith(f"{host}/odoo")
    popup.value.close()
