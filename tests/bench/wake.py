"""First requests to a tenant that sleeps, and later ones, through the proxy.

Q, R: the first page of one that is paused, and of one that is stopped
S, T: 200 first requests at once, half of them forms, until the last is answered
U: what a request to one that has slept and is awake takes more than to one that never
    sleeps; as a part of it, as long as the master has not seen that it was woken

Q to T lose nothing, or they fail.
"""

from __future__ import annotations

import concurrent.futures
import functools
import itertools
import secrets
import statistics
import time
from collections.abc import Callable

import requests
from docker.models.containers import Container

from .backups import Bench
from .client import SECONDS, BenchError, wait
from .report import Measured

MODULES = "base"
TOGETHER = 200
IN_A_ROW = 300
SMALL = "/web/static/img/favicon.ico"
CALL = {"jsonrpc": "2.0", "method": "call", "params": {}}


class Dormitory:
    """The tenants that the arms share."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench

    @functools.cached_property
    def sleeper(self) -> Sleeper:
        return Sleeper(self._bench, self._plan)

    @functools.cached_property
    def waker(self) -> Sleeper:
        """One that sleeps in U alone, so that it is seen to be awake there."""
        return Sleeper(self._bench, self._plan)

    @functools.cached_property
    def other(self) -> Sleeper:
        return Sleeper(self._bench, self._plan)

    @functools.cached_property
    def _plan(self) -> int:
        master = self._bench.master
        return master.create("saas.plan", name="Bench wake", modules=MODULES)


class Sleeper:
    """A tenant that is put to sleep again and again."""

    def __init__(self, bench: Bench, plan: int) -> None:
        self._bench = bench
        master = bench.master
        self.id = master.create(
            "saas.tenant",
            name=f"bench-{secrets.token_hex(5)}",
            partner_id=bench.partner,
            plan_id=plan,
        )
        bench.made.callback(bench.erase, self.id)
        bench.run(self.id, "action_provision")
        found = master.read("saas.tenant", self.id, "uid", "url")
        self.url = found["url"]
        self._uid = found["uid"]
        self._container = bench.stack.tenant_container(self._uid)
        self._rest_from_actions()
        self.visit()

    def _rest_from_actions(self) -> None:
        """Have nothing due that would keep it awake, or wake it, for a day."""
        sql = self._bench.stack.sql
        now = "now() AT TIME ZONE 'utc'"
        sql(f"UPDATE ir_cron SET nextcall = {now} + interval '1 day'", self._uid)
        sql("DELETE FROM ir_cron_trigger", self._uid)

    def sleep(self, *, stopped: bool) -> None:
        self._bench.run(self.id, "action_sleep")
        if self._state() != "paused":
            raise BenchError(f"it sleeps, and its container is {self._state()}")
        if stopped:
            self._container.unpause()
            self._container.stop(timeout=10)

    def _state(self) -> str:
        container: Container = self._container
        container.reload()
        return str(container.status)

    def visit(self) -> float:
        """Ask for a page; the seconds that it took."""
        return self._take(lambda: requests.get(f"{self.url}/web/login", timeout=60))

    def send(self) -> float:
        """Send something that has a body; the seconds that it took."""
        url = f"{self.url}/web/webclient/version_info"
        return self._take(lambda: requests.post(url, json=CALL, timeout=60))

    @staticmethod
    def _take(ask: Callable[[], requests.Response]) -> float:
        began = time.monotonic()
        answer = ask()
        taken = time.monotonic() - began
        if answer.status_code != 200:
            raise BenchError(f"a first request was answered {answer.status_code}")
        if "<form" not in answer.text and "result" not in answer.json():
            raise BenchError("a first request was answered by something else")
        return taken

    def is_seen_awake(self) -> bool:
        domain = [["tenant_id", "=", self.id], ["state", "in", ["pending", "running"]]]
        master = self._bench.master
        if master.call("saas.operation", "search", domain=domain):
            return False
        return bool(master.read("saas.tenant", self.id, "state")["state"] == "running")


class First:
    """One first request."""

    def __init__(self, key: str, sleeper: Sleeper, *, stopped: bool) -> None:
        self.key = key
        self._sleeper = sleeper
        self._stopped = stopped

    def measure(self) -> Measured:
        self._sleeper.sleep(stopped=self._stopped)
        return Measured(self._sleeper.visit())


class Crowd:
    """Many first requests at one moment, by turns with a body and without."""

    def __init__(self, key: str, sleeper: Sleeper, *, stopped: bool) -> None:
        self.key = key
        self._sleeper = sleeper
        self._stopped = stopped

    def measure(self) -> Measured:
        sleeper = self._sleeper
        sleeper.sleep(stopped=self._stopped)
        with concurrent.futures.ThreadPoolExecutor(TOGETHER) as pool:
            asks = itertools.cycle((sleeper.visit, sleeper.send))
            asked = [pool.submit(next(asks)) for _number in range(TOGETHER)]
            taken = sorted(one.result() for one in asked)
        parts = {"the first of all": taken[0], "the middle one": taken[TOGETHER // 2]}
        return Measured(taken[-1], parts)


class Awake:
    """What it costs to have slept, for those who come later."""

    key = "U"

    def __init__(self, sleeper: Sleeper, other: Sleeper) -> None:
        self._sleeper = sleeper
        self._other = other

    def measure(self) -> Measured:
        self._sleeper.sleep(stopped=False)
        self._sleeper.visit()
        unseen, _usual = self._compare()
        wait(self._sleeper.is_seen_awake, interval=1)
        awake, usual = self._compare()
        parts = {
            "one that has slept": awake,
            "one that never slept": usual,
            "one that was woken, as long as nobody saw it": unseen,
        }
        return Measured(awake - usual, parts)

    def _compare(self) -> tuple[float, float]:
        """The medians of many small requests to both, by turns."""
        both = (self._sleeper, self._other)
        taken: dict[Sleeper, list[float]] = {one: [] for one in both}
        with requests.Session() as session:
            for _number, one in itertools.product(range(IN_A_ROW), both):
                began = time.monotonic()
                answer = session.get(f"{one.url}{SMALL}", timeout=SECONDS)
                taken[one].append(time.monotonic() - began)
                if answer.status_code != 200:
                    raise BenchError(f"a request was answered {answer.status_code}")
        sleeper, other = (statistics.median(taken[one]) for one in both)
        return sleeper, other


def find_makers(bench: Bench) -> dict[str, Callable[[], First | Crowd | Awake]]:
    """What makes the arms, by their keys."""
    all_of = Dormitory(bench)
    return {
        "Q": lambda: First("Q", all_of.sleeper, stopped=False),
        "R": lambda: First("R", all_of.sleeper, stopped=True),
        "S": lambda: Crowd("S", all_of.sleeper, stopped=False),
        "T": lambda: Crowd("T", all_of.sleeper, stopped=True),
        "U": lambda: Awake(all_of.waker, all_of.other),
    }
