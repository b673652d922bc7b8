"""The program's two ends: what it is told, what it answers; and its pipelines."""

from __future__ import annotations

import io
import json
import threading
import time

import pytest
from backup_bench import RECOVERY, UID, Tenant

from odoo.addons.saas.engine.errors import RefusedError, RetryableError
from odoo.addons.saas_backup.engine import job as jobs
from odoo.addons.saas_backup.engine import keys, processes, task
from odoo.addons.saas_backup.engine.database import Database, passfile
from odoo.addons.saas_backup.engine.directory import DirectoryConfig, DirectoryStore
from odoo.addons.saas_backup.engine.processes import Pipeline, run_pipeline
from odoo.addons.saas_backup.engine.s3 import S3Config
from odoo.addons.saas_backup.engine.store import IterReader

SECRET = "planted-secret-5d17"
LOGIN = Database("172.28.0.1", 5432, UID, UID, SECRET)


@pytest.fixture
def config(tmp_path):
    (tmp_path / "disk").mkdir()
    return DirectoryConfig(str(tmp_path / "disk"))


@pytest.fixture
def tenant(tmp_path, config):
    tenant = Tenant(tmp_path / "filestore")
    tenant.attach_many(4)
    tenant.back_up(DirectoryStore(config), "b1", reason="schedule")
    return tenant


@pytest.fixture
def run(tmp_path, config, capsys):
    """Run the program on a job, and parse its log as the master does."""

    def call(command, **more):
        file = tmp_path / "job.json"
        file.write_bytes(jobs.make_job(command, config, **more))
        code = task.main([str(file)])
        log = capsys.readouterr().out
        return jobs.parse_result(log, code)

    return call


def test_a_job_holds_what_it_was_told_and_an_answer_is_read_back():
    job = jobs.make_job(
        "backup", S3Config("copies"), uid=UID, key="k", database=LOGIN, backup="b1"
    )
    values = json.loads(job)
    assert values["store"]["kind"] == "s3"
    assert values["database"]["password"] == SECRET
    assert Database(**values["database"]) == LOGIN
    assert "recovery_key" not in values
    assert SECRET not in repr(LOGIN)
    assert SECRET not in LOGIN.conninfo
    log = f"working\n{jobs.make_answer({'state': 'made'})}\n"
    assert jobs.parse_result(log, 0) == {"ok": True, "state": "made"}


@pytest.mark.parametrize("kind", [RefusedError, RetryableError])
def test_an_error_of_a_task_is_the_same_error_in_the_master(kind):
    log = jobs.make_error(kind("It is full.", reason="full")) + "\nOut of memory."
    with pytest.raises(kind) as failure:
        jobs.parse_result(log, 1)
    assert (failure.value.message, failure.value.reason) == ("It is full.", "full")


@pytest.mark.parametrize(
    ("log", "code"),
    [
        ("", 137),
        ("working\n", 0),
        ('{"saas-backup": {"ok": tr', 137),
        (jobs.make_answer({}), 137),
        (jobs.make_answer({}), None),
    ],
)
def test_a_task_that_was_ended_before_it_answered_is_tried_again(log, code):
    with pytest.raises(RetryableError) as failure:
        jobs.parse_result(log, code)
    assert failure.value.reason == "task_ended"
    assert f"ended with code {code} before it was done" in failure.value.message


def test_the_store_is_checked(run, config):
    assert run("check")["message"].startswith(f"The directory {config.path} can be")


def test_copies_are_listed_shown_verified_and_deleted(run, tenant, monkeypatch):
    # The archive is no real one here; the real one is for the integration tests.
    monkeypatch.setattr(
        "odoo.addons.saas_backup.engine.restore._list_archive", lambda archive: [b""]
    )
    mine = {"uid": UID, "key": tenant.key}
    assert run("tenants")["tenants"] == [UID]
    (row,) = run("list", **mine)["backups"]
    assert (row["backup"], row["reason"], row["files"]) == ("b1", "schedule", 4)
    shown = run("show", **mine, backup="b1")
    assert shown["modules"] == {"base": "19.0.1.3", "web": "19.0.1.0"}
    assert run("verify", **mine, backup="b1")["files"] == 4
    assert run("collect", **mine)["marked"] == 0
    assert run("delete", uid=UID, backups=["b1"])["deleted"] == 1
    assert run("list", **mine)["backups"] == []
    assert run("collect", **mine)["marked"] == 2


