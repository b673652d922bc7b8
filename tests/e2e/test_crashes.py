"""The worker is killed by SIGKILL at each step, before and after it is recorded.

Each step has a tenant of its own that waits at its fail point until all others of the
round are at theirs; then one kill ends them all. What becomes of each must be what
becomes of a tenant that met no kill.

Restores and drills start an Odoo in each of their lives: of their steps each run takes
some by chance, by the seed that it prints. ``SAAS_SEED`` takes the same again, and
``SAAS_ALL_STEPS=1`` takes all.
"""

import dataclasses
import os
import random
import secrets
import time

import pytest

from stack import settings
from stack.compose import Compose
from stack.shell import Shell

from .conftest import tenants_made

FAIL_POINTS = "/var/lib/odoo/fail-points"
MOMENTS = ("before", "after")
PLACE = ("provision", "place")
SECONDS = 240
SEED = os.environ.get("SAAS_SEED") or secrets.token_hex(3)
ALL_STEPS = bool(os.environ.get("SAAS_ALL_STEPS"))
ACTIONS = {
    "provision": ("action_provision",),
    "backup": ("action_backup",),
    "restore": ("action_restore",),
    "drill": ("action_drill",),
    "delete": ("action_delete",),
    "erase": ("action_delete", True),
}


@dataclasses.dataclass(frozen=True)
class End:
    """What came of an operation, and what there is of its tenant then."""

    operation: str
    tenant: str
    copies: frozenset
    things: frozenset


ENDS = {  # states of operation, tenant and copies, and the number of things
    "provision": ("done", "running", set(), 6),
    "backup": ("done", "running", {"done"}, 6),
    "restore": ("done", "running", {"done"}, 6),
    "drill": ("done", "running", {"done"}, 6),
    "delete": ("done", "deleting", {"done"}, 7),  # its route leads to a page
    "erase": ("done", "deleted", set(), 0),
}


class Crashes:
    """Asks for operations, kills the worker in them, and looks at what became."""

    def __init__(self, master, stack):
        self.master = master
        self.stack = stack

    def ask(self, kind, tenant):
        action, *arguments = ACTIONS[kind]
        if kind == "drill":
            copy = self._find_newest_copy(tenant)
            [operation] = self.master.call("saas.backup", action, copy)
            return operation
        if kind == "restore":
            arguments = [self._find_newest_copy(tenant)]
        [operation] = self.master.call("saas.tenant", action, tenant, *arguments)
        return operation

    def _find_newest_copy(self, tenant):
        domain = [("tenant_id", "=", tenant), ("state", "=", "done")]
        [copy] = self.master.search("saas.backup", domain, order="date desc", limit=1)
        return copy

    def kill_at(self, tenants):
        """Ask it of {(kind, step): tenant}, and kill each at its step; their ends.

        One kill is before all the steps are recorded, and one after.
        """
        names = {
            (kind, step): f"{self._find_uid(tenant)}.{kind}.{step}"
            for (kind, step), tenant in tenants.items()
        }
        points = {f"{name}.{moment}" for name in names.values() for moment in MOMENTS}
        self._run(
            f"mkdir -p {FAIL_POINTS} && cd {FAIL_POINTS} && touch {' '.join(points)}"
        )
        restarts = self._count_restarts()
        operations = {}
        try:
            for kind, step in sorted(tenants, key=PLACE.__eq__):
                if (kind, step) == PLACE:
                    # Who has not recorded the slot that it took lets others wait.
                    self._wait_until_passed(
                        {f"{name}.before" for name in names.values()}
                        - {f"{names[PLACE]}.before"}
                    )
                operations[kind, step] = self.ask(kind, tenants[kind, step])
            self._wait_until_passed(points)
        finally:
            # Who waits at one is let go.
            self._run(f"rm -f {FAIL_POINTS}/*")
        ends = {
            key: self.look_at_end(operation, tenants[key])
            for key, operation in operations.items()
        }
        assert self._count_restarts() == restarts + len(MOMENTS)
        return ends

    def look_at_end(self, operation, tenant):
        """What became of both, once nothing is under way."""
        state = self.master.follow(operation, SECONDS)
        # A delete has a last copy made, by an operation of its own.
        tenant_state = self.master.settle(tenant, SECONDS)
        uid = self._find_uid(tenant)
        domain = [("tenant_id", "=", tenant), ("state", "!=", "deleted")]
        copies = self.master.search("saas.backup", domain)
        return End(
            state,
            tenant_state,
            frozenset(
                self.master.read("saas.backup", copy, "state") for copy in copies
            ),
            frozenset(
                (sort, name.replace(uid, "uid"))
                for sort, name in self.stack.take_inventory().of(uid)
            ),
        )

    def find_throwaways(self):
        """What is left of those that copies were tried in."""
        inventory = self.stack.take_inventory()
        drills = self.master.search("saas.drill", [])
        uids = [self.master.read("saas.drill", drill, "uid") for drill in drills]
        return {found for uid in uids for found in inventory.of(uid)}

    def _find_uid(self, tenant):
        return self.master.read("saas.tenant", tenant, "uid")

    def _count_restarts(self):
        return self.stack.container("worker").attrs["RestartCount"]

    def _wait_until_passed(self, points):
        until = time.monotonic() + SECONDS
        while left := points & set(self._run(f"ls {FAIL_POINTS}").split()):
            assert time.monotonic() < until, f"not passed: {sorted(left)}"
            time.sleep(0.2)

    def _run(self, script):
        """Run it where the worker's files are seen and nobody is killed."""
        result = self.stack.container("web").exec_run(["sh", "-c", script])
        assert result.exit_code == 0, result.output
        return result.output.decode()


