"""What visitors find where a tenant sleeps or does not run, or where nobody is."""

import concurrent.futures
import contextlib
import functools
import os
import re
import time

import pytest
import requests
from playwright.sync_api import expect

from .conftest import tenants_made
from .pictures import Gallery
from .residents import look_up, run_python
from .test_stack import WebSocket, resync, run_scheduled

REASON = "They insulted Bob"
# Odoo compares whole seconds.
NOW = "date_trunc('second', now() AT TIME ZONE 'UTC')"
CONTACTS = {"phone": "+351 210 000 000", "website": "https://cloud.example"}


@pytest.fixture(scope="module")
def company(master):
    """The company that runs the master, with all that visitors may ask it by."""
    [company] = master.search("res.company", [], limit=1)
    before = {name: master.read("res.company", company, name) for name in CONTACTS}
    master.call("res.company", "write", company, CONTACTS)
    yield company
    master.call("res.company", "write", company, before)


def rest_from_actions(stack, resident):
    """Have nothing due that would keep a tenant awake; something is in an hour."""
    stack.sql(f"UPDATE ir_cron SET nextcall = {NOW} + '1 hour'", resident.uid)
    stack.sql("DELETE FROM ir_cron_trigger", resident.uid)


@pytest.fixture(scope="module")
def suspended(master, stack, plan, names, company):
    """A tenant with a customer's data that staff have suspended."""
    with tenants_made(master, plan, names) as make:
        tenant = make()
        master.provision(tenant)
        resident = look_up(master, stack, tenant)
        stack.sql("UPDATE res_partner SET street = 'kept' WHERE id = 1", resident.uid)
        rest_from_actions(stack, resident)
        assert master.run(tenant, "action_suspend", REASON) == ("done", False)
        yield resident


@pytest.fixture(scope="module")
def drowsy(master, stack, plan, names):
    """A tenant of a plan that lets it sleep after a minute; the others do not."""
    values = {"name": "Drowsy", "sleep_minutes": 1}
    [drowsy_plan] = master.call("saas.plan", "copy", [plan], values)
    with tenants_made(master, drowsy_plan, names) as make:
        tenant = make()
        master.provision(tenant)
        drowsy = look_up(master, stack, tenant)
        rest_from_actions(stack, drowsy)
        yield drowsy
    master.call("saas.plan", "write", drowsy_plan, {"active": False})


@pytest.fixture
def gallery():
    gallery = Gallery()
    yield gallery
    assert not gallery.flaws, "\n".join(gallery.flaws)


def unknown_url():
    host = f"nobody.{os.environ['SAAS_TENANT_DOMAIN']}"
    return f"http://{host}:{os.environ['SAAS_HTTP_PORT']}"


# === USE === #
# First: it falls asleep by itself while the tests after these go on.

# Signs a question about use, as the worker does.
SIGN = """
import json, pathlib, sys, types
package = types.ModuleType("engine")
package.__path__ = ["/opt/saas/addons/saas/engine"]
sys.modules["engine"] = package
from engine.login_token import SUBJECT_OF_USE, make_token
key = pathlib.Path("/run/saas/web/login_key").read_text()
print(json.dumps(make_token(key, json.loads(sys.argv[1]), subject=SUBJECT_OF_USE)))
"""


def ask_use(stack, resident):
    """What a tenant says of its use."""
    token = run_python(stack.container("worker"), SIGN, resident.uid)
    answer = requests.post(f"{resident.url}/saas/use", {"token": token}, timeout=30)
    assert answer.status_code == 200
    return answer.json()


def test_an_open_websocket_is_use_and_its_end_is_the_end_of_it(drowsy, stack):
    websocket = WebSocket(drowsy.url)
    with websocket.socket:
        assert websocket.ping(b"saas") == b"\x8a\x04saas"
        time.sleep(1)
        assert ask_use(stack, drowsy)["idle"] == 0
    until = time.monotonic() + 30
    while not (use := ask_use(stack, drowsy))["idle"] or use["transactions"]:
        assert time.monotonic() < until, use
        time.sleep(0.5)
    assert requests.post(f"{drowsy.url}/saas/use", timeout=30).status_code == 403


