"""A visitor of the website on the way to an Odoo of their own."""

from __future__ import annotations

import dataclasses

from playwright.sync_api import expect

from .desk import SECONDS
from .mailbox import read_code, read_link

TO_BUILD = 90 * SECONDS


@dataclasses.dataclass(frozen=True)
class Visitor:
    """What somebody types who signs up."""

    name: str
    company: str
    contact: str
    email: str
    country: str = "Belgium"
    plan: str = "Basic"


def choose_plan(page, plan):
    page.goto(page.url.partition("/plans")[0] + "/plans")
    card = page.get_by_role("article", name=plan)
    card.get_by_role("link", name="Get started").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Create your Odoo")


def fill_form(page, visitor):
    page.get_by_label("Company").fill(visitor.company)
    page.get_by_label("Your name").fill(visitor.contact)
    page.get_by_label("E-mail").fill(visitor.email)
    page.get_by_label("Address of your Odoo").fill(visitor.name)
    page.get_by_label("Country").select_option(label=visitor.country)


def send_form(page):
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Check your mail")


def count_mails(mailbox, visitor):
    return len(mailbox.list(visitor.email))


def sign_up(page, mailbox, visitor):
    """From the plans to the page that shows the progress."""
    choose_plan(page, visitor.plan)
    fill_form(page, visitor)
    mails = count_mails(mailbox, visitor)
    send_form(page)
    enter_code(page, read_code(mailbox, visitor.email, mails + 1))


def enter_code(page, code):
    """Type the code that was mailed; what is pressed then builds the tenant."""
    page.get_by_label("Code", exact=True).fill(code)
    page.get_by_role("button", name="Create my Odoo").click()


def ask_for_link(page, mailbox, visitor):
    """On the page for that; the link that was mailed."""
    mails = count_mails(mailbox, visitor)
    page.get_by_label("E-mail").fill(visitor.email)
    page.get_by_role("button", name="Send me the link").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Check your mail")
    return read_link(mailbox, visitor.email, mails + 1)


def log_in_by_mail(page, mailbox, visitor):
    """Ends on the customer's tenants."""
    page.goto(ask_for_link(page, mailbox, visitor))
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("My tenants")
