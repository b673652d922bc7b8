from datetime import UTC, datetime, timedelta

from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.tools.misc import formatLang

from odoo.addons.saas.const import UNFINISHED

from ..const import BACKUP_STATES, DRILL_STATES, REASONS
from ..engine.repository import new_backup_id

RETRY_PAUSE = timedelta(hours=1)  # after a scheduled backup that failed
UNITS = ("B", "kB", "MB", "GB", "TB")
BYTES = (16, 0)  # beyond two gigabytes, which is all that an integer holds
RESULTS = (
    "size",
    "sent",
    "database_size",
    "files",
    "files_size",
    "files_sent",
    "missing",
    "modules",
    "rows",
)


class SaasBackup(models.Model):
    """One copy of a tenant: database and files of one moment, in one store."""

    _name = "saas.backup"
    _description = "Backup"
    _order = "date desc, id desc"

    name = fields.Char(
        string="Number",
        required=True,
        readonly=True,
        copy=False,
        default=lambda self: new_backup_id(),
        help="What the copy is called in its store.",
    )
    tenant_id = fields.Many2one(
        "saas.tenant",
        string="Tenant",
        required=True,
        readonly=True,
        ondelete="restrict",
        index=True,
    )
    company_id = fields.Many2one(related="tenant_id.company_id", store=True)
    store_id = fields.Many2one(
        "saas.store",
        string="Store",
        required=True,
        readonly=True,
        ondelete="restrict",
        groups="saas.group_viewer",
    )
    state = fields.Selection(
        selection=list(BACKUP_STATES.items()),
        default="running",
        required=True,
        readonly=True,
        index=True,
    )
    message = fields.Char(
        readonly=True,
        groups="saas.group_viewer",
        help="What went wrong, and what to do next.",
    )
    reason = fields.Selection(
        selection=list(REASONS.items()), required=True, readonly=True
    )
    date = fields.Datetime(
        required=True,
        readonly=True,
        default=fields.Datetime.now,
        help="The moment whose data it holds.",
    )
    confirmed = fields.Datetime(
        readonly=True, help="When the tenant was last found unchanged since."
    )
    keep_until = fields.Datetime(
        readonly=True, help="Kept at least until then, whatever comes after it."
    )
    held = fields.Boolean(
        string="On Hold", readonly=True, help="Kept until somebody lifts the hold."
    )
    kept_for = fields.Char(readonly=True, help="Why it is kept, e.g. “day 2026-11-21”.")
    size = fields.Float(
        digits=BYTES, readonly=True, help="Bytes in the store, those shared too."
    )
    sent = fields.Float(
        digits=BYTES, readonly=True, help="Bytes that were new to the store."
    )
    database_size = fields.Float(digits=BYTES, readonly=True)
    files = fields.Integer(readonly=True)
    files_size = fields.Float(digits=BYTES, readonly=True)
    files_sent = fields.Integer(readonly=True)
    missing = fields.Integer(
        string="Missing Files",
        readonly=True,
        help="Files that the tenant's database names and its disk does not have, or "
        "has damaged.",
    )
    modules = fields.Integer(readonly=True)
    rows = fields.Json(readonly=True, help="Rows of each table at that moment.")
    image = fields.Char(
        readonly=True,
        groups="saas.group_viewer",
        help="The image that the tenant ran on.",
    )
    odoo_version = fields.Char(readonly=True)
    drill_ids = fields.One2many("saas.drill", "backup_id", string="Drills")
    drill_state = fields.Selection(
        selection=list(DRILL_STATES.items()),
        string="Drill",
        default="none",
        required=True,
        readonly=True,
        copy=False,
        help="Whether it was proven by restoring it.",
    )
    operation_ids = fields.One2many("saas.operation", "backup_id", string="Operations")
    # Set while an attempt that found nothing new is being tidied away.
    same_as_id = fields.Many2one("saas.backup", readonly=True, ondelete="set null")

    _name_unique = models.Constraint(
        "UNIQUE(tenant_id, name)", "A copy's number is unique."
    )

    @api.depends("tenant_id.name", "date")
    def _compute_display_name(self):
        for backup in self:
            date = fields.Datetime.to_string(backup.date)
            backup.display_name = f"{backup.tenant_id.name} · {date}"

    def _sort_newest_first(self):
        # What was made in this transaction stands last in the cache of its tenant.
        return self.sorted(lambda backup: (backup.date, backup.id), reverse=True)

    def _format_size(self):
        """Return its size as its reader writes it, such as ``2.1 MB``."""
        size, unit = self.size, 0
        while size >= 1000 and unit < len(UNITS) - 1:
            size, unit = size / 1000, unit + 1
        digits = 1 if unit else 0
        return f"{formatLang(self.env, size, digits=digits)} {UNITS[unit]}"

    @property
    def uid(self):
        """The uid under which it lies in its store: its tenant's."""
        return self.tenant_id.uid

    @api.ondelete(at_uninstall=False)
    def _unlink_only_what_holds_nothing(self):
        if self.filtered(lambda backup: not backup.same_as_id):
            raise UserError(
                self.env._("A copy is removed by its action Remove, never like this.")
            )

    # === ACTIONS === #

    def action_hold(self):
        """Keep the copies, whatever the policy says."""
        self._check_staff()
        self.sudo().held = True

    def action_lift(self):
        """Let the policy decide about the copies again."""
        self._check_staff()
        self.sudo().held = False

    def action_remove(self):
        """Have copies removed from their store before the policy would.

        :raise UserError: one is on hold, or no good one of its tenant would be left
        """
        self._check_staff()
        for backup in self:
            backup._check_removable()
        self._check_good_ones_stay()
        self.sudo()._mark_for_removal()
        return self.env["saas.operation"]._record("prune", self.tenant_id)

    def action_drill(self):
        """Restore each copy to a throwaway, log in to it, and remove it again."""
        self._check_staff()
        if self.filtered(lambda backup: backup.state != "done"):
            raise UserError(self.env._("Only a good copy can be tried."))
        return self._try_out()

    def _try_out(self):
        """Record a drill of each copy, or return the one that is under way."""
        operations = self.env["saas.operation"]
        for backup in self:
            running = backup.sudo().operation_ids.filtered(
                lambda o: o.kind == "drill" and o.state in UNFINISHED
            )
            if not running:
                drill = self.env["saas.drill"].sudo().create({"backup_id": backup.id})
                backup.sudo().drill_state = "running"
                running = operations._record("drill", drill)
            operations |= running[:1]
        return operations.sudo(self.env.su)

    def _check_staff(self):
        self.tenant_id.check_access("write")

    def _find_users(self):
        """Return what is under way and needs this copy."""
        return self.sudo().operation_ids.filtered(lambda o: o.state in UNFINISHED)

    def _is_last_of_all(self):
        """Whether it is, or soon will be, all that is left of its tenant."""
        tenant = self.tenant_id
        leaves = tenant.archived_on or tenant.wanted == "deleted"
        return bool(leaves and tenant.archive_backup_id == self)

    def _check_removable(self):
        if self._find_users():
            raise UserError(
                self.env._("%s is being used now; try later.", self.display_name)
            )
        if self.held:
            raise UserError(
                self.env._("%s is on hold; lift the hold first.", self.display_name)
            )
        if self._is_last_of_all():
            raise UserError(
                self.env._(
                    "%s is all that is left of its tenant; it is kept.",
                    self.display_name,
                )
            )
        if self.state not in ("done", "failed"):
            raise UserError(
                self.env._(
                    "%(backup)s cannot be removed: %(state)s.",
                    backup=self.display_name,
                    state=self._get_state_label().lower(),
                )
            )

    def _check_good_ones_stay(self):
        """Refuse where no good copy of a tenant would be left without these."""
        for tenant in self.tenant_id:
            good = tenant._get_good_backups()
            if good and good <= self:
                raise UserError(
                    self.env._(
                        "No good copy of %s would be left; keep at least one.",
                        tenant.name,
                    )
                )

    def _get_state_label(self):
        """Return the state in the reader's language."""
        return self._fields["state"].convert_to_export(self.state, self)

    # === STATES === #

    def _set_done(self, result):
        """Take down what the task said of the finished copy."""
        values = {name: result[name] for name in RESULTS if name in result}
        self.write({**values, "date": parse_date(result["date"]), "state": "done"})
        self.tenant_id._plan_first_drill()

    def _set_same_as(self, other):
        """Nothing has changed since another copy, which stands for this day too."""
        self.same_as_id = other
        other.confirmed = fields.Datetime.now()

    def _set_failed(self, message):
        for backup in self.filtered(lambda b: b.state == "running"):
            backup.write({"state": "failed", "message": message})
            if backup.reason == "schedule":
                backup.tenant_id.backup_on = fields.Datetime.now() + RETRY_PAUSE

    def _mark_for_removal(self):
        for backup in self:
            if backup.state in ("done", "failed"):
                backup.write({"state": "deleting", "kept_for": False})


def parse_date(text):
    """Return a moment in Odoo's way, UTC without saying so."""
    return (
        datetime.fromisoformat(text).astimezone(UTC).replace(tzinfo=None, microsecond=0)
    )
