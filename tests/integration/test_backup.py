"""Copies of real databases, made and restored by the toolbox as the driver runs it."""

from __future__ import annotations

import hashlib
import itertools
import json
import subprocess
import time

import backup_bench_docker
import boto3
import pytest
from backup_bench_docker import NATIVE, PASSWORD, RECOVERY, USERS, BackupBench
from moto.server import ThreadedMotoServer
from postgres_bench import NAME, docker

from odoo.addons.saas.engine.errors import RefusedError, RetryableError
from odoo.addons.saas_backup.engine.s3 import S3Config

_numbers = itertools.count(1)


def drop_database(bench, uid):
    """Drop a database as operations do: again, where maintenance holds it."""
    until = time.monotonic() + 60
    while True:
        try:
            bench.postgres.server.drop_database(uid)
            return
        except RetryableError as error:
            if error.reason != "in_use" or time.monotonic() > until:
                raise
        time.sleep(0.1)


@pytest.fixture(scope="module")
def bench():
    made = BackupBench()
    yield made
    made.close()


def new_uid():
    return f"t{next(_numbers):012x}"


@pytest.fixture
def tenant(bench):
    uid = new_uid()
    bench.make_tenant(uid)
    return uid


@pytest.fixture
def fresh(bench):
    """A tenant with an empty database, as restores want it."""
    uid = new_uid()
    bench.make_tenant(uid, schema="")
    return uid


def refused(reason, call):
    with pytest.raises(RefusedError) as failure:
        call()
    assert failure.value.reason == reason, failure.value.message
    return failure.value.message


def retryable(reason, call):
    with pytest.raises(RetryableError) as failure:
        call()
    assert failure.value.reason == reason, failure.value.message
    return failure.value.message


def contents(bench, uid):
    """All rows of all tables, and what the structure is made of."""
    tables = bench.sql(
        uid,
        "SELECT relname FROM pg_class WHERE relkind IN ('r', 'v')"
        " AND relnamespace = 'public'::regnamespace ORDER BY 1",
    )
    rows = {
        table: bench.sql(uid, f'SELECT * FROM "{table}" ORDER BY 1')
        for (table,) in tables
    }
    indexes = bench.sql(
        uid, "SELECT indexdef FROM pg_indexes WHERE schemaname='public'"
    )
    sequences = bench.sql(uid, "SELECT sequencename, last_value FROM pg_sequences")
    extensions = bench.sql(uid, "SELECT extname FROM pg_extension ORDER BY 1")
    return rows, sorted(indexes), sorted(sequences, key=str), extensions


def tables(bench, uid):
    return bench.sql(
        uid,
        "SELECT relname FROM pg_class WHERE relkind = 'r'"
        " AND relnamespace = 'public'::regnamespace",
    )


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
    assert contents(bench, fresh) == contents(bench, tenant)
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


def test_no_secret_is_in_arguments_environments_or_logs(bench, tenant):
    bench.sql(
        tenant,
        "INSERT INTO res_partner SELECT i + 9999, repeat('x', 900)"
        " FROM generate_series(1, 90000) i",
    )
    name = bench.start_job("backup", tenant, backup="b1")
    seen = ""
    while "pg_dump" not in seen:
        seen = docker("top", name, "-o", "pid,args")
    ended = bench.wait(name)
    shown = seen + docker("inspect", name) + ended.log
    bench.remove(name)
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
def test_no_change_is_missed(bench, tenant, change):
    bench.run("backup", tenant, backup="b1")
    assert bench.run("backup", tenant, backup="b2")["state"] == "unchanged"
    bench.sql(tenant, change)
    assert bench.run("backup", tenant, backup="b3")["state"] == "made"


def test_what_does_not_change_the_data_is_no_change(bench, tenant):
    bench.run("backup", tenant, backup="b1")
    bench.sql(tenant, "SELECT count(*) FROM res_partner")
    with bench.postgres.login(tenant, tenant, PASSWORD) as connection:
        connection.autocommit = True
        connection.cursor().execute("VACUUM ANALYZE")
    # Another tenant's life is not this one's.
    other = new_uid()
    bench.make_tenant(other)
    assert bench.run("backup", tenant, backup="b2")["state"] == "unchanged"


