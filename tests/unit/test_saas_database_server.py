"""The fake database server keeps the contract of the real one."""

from __future__ import annotations

import pytest
from database_server_contract import DatabaseServerBench, DatabaseServerContract

from odoo.addons.saas.engine.fake import FakeDatabaseServer, LostDatabaseServer


class FakeBench(DatabaseServerBench):
    def __init__(self):
        self.server = FakeDatabaseServer()
        self.server.prepare()

    def unreachable(self):
        return LostDatabaseServer()

    def put_foreign_role(self, uid):
        self.server.put_foreign_role(uid)

    def put_foreign_database(self, uid):
        self.server.put_foreign_database(uid)

    def roles(self):
        return set(self.server.roles)

    def databases(self):
        return set(self.server.databases)

    def owner(self, uid):
        return self.server.databases[uid].owner

    def connection_limit(self, uid):
        return self.server.roles[uid].connection_limit


class TestFakeDatabaseServer(DatabaseServerContract):
    @pytest.fixture
    def bench(self):
        return FakeBench()