@pytest.fixture(scope="module", autouse=True)
def _slots_for_all():
    """Have the worker run more jobs at once: who waits at a point keeps its slot."""
    values = settings.load_test()
    more = {**values.values, "SAAS_JOB_CHANNELS": "root:12"}
    recreate_worker(dataclasses.replace(values, values=more))
    yield
    recreate_worker(values)


def recreate_worker(values):
    shell = Shell(values.cache / "logs" / f"{values.stack}.log")
    Compose(values, shell).run(
        *("up", "--detach", "--no-build", "--no-deps", "worker"),
        failure="The worker cannot be recreated.",
    )


@pytest.fixture(scope="module")
def crashes(master, stack):
    return Crashes(master, stack)


@pytest.fixture(scope="module")
def make(master, plan, names):
    with tenants_made(master, plan, names) as make:
        yield make


@pytest.fixture(scope="module")
def undisturbed(master, crashes, make):
    """What one tenant met, without any kill: {(kind, step): End}."""
    tenant, found = make(), {}
    for kind in ACTIONS:
        operation = crashes.ask(kind, tenant)
        end = crashes.look_at_end(operation, tenant)
        for row in master.read("saas.operation", operation, "step_ids"):
            found[kind, master.read("saas.operation.step", row, "name")] = end
    return found


@pytest.fixture(scope="module")
def tenants(undisturbed, make):
    """As many as the longest round needs; each round goes on from the one before."""
    return [make() for kind, _step in undisturbed if kind == "provision"]


@pytest.fixture(scope="module")
def kill_at_every_step(crashes, undisturbed, tenants):
    def kill(*kinds):
        steps = [key for key in undisturbed if key[0] in kinds]
        return crashes.kill_at(dict(zip(steps, tenants, strict=False)))

    return kill


@pytest.fixture(scope="module")
def provisioned(kill_at_every_step):
    return kill_at_every_step("provision")


@pytest.fixture(scope="module")
def copied_or_deleted(provisioned, kill_at_every_step):
    return kill_at_every_step("backup", "delete")


@pytest.fixture(scope="module")
def restored_or_tried(copied_or_deleted, crashes, undisturbed, tenants):
    """Those that have a copy and run, one of them for each step at a time."""
    chosen = [key for key in undisturbed if key[0] in ("restore", "drill")]
    copied = [kind for kind, _step in copied_or_deleted].count("backup")
    if not ALL_STEPS:
        chosen = random.Random(SEED).sample(chosen, copied)
    ends = {}
    for first in range(0, len(chosen), copied):
        steps = chosen[first : first + copied]
        ends |= crashes.kill_at(dict(zip(steps, tenants, strict=False)))
    return ends


@pytest.fixture(scope="module")
def erased(restored_or_tried, kill_at_every_step):
    return kill_at_every_step("erase")


def assert_same(found, undisturbed, *kinds):
    assert found == {key: end for key, end in undisturbed.items() if key[0] in kinds}


def test_a_tenant_that_meets_no_kill_ends_as_it_should(undisturbed):
    for (kind, _step), end in undisturbed.items():
        found = end.operation, end.tenant, set(end.copies), len(end.things)
        assert found == ENDS[kind], kind


def test_a_provisioning_killed_at_any_step_ends_the_same(undisturbed, provisioned):
    assert_same(provisioned, undisturbed, "provision")


def test_a_copy_or_deletion_killed_at_any_step_ends_the_same(
    undisturbed, copied_or_deleted
):
    assert_same(copied_or_deleted, undisturbed, "backup", "delete")


def test_a_restore_or_drill_killed_at_any_step_ends_the_same(
    undisturbed, restored_or_tried, crashes, capsys
):
    with capsys.disabled():
        print(f"\nSAAS_SEED={SEED} killed {sorted(restored_or_tried)}")
    expected = {key: undisturbed[key] for key in restored_or_tried}
    assert restored_or_tried == expected
    assert crashes.find_throwaways() == set()


def test_an_erasing_killed_at_any_step_leaves_nothing(undisturbed, erased):
    """Some were deleted before, some are running, most with copies."""
    assert_same(erased, undisturbed, "erase")
