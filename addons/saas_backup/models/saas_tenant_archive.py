from contextlib import contextmanager

from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.fields import Domain

from odoo.addons.saas.engine.errors import RefusedError


class SaasTenant(models.Model):
    """Into the archive, where a tenant's last copy is all there is of it, and back."""

    _inherit = "saas.tenant"

    archive_backup_id = fields.Many2one(
        "saas.backup",
        string="Last Copy",
        readonly=True,
        copy=False,
        ondelete="set null",
        help="What an archived tenant is taken back from.",
    )
    archive_drill_id = fields.Many2one(
        "saas.drill", readonly=True, copy=False, ondelete="set null"
    )

    # === ASKING === #

    def action_resume(self):
        archived = self.filtered("archived_on")
        operations = super(SaasTenant, self - archived).action_resume()
        for tenant in archived:
            operations |= tenant._bring_back(tenant.archive_backup_id)
        return operations

    def _bring_back(self, backup):
        """Bring an archived tenant back from that copy, under the same address."""
        self._check_request("resume")
        if (
            self._is_under_way("restore_archived")
            and self.sudo().source_backup_id != backup
        ):
            raise UserError(
                self.env._("Another copy of %s is being restored now.", self.name)
            )
        self.sudo().hold_ids._lift()
        operation = self._submit(
            "restore_archived",
            {"wanted": "running", "erase_on": False, "source_backup_id": backup.id},
        )
        operation.sudo().backup_id = backup
        return operation

    def _explain_no_archive(self):
        if not self.sudo().plan_id._get_archive_days():
            return self.env._(
                "%s cannot be archived, as its plan keeps nothing in the archive. "
                "Change the plan, or erase it now.",
                self.name,
            )
        try:
            self._get_store()
        except UserError:
            return self.env._(
                "%s cannot be archived, as there is no store for its last copy. Add "
                "one, or erase it now.",
                self.name,
            )
        return False

    def _is_left_archived(self):
        """Whether nothing of it is to be on a server, until this transaction ends.

        Who asks for it back writes to the row that is locked here.
        """
        if not self.archived_on or not self.try_lock_for_update():
            return False
        return not self.env["saas.operation"]._find_unfinished(self)

    @api.model
    def _get_archived_domain(self):
        return Domain("archived_on", "!=", False) & Domain("erased_on", "=", False)

    # === STEPS === #

    def _step_archive_copy(self):
        """Record a copy of what the tenant is now; the next step makes it.

        So that its number is kept when the worker is killed.
        """
        self._check_unwanted()
        if cause := self._explain_no_archive():
            raise RefusedError(cause, reason="no_archive")
        backup = self._create_backup("archive")
        self.write({"archive_backup_id": backup.id, "archive_drill_id": False})

    def _step_archive_copy_wait(self):
        backup = self.archive_backup_id
        if self.wanted != "deleted":
            # Whoever wants it back does not wait for a copy.
            self._driver().delete_task(self.uid, backup._get_key())
        self._check_unwanted()
        with self._saying_that_it_stays():
            backup._step_backup_wait()

    def _step_archive_copy_tidy(self):
        backup = self.archive_backup_id
        # One in which nothing has changed since another goes as it is tidied away.
        self.archive_backup_id = backup.same_as_id or backup
        backup._step_backup_tidy()

    def _step_archive_try(self):
        """Record the drill of that copy, unless it was proven already."""
        self._check_unwanted()
        if self.archive_backup_id.drill_state != "passed":
            drill = {"backup_id": self.archive_backup_id.id}
            self.archive_drill_id = self.env["saas.drill"].create(drill)

    def _step_archive_try_wait(self):
        self._check_unwanted()
        drill = self.archive_drill_id
        if not drill:
            return
        with self._saying_that_it_stays():
            drill._step_drill_load()
            drill._step_drill_boot()
        drill._step_drill_remove()

    @contextmanager
    def _saying_that_it_stays(self):
        try:
            yield
        except RefusedError as error:
            message = self.env._(
                "%(name)s was not archived, as there is no proven copy of it. "
                "%(cause)s",
                name=self.name,
                cause=error.message,
            )
            raise RefusedError(message, reason=error.reason) from error

    def _check_last_copy(self):
        backup = self.archive_backup_id
        if backup.state != "done" or backup.drill_state != "passed":
            raise RefusedError(
                self.env._("%s has no proven copy of what it is now.", self.name),
                reason="unproven",
            )

    def _step_take_back(self):
        self.archived_on = False
