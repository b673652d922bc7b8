"""Every page of ours on a phone and on a desk, kept as a picture in docs/screenshots.

Each of them fits without scrolling sideways, and axe finds nothing serious in those of
visitors and customers, nor in what is ours in those of the back office.
"""

import contextlib
import json
import os
import re

import pytest
from playwright.sync_api import expect

from e2e.desk import DESK, PHONE
from e2e.mailbox import read_code
from e2e.pictures import Gallery
from e2e.visitor import (
    TO_BUILD,
    ask_for_link,
    choose_plan,
    count_mails,
    enter_code,
    fill_form,
    send_form,
    sign_up,
)

ALFA = {"company": "Alfa Bakery", "contact": "Anna Alfa", "email": "anna@alfa.example"}
BETA = {"company": "Beta Bikes", "contact": "Bea Beta", "email": "bea@beta.example"}
GAMMA = {"company": "Gamma Farm", "contact": "Gus", "email": "gus@gamma.example"}
NAMES = ("alfa-bakery", "beta-bikes", "beta-rental", "delta-tailors", "gamma-farm")
WRONG_IMAGE = "registry.example/odoo:19.0-farm"

# The name of the picture, and what the mail is about.
MAILS = (
    ("mail-code", "Your code"),
    ("mail-login-link", "Your link"),
    ("mail-ready", "ready"),
)
# Pages of the back office, a line for each: the name of the picture, the address after
# /odoo/ (with the numbers of what is there), and the button that opens it, if one does.
OFFICE = (
    ("office-dashboard", "saas", ""),
    ("office-tenants", "saas-tenants", ""),
    ("office-tenants-kanban", "saas-tenants?view_type=kanban", ""),
    ("office-tenant", "saas-tenants/{tenant}", ""),
    ("office-tenant-new", "saas-tenants/new", ""),
    ("office-tenant-in-trouble", "saas-tenants/{troubled}", ""),
    ("office-tenant-suspend", "saas-tenants/{tenant}", "Suspend"),
    ("office-tenant-delete", "saas-tenants/{tenant}", "Delete"),
    ("office-operations", "saas-operations", ""),
    ("office-operation", "saas-operations/{operation}", ""),
    ("office-sign-ups", "action-saas_website.saas_signup_action", ""),
    ("office-servers", "saas-servers", ""),
    ("office-server", "saas-servers/{server}", ""),
    ("office-database-server", "saas-database-servers/{database_server}", ""),
    ("office-proxy", "saas-proxies/{proxy}", ""),
    ("office-templates", "saas-templates", ""),
    ("office-domains", "saas-domains", ""),
    ("office-plans", "saas-plans", ""),
    ("office-plan", "saas-plans/{plan}", ""),
    ("office-images", "saas-images", ""),
    ("office-batches", "saas-batches", ""),
    ("office-batch", "saas-batches/{batch}", ""),
    ("office-backup-coverage", "saas-coverage", ""),
    ("office-backups", "saas-backups", ""),
    ("office-backup", "saas-backups/{backup}", ""),
    ("office-drills", "saas-drills", ""),
    ("office-drill", "saas-drills/{drill}", ""),
    ("office-restore", "saas-backups/{backup}", "Restore"),
    ("office-stores", "saas-stores", ""),
    ("office-store", "saas-stores/{store}", ""),
    ("office-backup-policies", "saas-backup-policies", ""),
    ("office-backup-policy", "saas-backup-policies/{backup_policy}", ""),
    ("office-erasures", "saas-erasures", ""),
    ("office-erasure", "saas-erasures/{erasure}", ""),
    ("office-recovery-new", "saas-recover/new", ""),
    ("office-recovery", "saas-recover/{recovery}", ""),
    ("office-setup", "saas-setup", ""),
    ("office-settings", "action-saas.res_config_settings_action", ""),
)


# What a look into a store has found: uid, subdomain, customer, and why not.
FOUND = (
    ("t5d1c0ffee001", "alfa-bakery", "Alfa Bakery", None),
    ("t5d1c0ffee002", "beta-bikes", "Beta Bikes", None),
    ("t5d1c0ffee003", "gamma-farm", "Gamma Farm", "This master has it already."),
)
# What is ours in the back office, beside plain views.
OUR_PARTS = (
    ".o_saas_dashboard",
    ".o_saas_setup",
    ".o_saas_timeline",
    ".o_saas_latest_steps",
    ".o_saas_steps",
    ".o_saas_batch_progress",
    ".o_saas_card",
)

