"""The whole life of a tenant through the external API, as a program would live it."""

import re

import requests

LOGGED_IN = re.compile(r'"uid": \d+')


def test_a_program_makes_a_customer_a_running_odoo_and_removes_it(master, stack, names):
    before = stack.take_inventory()
    image = master.search("saas.image", [])[0]
    plan = master.create(
        "saas.plan", {"name": "By program", "image_id": image, "modules": "base"}
    )
    customer = master.create("res.partner", {"name": "Beta", "email": "b@beta.example"})
    tenant = master.create(
        "saas.tenant",
        {"name": next(names), "partner_id": customer, "plan_id": plan},
    )
    assert master.read("saas.tenant", tenant, "state") == "draft"

    assert master.run(tenant, "action_provision") == ("done", False)
    assert master.read("saas.tenant", tenant, "state") == "running"

    session = requests.Session()
    answer = session.get(
        master.call("saas.tenant", "get_login_url", tenant), timeout=30
    )
    assert answer.status_code == 200
    assert answer.url.startswith(master.read("saas.tenant", tenant, "url") + "/odoo")
    assert LOGGED_IN.search(answer.text)

    assert master.run(tenant, "action_delete", True) == ("done", False)
    assert master.read("saas.tenant", tenant, "state") == "deleted"
    assert stack.take_inventory() == before


def test_a_login_link_works_once_and_only_at_its_own_tenant(master, make_tenant):
    alfa, beta = make_tenant(), make_tenant()
    for tenant in (alfa, beta):
        master.provision(tenant)
    link = master.call("saas.tenant", "get_login_url", alfa)
    foreign = link.replace(
        master.read("saas.tenant", alfa, "url"), master.read("saas.tenant", beta, "url")
    )
    altered = link[:-6] + ("AAAAAA" if link[-6:] != "AAAAAA" else "BBBBBB")
    for wrong in (foreign, altered):
        assert requests.get(wrong, timeout=30).status_code == 403
    assert requests.get(link, timeout=30).status_code == 200
    replayed = requests.get(link, timeout=30)
    assert replayed.status_code == 403
    assert not LOGGED_IN.search(replayed.text)


def test_a_login_link_does_not_get_round_the_second_factor(master, stack, tenant):
    uid = master.read("saas.tenant", tenant, "uid")
    stack.sql("UPDATE res_users SET totp_secret = 'JBSWY3DPEHPK3PXP' WHERE id = 2", uid)
    assert master.run(tenant, "action_restart")[0] == "done"
    session = requests.Session()
    answer = session.get(
        master.call("saas.tenant", "get_login_url", tenant), timeout=30
    )
    assert answer.status_code == 200
    assert "/web/login/totp" in answer.url
    url = master.read("saas.tenant", tenant, "url")
    home = session.get(f"{url}/odoo", timeout=30)
    assert "/web/login" in home.url
    assert not LOGGED_IN.search(home.text)


def test_power_and_holds(master, stack, tenant):
    uid = master.read("saas.tenant", tenant, "uid")
    url = master.read("saas.tenant", tenant, "url")

    odoo, page = (200, "<form"), 503
    for action, state, phase, expected in (
        ("action_stop", "stopped", "exited", (page, "is switched off")),
        ("action_start", "running", "running", odoo),
        ("action_suspend", "suspended", "exited", (page, "suspended by its provider")),
        ("action_resume", "running", "running", odoo),
        ("action_restart", "running", "running", odoo),
        ("action_sleep", "sleeping", "paused", None),
        ("action_wake", "running", "running", odoo),
        ("action_delete", "deleting", "exited", (page, "request of its owner")),
        ("action_resume", "running", "running", odoo),
    ):
        assert master.run(tenant, action) == ("done", False), action
        assert master.read("saas.tenant", tenant, "state") == state, action
        assert stack.tenant_container(uid).status == phase, action
        if expected:
            answer = requests.get(f"{url}/web/login", timeout=30)
            status, words = expected
            assert (answer.status_code, words in answer.text) == (status, True), action


def test_a_restarted_tenant_keeps_what_its_customer_wrote(master, stack, tenant):
    uid = master.read("saas.tenant", tenant, "uid")
    stack.sql("UPDATE res_partner SET street = 'kept' WHERE id = 1", uid)
    assert master.run(tenant, "action_restart")[0] == "done"
    read = "SELECT street FROM res_partner WHERE id = 1"
    assert stack.sql(read, uid) == ["kept"]


def test_what_a_customer_gets_is_theirs(master, stack, tenant):
    uid = master.read("saas.tenant", tenant, "uid")
    name = master.read("saas.tenant", tenant, "name")
    assert stack.sql("SELECT name FROM res_company WHERE id = 1", uid) == [
        f"Customer {name}"
    ]
    assert stack.sql("SELECT login FROM res_users WHERE id = 2", uid) == [
        f"{name}@example.com"
    ]
    owner = "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = '{}'"
    assert stack.sql(owner.format(uid)) == [uid]
    strangers = stack.sql(
        "SELECT rolname FROM pg_roles WHERE NOT rolsuper AND rolname NOT LIKE 'pg_%'"
        f" AND has_database_privilege(oid, '{uid}', 'CONNECT')"
    )
    assert set(strangers) <= {uid, "saas_provisioner"}
