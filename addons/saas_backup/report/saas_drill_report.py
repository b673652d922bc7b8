from odoo import api, models
from odoo.exceptions import UserError


class CertificateReport(models.AbstractModel):
    """Whoever may read a drill could print it: only what was proven is certified."""

    _name = "report.saas_backup.report_certificate"
    _description = "Certificate of a Drill"

    @api.model
    def _get_report_values(self, docids, data=None):
        drills = self.env["saas.drill"].browse(docids)
        drills.check_access("read")
        if unproven := drills.filtered(lambda drill: drill.state != "passed"):
            raise UserError(
                self.env._(
                    "There is no certificate of %s: nothing was proven there.",
                    ", ".join(unproven.mapped("name")),
                )
            )
        return {"doc_ids": docids, "doc_model": drills._name, "docs": drills}
