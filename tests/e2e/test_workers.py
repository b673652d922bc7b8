"""A plan with HTTP workers: processes side by side, and one that takes websockets."""

from __future__ import annotations

import json
import re
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from playwright.sync_api import expect

from .copies import Inside
from .desk import SECONDS

WORKERS = 2
TELL = """
env.ref("base.user_admin")._bus_send(
    "simple_notification",
    {"type": "info", "title": "From the bus", "message": "It arrived"},
)
env.cr.commit()
"""
LOGGED = re.compile(r"^[-0-9]+ [0-9:,]+ (\d+) INFO .*GET /web/login", re.MULTILINE)
HOLD = "BEGIN; LOCK res_users IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(8); COMMIT"
WAITING = """SELECT count(*) FROM pg_stat_activity
              WHERE usename = '{}' AND wait_event_type = 'Lock'"""


@pytest.fixture
def tenant(master, make_tenant):
    """A running tenant of a plan with workers, and that plan."""
    [image] = master.search("saas.image", [], limit=1)
    plan = {"name": "Workers", "image_id": image, "workers": WORKERS}
    plan = master.create("saas.plan", plan)
    number = make_tenant(plan_id=plan)
    master.provision(number)
    return number, plan


def read_route(stack, uid):
    path = f"/etc/traefik/routes/{uid}.yml"
    answer = stack.container("proxy").exec_run(["cat", path])
    return json.loads(answer.output)["http"]


def count_waiting(stack, uid):
    [count] = stack.sql(WAITING.format(uid))
    return int(count)


def log_in(url, uid):
    """Try to log in, which takes a worker as long as the users are locked."""
    params = {"db": uid, "login": "nobody", "password": "none"}
    return requests.post(
        f"{url}/web/session/authenticate", json={"params": params}, timeout=60
    ).status_code


def test_workers_answer_side_by_side_and_websockets_reach_theirs(
    master, engine, stack, tenant, desk
):
    tenant, plan = tenant
    uid = master.read("saas.tenant", tenant, "uid")
    url = master.read("saas.tenant", tenant, "url")
    inside = Inside(stack, uid)
    services = read_route(stack, uid)["services"]
    [server] = services[f"{uid}-websocket"]["loadBalancer"]["servers"]
    assert server["url"].endswith(":8072")

    # What Odoo tells a page that is open arrives there by a websocket.
    page = desk.context.new_page()
    page.goto(master.call("saas.tenant", "get_login_url", tenant))
    expect(page.locator(".o_main_navbar")).to_be_visible()
    toast = page.locator(".o_notification", has_text="It arrived").first
    for last in (False, False, True):
        # A page that listens only now has missed what was said before.
        inside.shell(TELL)
        try:
            expect(toast).to_be_visible(timeout=5 * SECONDS)
            break
        except AssertionError:
            if last:
                raise
    assert desk.errors == []
    page.close()

    # Many requests at once: none fails, more than one process answers, and all of them
    # together stay below the limit of their role.
    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(requests.get, f"{url}/web/login") for _each in range(40)]
    assert {answer.result().status_code for answer in asked} == {200}
    log = stack.tenant_container(uid).logs().decode()
    assert len(set(LOGGED.findall(log))) == WORKERS
    assert "too many connections" not in log
    [used] = stack.sql(f"SELECT count(*) FROM pg_stat_activity WHERE usename = '{uid}'")
    assert int(used) <= 14

    # Workers that are all busy are well.
    with ThreadPoolExecutor(WORKERS + 1) as pool:
        pool.submit(stack.sql, HOLD, uid)
        while "AccessExclusiveLock" not in stack.sql("SELECT mode FROM pg_locks", uid):
            time.sleep(0.1)
        busy = [pool.submit(log_in, url, uid) for _each in range(WORKERS)]
        while count_waiting(stack, uid) < WORKERS:
            time.sleep(0.1)
        with pytest.raises(requests.Timeout):
            requests.get(f"{url}/web/health", timeout=1)
        inside.run("saas-healthcheck")
    assert [one.result() for one in busy] == [200, 200]

    assert not engine.api.inspect_container(f"saas-{uid}")["State"]["OOMKilled"]

    # Without workers there is one process again, and one place for all requests.
    master.call("saas.plan", "write", plan, {"workers": 0})
    assert master.run(tenant, "action_restart") == ("done", False)
    assert set(read_route(stack, uid)["services"]) == {uid}
    answer = requests.get(f"{url}/websocket/health", timeout=30)
    assert (answer.status_code, answer.json()) == (200, {"status": "pass"})
