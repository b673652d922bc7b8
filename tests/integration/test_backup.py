"""Copies of real databases, made and restored by the toolbox as the driver runs it.

What happens to them when something fails is in ``tests/faults``.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import json
import time

import backup_bench_docker
import pytest
from backup_bench_docker import PASSWORD, RECOVERY, BackupBench, refused, retryable
from postgres_bench import docker


@pytest.fixture(scope="module")
def bench():
    made = BackupBench()
    yield made
    made.close()


# === ROUND TRIP === #


def test_a_tenant_comes_back_whole_under_another_role(bench, tenant, fresh):
    bench.attach(tenant, 300)
    bench.sql(tenant, "SELECT lo_from_bytea(0, 'large object')")
    made = bench.run("backup", tenant, backup="b1")
    assert (made["state"], made["files"], made["missing"]) == ("made", 300, 0)
    assert made["rows"] == {
        "ir_attachment": 300,
        "ir_module_module": 3,
        "res_partner": 5000,
        "res_users": 2,
    }
    assert (made["modules"], made["odoo_version"]) == (2, "19.0")
    assert bench.run("verify", tenant, backup="b1")["files"] == 300
    done = bench.run("restore", tenant, to=fresh, backup="b1")
    assert done["rows"] == made["rows"]
    assert bench.contents(fresh) == bench.contents(tenant)
    assert bench.files(fresh) == bench.files(tenant)
    assert all(name == sha1 for name, sha1 in bench.files(fresh).items())
    owners = bench.sql(
        fresh,
        "SELECT DISTINCT relowner::regrole::text FROM pg_class"
        " WHERE relnamespace = 'public'::regnamespace",
    )
    assert owners == [(fresh,)]
    # It is a database that Odoo can use: searches, sequences, new rows.
    assert bench.sql(fresh, "SELECT nextval('ir_sequence_1')") == [(42,)]
    found = bench.sql(
        fresh, "SELECT count(*) FROM res_partner WHERE unaccent(name) ILIKE '%cafe%'"
    )
    assert found == [(5000,)]
    assert bench.sql(fresh, "SELECT lo_get(oid) FROM pg_largeobject_metadata")
    bench.sql(fresh, "INSERT INTO res_partner (name) VALUES ('new')")


@contextlib.contextmanager
def held(bench, uid, table):
    """Nobody else reads or writes the table."""
    with bench.postgres.login(uid, uid, PASSWORD) as connection:
        connection.cursor().execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
        yield


def processes(name):
    """The processes of a task with their arguments."""
    return docker("top", name, "-o", "pid,args")


def test_no_secret_is_in_arguments_environments_or_logs(bench, tenant):
    # The dump waits for it, so that its process is there to be looked at.
    with held(bench, tenant, "res_users"):
        name = bench.start_job("backup", tenant, backup="b1")
        bench.wait_until(lambda: "pg_dump" in processes(name))
        seen = processes(name)
    ended = bench.wait(name)
    shown = seen + docker("inspect", name) + ended.log
    bench.remove(name)
    assert "pg_dump" in seen
    assert ended.code == 0
    for secret in (
        PASSWORD,
        json.dumps(PASSWORD)[1:-1],
        bench.keys[tenant],
        RECOVERY[0],
    ):
        assert secret not in shown


def test_no_file_is_sent_twice_and_an_unchanged_tenant_costs_nothing(bench, tenant):
    bench.attach(tenant, 100)
    bench.run("backup", tenant, backup="b1")
    before = bench.stored()
    again = bench.run("backup", tenant, backup="b2")
    assert (again["state"], again["backup"], again["sent"]) == ("unchanged", "b1", 0)
    assert bench.stored() == before
    bench.attach(tenant, 1)
    more = bench.run("backup", tenant, backup="b3")
    assert (more["state"], more["files"], more["files_sent"]) == ("made", 101, 1)
    grown = sum(bench.stored().values()) - sum(before.values())
    assert grown == more["sent"]


_numbers = itertools.count(1)


def new_backup():
    return f"b{next(_numbers):06}"


@pytest.fixture(scope="module")
def steady(bench):
    """A tenant in which nothing has changed since its last copy."""
    uid = bench.add_tenant()
    bench.run("backup", uid, backup=new_backup())
    assert bench.run("backup", uid, backup=new_backup())["state"] == "unchanged"
    return uid


@pytest.mark.parametrize(
    "change",
    [
        "INSERT INTO res_partner (name) VALUES ('new')",
        "UPDATE res_partner SET name = name WHERE id = 1",
        "DELETE FROM res_partner WHERE id = 1",
        "TRUNCATE res_users",
        "ALTER TABLE res_partner ADD COLUMN colour text",
        "CREATE INDEX ON res_users (id)",
        "COMMENT ON TABLE res_users IS 'People'",
        "SELECT lo_from_bytea(0, 'large object')",
    ],
)
def test_no_change_is_missed(bench, steady, change):
    bench.sql(steady, change)
    assert bench.run("backup", steady, backup=new_backup())["state"] == "made"
    assert bench.run("backup", steady, backup=new_backup())["state"] == "unchanged"


def test_what_does_not_change_the_data_is_no_change(bench, tenant):
    bench.run("backup", tenant, backup="b1")
    bench.sql(tenant, "SELECT count(*) FROM res_partner")
    with bench.postgres.login(tenant, tenant, PASSWORD) as connection:
        connection.autocommit = True
        connection.cursor().execute("VACUUM ANALYZE")
    # Another tenant's life is not this one's.
    bench.add_tenant()
    assert bench.run("backup", tenant, backup="b2")["state"] == "unchanged"


def test_a_tenant_somebody_works_in_is_copied_to_be_sure(bench, tenant):
    bench.run("backup", tenant, backup="b1")
    with bench.postgres.login(tenant, tenant, PASSWORD) as connection:
        connection.cursor().execute("SELECT 1")
        assert bench.run("backup", tenant, backup="b2")["state"] == "made"


def test_a_crash_of_the_server_makes_no_tenant_look_unchanged(bench, tenant):
    """Its counters begin anew then, and could come to the same number."""
    bench.run("backup", tenant, backup="b1")
    bench.postgres.crash()
    assert bench.run("backup", tenant, backup="b2")["state"] == "made"


# === STORES AND KEYS === #


def test_a_round_trip_by_a_bucket_with_kms_by_recovery_key_alone(
    bench, tenant, fresh, amazon
):
    config, client = amazon
    bench.attach(tenant, 50)
    assert "can be used" in bench.run("check", tenant, store=config)["message"]
    made = bench.run("backup", tenant, store=config, backup="b1")
    rows = client.list_objects_v2(Bucket="copies")["Contents"]
    assert len(rows) == 5
    for row in rows:
        head = client.head_object(Bucket="copies", Key=row["Key"])
        assert head["ServerSideEncryption"] == "aws:kms"
        assert head["SSEKMSKeyId"] == config.kms_key
    before, hashes = bench.contents(tenant), bench.files(tenant)
    bench.drop(tenant)
    alone = {"store": config, "key": "", "recovery_key": RECOVERY[0], "to": fresh}
    assert bench.run("tenants", tenant, **alone)["tenants"] == [tenant]
    (row,) = bench.run("list", tenant, **alone)["backups"]
    done = bench.run("restore", tenant, **alone, backup=row["backup"])
    assert done["rows"] == made["rows"]
    assert bench.contents(fresh) == before
    assert bench.files(fresh) == hashes


def test_a_copy_is_unpacked_for_a_customer_who_leaves(bench, tenant):
    bench.attach(tenant, 3)
    bench.run("backup", tenant, backup="b1")
    done = bench.run("unpack", tenant, backup="b1", directory="/var/lib/odoo/export")
    assert done["files"] == 3
    name = bench.start(
        tenant, ["pg_restore", "--list", "/var/lib/odoo/export/database.dump"], {}
    )
    ended = bench.wait(name)
    bench.remove(name)
    assert ended.code == 0
    assert "TABLE DATA public res_partner" in ended.log


# === RESTORES === #


def test_a_name_in_a_dump_runs_no_command(bench, tenant, fresh):
    evil = "x\n\\! touch /var/lib/odoo/pwned\n"
    bench.sql(tenant, f'CREATE TABLE "{evil}" (a int)')
    bench.run("backup", tenant, backup="b1")
    bench.run("restore", tenant, to=fresh, backup="b1")
    assert (evil,) in bench.tables(fresh)
    name = bench.start(fresh, ["ls", "/var/lib/odoo"], {})
    assert bench.wait(name).log.split() == ["filestore"]
    bench.remove(name)


def test_a_copy_is_not_restored_over_a_database_in_use(bench, tenant):
    bench.run("backup", tenant, backup="b1")
    before = bench.contents(tenant)
    refused(
        "not_empty",
        lambda: bench.run(
            "restore", tenant, backup="b1", filestore="/var/lib/odoo/filestore/other"
        ),
    )
    assert bench.contents(tenant) == before


# Names, texts and bodies that look like the rows of a table, or like their end.
ODD = r"""
CREATE TABLE "it's
COPY x FROM stdin;
$$" (a text DEFAULT E'\\\n' CHECK (a !~ E'^x\\\\d*'));
INSERT INTO "it's
COPY x FROM stdin;
$$" VALUES ('1'), (E'\\\\.'), (NULL), (E'2\n\\.\nCOPY x FROM stdin;\n'), ('');
CREATE FUNCTION odd() RETURNS text LANGUAGE sql AS $odd$
SELECT $$it's "odd
COPY x FROM stdin;
\.
$$
$odd$;
COMMENT ON FUNCTION odd() IS 'it''s
COPY x FROM stdin;
--
\! true
';
CREATE FUNCTION atomic() RETURNS text BEGIN ATOMIC SELECT odd(); SELECT 'b;'; END;
"""
ASK = "SELECT odd(), atomic(), obj_description('odd()'::regprocedure)"


def test_what_looks_like_rows_comes_back_as_it_was(bench, tenant, fresh):
    bench.sql(tenant, ODD)
    bench.run("backup", tenant, backup="b1")
    bench.run("restore", tenant, to=fresh, backup="b1")
    assert bench.contents(fresh) == bench.contents(tenant)
    assert bench.sql(fresh, ASK) == bench.sql(tenant, ASK)


@pytest.mark.parametrize("delay", [0.3, 0.6, 0.9, 1.2])
def test_a_killed_restore_leaves_a_database_empty_or_whole(bench, tenant, fresh, delay):
    bench.fill(tenant, 30_000)
    bench.attach(tenant, 50)
    bench.run("backup", tenant, backup="b1")
    name = bench.start_job("restore", tenant, to=fresh, backup="b1")
    time.sleep(delay)
    bench.kill(name)
    bench.wait(name)
    bench.remove(name)
    bench.wait_until(
        lambda: (
            bench.postgres.sql(
                f"SELECT count(*) FROM pg_stat_activity WHERE datname = '{fresh}'"
            )
            == [["0"]]
        )
    )
    if bench.tables(fresh):
        assert bench.contents(fresh) == bench.contents(tenant)
    # What the master does then: fresh database, fresh volume.
    server = bench.postgres.server
    bench.drop(fresh)
    server.create_database(fresh)
    docker("volume", "rm", f"{backup_bench_docker.STACK}-{fresh}")
    bench.make_volume(fresh)
    bench.run("restore", tenant, to=fresh, backup="b1")
    assert bench.contents(fresh) == bench.contents(tenant)


# === WHILE THE TENANT IS USED === #


def test_a_copy_waits_for_an_upgrade_and_then_says_so(bench, tenant):
    with held(bench, tenant, "res_partner"):
        ended = bench.patched(
            tenant, "database.LOCK_SECONDS = 1", "backup", backup="b1"
        )
    message = retryable("busy", ended.answer)
    assert "Somebody changes the tables now" in message


def test_a_wrong_password_is_refused(bench, tenant):
    login = backup_bench_docker.Database("127.0.0.1", 5432, tenant, tenant, "wrong")
    message = refused(
        "credentials", lambda: bench.run("backup", tenant, backup="b1", database=login)
    )
    assert "wrong" not in message.replace("wrong password", "")


def test_a_database_of_something_else_is_refused(bench, fresh):
    bench.sql(fresh, "CREATE TABLE ir_attachment (id int)")
    refused("not_odoo", lambda: bench.run("backup", fresh, backup="b1"))


def test_two_copies_at_once_are_both_good(bench, tenant):
    bench.attach(tenant, 50)
    bench.fill(tenant, 50_000)
    # Until both have found a copy missing, and are about to take their snapshots.
    with held(bench, tenant, "ir_attachment"):
        names = {
            id: bench.start_job("backup", tenant, backup=id) for id in ("b1", "b2")
        }
        bench.wait_until(lambda: waiting(bench, tenant) == 2, seconds=50)
    for id, name in names.items():
        made = bench.wait(name).answer()
        bench.remove(name)
        assert (made["state"], made["backup"], made["missing"]) == ("made", id, 0)
    for id in ("b1", "b2"):
        assert bench.run("verify", tenant, backup=id)["files"] == 50


def waiting(bench, uid):
    """How many sessions wait for a lock in that database."""
    [[number]] = bench.postgres.sql(
        "SELECT count(*) FROM pg_stat_activity"
        f" WHERE datname = '{uid}' AND wait_event_type = 'Lock'"
    )
    return int(number)


def test_the_hash_of_the_engine_in_the_image_is_the_one_of_this_tree(bench, tenant):
    """Otherwise all of this would test an image that was built of something else."""
    here = backup_bench_docker.jobs.__file__
    output = docker(
        "run",
        "--rm",
        *backup_bench_docker.MARK,
        backup_bench_docker.IMAGE,
        "sha256sum",
        "/usr/lib/saas/odoo/addons/saas_backup/engine/job.py",
    )
    with open(here, "rb") as file:
        assert output.split()[0] == hashlib.sha256(file.read()).hexdigest()
