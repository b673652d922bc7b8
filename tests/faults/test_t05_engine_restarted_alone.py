"""T05: the Docker engine is restarted with live-restore: containers run on."""

from __future__ import annotations

import dataclasses
import functools
import signal
import threading
import time

import docker_bench
import pytest
import requests
from docker_bench import CONFIG, DATABASES, FOREIGN, DockerBench
from driver_contract import OTHER, UID
from own_engine import OwnEngine
from whole import wait_for

from odoo.addons.saas.engine import listener
from odoo.addons.saas.engine.driver import Phase
from odoo.addons.saas.engine.errors import RetryableError
from odoo.addons.saas_docker.engine.driver import DockerDriver

from stack import settings

BASE = "saas-gateway:latest"  # has Python
NEW, SLEEPER = "t0000000000c3", "t0000000000d4"
SLOTS = {UID: 0, OTHER: 1, NEW: 2, SLEEPER: 3}
AWAY = 3
SECONDS = 30
# What the driver needs of an image, and a server that answers in place of an Odoo.
DOCKERFILE = f"""
FROM {BASE}
USER root
RUN groupadd --gid 4711 odoo \\
 && useradd --uid 4711 --gid odoo --home-dir /var/lib/odoo odoo \\
 && mkdir -p /etc/odoo /var/lib/odoo && chown odoo:odoo /etc/odoo /var/lib/odoo
VOLUME ["/var/lib/odoo"]
HEALTHCHECK NONE
USER odoo
WORKDIR /var/lib/odoo
CMD ["python3", "-m", "http.server", "8069"]
"""


class OwnBench(DockerBench):
    """Tenants on an engine of its own."""

    def __init__(self, own: OwnEngine) -> None:
        self.api = own.client.api
        self.api.create_volume(name=DATABASES, labels={FOREIGN: "1"})
        self.driver = DockerDriver(dataclasses.replace(CONFIG, url=own.url))

    def tenant(self, uid):
        return self.spec(uid=uid, slot=SLOTS[uid])

    def page(self, uid):
        return self.driver.target(self.tenant(uid)).http


class Visitors:
    """Visit these pages, 25 times a second each."""

    def __init__(self, pages) -> None:
        self.asked, self.failed = 0, []
        self._ended = threading.Event()
        self._threads = [
            threading.Thread(target=self._visit, args=(page,)) for page in pages
        ]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_error):
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def _visit(self, page):
        while not self._ended.wait(0.04):
            self.asked += 1
            if not is_served(page):
                self.failed.append(page)


def is_served(page):
    try:
        return requests.get(page, timeout=10).ok
    except requests.RequestException:
        return False


class Ears:
    """A listener, and what it has heard so far."""

    def __init__(self, driver) -> None:
        self._source = functools.partial(listener.hear_containers, driver)
        self._listener = listener.Listener()

    def wait(self, is_enough, what):
        """Wait until it hears that; the seconds."""
        heard = listener.NOTHING

        def hears():
            nonlocal heard
            self._listener.tend({"the engine": self._source})
            heard |= self._listener.take()
            return is_enough(heard)

        return wait_for(hears, SECONDS, what)


@pytest.fixture(scope="module")
def own():
    made = OwnEngine(settings.load_faults().cache / "engine-alone")
    try:
        made.set_live_restore(True)
        made.start()
        made.load([BASE])
        docker_bench.build(made.client.api, docker_bench.IMAGE, DOCKERFILE)
        yield made
    finally:
        made.close()


@pytest.fixture
def bench(own):
    with own.network():
        docker_bench.clean(own.client.api)
        made = OwnBench(own)
        made.driver.prepare()
        yield made


@pytest.mark.parametrize(
    "sent", [signal.SIGTERM, signal.SIGKILL], ids=["ended in order", "killed"]
)
@pytest.mark.case(
    did="the engine is restarted with live-restore while two tenants have visitors, 50 "
    "times a second, and one sleeps; a container is asked for while it is away",
    expected="no request fails, no container is restarted, who sleeps sleeps on; the "
    "driver says that the engine cannot be reached, to be tried again, and makes the "
    "container when it is back; what happens then is heard within 30 s",
)
def test_t05_tenants_do_not_notice_and_the_work_goes_on(own, bench, sent, found):
    driver, starts = bench.driver, {}
    for uid in (UID, OTHER, SLEEPER):
        driver.ensure(bench.tenant(uid))
        wait_for(functools.partial(is_served, bench.page(uid)), SECONDS, uid)
        starts[uid] = bench.start_of(uid)
    driver.pause(SLEEPER)
    ears = Ears(driver)
    ears.wait(lambda heard: heard.missed, "the listener does not begin")
    with Visitors([bench.page(UID), bench.page(OTHER)]) as visitors:
        own.end(sent)
        with pytest.raises(RetryableError) as away:
            driver.ensure(bench.tenant(NEW))
        time.sleep(AWAY)
        own.start()
        driver.ensure(bench.tenant(NEW))
        made = wait_for(lambda: is_served(bench.page(NEW)), SECONDS, "no new one")
    assert away.value.reason == "unreachable"
    assert not visitors.failed
    assert {uid: bench.start_of(uid) for uid in starts} == starts
    phases = {seen.uid: seen.phase for seen in driver.list_tenants()}
    assert phases.pop(SLEEPER) == Phase.PAUSED
    assert set(phases.values()) == {Phase.RUNNING}
    ears.wait(lambda heard: heard.missed, "it does not know that it was deaf")
    driver.stop(OTHER)
    ears.wait(lambda heard: OTHER in heard.uids, "it is deaf")
    found(
        f"{visitors.asked} requests, 0 failed; “{away.value.message}”; the new one "
        f"answered {made:.1f} s after it was asked for again"
    )
