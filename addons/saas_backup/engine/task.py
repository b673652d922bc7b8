"""The program ``saas-backup``: does one job beside the data and answers in one line."""

from __future__ import annotations

import dataclasses
import json
import pathlib
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from odoo.addons.saas.engine.errors import EngineError, RefusedError, RetryableError

from . import backup, keys, restore
from .database import Database
from .job import DONE, REFUSED, RETRYABLE, make_answer, make_error
from .manifest import Manifest
from .repository import Repository, list_tenants
from .s3_config import Lifecycle, ObjectLock
from .store import Store
from .stores import config_from_json, make_store

if TYPE_CHECKING:
    from .s3 import S3Store

FILESTORE = pathlib.Path("/var/lib/odoo/filestore")

USAGE = """Usage: saas-backup JOB.json
       saas-backup new-recovery-key

JOB.json says what to do, to which store, with which key: see docs/backups.md. The last
line of the output is the answer, as JSON.

"""

Values = Mapping[str, Any]


def main(arguments: list[str]) -> int:
    """Do the job that the file says; the exit code."""
    if arguments == ["new-recovery-key"]:
        private, public = keys.new_recovery_key()
        _print(json.dumps({"private": private, "public": public}, indent=1))
        return DONE
    if len(arguments) != 1 or arguments[0].startswith("-"):
        _print(USAGE.rstrip())
        return DONE if arguments == ["--help"] else REFUSED
    try:
        _print(make_answer(run(_read_job(pathlib.Path(arguments[0])))))
    except EngineError as error:
        _print(make_error(error))
        return RETRYABLE if isinstance(error, RetryableError) else REFUSED
    except Exception as error:  # noqa: BLE001 (a fault of ours; the log tells all)
        traceback.print_exc()
        fault = f"A fault of the program, see the log: {type(error).__name__}."
        _print(make_error(RefusedError(fault, reason="fault")))
        return REFUSED
    return DONE


def run(job: Values) -> dict[str, Any]:
    """Do one job; what it answers.

    :raise RefusedError: ``bad_job``, and whatever the command says
    """
    command = _COMMANDS.get(_get(job, "command"))
    if command is None:
        raise RefusedError(f"A job is one of {', '.join(_COMMANDS)}.", reason="bad_job")
    begun = time.monotonic()
    store = make_store(config_from_json(_get(job, "store", {})))
    answer = command(store, job)
    seconds = round(time.monotonic() - begun, 3)
    return {"command": job["command"], **answer, "seconds": seconds}


# === COMMANDS === #


def _check(store: Store, job: Values) -> dict[str, Any]:
    return {"message": store.check()}


def _protect(store: Store, job: Values) -> dict[str, Any]:
    """Write what the bucket is to do by itself; what it says then."""
    # Loading the library takes longer than a small copy does.
    from .s3 import S3Store

    if not isinstance(store, S3Store):
        raise RefusedError(
            f"{store} is no bucket: it has no lifecycle and no Object Lock.",
            reason="unsupported",
        )
    try:
        lifecycle = Lifecycle(**_get(job, "lifecycle", {}))
        lock = ObjectLock(**job["object_lock"]) if job.get("object_lock") else None
    except TypeError as error:
        raise RefusedError(
            f"What the bucket is to do is not understood: {error}.", reason="bad_job"
        ) from error
    if lock:
        # First, as it may be refused: then the bucket is as it was.
        store.write_object_lock(lock)
    store.write_lifecycle(lifecycle)
    return {
        "lifecycle": dataclasses.asdict(lifecycle),
        "object_lock": _read_lock(store, lock),
    }


def _read_lock(store: S3Store, wanted: ObjectLock | None) -> dict[str, Any] | None:
    try:
        found = store.read_object_lock()
    except RefusedError:
        # Many services know nothing of it, which matters where it is wanted only.
        if wanted:
            raise
        return None
    return dataclasses.asdict(found) if found else None


def _tenants(store: Store, job: Values) -> dict[str, Any]:
    return {"tenants": list_tenants(store)}


def _backup(store: Store, job: Values) -> dict[str, Any]:
    database = _read_database(job)
    request = backup.Request(
        backup=_get(job, "backup"),
        filestore=_read_filestore(job, database),
        recovery_public=_get(job, "recovery_public"),
        image=_get(job, "image", ""),
        odoo_version=_get(job, "odoo_version", ""),
        reason=_get(job, "reason", ""),
        force=_get(job, "force", False),
        fresh=_get(job, "fresh", False),
        about=_get(job, "about", {}),
    )
    source = backup.PostgresSource(database)
    return backup.describe(backup.make_backup(_open(store, job), source, request))


def _verify(store: Store, job: Values) -> dict[str, Any]:
    made = restore.verify_backup(_open(store, job), _get(job, "backup"))
    return _summarise(made)


def _restore(store: Store, job: Values) -> dict[str, Any]:
    database = _read_database(job)
    made = restore.restore_backup(
        _open(store, job),
        _get(job, "backup"),
        restore.PostgresTarget(database),
        _read_filestore(job, database),
    )
    return {**_summarise(made), "rows": dict(made.rows)}


def _unpack(store: Store, job: Values) -> dict[str, Any]:
    folder = pathlib.Path(_get(job, "directory"))
    made = restore.unpack_backup(_open(store, job), _get(job, "backup"), folder)
    return {**_summarise(made), "directory": str(folder)}


