from odoo import fields, models


class SaasTenant(models.Model):
    """What becomes of a tenant for which nobody pays."""

    _inherit = "saas.tenant"

    def _archive_unpaid(self):
        """Put it into the archive; return whether it is on the way there.

        Where nothing keeps archives, it stays as it is: stopped.
        """
        tenant = self.sudo()
        if not tenant or tenant._explain_refusal("archive"):
            return False
        now = fields.Datetime.now()
        tenant._submit("archive", {"wanted": "deleted", "erase_on": now})
        return True

    def _erase_unpaid(self):
        """Remove them with all data and copies."""
        for tenant in self.sudo():
            if not tenant._explain_refusal("erase"):
                tenant._submit("erase", {"wanted": "deleted"})
