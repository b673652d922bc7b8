from odoo import models

from .saas_certificate_mixin import format_moment


class SaasDrill(models.Model):
    """What a drill has proven, signed."""

    _name = "saas.drill"
    _inherit = ["saas.drill", "saas.certificate.mixin"]

    def _set_result(self, state, message=False):
        result = super()._set_result(state, message)
        if state == "passed":
            self._sign()
        return result

    def _prepare_content(self):
        backup, tenant = self.backup_id, self.tenant_id
        return {
            "certificate": self.name,
            "issuer": self.company_id.name,
            "customer": tenant.partner_id.commercial_partner_id.display_name,
            "tenant": tenant.name,
            "uid": tenant.uid,
            "copy": backup.name,
            "copy_date": format_moment(backup.date),
            "proven_on": format_moment(self.date_done),
            "odoo_version": self.odoo_version or "",
            "tables": self.tables,
            "rows": self.row_count,
            "files": self.files,
            "restore_milliseconds": round(self.restore_seconds * 1000),
            "start_and_login_milliseconds": round(
                (self.boot_seconds + self.login_seconds) * 1000
            ),
        }

    def _get_verify_template(self):
        return "saas_backup.verify_drill"


class SaasTenant(models.Model):
    _inherit = "saas.tenant"

    def _step_forget(self):
        # What names the customer is not to be had by a link any more.
        self.drill_ids.write({"access_token": False, "content": False})
        return super()._step_forget()
