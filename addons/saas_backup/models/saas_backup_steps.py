from odoo import models

from odoo.addons.saas.engine.errors import RefusedError


class SaasBackup(models.Model):
    """The steps of a backup: each looks, then does what is missing."""

    _inherit = "saas.backup"

    def _get_key(self):
        return f"backup-{self.id}"

    def _step_backup_start(self):
        tenant = self.tenant_id
        tenant._check_has_data()
        previous = tenant.backup_ids.filtered(
            lambda backup: backup.state == "done" and backup.store_id == self.store_id
        )._sort_newest_first()[:1]
        self.write(
            {
                "image": tenant.image_id.reference,
                "odoo_version": tenant.image_id.version,
            }
        )
        self.store_id._ensure_job(
            tenant.server_id,
            tenant.uid,
            self._get_key(),
            "backup",
            uid=tenant.uid,
            key=tenant._derive_secret("backup"),
            database_of=tenant._get_task_database(),
            backup=self.name,
            database=tenant._prepare_database(tenant.uid),
            image=self.image,
            odoo_version=self.odoo_version or "",
            reason=self.reason,
            about=tenant._describe(),
            # What the master does not know of is nothing to be the same as.
            force=not previous,
            # What one copy has of the store, the next one would have as well.
            fresh=previous.drill_state == "failed",
            recovery_public=self.env["saas.store"]._get_recovery_public(),
        )

    def _step_backup_wait(self):
        # One that was lost with its server, or went wrong, begins again.
        self._step_backup_start()
        tenant = self.tenant_id
        result = self.store_id._wait_for_job(
            tenant.server_id, tenant.uid, self._get_key(), self.create_date
        )
        if result["state"] == "made":
            self._set_done(result)
            return
        same = tenant.backup_ids.filtered(lambda b: b.name == result["backup"])
        if not same:
            raise RefusedError(
                self.env._("The store has a copy that the master does not know."),
                reason="unknown_copy",
            )
        self._set_same_as(same)

    def _step_backup_tidy(self):
        tenant = self.tenant_id
        tenant._driver().delete_task(tenant.uid, self._get_key())
        if self.same_as_id:
            self.operation_ids.backup_id = self.same_as_id
            self.unlink()
        tenant._apply_retention()
