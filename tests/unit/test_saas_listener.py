"""What happens elsewhere is heard once, and silence is told from nothing to say."""

from __future__ import annotations

import functools
import time

import pytest

from odoo.addons.saas.engine import listener
from odoo.addons.saas.engine.driver import Limits, Phase, TenantSpec
from odoo.addons.saas.engine.errors import RetryableError
from odoo.addons.saas.engine.fake import FakeDriver, FakeProxy, LostDriver
from odoo.addons.saas.engine.listener import (
    Listener,
    hear_containers,
    hear_routes,
)
from odoo.addons.saas.engine.proxy import Route

UID = "t0000000000a1"
OTHER = "t0000000000b2"
SECONDS = 10.0


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(listener, "ROUND_SECONDS", 0.3)
    monkeypatch.setattr(listener, "ROUTES_INTERVAL", 0.02)
    monkeypatch.setattr(listener, "LONGEST_PAUSE", 0.05)


@pytest.fixture
def driver():
    return with_containers(FakeDriver())


def with_containers(driver):
    for slot, uid in enumerate((UID, OTHER)):
        limits = Limits(memory=2**28, cpus=1.0)
        driver.ensure(TenantSpec(uid, "image", slot, f"{uid}.test", limits, {}))
    return driver


class Ears:
    """A listener that is tended, as the worker does it."""

    def __init__(self, **sources):
        self.sources = sources
        self._listener = Listener()
        self.uids = []
        self.missed = 0

    def turn(self):
        self._listener.tend(self.sources)
        heard = self._listener.take()
        self.uids += sorted(heard.uids)
        self.missed += heard.missed

    def wait(self, is_over, seconds=SECONDS):
        until = time.monotonic() + seconds
        while not is_over():
            assert time.monotonic() < until, (self.uids, self.missed)
            self.turn()
            time.sleep(0.01)

    def turn_for(self, seconds):
        until = time.monotonic() + seconds
        self.wait(lambda: time.monotonic() > until)


def say(until, *uids):
    """Name these, and go on to the end of the round."""
    yield from uids
    time.sleep(max(until - time.time(), 0))


def test_whoever_changes_is_named_in_one_round_and_in_the_next_ones(driver):
    ears = Ears(server=functools.partial(hear_containers, driver))
    ears.wait(lambda: ears.missed == 1)
    for number in range(1, 4):
        driver.stop(UID)
        driver.start(UID)
        ears.wait(lambda: UID in ears.uids)
        ears.turn_for(0.4 * number)
        ears.uids.clear()
    ears.turn_for(0.4)
    assert ears.uids == []
    assert ears.missed == 1


def test_what_happens_between_two_rounds_is_heard_in_the_next(driver):
    ears = Ears(server=functools.partial(hear_containers, driver))
    ears.wait(lambda: ears.missed == 1)
    time.sleep(0.5)
    driver.stop(OTHER)
    ears.wait(lambda: ears.uids == [OTHER])


def test_a_route_that_somebody_removes_or_changes_names_its_tenant():
    proxy = FakeProxy()
    routes = [
        Route(uid, (f"{uid}.test",), http="http://192.0.2.1") for uid in (UID, OTHER)
    ]
    for route in routes:
        proxy.put_route(route)
    ears = Ears(proxy=functools.partial(hear_routes, proxy))
    ears.wait(lambda: ears.missed == 1)
    proxy.delete_route(UID)
    ears.wait(lambda: ears.uids == [UID])
    proxy.put_route(Route(OTHER, (f"{OTHER}.test",), http="http://192.0.2.9"))
    ears.wait(lambda: ears.uids == [UID, OTHER])
    ears.turn_for(0.5)
    assert ears.uids == [UID, OTHER]
    assert ears.missed == 1


def test_who_was_away_may_have_missed_something_and_is_heard_again(caplog):
    driver = LostDriver()
    driver.lost = False
    with_containers(driver)
    ears = Ears(server=functools.partial(hear_containers, driver))
    ears.wait(lambda: ears.missed == 1)
    driver.lost = True
    ears.turn_for(0.6)
    driver.lost = False
    ears.wait(lambda: ears.missed == 2)
    driver.set_phase(UID, Phase.STOPPED)
    ears.wait(lambda: ears.uids == [UID])
    # Once, however often it was tried in vain.
    assert len(caplog.records) == 1
    assert "cannot be reached" in caplog.text


def test_a_connection_that_is_lost_on_the_way_is_made_again():
    rounds = []

    def source(memory, until):
        rounds.append(memory.setdefault("round", len(rounds)))
        return break_off() if len(rounds) == 1 else say(until, OTHER)

    def break_off():
        yield UID
        raise RetryableError("It broke off.", reason="unreachable")

    ears = Ears(server=source)
    ears.wait(lambda: ears.uids[:2] == [UID, OTHER])
    assert ears.missed == 2
    # What it kept went with the connection.
    assert rounds[:2] == [0, 1]


def test_a_fault_of_ours_is_told_and_listening_goes_on(caplog):
    faults = [ZeroDivisionError]

    def source(memory, until):
        if faults:
            raise faults.pop()
        return say(until, UID)

    ears = Ears(server=source)
    ears.wait(lambda: ears.uids == [UID])
    assert "ZeroDivisionError" in caplog.text


def test_one_that_does_not_answer_leaves_the_others_alone(driver):
    ears = Ears(
        lost=functools.partial(hear_containers, LostDriver()),
        server=functools.partial(hear_containers, driver),
    )
    ears.wait(lambda: ears.missed == 1)
    driver.stop(UID)
    ears.wait(lambda: ears.uids == [UID])


def test_who_is_no_source_any_more_is_not_heard(driver):
    ears = Ears(server=functools.partial(hear_containers, driver))
    ears.wait(lambda: ears.missed == 1)
    ears.sources.clear()
    ears.turn_for(0.5)
    ears.uids.clear()
    driver.stop(UID)
    ears.turn_for(0.5)
    assert ears.uids == []
