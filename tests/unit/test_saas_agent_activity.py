"""Whether anybody uses a tenant, whichever of its processes answers them."""

from __future__ import annotations

import os
import threading
import time

import pytest

from odoo.addons.saas_agent import activity as module
from odoo.addons.saas_agent.activity import RECORD, Activity, watched

LONG_AGO = 100


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "use"


@pytest.fixture
def activity(folder, monkeypatch):
    """Of an Odoo that was started long ago."""
    activity = Activity(folder)
    activity.start()
    write(folder, os.getpid(), 0)
    monkeypatch.setattr(module, "activity", activity)
    return activity


def write(folder, pid, count, ago=LONG_AGO):
    """What a process wrote, without a change of what it writes to."""
    with folder.joinpath(str(pid)).open("r+b" if pid == os.getpid() else "wb") as file:
        file.write(RECORD.pack(count, time.monotonic() - ago))


class Answer:
    """Serves its websocket when it is closed, as Odoo's do."""

    def __init__(self, serve=lambda: None):
        self.serve = serve

    def __iter__(self):
        return iter([b"answer"])

    def close(self):
        self.serve()


def call(application, path="/odoo"):
    return watched(application)(None, {"PATH_INFO": path}, None)


def test_it_is_idle_since_its_last_request(activity):
    assert activity.measure_idle() == pytest.approx(LONG_AGO, abs=10)
    activity.begin()
    assert activity.measure_idle() == 0
    activity.end()
    assert 0 < activity.measure_idle() < 10


def test_the_start_of_odoo_counts_as_use(folder):
    activity = Activity(folder)
    activity.start()
    assert 0 < activity.measure_idle() < 10


def test_a_request_is_open_until_its_answer_is_sent(activity):
    answer = call(lambda *_args: [b"answer"])
    assert activity.measure_idle() == 0
    assert list(answer) == [b"answer"]
    assert activity.measure_idle() == 0
    answer.close()
    assert 0 < activity.measure_idle() < 10
    answer.close()
    assert activity.measure_idle() > 0


def test_a_websocket_is_open_until_it_ends(activity):
    seen = []
    answer = call(lambda *_args: Answer(lambda: seen.append(activity.measure_idle())))
    answer.close()
    assert seen == [0]
    assert activity.measure_idle() > 0


def test_a_websocket_that_breaks_is_not_open_for_ever(activity):
    def serve():
        raise ConnectionResetError

    answer = call(lambda *_args: Answer(serve))
    with pytest.raises(ConnectionResetError):
        answer.close()
    assert activity.measure_idle() > 0


def test_a_request_that_fails_has_ended(activity):
    def fail(*_args):
        raise ValueError

    with pytest.raises(ValueError, match=r"^$"):
        call(fail)
    assert 0 < activity.measure_idle() < 10


@pytest.mark.parametrize("path", ["/web/health", "/websocket/health", "/saas/use"])
def test_what_machines_ask_for_is_no_use(activity, path):
    assert call(lambda *_args: [b"answer"], path) == [b"answer"]
    assert activity.measure_idle() > LONG_AGO / 2


def test_requests_at_one_moment_are_counted_one_by_one(activity):
    threads = [threading.Thread(target=activity.begin) for _each in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for _each in range(20):
        assert activity.measure_idle() == 0
        activity.end()
    assert activity.measure_idle() > 0


def test_what_a_forked_process_answers_counts_for_all(activity):
    reading, writing = os.pipe()
    pid = os.fork()
    if not pid:
        activity.begin()
        os.write(writing, b".")
        time.sleep(30)
        os._exit(0)
    try:
        os.read(reading, 1)
        assert activity.measure_idle() == 0
    finally:
        os.kill(pid, 9)
        os.waitpid(pid, 0)
    # Nobody waits for an answer of a process that is no more.
    assert activity.measure_idle() > LONG_AGO / 2


def test_a_process_begins_with_no_request_of_who_made_it(activity):
    activity.begin()
    pid = os.fork()
    if not pid:
        activity.end()
        os._exit(0)
    os.waitpid(pid, 0)
    assert activity.measure_idle() == 0
    activity.end()
    assert activity.measure_idle() > 0


def test_what_another_process_wrote_counts_for_all(activity, folder):
    write(folder, 1, 1)
    assert activity.measure_idle() == 0
    write(folder, 1, 0, ago=5)
    assert activity.measure_idle() == pytest.approx(5, abs=3)
