from odoo import api, fields, models
from odoo.fields import Domain

from ..const import BATCH_KINDS, KINDS, OPERATION_STATES, TROUBLED, UNFINISHED
from .saas_sweep import Chore

REMOVALS = ("delete", "archive", "erase")


class SaasBatch(models.Model):
    """One request for many tenants, and what became of it for each of them."""

    _name = "saas.batch"
    _inherit = ["mail.thread"]
    _description = "Batch"
    _order = "id desc"

    name = fields.Char(
        string="Number",
        required=True,
        readonly=True,
        default=lambda self: self._next_number(),
    )
    kind = fields.Selection(
        selection=[(kind, KINDS[kind].label) for kind in BATCH_KINDS],
        required=True,
        readonly=True,
    )
    reason = fields.Char(readonly=True)
    user_id = fields.Many2one(
        "res.users",
        string="Asked By",
        default=lambda self: self.env.user,
        required=True,
        readonly=True,
    )
    company_id = fields.Many2one(
        "res.company", default=lambda self: self.env.company, readonly=True
    )
    line_ids = fields.One2many("saas.batch.line", "batch_id", string="Tenants")
    troubled_line_ids = fields.One2many(
        "saas.batch.line",
        "batch_id",
        string="Failed or Refused",
        domain=[("state", "in", TROUBLED)],
    )
    date_done = fields.Datetime(string="Over On", readonly=True)
    total_count = fields.Integer(string="Tenants In It", compute="_compute_counts")
    done_count = fields.Integer(string="Done", compute="_compute_counts")
    failed_count = fields.Integer(string="Failed", compute="_compute_counts")
    cancelled_count = fields.Integer(string="Cancelled", compute="_compute_counts")
    left_count = fields.Integer(string="Left", compute="_compute_counts")

    @api.model
    def _next_number(self):
        return self.env["ir.sequence"].sudo().next_by_code("saas.batch")

    @api.depends("name", "kind")
    @api.depends_context("lang")
    def _compute_display_name(self):
        for batch in self:
            label = self._fields["kind"].convert_to_export(batch.kind, batch)
            batch.display_name = f"{batch.name} {label}".strip()

    @api.depends("line_ids.state")
    def _compute_counts(self):
        counts = {batch.id: dict.fromkeys(OPERATION_STATES, 0) for batch in self}
        for batch, state, count in self.env["saas.batch.line"]._read_group(
            [("batch_id", "in", self.ids)], ["batch_id", "state"], ["__count"]
        ):
            counts[batch.id][state] = count
        for batch in self:
            by_state = counts[batch.id]
            batch.total_count = sum(by_state.values())
            batch.done_count = by_state["done"]
            batch.failed_count = sum(by_state[state] for state in TROUBLED)
            batch.cancelled_count = by_state["cancelled"]
            batch.left_count = sum(by_state[state] for state in UNFINISHED)

    # === ASKING === #

    @api.model
    def _record(self, kind, tenants, reason=None):
        """Ask for that kind of operation on each tenant; one that refuses stops none.

        :param str kind: one of ``BATCH_KINDS``
        :param str reason: why they are suspended
        """
        tenants.check_access("write")
        if kind in REMOVALS:
            tenants._check_may_delete()
        batch = self.sudo().create(
            {
                "kind": kind,
                "reason": reason,
                "line_ids": [
                    fields.Command.create({"tenant_id": tenant.id})
                    for tenant in tenants
                ],
            }
        )
        batch.line_ids._ask(tenants)
        return batch.sudo(self.env.su)

    def action_retry(self):
        """Ask again for what failed or was refused; what is done stays done."""
        for batch in self:
            lines = batch.line_ids.filtered(lambda line: line.state in TROUBLED)
            lines.tenant_id.check_access("write")
            if batch.kind in REMOVALS:
                lines.tenant_id._check_may_delete()
            asked = lines.filtered("operation_id")
            asked._retry()
            if refused := lines - asked:
                refused.sudo()._ask(refused.tenant_id)
            batch.sudo().date_done = False
        return True

    def action_view_troubled(self):
        """Open the operations that failed or were refused."""
        self.ensure_one()
        action = self.env["ir.actions.act_window"]._for_xml_id(
            "saas.saas_operation_action"
        )
        troubled = self.line_ids.filtered(lambda line: line.state in TROUBLED)
        return {**action, "domain": [("id", "in", troubled.operation_id.ids)]}

    def _get_form_action(self):
        return {
            "type": "ir.actions.act_window",
            "res_model": self._name,
            "res_id": self.id,
            "views": [(False, "form")],
        }

    # === THE END === #

    @api.model
    def _end_due(self, over):
        """Tell those who asked that nothing is left to do."""
        for batch in self.search(over):
            batch._end()

    def _end(self):
        self.date_done = fields.Datetime.now()
        message = self.env._(
            "%(batch)s is over. Done: %(done)s. Failed or refused: %(failed)s. "
            "Cancelled: %(cancelled)s.",
            batch=self.display_name,
            done=self.done_count,
            failed=self.failed_count,
            cancelled=self.cancelled_count,
        )
        # Mails of scheduled actions wait for up to an hour otherwise.
        self.with_context(mail_notify_force_send=True).message_post(
            body=message, partner_ids=self.user_id.partner_id.ids
        )
        self.user_id._bus_send(
            "simple_notification",
            {
                "message": message,
                "type": "warning" if self.failed_count else "success",
            },
        )


