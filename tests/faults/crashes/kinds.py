"""How each kind of operation is brought about, on whom.

A kind with a method ``action_<kind>`` of the tenant is found by itself, and asked of
one in the first state that ``TRANSITIONS`` has for it. Others have an entry here:
``_ask_<kind>`` asks for it, ``FAILURES`` has those that follow when another one fails.
What is still left is recorded for a tenant that runs.
"""

from __future__ import annotations

import contextlib
import itertools
from datetime import UTC, datetime
from unittest.mock import patch

from world import CANARY, IMAGE, FiledToolbox, superuser, write_words

from odoo.addons.saas.const import KINDS, TRANSITIONS, UNFINISHED
from odoo.addons.saas.engine import names, sealing
from odoo.addons.saas.engine.errors import RefusedError
from odoo.addons.saas_backup.engine import keys
from odoo.addons.saas_backup.engine.repository import new_backup_id

# The state of the tenant that it is asked of, where it is not the table's first one.
STATES = {
    "erase": "running",
    "recover": "running",
    "rest": "sleeping",
    "restore_archived": "archived",
    "restore_new": "running",
}
# How many good copies have to be there.
COPIES = {
    "drill": 1,
    "erase": 1,
    "prune": 2,
    "restore": 1,
    "restore_new": 1,
    "verify": 1,
}
# How a tenant that runs comes into a state, and how it runs again.
WAYS = {
    "sleeping": "action_sleep",
    "stopped": "action_stop",
    "suspended": "action_suspend",
    "deleting": "action_delete",
    "archived": "action_archive",
}
BACK = {
    "sleeping": "action_wake",
    "stopped": "action_start",
    "suspended": "action_resume",
    "deleting": "action_resume",
    "archived": "action_resume",
}


@contextlib.contextmanager
def no_room_for_containers(_world):
    error = RefusedError("There is no room.", reason="no_room")
    with patch.object(FiledToolbox, "ensure", side_effect=error):
        yield


@contextlib.contextmanager
def failing_init(world):
    with world.driver.open() as server:
        server.outcomes["init"] = 1
    yield
    with world.driver.open() as server:
        del server.outcomes["init"]


@contextlib.contextmanager
def failing_boot(world):
    with world.driver.open() as server:
        server.faults["boot"] = [("login", 1)]
    yield


# What follows by itself when another kind fails, and how that is made to.
FAILURES = {
    "discard": ("build", failing_init),
    "undo": ("provision", no_room_for_containers),
    "discard_drill": ("drill", failing_boot),
    "undo_restore": ("restore", no_room_for_containers),
}


def find_kinds():
    """All that there are, those of every addon; some are only recorded."""
    return sorted(kind for kind, spec in KINDS.items() if spec.steps)