# What a link answers, and how that begins.
FETCH = """async (link) => {
    const answer = await fetch(link);
    return [answer.status, (await answer.text()).slice(0, 4)];
}"""
# A part of the back office that is there with its content.
FULL = ":is(:not(.o_view_controller), :has(.o_renderer, .o_form_renderer))"
SHOWN = f".o_action_manager > {FULL}"
OVER_ALL = ".o_notification_manager, .o-mail-ChatHub, .o-mail-ChatWindow"
# What is shown is marked, so that what comes instead can be told from it.
FOLLOW = """(path) => {
    for (const shown of document.querySelectorAll(".o_action_manager > *")) {
        shown.dataset.left = "";
    }
    const link = document.createElement("a");
    link.href = path;
    document.body.append(link);
    link.click();
    link.remove();
}"""


@pytest.fixture
def gallery():
    return Gallery()


@pytest.fixture
def office_gallery():
    """Around our own parts axe finds the web client's: bars, search, settings."""
    return Gallery(within=OUR_PARTS)


@pytest.fixture(autouse=True)
def _free_names(stack):
    """Let the names be given again at once that another test has used."""
    hosts = (f"'{name}.{os.environ['SAAS_TENANT_DOMAIN']}'" for name in NAMES)
    stack.sql(
        "DELETE FROM saas_domain WHERE released_on IS NOT NULL"
        f" AND name IN ({', '.join(hosts)})",
        "master",
    )


@pytest.fixture
def wrong_plan(master):
    """The name of a plan whose image is on no server."""
    known = master.search("saas.image", [("reference", "=", WRONG_IMAGE)])
    values = {"name": "Odoo 19.0 for farms", "reference": WRONG_IMAGE}
    [image] = known or [master.create("saas.image", {**values, "sequence": 1000})]
    values = {"name": "Farm", "image_id": image, "is_published": True}
    plan = master.create("saas.plan", {**values, "sequence": 1000})
    yield "Farm"
    master.call("saas.plan", "write", plan, {"active": False})


@pytest.fixture
def nothing_is_built(master):
    """Let all sign-ups wait in the queue."""
    key = "saas_website.limit_building"
    before = master.call("ir.config_parameter", "get_param", key)
    master.call("ir.config_parameter", "set_param", key, "-1")
    yield
    master.call("ir.config_parameter", "set_param", key, before)


@pytest.fixture
def recovery(master, stack, plan):
    """A recovery whose look has ended; without the stores of other tests in it."""
    [store, *_] = master.search("saas.store", [])
    [server, *_] = master.search("saas.server", [])
    values = {"store_id": store, "server_id": server}
    number = master.create("saas.recovery", values)
    image = master.read("saas.plan", plan, "image_id")
    for uid, name, customer, why in FOUND:
        message = f"'{why}'" if why else "NULL"
        stack.sql(
            "INSERT INTO saas_recovery_line (recovery_id, uid, name, customer, plan_id,"
            " image_id, date, copies, selected, message)"
            f" VALUES ({number}, '{uid}', '{name}', '{customer}', {plan}, {image},"
            f" '2026-11-21 04:00:00', 9, {why is None}, {message})",
            "master",
        )
    stack.sql(
        "UPDATE saas_recovery SET check_state = 'ok', check_message = "
        f"'Copies of {len(FOUND)} tenants were found.' WHERE id = {number}",
        "master",
    )
    yield number
    master.call("saas.recovery", "unlink", [number])


def expire(stack, visitor):
    """Let the time be over in which the address could be proved."""
    stack.sql(
        "UPDATE saas_signup SET state = 'expired' WHERE state = 'code_sent'"
        f" AND email = '{visitor.email}'",
        "master",
    )


def hold_still(page):
    """Let a page of progress show one moment of the building, and go no further."""
    states = ("done", "done", "running", "pending", "pending", "pending")
    steps = [{"label": "", "state": state} for state in states]
    progress = {"state": "building", "place": 0, "percent": 55, "steps": steps}
    progress["title"] = "Building your Odoo…"
    body = json.dumps(progress)
    page.route(
        "**/saas/signup/*/status",
        lambda route: route.fulfill(body=body, content_type="application/json"),
    )


