from odoo import models
from odoo.tools import file_open

from odoo.addons.saas.engine import odoo_database
from odoo.addons.saas.engine.driver import CONFIG_DIRECTORY, Limits, TaskPhase, TaskSpec
from odoo.addons.saas.engine.errors import RefusedError, RetryableError

from .saas_store import MEGABYTE, WAIT_SECONDS, wait_while_running

RESTORE_KEY = "restore"
ERASE_KEY = "erase"
MERGE_KEY = "merge"
NEUTRALIZE_KEY = "neutralize"
# The password of a tenant's role while its database is restored: its Odoo, which has
# another one, waits until all is as it should be.
RESTORE_PURPOSE = "restore"
# Bytes of a database that is restored long before Odoo gives up waiting for it.
SOON_RESTORED = 256 * MEGABYTE


class SaasTenant(models.Model):
    """The steps that bring copies back: each looks, then does what is missing."""

    _inherit = "saas.tenant"

    # === AS A NEW TENANT === #

    def _step_restore_place(self):
        """Choose the server by the rules for any new tenant, and a slot on it.

        What lies in a directory can be read where the copied tenant is, and not
        elsewhere.
        """
        source = self.source_backup_id.tenant_id
        source_server = source.server_id
        if self.slot < 0:
            if self.archived_on:
                self._leave_server()
            in_directory = self.source_backup_id.store_id.kind == "directory"
            bound = in_directory and not self.server_id
            self.server_id = self.env["saas.server"]._place(
                self.plan_id,
                self.company_id,
                chosen=source_server if bound else self.server_id,
                bound=bound,
            )
        if not self.database_server_id and self.server_id == source_server:
            self.database_server_id = source._get_shared_database_server()
        self._settle()

    def _leave_server(self):
        """Let any server take a tenant of which nothing is left where it was."""
        if self.database_server_id == self.server_id.database_server_id:
            self.database_server_id = False
        self.server_id = False

    def _step_restore_role(self):
        """Have the role, and nobody but who restores log in with it."""
        self._ensure_role(login=True, purpose=RESTORE_PURPOSE)

    def _step_restore_start(self):
        self.source_backup_id._ensure_restore(self, self.uid, RESTORE_PURPOSE)

    def _step_restore_wait(self):
        """Wait for database and files; meanwhile Odoo starts, and waits for them too.

        It does not begin while there is still more to be done than that.
        """
        self._step_restore_start()
        is_soon = self.source_backup_id.database_size < SOON_RESTORED
        if is_soon and not self.neutralized:
            self._driver().ensure(self._prepare_spec())
        self.source_backup_id._wait_for_restore(
            self, self.uid, self.last_operation_id.create_date
        )

    def _step_restore_neutralize(self):
        """Have Odoo itself switch off what it would do in its customer's name."""
        if self.neutralized:
            self._run_own_task(
                NEUTRALIZE_KEY,
                self._prepare_neutralize,
                self.env._("Its mail and scheduled actions are being switched off."),
                self.env._("Its mail and scheduled actions could not be switched off."),
            )

    def _prepare_neutralize(self):
        return TaskSpec(
            key=NEUTRALIZE_KEY,
            image=self.image_id.reference,
            command=("odoo", "neutralize"),
            limits=Limits(memory=self.plan_id.memory * MEGABYTE, cpus=1.0),
            files={"odoo.conf": self._make_config(RESTORE_PURPOSE)},
            network=True,
            database=self._get_task_database(),
        )

    def _step_restore_address(self):
        # As the tenant itself: somebody else's triggers may lie in its database.
        password = self._derive_secret(RESTORE_PURPOSE)
        is_same = self.source_backup_id.tenant_id == self
        write = odoo_database.set_url if is_same else odoo_database.separate
        with self._database_server().connect(self.uid, password) as connection:
            write(connection, self.url)
        self._driver().delete_task(self.uid, RESTORE_KEY)

    # === IN PLACE === #

    def _step_restore_safety(self):
        """Record a copy of what the tenant is now; the next step makes it.

        So that its number is kept when the worker is killed.
        """
        if not self.restore_safety_id:
            self.restore_safety_id = self._create_backup("restore")

    def _step_restore_safety_wait(self):
        safety = self.restore_safety_id
        if safety.state == "running":
            safety._step_backup_wait()
        if safety.state == "failed":
            raise RefusedError(
                self.env._(
                    "The copy of what %s is now failed, so nothing was restored. Ask "
                    "for it again.",
                    self.name,
                ),
                reason="no_safety",
            )

    def _step_restore_safety_tidy(self):
        self.restore_safety_id._step_backup_tidy()

    def _step_restore_try(self):
        """Record the throwaway; the next step makes it, as with the copy."""
        if not self.restore_drill_id:
            drill = {"backup_id": self.restore_backup_id.id}
            self.restore_drill_id = self.env["saas.drill"].create(drill)

    def _step_restore_try_wait(self):
        """Restore beside the tenant, which works on."""
        self.restore_drill_id._step_drill_load()
        self.restore_drill_id._step_drill_boot()

    def _step_restore_files(self):
        """Add the restored files to the tenant's; from here on places may change."""
        drill = self.restore_drill_id
        self._run_own_task(
            MERGE_KEY,
            lambda: self._prepare_merge(drill.uid),
            self.env._("The restored files are being added."),
            self.env._("The restored files could not be added."),
        )
        drill.switching = True

    def _run_own_task(self, key, prepare, waiting, failed):
        """Run a task of the tenant's own image to its end, over several tries.

        :param prepare: gives the task
        :param str waiting: what is said meanwhile
        :param str failed: what is said when it went wrong
        """
        driver = self._driver()
        if driver.observe_task(self.uid, key).phase == TaskPhase.ABSENT:
            driver.start_task(self.uid, prepare())
        task = wait_while_running(driver, self.uid, key, WAIT_SECONDS)
        if task.phase == TaskPhase.RUNNING:
            raise RetryableError(waiting, reason="not_ready", seconds=1, waiting=True)
        driver.delete_task(self.uid, key)
        if task.phase == TaskPhase.FAILED:
            raise RetryableError(failed, reason=f"{key}_failed")

    def _prepare_merge(self, source):
        with file_open("saas_backup/programs/merge.py", "rb") as program:
            files = {"merge.py": program.read()}
        return TaskSpec(
            key=MERGE_KEY,
            image=self.image_id.reference,
            command=("python3", f"{CONFIG_DIRECTORY}/merge.py", source, self.uid),
            limits=Limits(memory=512 * MEGABYTE, cpus=1.0),
            files=files,
            source=source,
        )

    def _step_restore_switch(self):
        self._exchange(restored=True)

    def _step_restore_back(self):
        self._exchange(restored=False)

    def _exchange(self, *, restored):
        """Have the tenant's database hold what was restored, or what it was before."""
        self._database_server().exchange(
            self.uid, self.restore_drill_id.uid, exchanged=restored
        )

    def _step_restore_rest(self):
        """Have it sleep or stand still again, where that is wanted.

        It was started to see that it answers.
        """
        if self.wanted == "sleeping":
            self._step_pause()
        elif self.wanted == "stopped":
            self._step_stop()

    def _step_restore_clear(self):
        """Remove what is not the tenant any more; the copy of it stays."""
        self.restore_drill_id.switching = False
        self.restore_drill_id._step_drill_remove()

    # === ERASING === #

    def _step_erase_copies(self):
        """Remove all of the tenant's objects from every store that ever had some."""
        self._check_unwanted()
        # The sealed key lies in a store as long as it ever held a copy.
        stores = self.backup_ids.store_id
        if not stores:
            return
        for store in stores:
            store._ensure_job(
                self.server_id,
                self.uid,
                f"{ERASE_KEY}-{store.id}",
                "erase",
                uid=self.uid,
                key=self._derive_secret("backup"),
            )
        for store in stores:
            store._wait_for_job(
                self.server_id,
                self.uid,
                f"{ERASE_KEY}-{store.id}",
                self.last_operation_id.create_date,
            )
        self.backup_ids.write({"state": "deleted", "kept_for": False})
        self._driver().delete(self.uid, keep_data=False)


