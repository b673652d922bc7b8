from odoo import models


class IrMailServer(models.Model):
    _inherit = "ir.mail_server"

    def _get_test_email_from(self):
        """Let the set-up test what customers will get: mail from the company."""
        return self.env.context.get("saas_test_from") or super()._get_test_email_from()