class Kinds:
    """Asks for whatever there is."""

    def __init__(self, master) -> None:
        self.master = master
        self._numbers = itertools.count(1)
        self._idle = []  # tenants that may be used again
        self._signed = set()
        self._private_key, self._public_key = keys.new_recovery_key()

    # === TENANTS === #

    def bring(self, kind):
        """A tenant that this kind can be asked of; its id."""
        state = self._find_state(kind)
        if state == "draft":
            with self.master.transaction() as env:
                return self._create(env).id
        tenant = self._take()
        if state != "running":
            self._do(tenant, WAYS[state], state)
        return tenant

    def give_back(self, tenant):
        self._idle.append(tenant)

    def _find_state(self, kind):
        kind, _failing = FAILURES.get(kind, (kind, None))
        sources, _target = TRANSITIONS.get(kind, (("running",), None))
        return STATES.get(kind, sources[0])

    def _take(self):
        """One that runs, made where there is none."""
        tenant = self._find_idle() or self._make_running()
        if tenant not in self._signed:
            self._sign(tenant)
        return tenant

    def _find_idle(self):
        while self._idle:
            tenant = self._idle.pop()
            with self.master.transaction() as env:
                state = env["saas.tenant"].browse(tenant).state
            if state in BACK:
                self._do(tenant, BACK[state], "running")
            if state in ("running", *BACK):
                return tenant
        return None

    def _make_running(self):
        with self.master.transaction() as env:
            tenant = self._create(env).id
        self._do(tenant, "action_provision", "running")
        return tenant

    def _sign(self, tenant):
        """Have words and a file in there that are nobody else's."""
        with self.master.transaction() as env:
            uid = env["saas.tenant"].browse(tenant).uid
        with superuser(uid) as cursor:
            write_words(cursor, [uid])
        with self.master.world.driver.open() as server:
            server.state[uid][CANARY] += f" {uid}".encode()
        self._signed.add(tenant)

    def _create(self, env):
        partner = env["res.partner"].search([("email", "=", "ann@alfa.example")])
        return env["saas.tenant"].create(
            {
                "name": self._make_name(),
                "partner_id": partner.id,
                "plan_id": env["saas.plan"].search([], limit=1).id,
            }
        )

    def _make_name(self):
        return f"crash{next(self._numbers)}"

    def _do(self, tenant, action, state):
        with self.master.transaction() as env:
            getattr(env["saas.tenant"].browse(tenant), action)()
        self._settle(tenant, state)

    def _settle(self, tenant, state):
        self.master.settle(60)
        with self.master.transaction() as env:
            found = env["saas.tenant"].browse(tenant)
            assert found.state == state, f"{found.state}: {found.state_message}"

    # === ASKING === #

    def ask(self, kind, tenant):
        """Ask for it; the id of the operation."""
        if kind in FAILURES:
            cause, failing = FAILURES[kind]
            with failing(self.master.world):
                self.ask(cause, tenant)
                return self._run_until_asked(kind)
        for _number in range(COPIES.get(kind, 0)):
            self._do(tenant, "action_backup", "running")
        with self.master.transaction() as env:
            operation = self._ask(kind, env["saas.tenant"].browse(tenant))
            assert operation.kind == kind, f"{operation.kind} was asked for"
            return operation.id

    def _ask(self, kind, tenant):
        own = getattr(self, f"_ask_{kind}", None)
        if own:
            return own(tenant)
        if action := getattr(tenant, f"action_{kind}", None):
            return action()
        return tenant.env["saas.operation"]._record(kind, tenant)

    def _run_until_asked(self, kind):
        """Run all but what is then asked for."""
        for _round in range(100):
            with self.master.transaction() as env:
                found = env["saas.operation"].search(
                    [("kind", "=", kind), ("state", "in", UNFINISHED)]
                )
                if found:
                    return found.id
            self.master.run_due()
        raise AssertionError(f"{kind} was not asked for")

    def _ask_build(self, tenant):
        template = tenant.template_id
        return (
            tenant.env["saas.template"]
            ._get_or_create(
                image=template.image_id,
                modules=["base", self._make_name()],
                lang="en_US",
                server=template.server_id,
                database_server=template.database_server_id,
            )
            .action_build()
        )

    def _ask_erase(self, tenant):
        return tenant.action_delete(erase_now=True)

    def _ask_logs(self, tenant):
        return tenant.action_read_log()

    def _ask_rename(self, tenant):
        return tenant.action_rename(self._make_name())

    def _ask_verify(self, tenant):
        copy = tenant._get_good_backups()[0]
        return tenant.env["saas.operation"]._record("verify", copy)

    def _ask_prune(self, tenant):
        return tenant._get_good_backups()[1].action_remove()

    def _ask_drill(self, tenant):
        return tenant._get_good_backups()[0].action_drill()

    def _ask_restore(self, tenant):
        return tenant.action_restore(tenant._get_good_backups()[0].id)

    def _ask_restore_new(self, tenant):
        copy = tenant._get_good_backups()[0]
        return tenant.action_restore(copy.id, as_new_name=self._make_name())

    def _ask_restore_archived(self, tenant):
        return tenant.action_resume()

    def _ask_recover(self, tenant):
        """One that only the store knows of."""
        lost = self._lose_a_tenant()
        recovery = tenant.env["saas.recovery"].create(
            {
                "store_id": tenant.env["saas.store"].search([], limit=1).id,
                "server_id": tenant.server_id.id,
                "recovery_key": self._private_key,
            }
        )
        recovery.action_look()
        recovery._check()
        assert recovery.line_ids.uid == lost, recovery.check_message
        return recovery.action_recover()

    def _lose_a_tenant(self):
        uid, copy = names.new_uid(), new_backup_id()
        key = sealing.derive(sealing.new_data_key(), "backup")
        made = {
            "backup": copy,
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            "size": 5_000_000,
            "image": IMAGE,
            "odoo_version": "19.0",
            "reason": "schedule",
            "files": 12,
            "files_size": 4_900_000,
            "database_size": 60_000,
            "missing": 0,
        }
        row = {
            "uid": uid,
            "key": keys.wrap(uid, key, self._public_key).decode(),
            "copies": 1,
            "about": {"name": self._make_name(), "customer": "Ana Alvarez"},
            **made,
        }
        with self.master.world.driver.open() as server:
            server.found, server.copies = [row], [made]
            server.store[uid] = [copy]
            server.copied[copy] = (("template", uid), {CANARY: b"template"})
        return uid
