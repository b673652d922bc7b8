from odoo import fields, models

from odoo.addons.saas.engine.driver import Phase
from odoo.addons.saas.engine.errors import RefusedError

from ..const import REASONS
from .saas_backup import parse_date

LIST_KEY = "list"


class SaasTenant(models.Model):
    """The steps that take up a tenant of which only copies are left."""

    _inherit = "saas.tenant"

    # Of a tenant that was taken up: the key of its copies is not derived from this
    # master's data key, which is another one.
    backup_key_sealed = fields.Char(groups=fields.NO_ACCESS, copy=False)

    def _derive_secret(self, purpose):
        sealed = self.sudo().backup_key_sealed
        if purpose == "backup" and sealed:
            return self._unseal(sealed)
        return super()._derive_secret(purpose)

    def _describe(self):
        """Return what a master that has lost all else needs to take the tenant up."""
        partner = self.partner_id
        about = {
            "name": self.name,
            "customer": partner.name,
            "email": partner.email,
            "plan": self.plan_id.name,
            "lang": self.lang,
        }
        return {name: value for name, value in about.items() if value}

    def _register_copy(self, store, made):
        """Return the record of a copy that lies in a store, made where it is missing.

        :param made: what the program says of the copy
        """
        known = self.backup_ids.filtered(lambda b: b.name == made["backup"])
        if known:
            return known
        return self.env["saas.backup"].create(
            {
                "tenant_id": self.id,
                "store_id": store.id,
                "state": "done",
                "name": made["backup"],
                "date": parse_date(made["date"]),
                "reason": made["reason"] if made["reason"] in REASONS else "schedule",
                "size": made["size"],
                "files": made["files"],
                "missing": made["missing"],
                "image": made["image"],
                "odoo_version": made["odoo_version"],
            }
        )

    # === STEPS === #

    def _step_recover_look(self):
        """Never lay a copy over data that are still there."""
        driver, server = self._driver(), self._database_server()
        if (
            driver.observe(self.uid).phase != Phase.ABSENT
            or self.uid in driver.list_state()
            or self.uid in server.list_databases()
        ):
            raise RefusedError(
                self.env._(
                    "There are still data of %(uid)s on %(server)s, and nothing of "
                    "them was touched. Deleting the tenant here would remove them.",
                    uid=self.uid,
                    server=self.server_id.name,
                ),
                reason="in_use",
            )

    def _step_recover_copies(self):
        """Learn of all the tenant's copies, so that retention minds them too."""
        store = self.source_backup_id.store_id
        for made in self._run_store_job(store, LIST_KEY, "list")["backups"]:
            sizes = {name: made[name] for name in ("database_size", "files_size")}
            self._register_copy(store, made).write(sizes)

    def _step_forget(self):
        self.backup_key_sealed = False
        return super()._step_forget()
