"""Visitors who want the same at one moment, each from an address of its own."""

import concurrent.futures
import html
import os
import re
import secrets
import statistics
import threading
import time
import urllib.parse

import pytest
import requests
import requests.adapters

from .mailbox import read_code
from .web import CSRF

VISITORS = 20
PATIENCE = 1.0  # seconds until the last of them has read why
RACES = 6
LOAD_BALANCER = "127.0.0.2"  # SAAS_TRUSTED_PROXIES of the tests' stack
COUNTRY = re.compile(r'<option value="(\d+)"')


class FromAddress(requests.adapters.HTTPAdapter):
    """Connects from one address of this machine."""

    def __init__(self, source):
        self.source = (source, 0)
        super().__init__()

    def init_poolmanager(self, *args, **kwargs):
        super().init_poolmanager(*args, **kwargs, source_address=self.source)


def read_alert(page):
    """What a page says is wrong."""
    alerts = re.findall(r'(?s)role="alert"[^>]*>(.*?)</', page)
    return " ".join(" ".join(alerts).split()) or page[:2000]


class Visitor(requests.Session):
    """A browser somewhere, whose requests come through a load balancer."""

    def __init__(self, url, address, source=LOAD_BALANCER):
        super().__init__()
        self.url = url
        self.mount("http://", FromAddress(source))
        self.headers["X-Forwarded-For"] = address
        self.email = f"{secrets.token_hex(4)}@race-{secrets.token_hex(4)}.example"

    def submit(self, path, **form):
        form["csrf_token"] = self.token
        url = f"{self.url}{path}"
        return self.post(url, data=form, timeout=120, allow_redirects=False)

    def sign_up(self, plan, name):
        """Fill in the form; remember where the code goes."""
        page = self.get(f"{self.url}{plan}", timeout=60).text
        self.token = CSRF.search(page)[1]
        answer = self.submit(
            plan,
            company_name="Twenty Ltd",
            contact_name="One of twenty",
            email=self.email,
            name=name,
            lang="en_US",
            country_id=COUNTRY.search(page)[1],
        )
        assert answer.status_code == 303, read_alert(answer.text)
        self.path = urllib.parse.urlsplit(answer.headers["Location"]).path

    def confirm(self, code, gate):
        """Type the code when everybody else does; the answer, and its seconds."""
        gate.wait()
        began = time.monotonic()
        answer = self.submit(f"{self.path}/code", code=code)
        return answer, time.monotonic() - began


@pytest.fixture
def url():
    return os.environ["SAAS_URL"]


@pytest.fixture
def plan_path(url):
    page = requests.get(f"{url}/plans", timeout=60).text
    return re.search(r'href="(/plans/[^"]+/signup)"', page)[1]


@pytest.fixture
def erased(master):
    """Erase the tenants of these names afterwards."""
    used = []
    yield used
    for name in used:
        for tenant in master.search("saas.tenant", [("name", "=", name)]):
            if master.read("saas.tenant", tenant, "state") != "deleted":
                master.settle(tenant)
                master.run(tenant, "action_delete", True)


def race(visitors, plan, name, mailbox):
    """Let them all confirm that name at one moment; what each was answered, and when.

    One of them gets it, and all others are told that it is taken.
    """
    for visitor in visitors:
        visitor.sign_up(plan, name)
    codes = [read_code(mailbox, visitor.email) for visitor in visitors]
    gate = threading.Barrier(VISITORS)
    with concurrent.futures.ThreadPoolExecutor(VISITORS) as pool:
        answers = list(pool.map(lambda v, code: v.confirm(code, gate), visitors, codes))
    statuses = sorted(answer.status_code for answer, _taken in answers)
    assert statuses == [200] * (VISITORS - 1) + [303]
    for answer, _taken in answers:
        if answer.status_code == 200:
            text = html.unescape(answer.text)
            assert f"“{name}” is taken. Please choose another address." in text
            assert f'data-name="{name}"' not in text
    return answers


def test_of_twenty_who_confirm_one_name_at_once_one_gets_it_and_all_read_why(
    master, mailbox, names, url, plan_path, erased
):
    slowest = []
    # What else runs on the machine may take the processor from one race, not from all.
    while len(slowest) < RACES and min(slowest, default=PATIENCE) >= PATIENCE:
        name = next(names)
        erased.append(name)
        network = f"198.18.{len(slowest)}"
        visitors = [Visitor(url, f"{network}.{n + 1}") for n in range(VISITORS)]
        answers = race(visitors, plan_path, name, mailbox)
        assert len(master.search("saas.tenant", [("name", "=", name)])) == 1
        seconds = [taken for answer, taken in answers if answer.status_code == 200]
        slowest.append(max(seconds))
        print(f"median {statistics.median(seconds):.2f} s, slowest {slowest[-1]:.2f} s")
    assert min(slowest) < PATIENCE, slowest
    # Who came too late needs neither a new sign-up nor a new code.
    other = next(names)
    erased.append(other)
    loser, page = next(
        (visitor, answer)
        for visitor, (answer, _taken) in zip(visitors, answers, strict=True)
        if answer.status_code == 200
    )
    loser.token = CSRF.search(page.text)[1]
    assert loser.submit(f"{loser.path}/name", name=other).status_code == 303
    assert master.search("saas.tenant", [("name", "=", other)])


@pytest.fixture
def one_sign_up_each(master):
    """Let each address sign up once a day."""
    key = "saas_website.limit_address"
    before = master.call("ir.config_parameter", "get_param", key)
    master.call("ir.config_parameter", "set_param", key, "1")
    yield
    master.call("ir.config_parameter", "set_param", key, before)


@pytest.mark.usefixtures("one_sign_up_each")
def test_limits_count_visitors_by_what_the_load_balancer_says(names, url, plan_path):
    address = f"198.51.100.{secrets.randbelow(120)}"
    Visitor(url, address).sign_up(plan_path, next(names))
    with pytest.raises(AssertionError, match="too many sign-ups"):
        Visitor(url, address).sign_up(plan_path, next(names))
    neighbour = f"198.51.100.{120 + secrets.randbelow(120)}"
    Visitor(url, neighbour).sign_up(plan_path, next(names))


@pytest.mark.usefixtures("one_sign_up_each")
def test_what_a_stranger_says_about_the_address_counts_nothing(names, url, plan_path):
    refused = 0
    for number in (1, 2):
        stranger = Visitor(url, f"192.0.2.{number}", source="127.0.0.1")
        try:
            stranger.sign_up(plan_path, next(names))
        except AssertionError as error:
            assert "too many sign-ups" in str(error)
            refused += 1
    assert refused, "each was believed to be somebody else"
