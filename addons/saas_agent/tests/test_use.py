from __future__ import annotations

import tempfile
from contextlib import closing
from pathlib import Path
from unittest.mock import patch

from odoo import fields
from odoo.sql_db import db_connect
from odoo.tests import tagged

from ..activity import Activity
from ..controllers import use
from .test_login import LoginCommon

LOGGER = "odoo.addons.saas_agent.controllers.use"


@tagged("-at_install", "post_install")
class TestUse(LoginCommon):
    def setUp(self):
        super().setUp()
        patcher = patch.object(use, "read_settings", lambda _path: self.settings)
        self.startPatcher(patcher)
        folder = Path(self.enterContext(tempfile.TemporaryDirectory()), "use")
        self.activity = Activity(folder)
        self.activity.start()
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
        answer = self.read_use()
        self.assertEqual(set(answer), {"idle", "transactions", "action"})
        self.assertTrue(0 < answer["idle"] < 30)
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
        self.activity.begin()
        self.assertEqual(self.read_use()["idle"], 0)
        self.activity.end()
        self.assertTrue(0 < self.read_use()["idle"] < 30)

    def test_nobody_else_is_told(self):
        for changes in ({"sub": "admin"}, {"aud": "t000000000000"}, {"exp": 1}):
            with self.assertLogs(LOGGER, "WARNING"):
                answer = self.ask(**changes)
            self.assertEqual((answer.status_code, answer.text), (403, ""))

    def test_its_token_logs_nobody_in(self):
        self.assert_refused(self.make_token(sub="use"), "not valid")