def test_a_tenant_somebody_works_in_is_copied_to_be_sure(bench, tenant):
    bench.run("backup", tenant, backup="b1")
    with bench.postgres.login(tenant, tenant, PASSWORD) as connection:
        connection.cursor().execute("SELECT 1")
        assert bench.run("backup", tenant, backup="b2")["state"] == "made"


def test_a_crash_of_the_server_makes_no_tenant_look_unchanged(bench, tenant):
    """Its counters begin anew then, and could come to the same number."""
    bench.run("backup", tenant, backup="b1")
    pids = bench.postgres.sql(
        "SELECT pid FROM pg_stat_activity WHERE backend_type = 'background writer'"
    )
    docker("exec", NAME, "bash", "-c", f"kill -9 {pids[0][0]}")
    bench.postgres._wait()
    assert bench.run("backup", tenant, backup="b2")["state"] == "made"


# === T22-T24, T29: STORES AND KEYS === #


@pytest.fixture
def amazon(bench):
    """A bucket on a service that the tasks reach at the bridge's gateway."""
    gateway = docker(
        *("network", "inspect", "bridge", "--format"),
        "{{(index .IPAM.Config 0).Gateway}}",
    ).strip()
    server = ThreadedMotoServer(gateway or "172.17.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    config = S3Config(
        "copies",
        endpoint=f"http://{host}:{port}",
        access_key="AKIAEXAMPLE",
        secret_key="planted-secret",
        path_style=True,
        prefix="saas",
        encryption="aws:kms",
        kms_key="1234abcd-12ab-34cd-56ef-1234567890ab",
    )
    client = boto3.client(
        "s3",
        endpoint_url=config.endpoint,
        region_name="us-east-1",
        aws_access_key_id="a",
        aws_secret_access_key="b",
    )
    client.create_bucket(Bucket="copies")
    yield config, client
    client.close()
    server.stop()


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
    before, hashes = contents(bench, tenant), bench.files(tenant)
    drop_database(bench, tenant)
    alone = {"store": config, "key": "", "recovery_key": RECOVERY[0], "to": fresh}
    assert bench.run("tenants", tenant, **alone)["tenants"] == [tenant]
    (row,) = bench.run("list", tenant, **alone)["backups"]
    done = bench.run("restore", tenant, **alone, backup=row["backup"])
    assert done["rows"] == made["rows"]
    assert contents(bench, fresh) == before
    assert bench.files(fresh) == hashes


def test_a_bucket_that_cannot_be_reached_is_tried_again(bench, tenant, amazon):
    config = S3Config(
        "copies",
        endpoint="http://127.0.0.1:1",
        access_key="a",
        secret_key="b",
        timeout=1.0,
    )
    retryable(
        "unreachable", lambda: bench.run("backup", tenant, store=config, backup="b1")
    )


def test_a_flipped_bit_is_found_by_proving_and_by_restoring(bench, tenant, fresh):
    bench.attach(tenant, 3)
    bench.run("backup", tenant, backup="b1")
    (key,) = [key for key in bench.stored() if f"{tenant}/databases/" in key]
    script = (
        "import sys; f = open(sys.argv[1], 'r+b'); f.seek(-9, 2); b = f.read(1);"
        " f.seek(-9, 2); f.write(bytes([b[0] ^ 1]))"
    )
    docker(
        "run",
        "--rm",
        "--volume",
        f"{bench.store}:/mnt/store",
        backup_bench_docker.IMAGE,
        "python3",
        "-c",
        script,
        f"/mnt/store/{key}",
    )
    refused("damaged", lambda: bench.run("verify", tenant, backup="b1"))
    refused("damaged", lambda: bench.run("restore", tenant, to=fresh, backup="b1"))
    assert tables(bench, fresh) == []
    assert bench.files(fresh) == {}


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


# === T25: A DUMP THAT DIES === #


def fill(bench, uid, rows=200_000):
    """Enough to dump for a second."""
    bench.sql(
        uid,
        "INSERT INTO res_partner SELECT i + 99999, repeat(md5(i::text), 10)"
        f" FROM generate_series(1, {rows}) i",
    )