def _show(store: Store, job: Values) -> dict[str, Any]:
    made = _open(store, job).read_manifest(_get(job, "backup"))
    return {
        **_summarise(made),
        "rows": dict(made.rows),
        "modules": dict(made.modules),
        "server_version": made.server_version,
        "missing_files": list(made.missing[:20]),
    }


def _list(store: Store, job: Values) -> dict[str, Any]:
    repository = _open(store, job)
    found, unreadable = [], []
    for id in repository.list_backups():
        try:
            found.append(_summarise(repository.read_manifest(id)))
        except RefusedError as error:
            unreadable.append({"backup": id, "message": error.message})
    return {"backups": found, "unreadable": unreadable}


def _survey(store: Store, job: Values) -> dict[str, Any]:
    """Whose copies there are, for a master that knows nothing of them."""
    recovery_key = _get(job, "recovery_key")
    keys.public_of(recovery_key)
    rows = [_look_at(store, uid, recovery_key) for uid in list_tenants(store)]
    return {"tenants": rows}


def _look_at(store: Store, uid: str, recovery_key: str) -> dict[str, Any]:
    """The newest copy of a tenant, and its sealed key; or why there is none."""
    try:
        repository = Repository(store, uid).open_with(recovery_key)
        newest = backup.find_newest(repository)
        if newest is None:
            raise RefusedError(
                f"The store has no copy of {uid} that can be read.", reason="missing"
            )
    except RefusedError as error:
        return {"uid": uid, "reason": error.reason, "message": error.message}
    return {
        "uid": uid,
        # Not in clear: the answer stands in the task's log.
        "key": repository.read_sealed_key(),
        "copies": len(repository.list_backups()),
        "about": dict(newest.about),
        **_summarise(newest),
    }


def _delete(store: Store, job: Values) -> dict[str, Any]:
    repository = Repository(store, _get(job, "uid"))
    return {"deleted": repository.delete_backups(_get(job, "backups", []))}


def _collect(store: Store, job: Values) -> dict[str, Any]:
    done = _open(store, job).collect()
    return {"marked": done.marked, "deleted": done.deleted, "freed": done.freed}


def _rekey(store: Store, job: Values) -> dict[str, Any]:
    public = _get(job, "recovery_public")
    _open(store, job).ensure_key(public)
    return {"fingerprint": keys.fingerprint(public)}


def _seal(store: Store, job: Values) -> dict[str, Any]:
    """Look whether the keys of many tenants are there as they should be."""
    public = _get(job, "recovery_public")
    sealed, wrong = [], {}
    for uid, key in _get(job, "keys", {}).items():
        try:
            if Repository(store, uid, key).ensure_key(public):
                sealed.append(uid)
        except RefusedError as error:
            wrong[uid] = error.message
    return {"sealed": sealed, "wrong": wrong}


def _erase(store: Store, job: Values) -> dict[str, Any]:
    return {"deleted": Repository(store, _get(job, "uid")).erase()}


_COMMANDS: dict[str, Callable[[Store, Values], dict[str, Any]]] = {
    "check": _check,
    "tenants": _tenants,
    "protect": _protect,
    "backup": _backup,
    "verify": _verify,
    "restore": _restore,
    "unpack": _unpack,
    "show": _show,
    "list": _list,
    "survey": _survey,
    "delete": _delete,
    "collect": _collect,
    "rekey": _rekey,
    "seal": _seal,
    "erase": _erase,
}


# === HELPERS === #


def _open(store: Store, job: Values) -> Repository:
    """The copies of the job's tenant, with its key."""
    uid = _get(job, "uid")
    if job.get("recovery_key"):
        return Repository(store, uid).open_with(_get(job, "recovery_key"))
    repository = Repository(store, uid, _get(job, "key"))
    repository.check_key()
    return repository


def _summarise(made: Manifest) -> dict[str, Any]:
    return {
        "backup": made.id,
        "date": made.date,
        "size": made.size,
        "image": made.image,
        "odoo_version": made.odoo_version,
        "reason": made.reason,
        "files": made.files,
        "files_size": made.files_size,
        "database_size": made.database_size,
        "missing": len(made.missing),
    }


def _read_job(path: pathlib.Path) -> Values:
    try:
        job = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RefusedError(
            f"The job {path} cannot be read: {error}.", reason="bad_job"
        ) from error
    if not isinstance(job, dict):
        raise RefusedError("A job is a JSON object.", reason="bad_job")
    return job


def _get(job: Values, name: str, default: Any = None) -> Any:
    if name not in job and default is None:
        raise RefusedError(f"The job does not say {name}.", reason="bad_job")
    value = job.get(name, default)
    if default is not None and not isinstance(value, type(default)):
        raise RefusedError(f"The job's {name} is not understood.", reason="bad_job")
    return value


def _read_database(job: Values) -> Database:
    try:
        return Database(**_get(job, "database", {}))
    except TypeError as error:
        raise RefusedError(
            f"The job's database is not understood: {error}.", reason="bad_job"
        ) from error


def _read_filestore(job: Values, database: Database) -> pathlib.Path:
    return pathlib.Path(_get(job, "filestore", "") or FILESTORE / database.name)


def _print(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
