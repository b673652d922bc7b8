from datetime import timedelta

from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.fields import Domain
from odoo.tools import format_date

from ..engine import dunning
from ..engine.recurrence import begin_of
from ..jobs import take_for_job
from .saas_dunning import ACTIONS
from .saas_subscription_invoice import QUEUED_AT_ONCE, QUEUED_FOR

STATES = {
    "open": "Open",
    "recovered": "Recovered",
    "dropped": "Dropped",
    "lost": "Lost",
}
STEP_HOUR = timedelta(hours=8)  # nobody wants such a mail at midnight
OWED = ("not_paid", "partial")


class SaasDunningCase(models.Model):
    """An unpaid invoice of a subscription, from its first step to its payment."""

    _name = "saas.dunning.case"
    _description = "Dunning Case"
    _order = "id desc"
    _rec_name = "move_id"

    subscription_id = fields.Many2one(
        "saas.subscription",
        string="Subscription",
        required=True,
        readonly=True,
        ondelete="cascade",
        index=True,
    )
    company_id = fields.Many2one(related="subscription_id.company_id", store=True)
    partner_id = fields.Many2one(
        related="subscription_id.partner_id", string="Customer", store=True
    )
    plan_id = fields.Many2one(related="subscription_id.plan_id", store=True)
    tenant_id = fields.Many2one(related="subscription_id.tenant_id")
    dunning_id = fields.Many2one(
        "saas.dunning",
        string="Ladder",
        readonly=True,
        ondelete="restrict",
        index="btree_not_null",
    )
    move_id = fields.Many2one(
        "account.move",
        string="Invoice",
        required=True,
        readonly=True,
        ondelete="cascade",
        index=True,
    )
    currency_id = fields.Many2one(related="company_id.currency_id")
    amount = fields.Monetary(
        string="Owed", readonly=True, help="When the case began, with taxes."
    )
    date_due = fields.Date(string="Due", readonly=True)
    date_ended = fields.Date(string="Ended", readonly=True)
    days_late = fields.Integer(
        string="Days Late",
        compute="_compute_days_late",
        store=True,
        aggregator="avg",
        help="How late it was paid.",
    )
    state = fields.Selection(
        selection=list(STATES.items()),
        default="open",
        required=True,
        readonly=True,
        index=True,
        help="Recovered: it was paid. Dropped: it is not owed any more, as staff "
        "cancelled or credited it. Lost: the subscription ended.",
    )
    last_action = fields.Selection(
        selection=list(ACTIONS.items()), string="Last Step", readonly=True
    )
    next_action = fields.Selection(
        selection=list(ACTIONS.items()), string="Next Step", readonly=True
    )
    next_on = fields.Datetime(string="Next Step On", readonly=True)
    queued_on = fields.Datetime(readonly=True)
    reached = fields.Boolean(readonly=True, help="A step was taken.")
    reached_days = fields.Integer(readonly=True)
    reached_sequence = fields.Integer(readonly=True)
    taken_on = fields.Date(string="Last Step On", readonly=True)
    grace_until = fields.Date(
        string="Time Until",
        readonly=True,
        help="Staff gave the customer time: nothing happens before that day.",
    )
    shows_banner = fields.Boolean(string="Banner", readonly=True)
    has_archived = fields.Boolean(
        readonly=True, help="Its tenant was archived, and comes back when it is paid."
    )

    _one_open = models.UniqueIndex(
        "(subscription_id) WHERE state = 'open'",
        "The subscription has an open case already.",
    )
    _next_index = models.Index("(next_on) WHERE state = 'open'")

    @api.depends("date_due", "date_ended")
    def _compute_days_late(self):
        for case in self:
            ended = case.date_ended or case.date_due
            case.days_late = (ended - case.date_due).days if ended else 0

    # === SCHEDULE === #

    def _get_progress(self):
        """Return how far it has got, as the engine's."""
        self.ensure_one()
        place = (self.reached_days, self.reached_sequence)
        return dunning.Progress(
            due=self.date_due,
            reached=place if self.reached else None,
            taken=self.taken_on or None,
            grace_until=self.grace_until or None,
        )

    def _get_schedule(self):
        self.ensure_one()
        steps = self.dunning_id._get_steps()
        return dunning.make_schedule(steps, self._get_progress())

    def _plan(self):
        """Note what comes next, and when."""
        for case in self:
            schedule = case._get_schedule()
            if not schedule:
                case.write({"next_on": False, "next_action": False})
                continue
            begin = begin_of(schedule[0].date, case.subscription_id.tz or "UTC")
            case.write(
                {
                    "next_on": begin + STEP_HOUR,
                    "next_action": schedule[0].step.action.value,
                }
            )

    def _find_dates(self):
        """Return when what the customer would lose is lost, by what takes it."""
        self.ensure_one()
        dates = dunning.find_dates(self.dunning_id._get_steps(), self._get_progress())
        dates = {action.value: date for action, date in dates.items()}
        if self.tenant_id._explain_no_archive():
            dates.pop("archive", None)
        erase_on = self.tenant_id.erase_on
        if self.has_archived and erase_on:
            # What is archived is kept only as long as its plan says.
            date = erase_on.date()
            dates["delete"] = min(dates.get("delete", date), date)
        return dates

    def _list_dates(self):
        """Return the same as sentences for the customer."""
        return [
            self._explain_loss(action, format_date(self.env, date))
            for action, date in self._find_dates().items()
        ]

    def _explain_loss(self, action, day):
        if action == "hold":
            return self.env._("%s: your Odoo is stopped. Your data are kept.", day)
        if action == "archive":
            return self.env._(
                "%s: your Odoo is put into the archive, from where it can come back.",
                day,
            )
        return self.env._("%s: your Odoo is deleted for good, with all its data.", day)

    # === STEPS === #

    @api.model
    def _queue_due(self, due):
        """Have the worker take what is due, each case in a job of its own."""
        cases = self.search(due, limit=QUEUED_AT_ONCE)
        for case in cases:
            case.with_delay(
                identity_key=f"saas.dunning.case:{case.id}",
                description=self.env._("Dunning of %s", case.move_id.name),
            )._take_steps()
        cases.queued_on = fields.Datetime.now()

    @api.model
    def _get_due_domain(self):
        now = fields.Datetime.now()
        return (
            Domain("state", "=", "open")
            & Domain("next_on", "<=", now)
            & (
                Domain("queued_on", "=", False)
                | Domain("queued_on", "<", now - QUEUED_FOR)
            )
        )

    def _take_steps(self):
        """Take all that is due today; run by the worker, as often as one likes."""
        self.ensure_one()
        take_for_job(self.subscription_id)
        self.invalidate_recordset()
        self.queued_on = False
        while self.state == "open" and (step := self._find_due_step()):
            self._take(step)

    def _find_due_step(self):
        steps = self.dunning_id._get_steps()
        today = self.subscription_id._get_today()
        if found := dunning.find_due(steps, self._get_progress(), today):
            return self.env["saas.dunning.step"].browse(int(found.key))
        return None

    def _take(self, step):
        # Written first: mails tell the dates that follow from it.
        self.write(
            {
                "reached": True,
                "reached_days": step.days,
                "reached_sequence": step.sequence,
                "taken_on": self.subscription_id._get_today(),
                "last_action": step.action,
            }
        )
        self._plan()
        if self._act(step.action) and step.template_id:
            self.subscription_id._mail(step.template_id)

    def _act(self, action):
        """Do what a step is for; return whether there is something to tell."""
        if action == "retry":
            self.move_id._queue_saas_charge()
        elif action == "banner":
            self.shows_banner = True
        elif action == "hold":
            self._hold()
        elif action == "archive":
            self.has_archived = self.tenant_id._archive_unpaid()
            return self.has_archived
        elif action == "delete":
            self.tenant_id._erase_unpaid()
            self.subscription_id._close_unpaid()
        return True

    def _hold(self):
        self.shows_banner = True
        if self.subscription_id._can("hold"):
            self.subscription_id._apply("hold")
        reason = self.env._("%s is not paid.", self.move_id.name)
        self.tenant_id._hold_for("unpaid", reason)

    # === TIME GIVEN BY STAFF === #

    def _give_time(self, until, reason):
        """Have nothing happen before that day; what was stopped runs meanwhile.

        :raise UserError: it is not open, or that day is over
        """
        self.ensure_one()
        if self.state != "open":
            raise UserError(self.env._("Nothing is owed any more."))
        if until <= self.subscription_id._get_today():
            raise UserError(self.env._("Please choose a day that is still to come."))
        case = self.sudo()
        progress = dunning.step_back(
            case.dunning_id._get_steps(), case._get_progress(), until
        )
        days, sequence = progress.reached or (0, 0)
        case.write(
            {
                "grace_until": until,
                "reached": progress.reached is not None,
                "reached_days": days,
                "reached_sequence": sequence,
                "taken_on": progress.taken,
            }
        )
        case._plan()
        subscription = case.subscription_id
        if subscription._can("extend"):
            subscription._apply("extend")
        case._let_run()
        subscription.message_post(
            body=self.env._(
                "%(user)s gave the customer time until %(date)s: %(reason)s",
                user=self.env.user.name,
                date=format_date(self.env, until),
                reason=reason,
            )
        )
        subscription._mail_by_name("time_given")

    def _let_run(self):
        """Lift what dunning did to the tenant, and nothing else."""
        self.has_archived = False
        self.tenant_id._lift_hold("unpaid")

    # === THE END === #

    def _is_owed(self):
        self.ensure_one()
        return self.move_id.state == "posted" and self.move_id.payment_state in OWED

    @api.model
    def _end_settled(self, settled):
        """End those of which no event told that nothing is owed any more."""
        self.search(settled, limit=QUEUED_AT_ONCE).subscription_id._settle()

    def _end(self):
        """End it, as its invoice is not owed any more."""
        for case in self:
            paid = case.move_id.payment_state in ("paid", "in_payment")
            case._write_end("recovered" if paid else "dropped")

    def _give_up(self):
        """End them with their subscriptions: what is stopped stays so."""
        self.filtered(lambda case: case.state == "open")._write_end("lost")

    def _write_end(self, state):
        for case in self:
            case.write(
                {
                    "state": state,
                    "date_ended": case.subscription_id._get_today(),
                    "next_on": False,
                    "next_action": False,
                    "shows_banner": False,
                }
            )
        self.flush_recordset()  # the next open one must find room

    # === ACTIONS === #

    def action_give_time(self):
        self.ensure_one()
        self.check_access("read")
        return {
            "type": "ir.actions.act_window",
            "name": self.env._("Give Time"),
            "res_model": "saas.dunning.extension",
            "view_mode": "form",
            "target": "new",
            "context": {"default_case_id": self.id},
        }
