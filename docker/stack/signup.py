"""A tenant, signed up for as a visitor would: by the website and a code in a mail."""

from __future__ import annotations

import json
import re
import time
import urllib.parse
import urllib.request
from collections.abc import Callable
from typing import Any

from .browser import Answer, Browser
from .settings import Settings
from .shell import StackError
from .tenant import is_logged_in

SECONDS_TO_MAIL = 60
SECONDS_TO_BUILD = 900
PLAN = re.compile(r'href="(/plans/[^"]+/signup)"')
CODE = re.compile(r"\b\d{6}\b")


def sign_up(settings: Settings, name: str, note: Callable[[str], None]) -> str:
    """Become a customer with a tenant of that name; the page where it is logged in.

    :raise StackError: the website refuses, no code comes, or it cannot be built
    """
    browser = Browser(settings.authority)
    email = customer_email(name)
    note("choosing a plan")
    form_page = browser.get(settings.url + _find_plan(browser, settings))
    seen = {mail["id"] for mail in read_mails(settings, email)}
    code_page = browser.submit(
        form_page,
        form_page.form(field="company_name"),
        company_name=name.capitalize(),
        contact_name=f"{name.capitalize()} Customer",
        email=email,
        name=name,
        lang="en_US",
    )
    code_form = code_page.form(field="code") if code_page.status == 200 else None
    if not code_form:
        raise StackError(f"The website refuses the sign-up: {_said(code_page)}")
    note("waiting for the code in the mailbox")
    code = wait_for_code(settings, email, seen)
    page = browser.submit(code_page, code_form, code=code)
    _wait_built(browser, page.url, note)
    page = browser.get(page.url)
    home = browser.submit(page, page.form(action="/open"))
    if not is_logged_in(home.status, home.body):
        raise StackError(f"{home.url} is no logged-in Odoo: see make logs.")
    return home.url


def customer_email(name: str) -> str:
    return f"{name}@example.com"


def read_mails(settings: Settings, address: str) -> list[dict[str, Any]]:
    """The mails to an address in the stack's mailbox, oldest first.

    :raise StackError: there is no mailbox, or it does not answer
    """
    if not settings.has_mailbox:
        raise StackError(
            "Mail goes out for real (SAAS_MAILBOX=no), so nobody here reads the code: "
            f"sign up at {settings.url}/plans, or use make tenant NAME=…"
        )
    url = f"{settings.mailbox_url}/messages?to={urllib.parse.quote(address)}"
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return list(json.load(answer))
    except OSError as error:
        raise StackError(
            f"The stack's mailbox does not answer ({error}): see make ps."
        ) from error


def wait_for_code(settings: Settings, address: str, seen: set[int]) -> str:
    """Wait for a mail with a code that is not among those seen before.

    :raise StackError: none comes in time
    """
    deadline = time.monotonic() + SECONDS_TO_MAIL
    while time.monotonic() < deadline:
        for mail in read_mails(settings, address):
            found = CODE.search(mail["text"])
            if mail["id"] not in seen and found:
                return found[0]
        time.sleep(0.2)
    raise StackError(
        f"No code came to {address} within {SECONDS_TO_MAIL} s: see the mailbox at "
        f"{settings.mailbox_url} and make logs."
    )


def _find_plan(browser: Browser, settings: Settings) -> str:
    page = browser.get(f"{settings.url}/plans")
    found = PLAN.search(page.body)
    if not found:
        raise StackError(
            f"{page.url} offers no plan: publish one (SaaS, Configuration, Plans)."
        )
    return found[1]


def _wait_built(browser: Browser, url: str, note: Callable[[str], None]) -> None:
    deadline = time.monotonic() + SECONDS_TO_BUILD
    while time.monotonic() < deadline:
        answer = browser.get(f"{url}/status")
        if answer.status != 200:
            raise StackError(f"The code was not taken: {url} answers {answer.status}.")
        progress = json.loads(answer.body)
        if progress["state"] == "done":
            return
        if progress["state"] == "failed":
            raise StackError("It could not be built: the tenant's form says why.")
        running = (step for step in progress["steps"] if step["state"] == "running")
        note(next((step["label"] for step in running), "waiting"))
        time.sleep(0.2)
    raise StackError(f"It is not built after {SECONDS_TO_BUILD // 60} minutes.")


def _said(page: Answer) -> str:
    """What a page says is wrong."""
    found = re.findall(
        r'(?s)class="[^"]*(?:invalid|danger)[^"]*"[^>]*>([^<]+)', page.body
    )
    return " ".join(" ".join(found).split()) or f"{page.url} answers {page.status}."