def test_a_dump_that_is_killed_makes_no_copy(bench, tenant):
    fill(bench, tenant)
    name = bench.start_job("backup", tenant, backup="b1")
    bench.wait_until(lambda: "pg_dump" in docker("top", name, "-o", "pid,args"))
    for line in docker("top", name, "-o", "pid,args").splitlines():
        if "pg_dump --format" in line:
            subprocess.run(["kill", "-9", line.split()[0]], check=True)
    ended = bench.wait(name)
    bench.remove(name)
    assert ended.code == 75
    retryable("killed", ended.answer)
    assert bench.run("list", tenant)["backups"] == []
    assert bench.run("backup", tenant, backup="b1")["state"] == "made"


@pytest.mark.parametrize("how", ["session", "database"])
def test_a_database_that_goes_away_under_a_dump_makes_no_copy(bench, tenant, how):
    fill(bench, tenant)
    name = bench.start_job("backup", tenant, backup="b1")
    bench.wait_until(lambda: "pg_dump" in docker("top", name, "-o", "pid,args"))
    if how == "database":
        drop_database(bench, tenant)
    else:
        bench.postgres.sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            f" WHERE datname = '{tenant}' AND application_name = 'saas-backup'"
        )
    ended = bench.wait(name)
    bench.remove(name)
    retryable("unreachable", ended.answer)
    assert not [key for key in bench.stored() if f"{tenant}/backups" in key]


@pytest.mark.parametrize("delay", [0.2, 0.4, 0.6, 0.8, 1.0, 1.3, 1.7])
def test_a_killed_task_is_made_good_by_the_next(bench, tenant, fresh, delay):
    fill(bench, tenant, 60_000)
    bench.attach(tenant, 400, 50_000)
    name = bench.start_job("backup", tenant, backup="b1")
    time.sleep(delay)
    docker("kill", "--signal", "KILL", name) if _runs(name) else None
    ended = bench.wait(name)
    bench.remove(name)
    if ended.code:
        retryable("task_ended", ended.answer)
    made = bench.run("backup", tenant, backup="b1")
    assert (made["state"], made["missing"]) == ("made", 0)
    assert bench.run("verify", tenant, backup="b1")["files"] == 400
    # What came of the first try is used, or nothing refers to it.
    packs = [size for key, size in bench.stored().items() if f"{tenant}/packs" in key]
    assert sum(packs) < 400 * 50_000 + 17 * 2**20


def _runs(name):
    return docker("inspect", "--format", "{{.State.Running}}", name).strip() == "true"


# === T26: A STATEMENT THAT FAILS === #

# It looks at another table, which is empty while a dump is loaded.
BROKEN = """
    CREATE FUNCTION known(text) RETURNS boolean LANGUAGE sql
        AS 'SELECT EXISTS (SELECT FROM public.res_users WHERE login = $1)';
    CREATE TABLE a_log (login text CHECK (known(login)));
    INSERT INTO a_log VALUES ('admin');
"""


def test_a_statement_that_fails_undoes_the_whole_restore(bench, tenant, fresh):
    bench.sql(tenant, BROKEN)
    bench.run("backup", tenant, backup="b1")
    message = refused(
        "sql", lambda: bench.run("restore", tenant, to=fresh, backup="b1")
    )
    assert "violates check constraint" in message
    assert "Nothing was changed" in message
    assert tables(bench, fresh) == []
    assert bench.files(fresh) == {}


def test_odoos_own_way_takes_the_same_failure_for_success(bench, tenant, fresh):
    bench.sql(tenant, BROKEN)
    # As its service/db.py does: plain SQL, and psql without ON_ERROR_STOP.
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
    assert bench.sql(fresh, "SELECT count(*) FROM a_log") == [(0,)]


def test_a_name_in_a_dump_runs_no_command(bench, tenant, fresh):
    evil = "x\n\\! touch /var/lib/odoo/pwned\n"
    bench.sql(tenant, f'CREATE TABLE "{evil}" (a int)')
    bench.run("backup", tenant, backup="b1")
    bench.run("restore", tenant, to=fresh, backup="b1")
    assert (evil,) in tables(bench, fresh)
    name = bench.start(fresh, ["ls", "/var/lib/odoo"], {})
    assert bench.wait(name).log.split() == ["filestore"]
    bench.remove(name)


