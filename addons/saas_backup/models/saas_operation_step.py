from odoo import api, models


class SaasOperationStep(models.Model):
    _inherit = "saas.operation.step"

    @api.model
    def _get_labels(self):
        labels = super()._get_labels()
        return {
            **labels,
            "backup_start": self.env._("Begin the copy"),
            "backup_wait": self.env._("Copy database and files"),
            "backup_tidy": self.env._("Tidy up"),
            "verify": self.env._("Read all of the copy"),
            "prune": self.env._("Remove what is not kept"),
            "collect": self.env._("Give back the room"),
            "drill_start": self.env._("Open the copy"),
            "drill_load": self.env._("Restore to a throwaway and compare"),
            "drill_boot": self.env._("Start it and log in"),
            "drill_remove": self.env._("Remove the throwaway"),
            "restore_safety": self.env._("Prepare a copy of what it is now"),
            "restore_safety_wait": self.env._("Copy what it is now"),
            "restore_safety_tidy": self.env._("Tidy up after that copy"),
            "restore_try": self.env._("Prepare a place beside it"),
            "restore_try_wait": self.env._("Restore there, start it and log in"),
            "restore_files": self.env._("Add the files"),
            "restore_switch": self.env._("Change places"),
            "restore_back": self.env._("Change places again"),
            "restore_rest": self.env._("Let it rest again, if it did before"),
            "restore_clear": self.env._("Remove what it was"),
            "archive_copy": self.env._("Prepare its last copy"),
            "archive_copy_wait": self.env._("Make its last copy"),
            "archive_copy_tidy": self.env._("Tidy up after its last copy"),
            "archive_try": self.env._("Prepare its proof"),
            "archive_try_wait": self.env._("Restore it beside, start it and log in"),
            "take_back": self.env._("Take it out of the archive"),
            "erase_copies": self.env._("Erase the copies"),
            "restore_place": self.env._("Choose a server"),
            "restore_role": labels["closed_role"],
            "restore_start": self.env._("Open the copy"),
            "restore_wait": self.env._("Restore database and files"),
            "restore_neutralize": self.env._("Switch off mail and scheduled actions"),
            "recover_look": self.env._("Look that nothing is there"),
            "recover_copies": self.env._("Learn of its copies"),
            "restore_address": self.env._("Write its address"),
        }
