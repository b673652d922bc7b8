import logging
import random
import time
from contextlib import contextmanager
from datetime import timedelta

from psycopg2 import errors as pg_errors

from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.fields import Domain
from odoo.http import request
from odoo.tools import SQL

from odoo.addons.queue_job.exception import RetryableJobError

from ..const import (
    ADDRESS_KINDS,
    CLEAN_UPS,
    KINDS,
    MAX_ATTEMPTS,
    MAX_BACKOFF,
    OPERATION_STATES,
    REFUSED_BACKOFF,
    SUPERSEDABLE,
    TROUBLED,
    UNFINISHED,
)
from ..engine import fail_points
from ..engine.errors import EngineError, RefusedError, RetryableError

_logger = logging.getLogger(__name__)

LOCK_CLASS = 0x5AA5  # first half of the advisory locks of operations
SUBJECTS = {"saas.tenant": "tenant_id", "saas.template": "template_id"}
API_PATHS = ("/xmlrpc/", "/jsonrpc", "/json/")
JOB_PATH = "/queue_job/"
# Of the master's own database, which was away for a moment: nothing is wrong with the
# work itself, as each step looks first.
LOST_DATABASE = (
    "psycopg2.InterfaceError",
    "psycopg2.OperationalError",
    "psycopg2.errors.AdminShutdown",
    "psycopg2.errors.CannotConnectNow",
    "psycopg2.errors.CrashShutdown",
    "psycopg2.errors.DiskFull",
    "psycopg2.errors.TooManyConnections",
    "psycopg2.pool.PoolError",
)
ORIGINS = {
    "user": "User",
    "portal": "Portal",
    "api": "API",
    "schedule": "Schedule",
    "webhook": "Webhook",
}