def test_the_way_to_a_tenant(mailbox, new_desk, new_visitor, gallery):
    desk, visitor = new_desk(), new_visitor("alfa-bakery", **ALFA)
    page = desk.open("/plans")
    gallery.take(page, "website-plans")
    choose_plan(page, visitor.plan)
    fill_form(page, visitor)
    expect(page.get_by_text("is free")).to_be_visible()
    gallery.take(page, "website-sign-up")
    mails = count_mails(mailbox, visitor)
    send_form(page)
    gallery.take(page, "website-sign-up-code")
    hold_still(page)
    enter_code(page, read_code(mailbox, visitor.email, mails + 1))
    expect(page.locator(".o_saas_steps li[data-state=running]")).to_be_visible()
    gallery.take(page, "website-sign-up-progress")
    progress = page.url
    page.unroute_all()
    page.wait_for_url("**/odoo**", timeout=TO_BUILD)
    page.goto(progress)
    expect(page.get_by_role("button", name="Open my Odoo")).to_be_visible()
    gallery.take(page, "website-sign-up-ready")
    assert not gallery.flaws, "\n".join(gallery.flaws)
    assert not desk.errors, "\n".join(desk.errors)


def test_what_a_visitor_reads_where_something_is_wrong(
    stack, mailbox, new_desk, new_visitor, make_tenant, wrong_plan, gallery
):
    visitor = new_visitor("beta-bikes", **BETA)
    page = new_desk().open("/plans")
    choose_plan(page, visitor.plan)
    fill_form(page, visitor)
    page.get_by_label("Address of your Odoo").fill("www")
    expect(page.get_by_text("is reserved")).to_be_visible()
    gallery.take(page, "website-sign-up-name-taken")

    page.get_by_label("Address of your Odoo").fill(visitor.name)
    mails = count_mails(mailbox, visitor)
    send_form(page)
    code = read_code(mailbox, visitor.email, mails + 1)
    enter_code(page, str(999999 - int(code)).zfill(6))
    expect(page.get_by_role("alert")).to_contain_text("not the code")
    gallery.take(page, "website-sign-up-wrong-code")

    make_tenant("beta-bikes")
    enter_code(page, code)
    expect(page.get_by_role("alert")).to_contain_text("is taken")
    gallery.take(page, "website-sign-up-other-name")

    page, late = new_desk().open("/plans"), new_visitor("alfa-bakery", **ALFA)
    choose_plan(page, late.plan)
    fill_form(page, late)
    send_form(page)
    expire(stack, late)
    page.reload()
    expect(page.get_by_role("heading", level=1)).to_have_text("This sign-up is over")
    gallery.take(page, "website-sign-up-expired")

    page = new_desk().open("/plans")
    sign_up(page, mailbox, new_visitor("gamma-farm", **GAMMA, plan=wrong_plan))
    expect(page.get_by_text("you need not sign up again")).to_be_visible(
        timeout=TO_BUILD
    )
    gallery.take(page, "website-sign-up-failed")
    assert not gallery.flaws, "\n".join(gallery.flaws)


def test_who_waits_reads_their_place(
    mailbox, new_desk, new_visitor, nothing_is_built, gallery
):
    page = new_desk().open("/plans")
    sign_up(page, mailbox, new_visitor("alfa-bakery", **ALFA))
    expect(page.get_by_text("Your place in the queue")).to_be_visible()
    gallery.take(page, "website-sign-up-queue")
    assert not gallery.flaws, "\n".join(gallery.flaws)


def test_a_customer_comes_back(mailbox, new_desk, new_visitor, gallery):
    desk, visitor = new_desk(), new_visitor("beta-bikes", **BETA)
    page = desk.open("/plans")
    sign_up(page, mailbox, visitor)
    page.wait_for_url("**/odoo**", timeout=TO_BUILD)
    desk.close()

    page = new_desk().open("/web/login")
    gallery.take(page, "website-login")
    page.get_by_role("link", name="Log in by e-mail").click()
    gallery.take(page, "website-login-link")
    link = ask_for_link(page, mailbox, visitor)
    gallery.take(page, "website-login-link-sent")
    page.goto(link)
    gallery.take(page, "website-login-link-button")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("My tenants")
    gallery.take(page, "portal-tenants")
    page.get_by_role("link", name=visitor.name, exact=True).click()
    page.get_by_text("Provision").click()
    gallery.take(page, "portal-tenant")
    page.get_by_label("to confirm").fill("beta")
    page.get_by_role("button", name="Delete").click()
    expect(page.get_by_role("alert")).to_contain_text("Nothing was deleted")
    gallery.take(page, "portal-tenant-not-deleted")
    page.get_by_label("to confirm").fill(visitor.name)
    page.get_by_role("button", name="Delete").click()
    expect(page.get_by_text("It is deleted for good on")).to_be_visible()
    expect(page.locator("summary", has_text="Delete")).to_contain_text("Done")
    gallery.take(page, "portal-tenant-deleting")
    page.goto(f"{os.environ['SAAS_URL']}/my")
    gallery.take(page, "portal-home")
    page.goto(link)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("alert")).to_contain_text("too old or was used")
    gallery.take(page, "website-login-link-used")
    assert not gallery.flaws, "\n".join(gallery.flaws)


