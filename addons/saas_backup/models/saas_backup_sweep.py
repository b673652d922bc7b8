import logging
from datetime import UTC

from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.fields import Domain

from odoo.addons.saas.const import UNFINISHED

from ..engine.retention import Copy, kept
from ..engine.schedule import next_backup
from .saas_backup import RETRY_PAUSE

_logger = logging.getLogger(__name__)

CONCURRENT = 4  # backups that run at once over the fleet
PRUNE_KEY = "prune"
COLLECT_KEY = "collect"


def aware(moment):
    return moment and moment.replace(tzinfo=UTC)


def naive(moment):
    return moment and moment.astimezone(UTC).replace(tzinfo=None)


class SaasTenant(models.Model):
    """When a tenant is due, and which of its copies go."""

    _inherit = "saas.tenant"

    backup_on = fields.Datetime(
        string="Next Backup", readonly=True, copy=False, index=True
    )
    backup_garbage = fields.Boolean(
        readonly=True, copy=False, help="Its store has room to give back."
    )

    def _get_policy(self):
        self.ensure_one()
        policies = self.env["saas.backup.policy"].sudo()
        return self.sudo().plan_id.backup_policy_id or policies._get_default(
            self.company_id
        )

    # === SCHEDULE === #

    @api.model
    def _cron_back_up(self):
        """Record the backups that are due, as many as may run at once."""
        now = fields.Datetime.now()
        scheduled = self._get_backed_up_domain()
        self.search(scheduled & Domain("backup_on", "=", False))._schedule_backup(now)
        room = self._count_room()
        due = scheduled & Domain("backup_on", "<=", now)
        if room > 0:
            tenants = self.search(due, order="backup_on, id", limit=room)
            for tenant in tenants:
                try:
                    tenant._back_up("schedule")
                    tenant._schedule_backup(now)
                except UserError as error:
                    _logger.warning("no backup of %s: %s", tenant.uid, error)
                    tenant.backup_on = now + RETRY_PAUSE

    @api.model
    def _get_backed_up_domain(self):
        return (
            Domain("provisioned_on", "!=", False)
            & Domain("archived_on", "=", False)
            & Domain("erased_on", "=", False)
            & Domain("wanted", "!=", "deleted")
        )

    @api.model
    def _count_room(self):
        parameters = self.env["ir.config_parameter"].sudo()
        limit = parameters.get_param("saas_backup.concurrent", CONCURRENT)
        running = self.env["saas.operation"].search_count(
            Domain("kind", "=", "backup") & Domain("state", "in", UNFINISHED)
        )
        return int(limit) - running

    def _schedule_backup(self, now):
        """Say when each is due next: at once where its last slot went by unused."""
        for tenant in self:
            policy = tenant._get_policy()
            if not policy:
                continue
            moments = tenant.backup_ids.mapped("create_date")
            moments += tenant.backup_ids.filtered("confirmed").mapped("confirmed")
            newest = aware(max([tenant.provisioned_on, *moments]))
            tenant.backup_on = naive(
                next_backup(tenant.uid, policy._get_window(), newest, aware(now))
            )

    # === RETENTION === #

    def _apply_retention(self):
        """Have the copies removed that the policy does not keep."""
        now = fields.Datetime.now()
        for tenant in self:
            policy = tenant._get_policy()
            tenant._get_superfluous(policy, now)._mark_for_removal()
            leaving = tenant.backup_ids.filtered(lambda b: b.state == "deleting")
            if leaving or tenant.backup_garbage:
                tenant._prune()

    def _get_superfluous(self, policy, now):
        """Return the copies that nothing keeps, and write down what keeps the others.

        Without a policy all are kept.
        """
        copies = self.backup_ids.filtered(
            lambda b: b.state in ("running", "done", "failed")
        )
        if not policy:
            return copies.browse()
        why = kept(
            [copy._make_copy() for copy in copies], policy._get_retention(), aware(now)
        )
        for copy in copies:
            reasons = ", ".join(why.get(copy.name, ())) or False
            if copy.kept_for != reasons:
                copy.kept_for = reasons
        return copies.filtered(lambda copy: copy.name not in why)

    def _prune(self):
        """Record the removal, unless one is under way that will see it."""
        pending = self.operation_ids.filtered(
            lambda o: o.kind == "prune" and o.state == "pending"
        )
        return pending or self.env["saas.operation"]._record("prune", self)

    def _step_prune(self):
        """Remove the copies that are to go from their stores."""
        leaving = self.backup_ids.filtered(lambda b: b.state == "deleting")
        for store, copies in leaving.grouped("store_id").items():
            # Named after what it removes: a repetition is about the same copies.
            key = f"{PRUNE_KEY}-{max(copies.ids)}-{len(copies)}"
            self._run_store_job(
                store, key, "delete", backups=sorted(copies.mapped("name"))
            )
            copies.write({"state": "deleted", "kept_for": False})

    def _step_collect(self):
        """Give back the room of what no copy refers to; marked first, freed later."""
        garbage = False
        for store in self.backup_ids.store_id:
            result = self._run_store_job(store, f"{COLLECT_KEY}-{store.id}", "collect")
            garbage |= bool(result["marked"])
        self.backup_garbage = garbage

    def _run_store_job(self, store, key, command, since=None, **values):
        """Run a job on the tenant's copies to its end, over several tries.

        :param since: moment from which it has its time; without it, from this try
        """
        store._ensure_job(
            self.server_id,
            self.uid,
            key,
            command,
            uid=self.uid,
            key=self._derive_secret("backup"),
            **values,
        )
        result = store._wait_for_job(
            self.server_id, self.uid, key, since or fields.Datetime.now()
        )
        if self._is_left_archived():
            self._driver().delete(self.uid, keep_data=False)
        else:
            self._driver().delete_task(self.uid, key)
        return result


class SaasBackup(models.Model):
    _inherit = "saas.backup"

    def _make_copy(self):
        """Return what retention has to know of this copy."""
        return Copy(
            id=self.name,
            taken=aware(self.date),
            confirmed=aware(self.confirmed) or None,
            good=self.state == "done" and self.drill_state != "failed",
            held=self.held or bool(self._find_users()) or self._is_last_of_all(),
            keep_until=aware(self.keep_until) or None,
            running=self.state == "running",
        )
