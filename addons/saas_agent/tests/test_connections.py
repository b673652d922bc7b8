from __future__ import annotations

import threading
import time
from unittest.mock import patch

from psycopg2.pool import PoolError

from odoo.sql_db import ConnectionPool, connection_info_for
from odoo.tests import TransactionCase, tagged

from .. import hardening
from ..hardening import patient


class SmallPool(ConnectionPool):
    """Has one connection."""

    borrow = patient(ConnectionPool.borrow)

    def __init__(self):
        super().__init__(maxconn=1)


@tagged("-at_install", "post_install")
class TestConnections(TransactionCase):
    def setUp(self):
        super().setUp()
        _name, self.where = connection_info_for(self.env.cr.dbname)
        self.pool = SmallPool()
        self.addCleanup(self.pool.close_all)

    def test_who_finds_no_connection_gets_the_next_that_is_given_back(self):
        first = self.pool.borrow(self.where)
        giving_back = threading.Timer(0.3, self.pool.give_back, [first])
        giving_back.start()
        began = time.monotonic()
        second = self.pool.borrow(self.where)
        self.assertGreater(time.monotonic() - began, 0.25)
        giving_back.join()
        self.pool.give_back(second)

    def test_who_waits_in_vain_is_told_so(self):
        first = self.pool.borrow(self.where)
        with (
            patch.object(hardening, "CONNECTION_SECONDS", 0.1),
            self.assertRaises(PoolError),
        ):
            self.pool.borrow(self.where)
        self.pool.give_back(first)
