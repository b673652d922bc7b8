from __future__ import annotations

import tempfile
import threading
from contextlib import closing
from unittest.mock import patch

from odoo import fields
from odoo.sql_db import db_connect
from odoo.tests import tagged

from ..activity import RECORD, Activity, watched
from ..controllers import use
from .test_login import LoginCommon

LOGGER = "odoo.addons.saas_agent.controllers.use"


def rewind(activity, seconds=100):
    """Have its last request have ended so much earlier."""
    number, ended = RECORD.unpack(activity._record[:])
    activity._record[:] = RECORD.pack(number, ended - seconds)


@tagged("-at_install", "post_install")
class TestUse(LoginCommon):
    def setUp(self):
        super().setUp()
        patcher = patch.object(use, "read_settings", lambda _path: self.settings)
        self.startPatcher(patcher)
        self.folder = self.enterContext(tempfile.TemporaryDirectory())
        self.activity = Activity(self.folder)
        self.startPatcher(patch.object(use, "activity", self.activity))
        self.env["ir.cron"].search([]).active = False
        self.env["ir.cron.trigger"].search([]).unlink()

    def ask(self, **changes):
        token = self.make_token(**{"sub": "use", **changes})
        return self.url_open("/saas/use", data={"token": token})

    def read_use(self):
        # PostgreSQL tells one transaction the same each time; here all are one.
        self.env.cr.execute("SELECT pg_stat_clear_snapshot()")
        answer = self.ask()
        self.assertEqual(answer.status_code, 200)
        return answer.json()

    def test_the_master_reads_that_nobody_is_there_and_since_when(self):
        rewind(self.activity)
        answer = self.read_use()
        self.assertEqual(set(answer), {"idle", "transactions", "action"})
        self.assertAlmostEqual(answer["idle"], 100, delta=30)
        self.assertIsNone(answer["action"])

    def test_it_reads_how_many_transactions_run(self):
        before = self.read_use()["transactions"]
        with closing(db_connect(self.env.cr.dbname).cursor()) as cr:
            cr.execute("SELECT 1")
            self.assertEqual(self.read_use()["transactions"], before + 1)
        self.assertEqual(self.read_use()["transactions"], before)

    def test_it_reads_when_the_next_action_is_due(self):
        cron = self.env.ref("base.autovacuum_job")
        now = fields.Datetime.now()
        cron.write({"active": True, "nextcall": fields.Datetime.add(now, hours=2)})
        self.assertAlmostEqual(self.read_use()["action"], 7200, delta=30)
        cron._trigger(at=fields.Datetime.add(now, hours=1))
        self.assertAlmostEqual(self.read_use()["action"], 3600, delta=30)

    def test_an_open_request_is_use_until_its_answer_is_sent(self):
        rewind(self.activity)
        self.activity.begin()
        self.assertEqual(self.read_use()["idle"], 0)
        self.activity.end()
        self.assertLess(self.read_use()["idle"], 30)

    def test_nobody_else_is_told(self):
        for changes in ({"sub": "admin"}, {"aud": "t000000000000"}, {"exp": 1}):
            with self.assertLogs(LOGGER, "WARNING"):
                answer = self.ask(**changes)
            self.assertEqual((answer.status_code, answer.text), (403, ""))

    def test_its_token_logs_nobody_in(self):
        self.assert_refused(self.make_token(sub="use"), "not valid")

    def test_requests_count_from_their_beginning_to_the_end_of_their_answer(self):
        seen = self.activity
        rewind(seen)

        def application(_self, environ, _start_response):
            if environ["PATH_INFO"] == "/broken":
                raise ValueError
            self.assertEqual(seen.measure_idle() == 0, environ["PATH_INFO"] == "/odoo")
            return [b"answer"]

        with patch("odoo.addons.saas_agent.activity.activity", seen):
            call = watched(application)
            call(None, {"PATH_INFO": "/web/health"}, None)
            self.assertGreater(seen.measure_idle(), 90)
            answer = call(None, {"PATH_INFO": "/odoo"}, None)
            self.assertEqual(seen.measure_idle(), 0)
            self.assertEqual(list(answer), [b"answer"])
            self.assertEqual(seen.measure_idle(), 0)
            answer.close()
            self.assertTrue(0 < seen.measure_idle() < 90)
            with self.assertRaises(ValueError):
                call(None, {"PATH_INFO": "/broken"}, None)
            self.assertGreater(seen.measure_idle(), 0)

    def test_requests_at_one_moment_are_counted_one_by_one(self):
        seen = self.activity
        threads = [threading.Thread(target=seen.begin) for _each in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for _each in range(20):
            self.assertEqual(seen.measure_idle(), 0)
            seen.end()
        self.assertGreater(seen.measure_idle(), 0)