class SaasOperation(models.Model):
    """One intent on a tenant or template. Never deleted: it is the audit, too."""

    _name = "saas.operation"
    _description = "Operation"
    _order = "id desc"

    name = fields.Char(
        string="Number",
        required=True,
        readonly=True,
        default=lambda self: self._next_number(),
    )
    tenant_id = fields.Many2one(
        "saas.tenant", string="Tenant", ondelete="restrict", readonly=True, index=True
    )
    template_id = fields.Many2one(
        "saas.template", string="Template", ondelete="restrict", readonly=True
    )
    company_id = fields.Many2one(related="tenant_id.company_id", store=True)
    kind = fields.Selection(
        selection=[(kind, spec.label) for kind, spec in KINDS.items()],
        required=True,
        readonly=True,
    )
    exclusive = fields.Boolean(readonly=True)
    state = fields.Selection(
        selection=list(OPERATION_STATES.items()),
        default="pending",
        required=True,
        readonly=True,
        index=True,
    )
    step_ids = fields.One2many("saas.operation.step", "operation_id", string="Steps")
    message = fields.Char(
        readonly=True,
        groups="saas.group_viewer",
        help="What happened, and what to do next.",
    )
    reason = fields.Char(readonly=True, help="The same for programs, one word.")
    origin = fields.Selection(
        selection=list(ORIGINS.items()), default="user", required=True, readonly=True
    )
    user_id = fields.Many2one(
        "res.users",
        string="Asked By",
        default=lambda self: self.env.user,
        readonly=True,
    )
    attempts = fields.Integer(readonly=True, help="Tries that failed.")
    date_next = fields.Datetime(readonly=True, default=fields.Datetime.now)
    date_start = fields.Datetime(readonly=True)
    date_done = fields.Datetime(readonly=True)
    duration = fields.Float(string="Seconds", readonly=True, digits=(12, 3))

    _running_unique = models.UniqueIndex(
        "(tenant_id) WHERE state = 'running' AND exclusive",
        "Another operation of that tenant runs.",
    )
    _asked_unique = models.UniqueIndex(
        "(tenant_id, kind) WHERE state IN ('pending', 'running') AND exclusive",
        "The same operation of that tenant was asked for at this very moment.",
    )
    _built_unique = models.UniqueIndex(
        "(template_id, kind) WHERE state IN ('pending', 'running') AND exclusive",
        "The same operation of that template was asked for at this very moment.",
    )
    _due_index = models.Index("(date_next) WHERE state IN ('pending', 'running')")

    @api.model
    def _next_number(self):
        return self.env["ir.sequence"].sudo().next_by_code("saas.operation")

    @api.model
    def _get_kind_label(self, kind):
        """Return a kind of operation in the reader's language."""
        return self._fields["kind"].convert_to_export(kind, self)

    @api.depends("name", "kind", "tenant_id.name", "template_id.name")
    @api.depends_context("lang")
    def _compute_display_name(self):
        for operation in self:
            subject = operation.tenant_id.name or operation.template_id.name or ""
            label = self._get_kind_label(operation.kind)
            operation.display_name = f"{operation.name} {label} {subject}".strip()

    @api.ondelete(at_uninstall=False)
    def _unlink_never(self):
        raise UserError(self.env._("Operations are the audit; they are never deleted."))

    # === ASKING === #

    @api.model
    def _record(self, kind, subjects):
        """Record that kind of operation for each, and have the worker run them.

        Asking again for an exclusive kind returns the operation that is under way;
        what was asked before and has not begun is cancelled by a newer request.

        :param subjects: tenants or templates
        """
        if KINDS[kind].exclusive and subjects:
            # Of two who ask at one moment the second starts over and finds the first.
            self.env.cr.execute(
                SQL(
                    "SELECT id FROM %s WHERE id IN %s FOR NO KEY UPDATE",
                    SQL.identifier(subjects._table),
                    tuple(subjects.ids),
                )
            )
        operations = self.sudo().browse()
        for subject in subjects:
            operations |= self.sudo()._find_same(
                subject, kind
            ) or self.sudo()._create_for(subject, kind)
        return operations.sudo(self.env.su)

    @api.model
    def _find_same(self, subject, kind):
        """Return the operation that already does what is asked for, if there is one."""
        if not KINDS[kind].exclusive:
            return self.browse()
        unfinished = self._find_unfinished(subject)
        supersedes = subject._name == "saas.tenant" and kind not in ADDRESS_KINDS
        if unfinished[:1].kind != kind and supersedes:
            unfinished -= unfinished._supersede(kind)
        last = unfinished[:1]
        if last.kind != kind:
            return self.browse()
        if last.tenant_id:
            last.tenant_id.last_operation_id = last
        return last

    @api.model
    def _find_unfinished(self, subject):
        """Return the exclusive operations under way, the latest first."""
        return self.sudo().search(
            Domain(SUBJECTS[subject._name], "=", subject.id)
            & Domain("exclusive", "=", True)
            & Domain("state", "in", UNFINISHED)
        )

    def _supersede(self, kind):
        """Cancel what has not begun; return it."""
        superseded = self.filtered(
            lambda o: o.state == "pending" and o.kind in SUPERSEDABLE
        )
        for operation in superseded:
            operation._finish(
                "cancelled",
                EngineError(
                    self.env._(
                        "“%s” was asked for instead.", self._get_kind_label(kind)
                    ),
                    reason="superseded",
                ),
            )
        return superseded

    @api.model
    def _create_for(self, subject, kind):
        spec = KINDS[kind]
        operation = self.create(
            {
                SUBJECTS[subject._name]: subject.id,
                "kind": kind,
                "exclusive": spec.exclusive,
                "origin": self._get_origin(),
                "step_ids": [
                    fields.Command.create({"name": name, "sequence": index})
                    for index, name in enumerate(spec.steps)
                ],
            }
        )
        if spec.exclusive and operation.tenant_id:
            operation.tenant_id.last_operation_id = operation
        if spec.steps:
            operation._enqueue()
        else:
            operation._finish("done")
        return operation

    @api.model
    def _get_origin(self):
        """Return who asks, by the way the call came in."""
        path = request.httprequest.path if request else JOB_PATH
        if path.startswith(JOB_PATH):
            return "schedule"
        if self.env.user.share:
            return "portal"
        return "api" if path.startswith(API_PATHS) else "user"

    def _enqueue(self, seconds=None):
        for operation in self:
            operation.with_delay(
                eta=seconds,
                identity_key=f"saas.operation:{operation.id}",
                max_retries=0,
                description=operation.display_name,
            )._run()

    def action_retry(self):
        """Ask again for what failed or was refused, unless things have moved on."""
        operations = self.browse()
        for operation in self.filtered(lambda o: o.state in TROUBLED):
            subject = operation._get_subject()
            subject.check_access("write")
            if cause := operation._explain_no_retry():
                raise UserError(cause)
            operations |= operation._ask_again()
        return operations

    def _ask_again(self):
        """Record the same once more; addons that have to begin anew override it."""
        return self._record(self.kind, self._get_subject())

    def _explain_no_retry(self):
        """Return why it would be wrong to ask for this again, False if it is not."""
        subject = self._get_subject()
        asked = subject.operation_ids.filtered(
            lambda o: o == self or (o.exclusive and o.kind not in CLEAN_UPS)
        )
        if self == asked[:1]:
            return False
        return self.env._(
            "Something else was asked of %s since then; ask for what you want now.",
            subject.name,
        )

    # === RUNNING === #

    def _run(self):
        """Run the steps that are not done; called by the job queue, again and again."""
        self.ensure_one()
        operation = self.sudo()
        with operation._lock() as locked:
            if not locked:
                return
            for step in operation._find_steps_to_run():
                operation._run_step(step)
                if operation.state not in UNFINISHED:
                    break
            if operation.state not in UNFINISHED:
                # After the last commit, so that what was asked meanwhile is seen.
                operation._find_next()._enqueue()

    def _find_steps_to_run(self):
        # One that has to wait is started by the earlier one when that has finished.
        if self.state not in UNFINISHED or self._find_earlier():
            return self.step_ids.browse()
        return self.step_ids.filtered(lambda step: step.state != "done")

    @contextmanager
    def _lock(self):
        """Hold this operation for one process, over commits, until that process ends.

        A session's advisory lock outlives commits, and dies with its connection: no
        killed worker leaves one behind.
        """
        key = (LOCK_CLASS, self.id)
        self.env.cr.execute("SELECT pg_try_advisory_lock(%s, %s)", key)
        [locked] = self.env.cr.fetchone()
        try:
            if locked:
                self.invalidate_recordset()
            yield locked
        except BaseException:
            self.env.cr.rollback()  # so that the lock can be given back
            raise
        finally:
            if locked:
                self.env.cr.execute("SELECT pg_advisory_unlock(%s, %s)", key)

    def _find_earlier(self):
        """Return the unfinished operations that this one has to wait for."""
        if not self.exclusive:
            return self.browse()
        subject = self._get_subject()
        return self.search(
            Domain(SUBJECTS[subject._name], "=", subject.id)
            & Domain("exclusive", "=", True)
            & Domain("state", "in", UNFINISHED)
            & Domain("id", "<", self.id),
            limit=1,
        )

    def _run_step(self, step):
        """Run one step and record what came of it, each in a transaction of its own.

        The only place in the project that commits: whatever kills the process, a
        recorded step was done, and one that was not recorded is looked at again.

        :raise RetryableJobError: the step asks to be tried again later
        """
        # pylint: disable=invalid-commit
        now = fields.Datetime.now()
        self.write({"state": "running", "date_start": self.date_start or now})
        step.write({"state": "running", "date_start": now})
        self.env.cr.commit()
        started = time.monotonic()
        try:
            self._perform(step)
        except EngineError as error:
            self.env.cr.rollback()
            seconds = self._record_error(step, error)
            self.env.cr.commit()
            if seconds is None:
                return
            raise RetryableJobError(
                error.message, seconds=seconds, ignore_retry=True
            ) from error
        self._pass_fail_point(step, "before")
        self._record_done(step, time.monotonic() - started)
        self.env.cr.commit()
        self._pass_fail_point(step, "after")

    def _perform(self, step):
        try:
            with fail_points.step(self._get_point(step)):
                getattr(self._get_subject(), f"_step_{step.name}")()
            self.env.flush_all()
        except (pg_errors.UniqueViolation, pg_errors.SerializationFailure) as error:
            raise RetryableError(
                self.env._("Somebody changed the same at this moment."),
                reason="conflict",
                seconds=1,
                waiting=True,
            ) from error

    def _get_subject(self):
        return self.tenant_id or self.template_id

    def _pass_fail_point(self, step, moment):
        """Die here where a test asks for it."""
        fail_points.pass_point(f"{self._get_point(step)}.{moment}")

    def _get_point(self, step):
        """Return what the fail points in and after a step are called."""
        uid = (self.tenant_id or self.template_id).uid
        return f"{uid}.{self.kind}.{step.name}"

    # === OUTCOMES === #

    def _record_done(self, step, elapsed):
        step.write({"state": "done", "duration": elapsed, "message": False})
        _logger.info(
            "operation %s of %s: step %s done in %.3f s",
            self.kind,
            self._get_subject().uid,
            step.name,
            elapsed,
        )
        if step == self.step_ids[-1]:
            self._finish("done")

    def _record_error(self, step, error):
        """Record why a step did not succeed.

        :return: seconds until the next try, None when there is none
        """
        refused = isinstance(error, RefusedError)
        attempts = self.attempts + (refused or not error.waiting)
        if error.reason == "disk_full":
            self._note_full_disk(step)
        if self._gives_up(step, error, attempts):
            state = "refused" if refused else "failed"
            self.attempts = attempts
            step.write({"state": state, "message": error.message})
            self._finish(state, error)
            return None
        if refused:
            seconds = REFUSED_BACKOFF
        else:
            seconds = error.seconds or self._get_backoff(attempts)
        step.write({"state": "pending", "message": error.message})
        self._write_retry(error, attempts, seconds)
        return seconds

    def _gives_up(self, step, error, attempts):
        if KINDS[self.kind].is_persistent_at(step.name):
            return error.reason == "in_use"
        return isinstance(error, RefusedError) or attempts >= MAX_ATTEMPTS

    def _write_retry(self, error, attempts, seconds):
        self.write(
            {
                "attempts": attempts,
                "message": error.message,
                "reason": error.reason,
                "date_next": fields.Datetime.now() + timedelta(seconds=seconds),
            }
        )

    def _note_full_disk(self, step):
        """Send no new tenants to where this met a full disk: they would be next."""
        subject = self._get_subject()
        servers = subject.server_id
        if step.name == "database":
            servers = servers.search(
                [("database_server_id", "in", subject.database_server_id.ids)]
            )
        servers.full_on = fields.Datetime.now()

    def _on_job_failure(self, exc_name, **_kwargs):
        """Called by the job queue after an error that nobody foresaw."""
        for operation in self.sudo().filtered(lambda o: o.state in UNFINISHED):
            step = operation.step_ids.filtered(lambda step: step.state != "done")[:1]
            persistent = KINDS[operation.kind].is_persistent_at(step.name)
            attempts = operation.attempts + 1
            if exc_name in LOST_DATABASE and (persistent or attempts < MAX_ATTEMPTS):
                operation._retry_after_loss(attempts)
                continue
            # What the error says may be a secret; the job has it, for managers.
            message = self.env._(
                "An unexpected error (%s) stopped it. The job queue has the details.",
                exc_name,
            )
            error = EngineError(message, reason="unexpected")
            if persistent:
                operation._write_retry(error, attempts, REFUSED_BACKOFF)
            else:
                operation._finish("failed", error)
                operation._find_next()._enqueue()

    def _retry_after_loss(self, attempts):
        """Go on with the step that met the loss of the master's database."""
        message = self.env._(
            "The master's own database went away meanwhile. It is tried again."
        )
        seconds = self._get_backoff(attempts)
        error = EngineError(message, reason="master_database")
        self._write_retry(error, attempts, seconds)
        self._enqueue(round(seconds))

    @api.model
    def _get_backoff(self, attempts):
        """Return the seconds to wait: doubling, capped, with jitter."""
        ceiling = min(MAX_BACKOFF, 2**attempts)
        return ceiling * random.uniform(0.5, 1)  # noqa: S311 (no secret)

    def _finish(self, state, error=None):
        now = fields.Datetime.now()
        self.write(
            {
                "state": state,
                "message": error.message if error else False,
                "reason": error.reason if error else False,
                "date_done": now,
                "duration": sum(self.step_ids.mapped("duration")),
            }
        )
        if error:
            _logger.warning(
                "operation %s of %s %s: %s",
                self.kind,
                self._get_subject().uid,
                state,
                error.reason,
            )
            self._clean_up()

    def _clean_up(self):
        """Leave nothing behind of a tenant that never ran or a template half built."""
        if self.state == "cancelled":
            return
        if self.kind == "build":
            self._create_for(self.template_id, "discard")
        if self.kind == "provision" and not self.tenant_id.provisioned_on:
            self._undo()
        if self.kind == "sleep" and self.reason == "busy":
            self._stay_awake()

    def _stay_awake(self):
        """Lead the address to the tenant again, unless something else was asked."""
        if self.tenant_id.last_operation_id != self:
            return
        self.tenant_id.wanted = "running"
        wake = self._create_for(self.tenant_id, "wake")
        # Until it is awake people should see why.
        wake.message = self.message

    def _undo(self):
        undo = self._create_for(self.tenant_id, "undo")
        # What people should see is why it failed, not that it was cleaned up.
        self.tenant_id.last_operation_id = self
        undo.message = self.message

    def _find_next(self):
        """Return the operation that waits for this one."""
        subject = self._get_subject()
        return self.search(
            Domain(SUBJECTS[subject._name], "=", subject.id)
            & Domain("state", "=", "pending"),
            order="id",
            limit=1,
        )