def test_a_customer_and_the_copies(master, mailbox, new_desk, new_visitor, gallery):
    desk, visitor = new_desk(), new_visitor("beta-bikes", **BETA)
    page = desk.open("/plans")
    sign_up(page, mailbox, visitor)
    page.wait_for_url("**/odoo**", timeout=TO_BUILD)
    [tenant] = master.search(
        "saas.tenant", [("name", "=", visitor.name), ("state", "=", "running")]
    )
    page.goto(f"{os.environ['SAAS_URL']}/my/backups")
    gallery.take(page, "portal-backups")
    page.get_by_role("link", name=visitor.name, exact=True).click()
    expect(page.get_by_text("There is no copy yet")).to_be_visible()
    gallery.take(page, "portal-backups-none")
    page.get_by_role("button", name="Make a copy now").click()
    expect(page.get_by_role("heading", name="Restore")).to_be_visible()
    prove(master, tenant)
    page.reload()
    gallery.take(page, "portal-backups-of-a-tenant")
    page.get_by_role("button", name="Make a copy now").click()
    typed = page.locator("#restore_name")
    typed.fill("bet")
    expect(page.locator(".o_saas_live[data-busy]")).to_have_count(0)
    expect(typed).to_have_value("bet")
    page.get_by_role("link", name="Certificate").click()
    expect(page.get_by_text("Proven on")).to_be_visible()
    gallery.take(page, "portal-certificate")
    link = page.get_by_role("link", name="Download").get_attribute("href")
    assert page.evaluate(FETCH, link) == [200, "%PDF"]
    page.locator("a[href*='/saas/verify/']").first.click()
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    gallery.take(page, "website-certificate-check")
    assert not gallery.flaws, "\n".join(gallery.flaws)
    assert not desk.errors, "\n".join(desk.errors)


def prove(master, tenant):
    """Have the newest copy restored for a trial."""
    [backup] = master.search(
        "saas.backup", [("tenant_id", "=", tenant), ("state", "=", "done")]
    )
    [operation] = master.call("saas.backup", "action_drill", backup)
    state = master.follow(operation)
    assert state == "done", master.read("saas.operation", operation, "message")
    return backup


def test_the_mails(mailbox, desk, new_visitor, gallery):
    visitor = new_visitor("alfa-bakery", **ALFA)
    mails = count_mails(mailbox, visitor)
    page = desk.open("/plans")
    sign_up(page, mailbox, visitor)
    page.wait_for_url("**/odoo**", timeout=TO_BUILD)
    ask_for_link(desk.open("/saas/login-link"), mailbox, visitor)
    page.goto(mailbox.url)
    gallery.take(page, "mailbox")
    for name, subject in MAILS:
        mailbox.find(re.compile(subject), "subject", visitor.email, mails + 1)
        page.goto(mailbox.url)
        listed = page.get_by_role(
            "link", name=re.compile(f"{subject}.*{visitor.email}")
        )
        listed.first.click()
        gallery.take(page, name)
    assert not gallery.flaws, "\n".join(gallery.flaws)


