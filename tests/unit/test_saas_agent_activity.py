"""Whether anybody uses an Odoo of many processes."""

from __future__ import annotations

import os
import signal

import pytest

from odoo.addons.saas_agent.activity import Activity


@pytest.fixture
def activity(tmp_path):
    return Activity(tmp_path / "use")


def _fork(work):
    """A process that does something and waits to be killed."""
    reading, writing = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            work()
            os.write(writing, b".")
            signal.pause()
        finally:
            os._exit(1)
    assert os.read(reading, 1)
    return pid


def _kill(pid):
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def test_what_is_open_in_another_process_is_use(activity):
    pid = _fork(activity.begin)
    try:
        assert activity.measure_idle() == 0
    finally:
        _kill(pid)


def test_a_process_begins_with_no_request_of_who_made_it(activity):
    activity.begin()
    pid = _fork(lambda: None)
    try:
        assert activity.measure_idle() == 0
        activity.end()
        assert 0 < activity.measure_idle() < 10
    finally:
        _kill(pid)


def test_what_was_open_in_a_process_that_died_is_no_use(activity):
    _kill(_fork(activity.begin))
    assert 0 < activity.measure_idle() < 10


def test_who_starts_later_and_beside_is_counted_too(activity, tmp_path):
    # As the process that takes websockets: not forked, but started anew.
    def start():
        Activity(tmp_path / "use").begin()

    pid = _fork(start)
    try:
        assert activity.measure_idle() == 0
    finally:
        _kill(pid)
