"""The end of a tenant's life for real: deleted, archived, back again, erased."""

from __future__ import annotations

import json
import time

import requests

from .copies import ATTACH, Inside, log_in
from .test_backup import list_copies

SECONDS = 180

# The time is over in which it can be taken back, and the next minute begins.
OVER = """
UPDATE saas_tenant SET erase_on = now() AT TIME ZONE 'UTC' - interval '1 second'
 WHERE id = {tenant};
INSERT INTO ir_cron_trigger (cron_id, call_at) SELECT res_id, now()
  FROM ir_model_data WHERE module = 'saas' AND name = 'ir_cron_tick';
NOTIFY cron_trigger, 'master'
"""


def end_period(master, stack, tenant, expected):
    """Let that time be over, and the master do what is due then."""
    stack.sql(OVER.format(tenant=tenant), "master")
    until = time.monotonic() + SECONDS
    while master.read("saas.tenant", tenant, "state") != expected:
        message = master.read("saas.tenant", tenant, "state_message")
        assert time.monotonic() < until, message
        time.sleep(0.5)
    assert master.settle(tenant) == expected


def test_a_deleted_tenant_is_archived_comes_back_and_is_erased_with_a_certificate(
    master, engine, stack, tenant
):
    uid = master.read("saas.tenant", tenant, "uid")
    url = master.read("saas.tenant", tenant, "url")
    inside = Inside(stack, uid)
    inside.shell(ATTACH)
    attached, hashes = inside.attachments(), inside.hashes()

    # Deleted, and archived after its grace: nothing is left but what is in the store.
    assert master.run(tenant, "action_delete")[0] == "done"
    assert master.settle(tenant) == "deleting"
    end_period(master, stack, tenant, "archived")
    assert not stack.take_inventory().of(uid)
    copy = master.read("saas.tenant", tenant, "archive_backup_id")
    assert master.read("saas.backup", copy, "drill_state") == "passed"
    assert list_copies(engine, stack, uid)
    assert requests.get(url, timeout=30).status_code == 404

    # Back, under the same address, with all it had.
    state, message = master.run(tenant, "action_resume")
    assert state == "done", message
    assert master.read("saas.tenant", tenant, "state") == "running"
    assert master.read("saas.tenant", tenant, "url") == url
    log_in(master, tenant)
    assert inside.attachments() == attached
    found = inside.hashes()
    assert {name: found.get(name) for name in hashes} == hashes

    # Archived at once, and erased when its time in the archive is over.
    state, message = master.run(tenant, "action_archive")
    assert state == "done", message
    end_period(master, stack, tenant, "deleted")
    assert not stack.take_inventory().of(uid)
    assert not list_copies(engine, stack, uid)

    [erasure] = master.search("saas.erasure", [("tenant_id", "=", tenant)])
    says = json.loads(master.read("saas.erasure", erasure, "content"))
    assert (says["uid"], says["tenant"]) == (
        uid,
        master.read("saas.tenant", tenant, "name"),
    )
    assert says["copies"] >= 2
    page = requests.get(master.read("saas.erasure", erasure, "verify_url"), timeout=30)
    assert page.status_code == 200
    assert "Authentic." in page.text
