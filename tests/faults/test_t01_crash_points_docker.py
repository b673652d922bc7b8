"""T01: the worker is killed before or after whatever it does, on real Docker.

Each fail point has a tenant of its own that waits there until all others of the round
are at theirs; then one kill ends them all. What becomes of each must be what becomes of
a tenant that met no kill.

Each run takes some points by chance, at least one of each kind, by the seed that it
prints. ``SAAS_SEED`` takes the same again, and ``SAAS_ALL_STEPS=1`` takes all.
"""

import dataclasses
import os
import random
import re
import secrets
import time

import pytest

from e2e.conftest import tenants_made
from stack.compose import Compose
from stack.shell import Shell

FAIL_POINTS = "/var/lib/odoo/fail-points"
SECOND = re.compile(r"-\d+\.")
PLACE = ("provision", "place.before")
SECONDS = 240
SEED = os.environ.get("SAAS_SEED") or secrets.token_hex(3)
ALL_POINTS = bool(os.environ.get("SAAS_ALL_STEPS"))
SCHEDULED = ("ir_cron_back_up", "ir_cron_drill", "ir_cron_verify")
AT_ONCE = 8  # tenants that wait at fail points, each in a slot of the queue
ACTIONS = {
    "provision": ("action_provision",),
    "sleep": ("action_sleep",),
    "wake": ("action_wake",),
    "suspend": ("action_suspend",),
    "resume": ("action_resume",),
    "backup": ("action_backup",),
    "restore": ("action_restore",),
    "drill": ("action_drill",),
    "delete": ("action_delete",),
    "erase": ("action_delete", True),
}
SAMPLE = {"provision": AT_ONCE, "erase": AT_ONCE // 2}  # of the others one each
# What has to be done first with a tenant that runs, and what has it run again.
FIRST = {"wake": "sleep", "resume": "suspend", "restore": "backup", "drill": "backup"}
AFTERWARDS = {"sleep": "wake", "suspend": "resume", "delete": "resume"}


@dataclasses.dataclass(frozen=True)
class End:
    """What came of an operation, and what there is of its tenant then.

    :param copies: states of those that are not good
    """

    operation: str
    tenant: str
    copies: frozenset
    things: frozenset


ENDS = {  # states of operation and tenant, and the number of things
    "provision": ("done", "running", 6),
    "sleep": ("done", "sleeping", 7),  # its route knows a page for while it wakes
    "wake": ("done", "running", 6),
    "suspend": ("done", "suspended", 7),  # its route leads to a page
    "resume": ("done", "running", 6),
    "backup": ("done", "running", 6),
    "restore": ("done", "running", 6),
    "drill": ("done", "running", 6),
    "delete": ("done", "deleting", 7),
    "erase": ("done", "deleted", 0),
}


class Crashes:
    """Asks for operations, kills the worker in them, and looks at what became."""

    def __init__(self, master, stack, tell):
        self.master = master
        self.stack = stack
        self.tell = tell

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

    def trace(self, kind, tenant):
        """What comes of it without any kill, by each fail point that it passes.

        Not by those of second calls, which are first ones where a step went on.
        """
        self._run(f"mkdir -p {FAIL_POINTS} && touch {FAIL_POINTS}/trace")
        try:
            end = self.look_at_end(self.ask(kind, tenant), tenant)
            passed = self._run(f"cat {FAIL_POINTS}/trace").split()
        finally:
            self._run(f"rm -f {FAIL_POINTS}/*")
        own = f"{self._find_uid(tenant)}.{kind}."
        return {
            (kind, name.removeprefix(own)): end
            for name in passed
            if name.startswith(own) and not SECOND.search(name)
        }

    def kill_at(self, tenants):
        """Ask it of {(kind, point): tenant}, and kill each at its point; their ends."""
        self._do([(FIRST[key[0]], t) for key, t in tenants.items() if key[0] in FIRST])
        points = {
            (kind, point): f"{self._find_uid(tenant)}.{kind}.{point}"
            for (kind, point), tenant in tenants.items()
        }
        self._run(
            f"mkdir -p {FAIL_POINTS} && cd {FAIL_POINTS}"
            f" && touch {' '.join(points.values())}"
        )
        restarts = self._count_restarts()
        operations = {}
        try:
            for key in sorted(tenants, key=PLACE.__eq__):
                if key == PLACE:
                    # Who has not recorded the slot that it took lets others wait.
                    self._wait_until_passed({*points.values()} - {points[PLACE]})
                operations[key] = self.ask(key[0], tenants[key])
            self._wait_until_passed({*points.values()})
        finally:
            # Who waits at one is let go.
            self._run(f"rm -f {FAIL_POINTS}/*")
        killed = time.monotonic()
        ends = {
            key: self.look_at_end(operation, tenants[key])
            for key, operation in operations.items()
        }
        seconds = time.monotonic() - killed
        assert self._count_restarts() == restarts + 1
        self.tell(f"{len(ends)} killed at once had ended after {seconds:.0f} s")
        self._do(
            [
                (AFTERWARDS[kind], tenant)
                for (kind, _point), tenant in tenants.items()
                if kind in AFTERWARDS
            ]
        )
        return ends

    def _do(self, wanted):
        """Have each of [(kind, tenant)] done, without any kill."""
        operations = [self.ask(kind, tenant) for kind, tenant in wanted]
        for operation, (_kind, tenant) in zip(operations, wanted, strict=True):
            assert self.master.follow(operation, SECONDS) == "done"
            self.master.settle(tenant, SECONDS)

    def look_at_end(self, operation, tenant):
        """What became of both, once nothing is under way."""
        state = self.master.follow(operation, SECONDS)
        # A delete has a last copy made, by an operation of its own.
        tenant_state = self.master.settle(tenant, SECONDS)
        uid = self._find_uid(tenant)
        domain = [
            ("tenant_id", "=", tenant),
            ("state", "not in", ("done", "deleted")),
        ]
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
def _slots_for_all(values, master):
    """Have the worker run more jobs at once: who waits at a point keeps its slot.

    Nothing comes by schedule meanwhile, at night, that is not there without a kill.
    """
    schedule = [("module", "=", "saas_backup"), ("name", "in", SCHEDULED)]
    found = master.search("ir.model.data", schedule)
    crons = [master.read("ir.model.data", one, "res_id") for one in found]
    assert len(crons) == len(SCHEDULED)
    master.call("ir.cron", "write", crons, {"active": False})
    more = {
        **values.values,
        "SAAS_JOB_CHANNELS": "root:12",
        "SAAS_FAIL_POINTS": FAIL_POINTS,
    }
    recreate_worker(dataclasses.replace(values, values=more))
    yield
    recreate_worker(values)
    master.call("ir.cron", "write", crons, {"active": True})


def recreate_worker(values):
    shell = Shell(values.cache / "logs" / f"{values.stack}.log")
    Compose(values, shell).run(
        *("up", "--detach", "--no-build", "--no-deps", "worker"),
        failure="The worker cannot be recreated.",
    )


@pytest.fixture(scope="module")
def crashes(master, stack, request):
    terminal = request.config.pluginmanager.getplugin("terminalreporter")
    return Crashes(master, stack, lambda said: terminal.write_line(f"\n{said}"))


@pytest.fixture(scope="module")
def make(master, plan, names):
    with tenants_made(master, plan, names) as make:
        yield make


@pytest.fixture(scope="module")
def undisturbed(crashes, make):
    """What one tenant met, without any kill: {(kind, point): End}."""
    tenant, found = make(), {}
    for kind in ACTIONS:
        found |= crashes.trace(kind, tenant)
    return found


@pytest.fixture(scope="module")
def chosen(undisturbed, crashes):
    """The points of this run, by kind."""
    chance = random.Random(SEED)
    taken = {}
    for kind in ACTIONS:
        points = [key for key in undisturbed if key[0] == kind]
        sample = chance.sample(points, SAMPLE.get(kind, 1))
        taken[kind] = points if ALL_POINTS else sample
    said = [".".join(key) for keys in taken.values() for key in keys]
    crashes.tell(f"SAAS_SEED={SEED} {len(said)} kills: {', '.join(said)}")
    return taken


def kill_in_rounds(crashes, keys, tenants):
    """Kill each at its point, as many at once as may be."""
    ends = {}
    for first in range(0, len(keys), AT_ONCE):
        some = keys[first : first + AT_ONCE]
        ends |= crashes.kill_at(dict(zip(some, tenants(len(some)), strict=True)))
    return ends


@pytest.fixture(scope="module")
def tenants():
    """Those that were provisioned, and then are used again."""
    return []


@pytest.fixture(scope="module")
def provisioned(crashes, chosen, tenants, make):
    def make_some(number):
        tenants.extend(make() for _each in range(number))
        return tenants[-number:]

    return kill_in_rounds(crashes, chosen["provision"], make_some)


@pytest.fixture(scope="module")
def used(provisioned, crashes, chosen, tenants):
    """Whatever is asked for between the first and the last."""
    keys = [
        key
        for kind, keys in chosen.items()
        if kind not in ("provision", "erase")
        for key in keys
    ]
    return kill_in_rounds(crashes, keys, lambda number: tenants[:number])


@pytest.fixture(scope="module")
def erased(used, crashes, chosen, tenants):
    left = list(tenants)
    return kill_in_rounds(
        crashes, chosen["erase"], lambda number: [left.pop() for _each in range(number)]
    )


def assert_same(ends, undisturbed):
    assert ends == {key: undisturbed[key] for key in ends}


def tell(ends):
    points = ", ".join(sorted(".".join(key) for key in ends))
    return f"SAAS_SEED={SEED}: {len(ends)} killed: {points}"


@pytest.mark.case(
    did="a tenant does everything once, and nobody is killed",
    expected="what is there after each kind is known",
)
def test_t01_a_tenant_that_meets_no_kill_ends_as_it_should(undisturbed, found):
    for (kind, _point), end in undisturbed.items():
        seen = end.operation, end.tenant, len(end.things)
        assert (*seen, end.copies) == (*ENDS[kind], frozenset()), kind
    assert {kind for kind, _point in undisturbed} == set(ACTIONS)
    found(f"{len(undisturbed)} points of {len(ACTIONS)} kinds")


@pytest.mark.case(
    did="the worker is killed in provisions of several tenants at once",
    expected="each ends as without it",
)
def test_t01_a_provisioning_killed_at_any_point_ends_the_same(
    undisturbed, provisioned, found
):
    assert_same(provisioned, undisturbed)
    found(tell(provisioned))


@pytest.mark.case(
    did="the worker is killed in whatever is asked of a tenant later",
    expected="each ends as without it, and nothing of a throwaway is left",
)
def test_t01_what_is_asked_of_a_tenant_later_ends_the_same(
    undisturbed, used, crashes, found
):
    assert_same(used, undisturbed)
    assert crashes.find_throwaways() == set()
    found(tell(used))


@pytest.mark.case(
    did="the worker is killed while tenants are erased",
    expected="nothing of them is left",
)
def test_t01_an_erasing_killed_at_any_point_leaves_nothing(undisturbed, erased, found):
    """Some have copies, and some have been to the throwaway and back."""
    assert_same(erased, undisturbed)
    found(tell(erased))