class SaasBackup(models.Model):
    _inherit = "saas.backup"

    def _ensure_restore(self, tenant, uid, purpose="database"):
        """Begin to restore this copy into what is empty, beside the state of ``uid``.

        :param tenant: the tenant whose servers and key it is for
        :param purpose: what the password of the role is for
        """
        driver = tenant._driver()
        if driver.observe_task(uid, RESTORE_KEY).phase != TaskPhase.ABSENT:
            return
        database_server = tenant._database_server()
        # What a task that failed has left is of no use to the next one.
        database_server.drop_database(uid)
        driver.delete(uid, keep_data=False)
        if tenant._get_task_database() == uid:
            # Its own database server went with the rest.
            tenant._ensure_role(login=True, purpose=purpose)
        database_server.create_database(uid)
        self.store_id._ensure_job(
            tenant.server_id,
            uid,
            RESTORE_KEY,
            "restore",
            uid=self.uid,
            key=self._derive_key(),
            database_of=tenant._get_task_database(),
            backup=self.name,
            database=tenant._prepare_database(uid, purpose),
        )

    def _derive_key(self):
        if not self.tenant_id.data_key_sealed:
            raise RefusedError(
                self.env._(
                    "The key of %s was destroyed when it was erased; nobody can read "
                    "its copies any more.",
                    self.tenant_id.name,
                ),
                reason="key_missing",
            )
        return self.tenant_id._derive_secret("backup")

    def _wait_for_restore(self, tenant, uid, since):
        """Return what the restore says of the data that are there now."""
        return self.store_id._wait_for_job(tenant.server_id, uid, RESTORE_KEY, since)