# Holds a transaction open, as the tenant itself does while it works.
WORK = """
import configparser, json, sys, time
import psycopg2
config = configparser.RawConfigParser()
config.read("/etc/odoo/odoo.conf")
options = config["options"]
connection = psycopg2.connect(
    host=options["db_host"], port=options["db_port"], dbname=options["db_name"],
    user=options["db_user"], password=options["db_password"],
)
connection.cursor().execute("SELECT 1")
time.sleep(json.loads(sys.argv[1]))
print("true")
"""


def test_nobody_puts_to_sleep_who_is_used_or_at_work_or_is_to_work_soon(
    drowsy, master, stack
):
    def refuse(words):
        state, message = master.run(drowsy.id, "action_sleep")
        assert (state, words in message) == ("refused", True), message
        assert master.settle(drowsy.id) == "running"
        assert status(drowsy) == "running"
        answer = requests.get(f"{drowsy.url}/web/health", timeout=30)
        assert answer.status_code == 200

    with WebSocket(drowsy.url).socket:
        refuse("Somebody uses")
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        work = pool.submit(drowsy.run, WORK, 12)
        time.sleep(1)
        refuse("is at work in its database")
        assert work.result()
    soon = f"UPDATE ir_cron SET nextcall = {NOW} + '4 min' WHERE id = 1"
    stack.sql(soon, drowsy.uid)
    refuse("due within five minutes")
    rest_from_actions(stack, drowsy)


# === PAGES === #


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
def closed(stack, database):
    """Let nobody into a database, while those who are in stand still."""
    alter = f"ALTER DATABASE {database} ALLOW_CONNECTIONS {{}}"
    stack.sql(alter.format("false"))
    try:
        yield
    finally:
        stack.sql(alter.format("true"))


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
    assert mounts == {"/var/lib/saas/routes": False, "/run/saas/switch": False}
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


# === SLEEP AND WAKE === #

CALL = {"jsonrpc": "2.0", "method": "call", "params": {}}
TOGETHER = 200


@pytest.fixture
def sleeper(suspended, master):
    """The same tenant, put to sleep."""
    if master.read("saas.tenant", suspended.id, "state") == "suspended":
        assert master.run(suspended.id, "action_resume") == ("done", False)
    assert master.run(suspended.id, "action_sleep") == ("done", False)
    assert status(suspended) == "paused"
    return suspended


def status(resident):
    resident.container.reload()
    return resident.container.status


def test_probes_wake_nobody_and_the_first_visitor_does(sleeper):
    robot = {"User-Agent": "Mozilla/5.0 (compatible; Googlebot/2.1)"}
    for method, path, headers in (
        ("HEAD", "/web/login", {}),
        ("GET", "/web/health", {}),
        ("GET", "/", robot),
    ):
        url = f"{sleeper.url}{path}"
        answer = requests.request(method, url, headers=headers, timeout=30)
        assert answer.status_code == 503, path
    assert status(sleeper) == "paused"
    answer = requests.get(f"{sleeper.url}/web/login", timeout=30)
    assert (answer.status_code, "<form" in answer.text) == (200, True)
    assert status(sleeper) == "running"


def test_a_websocket_wakes_too(sleeper):
    websocket = WebSocket(sleeper.url)
    with websocket.socket:
        assert websocket.head.startswith(b"HTTP/1.1 101 ")
        assert websocket.ping(b"saas") == b"\x8a\x04saas"
    assert status(sleeper) == "running"


def ask(url, number):
    """One of the first requests, by turns with a form and without: how it ended."""
    began = time.monotonic()
    if number % 2:
        version = f"{url}/web/webclient/version_info"
        answer = requests.post(version, json=CALL, timeout=60)
        right = "result" in answer.json()
    else:
        answer = requests.get(f"{url}/web/login", timeout=60)
        right = "<form" in answer.text
    return answer.status_code, right, time.monotonic() - began


