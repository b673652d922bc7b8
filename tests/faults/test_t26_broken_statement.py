"""T26: a statement fails in a restore."""

from __future__ import annotations

import pytest
from backup_bench_docker import PASSWORD, refused

# It looks at another table, which is empty while a dump is loaded.
BROKEN = """
    CREATE FUNCTION known(text) RETURNS boolean LANGUAGE sql
        AS 'SELECT EXISTS (SELECT FROM public.res_users WHERE login = $1)';
    CREATE TABLE a_log (login text CHECK (known(login)));
    INSERT INTO a_log VALUES ('admin');
"""


@pytest.mark.case(
    did="a copy is restored in which one statement of the dump fails",
    expected="it stops there and says why; the new database is empty, the live tenant "
    "as it was, and its copy too",
)
def test_t26_a_statement_that_fails_undoes_the_whole_restore(
    bench, tenant, fresh, found
):
    bench.sql(tenant, BROKEN)
    bench.attach(tenant, 3)
    bench.run("backup", tenant, backup="b1")
    before, stored = bench.contents(tenant), bench.stored()
    message = refused(
        "sql", lambda: bench.run("restore", tenant, to=fresh, backup="b1")
    )
    assert "violates check constraint" in message
    assert "Nothing was changed" in message
    assert bench.tables(fresh) == []
    assert bench.files(fresh) == {}
    assert bench.contents(tenant) == before
    assert bench.stored() == stored
    found(f"“{message}”; 0 tables and 0 files in the new database")


@pytest.mark.case(
    did="the same by Odoo's own way: plain SQL, and psql without ON_ERROR_STOP",
    expected="it ends with 0, and the row is lost: the reason why it is not used",
)
def test_t26_odoos_own_way_takes_the_same_failure_for_success(
    bench, tenant, fresh, found
):
    bench.sql(tenant, BROKEN)
    # As its service/db.py does.
    script = (
        "export PGPASSFILE=/tmp/pass; cp /etc/odoo/pass /tmp/pass; chmod 600 /tmp/pass;"
        f"pg_dump -h 127.0.0.1 -U {tenant} --no-owner {tenant} > /tmp/dump.sql &&"
        f"psql -h 127.0.0.1 -U {fresh} -q -f /tmp/dump.sql -o /dev/null {fresh}"
    )
    escaped = PASSWORD.replace("\\", "\\\\").replace(":", "\\:")
    name = bench.start(tenant, ["sh", "-c", script], {"pass": f"*:*:*:*:{escaped}\n"})
    ended = bench.wait(name)
    bench.remove(name)
    assert "violates check constraint" in ended.log
    assert ended.code == 0
    rows = bench.sql(fresh, "SELECT count(*) FROM a_log")
    assert rows == [(0,)]
    found(f"it ended with {ended.code}; 1 row in the dump, {rows[0][0]} restored")