def test_a_copy_is_not_restored_over_a_database_in_use(bench, tenant):
    bench.run("backup", tenant, backup="b1")
    before = contents(bench, tenant)
    refused(
        "not_empty",
        lambda: bench.run(
            "restore", tenant, backup="b1", filestore="/var/lib/odoo/filestore/other"
        ),
    )
    assert contents(bench, tenant) == before


@pytest.mark.parametrize("delay", [0.3, 0.6, 0.9, 1.2])
def test_a_killed_restore_leaves_a_database_empty_or_whole(bench, tenant, fresh, delay):
    fill(bench, tenant, 30_000)
    bench.attach(tenant, 50)
    bench.run("backup", tenant, backup="b1")
    name = bench.start_job("restore", tenant, to=fresh, backup="b1")
    time.sleep(delay)
    docker("kill", "--signal", "KILL", name) if _runs(name) else None
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
    if tables(bench, fresh):
        assert contents(bench, fresh) == contents(bench, tenant)
    # What the master does then: fresh database, fresh volume.
    server = bench.postgres.server
    drop_database(bench, fresh)
    server.create_database(fresh)
    docker("volume", "rm", f"{backup_bench_docker.STACK}-{fresh}")
    bench.make_volume(fresh)
    bench.run("restore", tenant, to=fresh, backup="b1")
    assert contents(bench, fresh) == contents(bench, tenant)


# === T27: WHILE THE TENANT IS WRITTEN TO === #


def test_twenty_copies_during_fifty_attachments_a_second_miss_no_file(
    bench, tenant, fresh
):
    bench.attach(tenant, 200, 2000)
    with bench.running(tenant, "users.py", USERS, "50", "500") as users:
        bench.wait_until(lambda: "ready" in docker("logs", users))
        made = [
            bench.run("backup", tenant, backup=f"b{number:02}") for number in range(20)
        ]
        native = bench.run_inside(tenant, "native.py", NATIVE, "20")
    assert [answer["missing"] for answer in made] == [0] * 20
    assert made[-1]["files"] > made[0]["files"] > 200
    for answer in made[::5]:
        bench.run("verify", tenant, backup=answer["backup"])
    done = bench.run("restore", tenant, to=fresh, backup="b19")
    names = bench.sql(
        fresh, "SELECT split_part(store_fname, '/', 2) FROM ir_attachment"
    )
    files = bench.files(fresh)
    assert {name for (name,) in names} == set(files)
    assert all(name == sha1 for name, sha1 in files.items())
    assert done["rows"]["ir_attachment"] == len(names)
    torn = json.loads(native.splitlines()[-1])["torn"]
    print(f"ours: 0 of 20 torn, files first: {torn} of 20 torn")
    assert torn > 0


def test_a_copy_waits_for_an_upgrade_and_then_says_so(bench, tenant):
    with bench.postgres.login(tenant, tenant, PASSWORD) as connection:
        connection.cursor().execute("LOCK TABLE res_partner IN ACCESS EXCLUSIVE MODE")
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
    fill(bench, tenant, 50_000)
    names = [bench.start_job("backup", tenant, backup=id) for id in ("b1", "b2")]
    for name in names:
        assert bench.wait(name).answer()["missing"] == 0
        bench.remove(name)
    for id in ("b1", "b2"):
        assert bench.run("verify", tenant, backup=id)["files"] == 50


def test_erasing_leaves_nothing_of_a_tenant(bench, tenant):
    bench.attach(tenant, 5)
    bench.run("backup", tenant, backup="b1")
    bench.run("erase", tenant)
    assert [key for key in bench.stored() if tenant in key] == []
    refused(
        "key_missing",
        lambda: bench.run("list", tenant, key="", recovery_key=RECOVERY[0]),
    )


def test_the_hash_of_the_engine_in_the_image_is_the_one_of_this_tree(bench, tenant):
    """Otherwise all of this would test an image that was built of something else."""
    here = backup_bench_docker.jobs.__file__
    output = docker(
        "run",
        "--rm",
        backup_bench_docker.IMAGE,
        "sha256sum",
        "/usr/lib/saas/odoo/addons/saas_backup/engine/job.py",
    )
    with open(here, "rb") as file:
        assert output.split()[0] == hashlib.sha256(file.read()).hexdigest()
