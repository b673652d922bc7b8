import base64
import json
from datetime import UTC, datetime

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from odoo.addons.saas.engine.driver import TaskPhase
from odoo.addons.saas.engine.errors import RefusedError, RetryableError
from odoo.addons.saas.engine.fake import FakeDriver
from odoo.addons.saas.tests.common import IMAGE, IMAGES, SaasCommon

from ..engine.job import RETRYABLE, make_answer, make_error


class Toolbox(FakeDriver):
    """A server whose toolbox keeps copies in memory, by what the contract says.

    :param store: what lies in the store: (uid, id of the copy)
    :param jobs: what the tasks were told, in order
    :param faults: (reason, exit code) of the next tasks by command, used up in order;
        None for one that ends without a word
    :param found: what lies in the store of tenants that nobody knows
    :param copies: what a list of copies gives
    :param locked: what the bucket is locked for already
    :param unchanged: whether tenants are found as they were
    :param wrong_keys: what is wrong with the keys in the store, by uid
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.store = {}
        self.jobs = []
        self.faults = {}
        self.found = []
        self.copies = []
        self.locked = None
        self.unchanged = False
        self.wrong_keys = {}
        self.outcomes["gate"] = None

    def start_task(self, uid, task):
        known = (uid, task.key) in self.tasks
        super().start_task(uid, task)
        if known or task.key in ("seed", "init", "gate", "bring"):
            return
        if task.command[0] == "saas-backup":
            job = json.loads(task.files["job.json"])
        else:
            job = {"command": task.key, "uid": uid, "source": task.source}
        self.jobs.append(job)
        found = self.tasks[uid, task.key]
        if found.phase == TaskPhase.RUNNING:
            return
        if self.faults.get(job["command"]):
            self._fail(found, self.faults[job["command"]].pop(0))
            return
        self._answer(found, job)

    def finish(self, uid, key):
        """End the last task, which goes on forever, as it should."""
        found = self.tasks[uid, key]
        found.phase, found.exit_code = TaskPhase.DONE, 0
        self._answer(found, self.jobs[-1])

    def _answer(self, found, job):
        answer = getattr(self, f"_do_{job['command']}")(job)
        found.log = make_answer({"command": job["command"], **answer})

    def _fail(self, task, fault):
        task.phase, task.exit_code = TaskPhase.FAILED, 137
        if fault:
            reason, task.exit_code = fault
            kind = RetryableError if task.exit_code == RETRYABLE else RefusedError
            task.log = make_error(kind(f"It is {reason}.", reason=reason))

    def _do_check(self, _job):
        return {"message": "Room for 12 GiB"}

    def _do_protect(self, job):
        lock = self.locked or job.get("object_lock")
        return {"lifecycle": job["lifecycle"], "object_lock": lock}

    def _do_backup(self, job):
        uid = job["uid"]
        now = datetime.now(UTC).isoformat()
        if self.unchanged and not (job["force"] or job["fresh"]):
            return {"state": "unchanged", "backup": self.store[uid][-1], "date": now}
        self.store.setdefault(uid, []).append(job["backup"])
        return {
            "state": "made",
            "backup": job["backup"],
            "date": now,
            "size": 3_000_000_000,
            "sent": 5_000_000,
            "database_size": 2_000_000,
            "files": 12,
            "files_size": 2_900_000_000,
            "files_sent": 3,
            "missing": 0,
            "rows": {"res_partner": 7, "res_users": 4},
            "modules": 14,
            "seconds": 0.4,
        }

    def _do_verify(self, job):
        return {"backup": job["backup"]}

    def _do_restore(self, job):
        return {
            "rows": {"res_partner": 7, "res_users": 4},
            "files": 12,
            "missing": 0,
            "image": IMAGE,
            "odoo_version": "19.0",
            "date": datetime.now(UTC).isoformat(),
            "seconds": 1.5,
        }

    def _do_boot(self, _job):
        return {"ready_seconds": 2.5, "login_seconds": 0.5, "assets": 4}

    def _do_merge(self, _job):
        return {}

    def _do_neutralize(self, _job):
        return {}

    def _do_seal(self, job):
        wrong = {uid: why for uid, why in self.wrong_keys.items() if uid in job["keys"]}
        return {"sealed": [], "wrong": wrong}

    def _do_survey(self, _job):
        return {"tenants": self.found}

    def _do_list(self, _job):
        return {"backups": self.copies, "unreadable": []}

    def _do_delete(self, job):
        copies = self.store.get(job["uid"], [])
        self.store[job["uid"]] = [id for id in copies if id not in job["backups"]]
        return {"deleted": len(job["backups"])}

    def _do_collect(self, _job):
        return {"marked": 1, "deleted": 0, "freed": 0}

    def _do_erase(self, job):
        return {"deleted": len(self.store.pop(job["uid"], []))}


class BackupCommon(SaasCommon):
    """A running tenant with a store; what is told to tasks can be read."""

    @classmethod
    def _add_certificate_key(cls):
        key = Ed25519PrivateKey.generate()
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        public = base64.b64encode(key.public_key().public_bytes_raw())
        (cls.keys / "certificate_key").write_bytes(pem)
        (cls.keys / "certificate_public").write_bytes(public)

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls._add_certificate_key()
        cls.env["saas.store"].search([]).active = False
        cls.store = cls.env["saas.store"].create(
            {"name": "Directory", "kind": "directory", "volume": "test-backups"}
        )

    def _make_fakes(self):
        super()._make_fakes()
        self.driver = Toolbox(images=set(IMAGES))

    def create_backup(self, tenant):
        operation = tenant.action_backup()
        self.run_operations()
        self.assertEqual(operation.state, "done", operation.message)
        return operation.backup_id