class SaasBatchLine(models.Model):
    """What became of a batch for one tenant."""

    _name = "saas.batch.line"
    _description = "Tenant of a Batch"
    _order = "batch_id desc, id"
    _rec_name = "tenant_id"

    batch_id = fields.Many2one(
        "saas.batch", string="Batch", required=True, ondelete="cascade", index=True
    )
    tenant_id = fields.Many2one(
        "saas.tenant", string="Tenant", required=True, ondelete="cascade", index=True
    )
    company_id = fields.Many2one(related="tenant_id.company_id", store=True)
    operation_id = fields.Many2one(
        "saas.operation", string="Operation", ondelete="restrict", index=True
    )
    refusal = fields.Char(help="Why nothing was asked of this tenant.")
    state = fields.Selection(
        selection=list(OPERATION_STATES.items()), compute="_compute_state", store=True
    )
    message = fields.Char(compute="_compute_message", compute_sudo=True)

    _state_index = models.Index("(batch_id, state)")

    @api.depends("operation_id.state", "refusal")
    def _compute_state(self):
        for line in self:
            state = line.operation_id.state
            line.state = "refused" if line.refusal else state or "pending"

    @api.depends("operation_id.message", "refusal")
    def _compute_message(self):
        for line in self:
            line.message = line.refusal or line.operation_id.message

    def _ask(self, tenants):
        """Record what the batch asks for with those tenants that allow it now."""
        batch = self.batch_id
        refusals = {
            tenant: tenant._explain_refusal(tenant._adapt_kind(batch.kind))
            for tenant in tenants
        }
        willing = tenants.filtered(lambda tenant: not refusals[tenant])
        operations = willing._ask_for(batch.kind, batch.reason)
        by_tenant = {operation.tenant_id: operation for operation in operations}
        for line in self:
            line._write_answer(
                by_tenant.get(line.tenant_id), refusals.get(line.tenant_id)
            )

    def _retry(self):
        for line in self:
            refusal = line.operation_id._explain_no_retry()
            operation = (
                line.operation_id if refusal else line.operation_id.action_retry()
            )
            line.sudo()._write_answer(operation, refusal)

    def _write_answer(self, operation, refusal):
        self.write(
            {
                "operation_id": operation.id if operation else False,
                "refusal": refusal or False,
            }
        )


class SaasTenant(models.Model):
    _inherit = "saas.tenant"

    def _start_batch(self, kind, reason=None):
        """Ask for that on all of them; return the action that shows the progress."""
        return self.env["saas.batch"]._record(kind, self, reason)._get_form_action()

    def _ask_for(self, kind, reason=None):
        if kind == "suspend":
            return self.action_suspend(reason)
        if kind in ("delete", "erase"):
            return self.action_delete(erase_now=kind == "erase")
        return getattr(self, f"action_{kind}")()

    def _adapt_kind(self, kind):
        """Return what deleting comes to: what never ran is erased at once."""
        return "erase" if kind == "delete" and not self.provisioned_on else kind


class SaasOperation(models.Model):
    _inherit = "saas.operation"

    batch_line_ids = fields.One2many(
        "saas.batch.line", "operation_id", string="Batches", groups="saas.group_viewer"
    )

    @api.model
    def _get_chores(self):
        unfinished = Domain("line_ids.state", "in", UNFINISHED)
        over = Domain("date_done", "=", False) & ~unfinished
        return [Chore("saas.batch", over, "_end_due"), *super()._get_chores()]

    def _finish(self, state, error=None):
        result = super()._finish(state, error)
        batches = self.sudo().batch_line_ids.batch_id
        if batches.filtered(lambda batch: not batch.left_count):
            # The tick says so; two operations that end at one moment cannot both.
            self.env.ref("saas.ir_cron_tick").sudo()._trigger()
        return result
