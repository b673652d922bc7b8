"""Listens where jobs are run: the worker alone can open the engines' credentials."""

import functools
import logging
import threading
import time

import psycopg2

from odoo import SUPERUSER_ID, api
from odoo.modules.registry import Registry
from odoo.tools import config

from .engine.listener import NOTHING, Listener

_logger = logging.getLogger(__name__)

GATHER_SECONDS = 1
TEND_SECONDS = 5
PAUSE_SECONDS = 10  # after the database did not answer


class ListenerThread(threading.Thread):
    """Writes down to whom something happens, for the sweep to look at them.

    A second one beside it does no harm: who was looked at twice is as it should be.

    :param str database: the master's
    """

    def __init__(self, database):
        super().__init__(name=f"saas.listener {database}", daemon=True)
        self.dbname = database  # for the log
        self._listener = Listener()
        self._fresh = self._heard = NOTHING
        self._tended = 0
        self._ended = threading.Event()

    def stop(self):
        self._ended.set()

    def run(self):
        pause = GATHER_SECONDS
        while not self._ended.wait(pause):
            pause = GATHER_SECONDS
            try:
                self._turn()
            except psycopg2.Error as error:
                _logger.info("listening waits for the database: %s", error)
                pause = PAUSE_SECONDS
            except Exception:
                _logger.exception("listening")
                pause = PAUSE_SECONDS

    def _turn(self):
        # A container that died has a moment in which its engine starts it again.
        self._heard |= self._fresh
        self._fresh = self._listener.take()
        tends = time.monotonic() > self._tended + TEND_SECONDS
        if not (tends or self._heard):
            return
        registry = Registry(self.dbname).check_signaling()
        if "saas.event" not in registry:
            return
        with registry.cursor() as cr:
            events = api.Environment(cr, SUPERUSER_ID, {})["saas.event"]
            self._write_down(events)
            if tends:
                self._listener.tend(events._get_sources())
                events._look_soon()
        # Not before it was committed.
        self._heard = NOTHING
        if tends:
            self._tended = time.monotonic()

    def _write_down(self, events):
        if self._heard.uids:
            events._note(self._heard.uids)
        if self._heard.missed:
            events._compare_soon()


def listening(run):
    """Wrap ``QueueJobRunner.run``: whoever runs jobs listens as long."""

    @functools.wraps(run)
    def wrapper(self):
        threads = [ListenerThread(name) for name in config["db_name"]]
        for thread in threads:
            thread.start()
        try:
            return run(self)
        finally:
            for thread in threads:
                thread.stop()

    return wrapper
