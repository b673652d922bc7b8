from odoo import models

from odoo.addons.saas.engine import odoo_database
from odoo.addons.saas.engine.driver import TaskPhase
from odoo.addons.saas.engine.errors import RefusedError

RESTORE_KEY = "restore"
ERASE_KEY = "erase"


class SaasTenant(models.Model):
    """The steps that bring copies back: each looks, then does what is missing."""

    _inherit = "saas.tenant"

    # === AS A NEW TENANT === #

    def _step_restore_place(self):
        """Choose the server: where the copied one is, as directories lie there."""
        source = self.source_backup_id.tenant_id
        if not self.server_id:
            self.server_id = source.server_id
        if not self.database_server_id:
            self.database_server_id = source.database_server_id
        self._check_own_database_server()
        if self.slot < 0:
            self._take_slot()

    def _step_restore_start(self):
        self.source_backup_id._ensure_restore(self, self.uid)

    def _step_restore_wait(self):
        self._step_restore_start()
        self.source_backup_id._wait_for_restore(
            self, self.uid, self.last_operation_id.create_date
        )

    def _step_restore_address(self):
        # As the tenant itself: somebody else's triggers may lie in its database.
        password = self._derive_secret("database")
        with self._database_server().connect(self.uid, password) as connection:
            odoo_database.set_url(connection, self.url)
        self._driver().delete_task(self.uid, RESTORE_KEY)

    def _wait_for_files(self, driver):
        # Those of a restored tenant came with its database.
        if not self.source_backup_id:
            super()._wait_for_files(driver)

    # === ERASING === #

    def _step_erase_copies(self):
        """Remove all of the tenant's objects from every store that has some."""
        stores = self.backup_ids.filtered(lambda b: b.state != "deleted").store_id
        if not stores:
            return
        self._check_removable()
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

    def _ensure_restore(self, tenant, uid):
        """Begin to restore this copy into what is empty, beside the state of ``uid``.

        :param tenant: the tenant whose servers and key it is for
        """
        driver = tenant._driver()
        if driver.observe_task(uid, RESTORE_KEY).phase != TaskPhase.ABSENT:
            return
        database_server = tenant._database_server()
        # What a task that failed has left is of no use to the next one.
        database_server.drop_database(uid)
        driver.delete(uid, keep_data=False)
        database_server.create_database(uid)
        self.store_id._ensure_job(
            tenant.server_id,
            uid,
            RESTORE_KEY,
            "restore",
            uid=self.uid,
            key=self._derive_key(),
            backup=self.name,
            database=tenant._prepare_database(uid),
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