@pytest.mark.parametrize("stopped", [False, True])
def test_no_first_request_is_lost_though_the_master_is_not_there(
    sleeper, stack, stopped
):
    with (
        frozen(stack, "web", "worker"),
        closed(stack, "master"),
        concurrent.futures.ThreadPoolExecutor(TOGETHER) as pool,
    ):
        if stopped:
            sleeper.container.unpause()
            sleeper.container.stop(timeout=10)
        answers = list(pool.map(functools.partial(ask, sleeper.url), range(TOGETHER)))
    taken = sorted(seconds for _status, _right, seconds in answers)
    how = "stopped" if stopped else "paused"
    print(
        f"{TOGETHER} woke who was {how}: first {taken[0]:.2f}, last {taken[-1]:.2f} s"
    )
    assert {answer[:2] for answer in answers} == {(200, True)}


def test_who_waits_at_a_browser_for_longer_reads_so_and_then_gets_there(
    sleeper, stack, new_desk, gallery
):
    page = new_desk().context.new_page()
    with frozen(stack, "switch"):
        answer = page.goto(f"{sleeper.url}/web/login")
        assert answer.status == 503
        title = "This site is waking up"
        expect(page.get_by_role("heading", level=1)).to_have_text(title)
        gallery.take(page, "tenant-waking")
    expect(page.locator("input#login")).to_be_visible()


def wait_until_noted(master, sleeper, seconds=30):
    """Wait until the master has heard that somebody woke.

    A comparison that meets what it hears of the sleep before comes later.
    """
    until = time.monotonic() + seconds
    while master.settle(sleeper.id) != "running":
        assert time.monotonic() < until, f"not noted within {seconds} s"
        time.sleep(0.2)


def test_who_woke_is_wanted_again_and_nothing_stands_in_its_way(master, stack, sleeper):
    started = sleeper.container.attrs["State"]["StartedAt"]
    assert requests.get(f"{sleeper.url}/web/login", timeout=30).status_code == 200
    wait_until_noted(master, sleeper)
    for _time in range(2):
        resync(master, stack)
        assert master.settle(sleeper.id) == "running"
    assert requests.get(f"{sleeper.url}/web/health", timeout=30).status_code == 200
    assert status(sleeper) == "running"
    assert sleeper.container.attrs["State"]["StartedAt"] == started


def test_the_switch_has_no_secrets_and_nothing_to_write_but_its_socket(stack):
    container = stack.container("switch")
    mounts = {mount["Destination"]: mount["RW"] for mount in container.attrs["Mounts"]}
    assert mounts == {
        "/var/lib/saas/routes": False,
        "/run/saas/switch": True,
        "/var/run/docker.sock": True,
    }
    environment = "\n".join(container.attrs["Config"]["Env"])
    assert not re.search("SAAS_|PASSWORD|KEY", environment)
    assert container.exec_run(["id", "-un"]).output.decode().strip() == "nobody"


def test_who_is_not_used_sleeps_by_itself_and_wakes_for_what_it_has_to_do(
    drowsy, master, stack
):
    query = f"SELECT {{}} FROM saas_tenant WHERE id = {drowsy.id}"
    until = time.monotonic() + 200
    while status(drowsy) != "paused":
        assert time.monotonic() < until, stack.sql(query.format("look_on"), "master")
        run_scheduled(stack, "ir_cron_tick")
    assert master.settle(drowsy.id) == "sleeping"
    soon = f"wake_on BETWEEN {NOW} + '40 min' AND {NOW} + '1 hour'"
    assert stack.sql(query.format(soon), "master") == ["t"]

    # As if it had slept for long, and then as if the hour were over.
    update = f"UPDATE saas_tenant SET look_on = {NOW} WHERE id = {drowsy.id}"
    stack.sql(update, "master")
    run_scheduled(stack, "ir_cron_tick")
    assert master.settle(drowsy.id) == "sleeping"
    assert status(drowsy) == "exited"

    update = f"UPDATE saas_tenant SET wake_on = {NOW} WHERE id = {drowsy.id}"
    stack.sql(update, "master")
    run_scheduled(stack, "ir_cron_tick")
    assert master.settle(drowsy.id) == "running"
    assert status(drowsy) == "running"
    assert requests.get(f"{drowsy.url}/web/health", timeout=30).status_code == 200