def test_a_new_master_learns_whose_copies_there_are(run, tenant, config):
    about = {"name": "alfa", "customer": "Ana Alvarez", "email": "ana@example.com"}
    tenant.back_up(DirectoryStore(config), "b2", force=True, about=about)
    [row] = run("survey", recovery_key=RECOVERY[0])["tenants"]
    assert (row["uid"], row["backup"], row["copies"]) == (UID, "b2", 2)
    assert row["about"] == about
    assert tenant.key not in json.dumps(row)
    assert keys.unwrap(row["key"].encode(), UID, RECOVERY[0]) == tenant.key


def test_a_wrong_recovery_key_is_told_for_each_tenant(run, tenant):
    [row] = run("survey", recovery_key=keys.new_recovery_key()[0])["tenants"]
    assert row["reason"] == "key_wrong"
    assert "Use the right one" in row["message"]
    assert "key" not in row


def test_what_is_no_recovery_key_is_refused_before_anything_is_read(run, tenant):
    with pytest.raises(RefusedError) as failure:
        run("survey", recovery_key="abc")
    assert failure.value.reason == "key_invalid"


def test_a_copy_that_cannot_be_read_hides_no_other(run, tenant, config):
    store = DirectoryStore(config)
    tenant.back_up(store, "b2", force=True)
    store.put_bytes(f"tenants/{UID}/backups/b2", b"x" * 100)
    found = run("list", uid=UID, key=tenant.key)
    assert [row["backup"] for row in found["backups"]] == ["b1"]
    assert [row["backup"] for row in found["unreadable"]] == ["b2"]
    [row] = run("survey", recovery_key=RECOVERY[0])["tenants"]
    assert (row["backup"], row["copies"]) == ("b1", 2)


def test_the_recovery_key_opens_what_the_master_lost(run, tenant):
    found = run("list", uid=UID, recovery_key=RECOVERY[0])["backups"]
    assert [row["backup"] for row in found] == ["b1"]


def test_keys_are_rotated_and_erased(run, tenant):
    fingerprint = run("rekey", uid=UID, key=tenant.key, recovery_public=RECOVERY[1])[
        "fingerprint"
    ]
    assert len(fingerprint) == 16
    assert run("erase", uid=UID)["deleted"] >= 4
    with pytest.raises(RefusedError) as failure:
        run("list", uid=UID, recovery_key=RECOVERY[0])
    assert failure.value.reason == "key_missing"


def test_the_keys_of_many_are_looked_at_and_lost_ones_sealed_anew(
    run, tenant, tmp_path
):
    other = Tenant(tmp_path / "other", "t0000000000b2")
    keys = {UID: tenant.key, "t0000000000b2": other.key}
    seal = {"keys": keys, "recovery_public": RECOVERY[1]}
    done = run("seal", **seal)
    assert (done["sealed"], done["wrong"]) == (["t0000000000b2"], {})
    assert run("seal", **seal)["sealed"] == []
    keys[UID] = other.key
    assert list(run("seal", **seal)["wrong"]) == [UID]
    found = run("list", uid=UID, recovery_key=RECOVERY[0])["backups"]
    assert len(found) == 1


@pytest.mark.parametrize(
    ("command", "more", "words"),
    [
        ("dance", {}, "A job is one of check, tenants"),
        ("list", {"key": "k"}, "does not say uid"),
        ("list", {"uid": UID}, "does not say key"),
        ("backup", {"uid": UID}, "database is not understood"),
        ("delete", {"uid": UID, "backups": "b1"}, "backups is not understood"),
    ],
)
def test_a_job_that_is_not_understood_says_what_is_wrong(run, command, more, words):
    with pytest.raises(RefusedError) as failure:
        run(command, **more)
    assert failure.value.reason == "bad_job"
    assert words in failure.value.message


@pytest.mark.parametrize("content", [None, "{", "[]"])
def test_a_file_that_is_no_job_is_refused(tmp_path, capsys, content):
    file = tmp_path / "job.json"
    if content is not None:
        file.write_text(content)
    code = task.main([str(file)])
    with pytest.raises(RefusedError) as failure:
        jobs.parse_result(capsys.readouterr().out, code)
    assert failure.value.reason == "bad_job"


def test_a_fault_of_ours_is_no_answer_of_success(run, monkeypatch, capsys):
    def fail(store, job):
        raise ZeroDivisionError

    monkeypatch.setitem(task._COMMANDS, "check", fail)
    with pytest.raises(RefusedError) as failure:
        run("check")
    assert failure.value.reason == "fault"
    assert "ZeroDivisionError" in failure.value.message