def test_the_back_office(master, new_desk, make_tenant, plan, recovery, office_gallery):
    tenant = make_tenant("alfa-bakery", "Alfa Bakery")
    master.provision(tenant)
    known = master.search("saas.image", [("reference", "=", WRONG_IMAGE)])
    values = {"name": "Odoo 19.0 for farms", "reference": WRONG_IMAGE}
    [image] = known or [master.create("saas.image", {**values, "sequence": 1000})]
    troubled = make_tenant("gamma-farm", "Gamma Farm", image_id=image)
    master.run(troubled, "action_provision")
    suspended = make_tenant("beta-bikes", "Beta Bikes")
    master.provision(suspended)
    values = {"tenant_ids": [suspended, troubled], "reason": "Unpaid since October."}
    asking = master.create("saas.tenant.suspend", values)
    batch = master.call("saas.tenant.suspend", "action_suspend", asking)["res_id"]
    assert master.settle(suspended) == "suspended"
    assert master.settle(troubled) == "failed"
    [operation] = master.search(
        "saas.operation", [("tenant_id", "=", tenant), ("kind", "=", "provision")]
    )
    numbers = {"tenant": tenant, "troubled": troubled, "operation": operation}
    numbers |= {"batch": batch, "recovery": recovery}
    for model in ("server", "database_server", "proxy"):
        [numbers[model]] = master.search(f"saas.{model.replace('_', '.')}", [])
    gone = make_tenant("delta-tailors", "Delta Tailors")
    master.provision(gone)
    assert master.run(gone, "action_delete", True)[0] == "done"
    [numbers["erasure"]] = master.search("saas.erasure", [("tenant_id", "=", gone)])
    numbers["plan"] = plan
    assert master.run(tenant, "action_backup")[0] == "done"
    numbers["backup"] = prove(master, tenant)
    [numbers["drill"]] = master.search(
        "saas.drill", [("backup_id", "=", numbers["backup"])]
    )
    numbers["store"] = master.read("saas.backup", numbers["backup"], "store_id")
    [numbers["backup_policy"], *_] = master.search("saas.backup.policy", [])
    # Otherwise the first page asks a service of Odoo's about the company.
    master.call("res.company", "write", 1, {"iap_enrich_auto_done": True})
    with sleepy(master, plan):
        for size in (DESK, PHONE):
            look_around(new_desk(viewport=size), office_gallery, numbers)
    assert not office_gallery.flaws, "\n".join(office_gallery.flaws)


@contextlib.contextmanager
def sleepy(master, plan):
    """Have a plan whose tenants sleep, with all that can be said about it."""
    values = {"sleep_minutes": 30, "stop_minutes": 240, "awake_days": "workdays"}
    values |= {"awake_from": 8.5, "awake_until": 18, "awake_tz": "Europe/Lisbon"}
    [before] = master.call("saas.plan", "read", [plan], list(values))
    master.call("saas.plan", "write", plan, values)
    yield
    before.pop("id")
    master.call("saas.plan", "write", plan, before)


def look_around(desk, gallery, numbers):
    """Take a picture of each page, as Odoo shows it at the size of this screen."""
    page = desk.log_in("admin", os.environ["SAAS_ADMIN_PASSWORD"])
    expect(page.locator(SHOWN).first).to_be_visible()
    # What was done before is told at any time, and Odoo greets, over whatever is there.
    page.add_style_tag(content=f"{OVER_ALL} {{ display: none }}")
    size = page.viewport_size
    for name, path, button in OFFICE:
        if button:  # which stands in a menu on a phone
            page.set_viewport_size(DESK)
        follow(page, f"/odoo/{path.format(**numbers)}")
        if button:
            page.get_by_role("button", name=button, exact=True).click()
            expect(page.get_by_role("dialog")).to_be_visible()
            page.set_viewport_size(size)
        gallery.take_as_it_is(page, name)
    follow(page, f"/odoo/saas-tenants/{numbers['tenant']}")
    page.get_by_role("tab", name="Timeline").click()
    expect(page.locator(".o_saas_timeline li").first).to_be_visible()
    gallery.take_as_it_is(page, "office-tenant-timeline")
    if size == DESK:
        look_at_the_recovery_key(page, gallery)
    assert not desk.errors, "\n".join(desk.errors)


def look_at_the_recovery_key(page, gallery):
    page.get_by_role("button", name="Configuration").click()
    page.get_by_role("menuitem", name="Recovery Key").click()
    # Each time another one is shown, and none is to be kept in a picture.
    shown = page.get_by_role("dialog").locator("[name=private] span").first
    shown.evaluate("(key) => { key.textContent = '0123456789abcdef'.repeat(4) }")
    gallery.take(page, "office-recovery-key")


def follow(page, path):
    """Go there as by a link in the back office, which is not loaded anew for it."""
    page.evaluate(FOLLOW, path)
    expect(page.locator(f"{SHOWN}:not([data-left])").first).to_be_visible()
