from __future__ import annotations

import importlib
import subprocess
import sys
import threading
import types

import pytest
from odoo_image import FOLDER, load

sitecustomize = load("sitecustomize")


@pytest.mark.parametrize(
    ("name", "configured", "expected"),
    [
        ("postgres", ["t1"], "t1"),
        ("postgres", "t1", "t1"),
        ("postgres", ["t1", "t2"], "postgres"),
        ("postgres", "t1,t2", "postgres"),
        ("postgres", [], "postgres"),
        ("postgres", None, "postgres"),
        ("postgres", False, "postgres"),
        ("t1", ["t1"], "t1"),
        ("template1", ["t1"], "template1"),
        ("postgresql://db/postgres", ["t1"], "postgresql://db/postgres"),
    ],
)
def test_only_the_shared_database_becomes_the_only_configured_one(
    name, configured, expected
):
    assert sitecustomize.own_database(name, configured) == expected


@pytest.fixture
def fake_odoo(tmp_path):
    package = tmp_path / "odoo"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "tools.py").write_text("config = {'db_name': ['t1']}\n")
    (package / "sql_db.py").write_text(
        "import types\n"
        "from odoo import tools\n"
        "psycopg2 = types.SimpleNamespace(OperationalError=OSError)\n"
        "def db_connect(to, allow_uri=False, readonly=False):\n"
        "    return to, allow_uri, readonly\n"
        "class PoolError(Exception): pass\n"
        "class ConnectionPool:\n"
        "    def borrow(self): return 'connection'\n"
    )
    (package / "db.py").write_text("from odoo.sql_db import db_connect\n")
    return tmp_path


def ask(path, *, hooked, call):
    program = f"import odoo.db, odoo.sql_db; print({call})"
    paths = [str(FOLDER)] if hooked else []
    paths.append(str(path))
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            f"import sys; sys.path[:0] = {paths!r}\n"
            + (
                "import importlib.util as u\n"
                f"s = u.spec_from_file_location('site_of_odoo', {str(FOLDER)!r}"
                " + '/sitecustomize.py')\n"
                "m = u.module_from_spec(s); s.loader.exec_module(m)\n"
                if hooked
                else ""
            )
            + program,
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def test_odoo_itself_would_connect_to_the_shared_database(fake_odoo):
    call = "odoo.sql_db.db_connect('postgres')"
    assert ask(fake_odoo, hooked=False, call=call) == "('postgres', False, False)"


def test_every_way_to_connect_leads_to_the_own_database(fake_odoo):
    call = "odoo.sql_db.db_connect('postgres', readonly=True)"
    assert ask(fake_odoo, hooked=True, call=call) == "('t1', False, True)"
    call = "odoo.db.db_connect('postgres')"
    assert ask(fake_odoo, hooked=True, call=call) == "('t1', False, False)"


def test_the_hook_is_gone_after_its_work(fake_odoo):
    call = "any(type(f).__name__ == 'Finder' for f in __import__('sys').meta_path)"
    assert ask(fake_odoo, hooked=True, call=call) == "False"


def test_importing_other_modules_is_left_alone():
    finder = sitecustomize.Finder()
    assert finder.find_spec("odoo.tools", None) is None
    assert importlib.import_module("json").__name__ == "json"


class PoolError(Exception):
    pass


class OperationalError(Exception):
    pass


FULL = PoolError("The Connection Pool Is Full")
CLOSED = OperationalError('FATAL:  role "t1" is not permitted to log in')
MISSING = OperationalError('FATAL:  database "t1" does not exist')
AWAY = OperationalError("Connection refused")
RESTORED = OperationalError('FATAL:  password authentication failed for user "t1"')


def make_pool(refusals, error=FULL):
    class ConnectionPool:
        tries = 0

        def borrow(self):
            self.tries += 1
            if self.tries <= refusals:
                raise error
            return "connection"

    module = types.SimpleNamespace(
        ConnectionPool=ConnectionPool,
        PoolError=PoolError,
        psycopg2=types.SimpleNamespace(OperationalError=OperationalError),
    )
    sitecustomize.wait_for_connections(module)
    return ConnectionPool()


def test_whoever_finds_all_connections_in_use_waits_for_one():
    pool = make_pool(refusals=3)
    assert pool.borrow() == "connection"
    assert pool.tries == 4


def test_nobody_waits_for_a_connection_for_ever(monkeypatch):
    monkeypatch.setattr(sitecustomize, "PATIENCE", 0.05)
    with pytest.raises(PoolError, match="Full"):
        make_pool(refusals=1000).borrow()


@pytest.mark.parametrize("error", [CLOSED, RESTORED], ids=["made", "restored"])
def test_who_starts_before_the_database_is_open_waits_for_it(error):
    pool = make_pool(refusals=3, error=error)
    assert pool.borrow() == "connection"
    assert pool.tries == 4


@pytest.mark.parametrize("error", [CLOSED, RESTORED], ids=["closed", "wrong"])
def test_who_runs_already_reads_that_it_is_not_let_in(monkeypatch, error):
    monkeypatch.setattr(sitecustomize, "SECONDS_TO_OPEN", -1)
    pool = make_pool(refusals=1, error=error)
    with pytest.raises(OperationalError, match=r"role|password"):
        pool.borrow()
    assert pool.tries == 1


def test_who_waits_for_long_tries_more_seldom(monkeypatch):
    clock = types.SimpleNamespace(now=0.0, monotonic=lambda: clock.now)
    clock.sleep = lambda seconds: setattr(clock, "now", clock.now + seconds)
    monkeypatch.setattr(sitecustomize, "time", clock)
    pool = make_pool(refusals=10**6, error=RESTORED)
    with pytest.raises(OperationalError):
        pool.borrow()
    assert sitecustomize.SECONDS_TO_OPEN < clock.now < sitecustomize.SECONDS_TO_OPEN + 2
    assert 50 < pool.tries < 300


@pytest.mark.parametrize(
    "error", [FULL, AWAY, MISSING], ids=["full", "away", "missing"]
)
def test_a_thread_of_scheduled_actions_waits_until_it_has_its_connection(
    monkeypatch, error
):
    monkeypatch.setattr(sitecustomize, "PAUSE_OF_SCHEDULED", 0)
    monkeypatch.setattr(sitecustomize, "PATIENCE", -1)
    pool, found = make_pool(refusals=50, error=error), []
    thread = threading.Thread(
        target=lambda: found.append(pool.borrow()), name="odoo.service.cron.cron0"
    )
    thread.start()
    thread.join(timeout=30)
    assert found == ["connection"]


def test_what_waiting_does_not_mend_is_told_at_once():
    pool = make_pool(refusals=1, error=MISSING)
    with pytest.raises(OperationalError):
        pool.borrow()
    assert pool.tries == 1