def test_a_new_recovery_key_is_shown(capsys):
    assert task.main(["new-recovery-key"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert len(shown["private"]) == len(shown["public"]) == 64
    assert task.main([]) == 1
    assert task.main(["--help"]) == 0
    assert "Usage: saas-backup" in capsys.readouterr().out


def test_a_password_with_every_special_character_is_laid_in_a_file():
    login = Database("::1", 5432, "a'b", UID, r"p:a\ss")
    with passfile(login) as environment:
        with open(environment["PGPASSFILE"]) as file:
            assert file.read() == f"\\:\\:1:5432:a'b:{UID}:p\\:a\\\\ss\n"
        assert r"p:a\ss" not in environment.values()
    assert "dbname='a\\'b'" in login.conninfo


# === PIPELINES === #


def shell(script):
    return ("sh", "-c", script)


def output_of(first, second=("cat",), source=None):
    return b"".join(run_pipeline(Pipeline(shell(first), second), source))


def test_the_output_of_one_program_goes_through_the_other():
    assert output_of("echo a; echo b", ("sed", "s/b/c/")) == b"a\nc\n"
    assert output_of("cat", source=io.BytesIO(b"x" * 10**6)) == b"x" * 10**6


def test_a_program_works_on_for_a_while_when_nobody_reads(tmp_path):
    done = tmp_path / "done"
    waits = f"for i in $(seq 200); do [ -e {done} ] && break; sleep 0.05; done; "
    output = output_of(
        f"head -c 1000000 /dev/zero; touch {done}",
        shell(f"{waits} [ -e {done} ] && cat"),
    )
    assert len(output) == 1_000_000


def test_a_user_who_gets_no_wider_pipe_uses_what_there_is(monkeypatch):
    def refuse(*_arguments):
        raise PermissionError

    monkeypatch.setattr(processes.fcntl, "fcntl", refuse)
    assert output_of("cat", source=io.BytesIO(b"x" * 10**6)) == b"x" * 10**6


@pytest.mark.parametrize(
    ("first", "second"),
    [("echo half; exit 3", "cat"), ("echo half", "cat; exit 3")],
)
def test_a_program_that_fails_is_no_end_of_its_output(first, second):
    got = []
    with pytest.raises(RetryableError) as failure:
        # Not made from the call: what came before the failure is looked at.
        got.extend(run_pipeline(Pipeline(shell(first), shell(second))))
    assert got == [b"half\n"]
    assert failure.value.message.startswith("sh failed: it did not say why")


def test_a_program_that_is_killed_is_named():
    with pytest.raises(RetryableError) as failure:
        output_of("kill -9 $$")
    assert failure.value.reason == "killed"
    assert "sh was ended by SIGKILL" in failure.value.message


def test_a_source_that_breaks_kills_who_would_take_it_for_the_whole(tmp_path):
    class Broken(Exception):
        pass

    def parts():
        yield b"half\n"
        time.sleep(0.2)
        raise Broken

    done = tmp_path / "committed"
    with pytest.raises(Broken):
        list(
            run_pipeline(
                Pipeline(("cat",), shell(f"cat >/dev/null; touch {done}")),
                IterReader(parts()),
            )
        )
    assert not done.exists()


def test_what_is_not_read_to_its_end_leaves_no_process_behind():
    before = threading.active_count()
    output = run_pipeline(Pipeline(shell("yes"), ("cat",)))
    assert next(output)
    output.close()
    assert threading.active_count() == before


@pytest.mark.parametrize(
    ("complaint", "kind", "reason"),
    [
        ("canceling statement due to statement timeout", RetryableError, "busy"),
        (
            "FATAL:  too many connections for role",
            RetryableError,
            "too_many_connections",
        ),
        ("aborting because of server version mismatch", RefusedError, "version"),
        ('ERROR:  extension "postgis" is not available', RefusedError, "extension"),
        ("ERROR:  permission denied to create extension", RefusedError, "extension"),
        ("FATAL:  password authentication failed", RefusedError, "credentials"),
        ("server closed the connection unexpectedly", RetryableError, "unreachable"),
        ("could not write: No space left on device", RetryableError, "disk_full"),
        (
            'query failed: ERROR:  snapshot "000000C6-1" does not exist',
            RetryableError,
            "unreachable",
        ),
    ],
)
def test_what_a_tool_complains_about_is_one_of_our_errors(complaint, kind, reason):
    with pytest.raises(kind) as failure:
        output_of(f"echo '{complaint}' >&2; exit 1")
    assert failure.value.reason == reason
    assert failure.value.message.endswith(".")
