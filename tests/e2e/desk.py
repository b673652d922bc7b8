"""A person at a browser, on a desk or with a phone."""

from __future__ import annotations

import os
import re
import shutil

from playwright.sync_api import expect

# What has no windows takes half of the time.
CHROMIUM = shutil.which("chromium-headless-shell") or "/usr/bin/chromium"
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # Nobody but this machine is asked for anything, fonts of the website included.
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE *.localhost , EXCLUDE 127.0.0.1",
)
DESK = {"width": 1280, "height": 800}
PHONE = {"width": 390, "height": 844}
SECONDS = 1000
# A file for blurred backgrounds in calls that Debian's package leaves out; what
# Chromium gives up for a moment when a container comes or goes; and what Odoo's views
# say of that, alone or as the cause of an OwlError. What is lost otherwise has a line
# of its own.
NOISE = re.compile(
    r"selfie_segmentation\.js|ERR_NETWORK_CHANGED"
    r"|ConnectionLostError: Connection to \"[^\"]+\" couldn't be established or was "
    r"interrupted|AssetsLoadingError: The loading of \S+ failed"
)
OURS = re.compile(r"https?://([\w.-]+\.)?(localhost|127\.0\.0\.1)[:/]")

expect.set_options(timeout=30 * SECONDS)


class Desk:
    """One person's browser; remembers what its pages complained about.

    :param url: of the master; without one that of the tests' own stack
    """

    def __init__(self, browser, viewport=DESK, url="", **options):
        self.url = url or os.environ["SAAS_URL"]
        self.context = browser.new_context(viewport=viewport, **options)
        self.errors = []
        self.context.set_default_timeout(30 * SECONDS)
        self.context.on("console", self._note)
        self.context.on("weberror", lambda error: self.errors.append(str(error.error)))
        self.context.on("response", self._note_response)

    def close(self):
        self.context.close()

    def _note(self, message):
        url = message.location.get("url", "")
        foreign = url and not OURS.match(url)
        if message.type == "error" and not NOISE.search(message.text) and not foreign:
            self.errors.append(f"{message.text} ({url})")

    def _note_response(self, response):
        if response.status >= 500:
            self.errors.append(f"{response.status} {response.url}")

    def open(self, path):
        """A page of the master."""
        page = self.context.new_page()
        page.goto(f"{self.url}{path}")
        return page

    def log_in(self, login, password):
        """As staff, by a password: the first page of the back office."""
        page = self.open("/web/login")
        page.fill("input#login", login)
        page.fill("input#password", password)
        page.click(".oe_login_buttons button[type=submit]")
        # A master that was just made has to make its scripts and styles first.
        expect(page.locator(".o_main_navbar")).to_be_visible(timeout=120 * SECONDS)
        return page


def check_home(home, name, person):
    """It is the tenant's own address, and that person is logged in."""
    expect(home.locator(".o_main_navbar")).to_be_visible()
    host = f"{name}.{os.environ['SAAS_TENANT_DOMAIN']}:{os.environ['SAAS_HTTP_PORT']}"
    assert home.url.startswith(f"http://{host}/odoo")
    assert "token" not in home.url
    menu = home.locator(".o_user_menu button, .o_mobile_menu_toggle")
    menu.filter(visible=True).click()
    menu = home.locator(".o_user_menu, .o_burger_menu").filter(visible=True)
    expect(menu).to_contain_text(person)
    home.keyboard.press("Escape")


def choose(page, field, text):
    """Choose a record by typing, as people do."""
    page.click(f"div[name={field}] input")
    page.fill(f"div[name={field}] input", text)
    page.locator(".o-autocomplete--dropdown-item", has_text=text).first.click()
    page.keyboard.press("Tab")
    expect(page.locator(".o-autocomplete--dropdown-menu")).to_have_count(0)
