from odoo import api, models


class SaasOperationStep(models.Model):
    _inherit = "saas.operation.step"

    @api.model
    def _get_labels(self):
        return {
            **super()._get_labels(),
            "backup_start": self.env._("Begin the copy"),
            "backup_wait": self.env._("Copy database and files"),
            "backup_tidy": self.env._("Tidy up"),
            "prune": self.env._("Remove what is not kept"),
            "collect": self.env._("Give back the room"),
            "erase_copies": self.env._("Erase the copies"),
            "restore_place": self.env._("Choose a server"),
            "restore_start": self.env._("Open the copy"),
            "restore_wait": self.env._("Restore database and files"),
            "restore_address": self.env._("Write its address"),
        }
