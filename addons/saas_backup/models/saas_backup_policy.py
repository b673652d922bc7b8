from datetime import time, timedelta

from odoo import api, fields, models

from odoo.addons.base.models.res_partner import _tz_get

from ..engine.retention import Policy
from ..engine.schedule import Window


class SaasBackupPolicy(models.Model):
    """When tenants are backed up, how long copies stay, and how often one is proven."""

    _name = "saas.backup.policy"
    _description = "Backup Policy"
    _order = "sequence, id"

    name = fields.Char(required=True, translate=True)
    sequence = fields.Integer(default=10)
    active = fields.Boolean(default=True)
    company_id = fields.Many2one("res.company", help="Empty: for all companies.")
    store_id = fields.Many2one(
        "saas.store",
        string="Store",
        ondelete="restrict",
        help="Empty: the first store of the tenant's company.",
    )
    daily = fields.Integer(
        default=7, required=True, help="So many of the last days have a copy."
    )
    weekly = fields.Integer(
        default=4, required=True, help="So many of the last weeks have a copy."
    )
    monthly = fields.Integer(
        default=3, required=True, help="So many of the last months have a copy."
    )
    demand_days = fields.Integer(
        string="Copies on Demand (days)",
        default=7,
        required=True,
        help="So long stays at least what somebody asked for, or what was made before "
        "a restore.",
    )
    window_start = fields.Float(
        string="From", default=1.0, required=True, help="When backups begin."
    )
    window_end = fields.Float(
        string="To", default=5.0, required=True, help="When no backup begins any more."
    )
    tz = fields.Selection(
        selection=_tz_get,
        string="Time Zone",
        default=lambda self: self.env.user.tz or "UTC",
        required=True,
        help="Days begin and hours count in this zone.",
    )
    drill_days = fields.Integer(
        string="Drill Every (days)",
        default=7,
        required=True,
        help="Within so many days each tenant's newest copy is restored to prove it.",
    )
    allowance = fields.Integer(
        string="Customers' Copies",
        default=3,
        required=True,
        help="How many copies a customer may ask for in 24 hours.",
    )
    plan_ids = fields.One2many("saas.plan", "backup_policy_id", string="Plans")

    _numbers_positive = models.Constraint(
        "CHECK(daily >= 1 AND weekly >= 0 AND monthly >= 0 AND drill_days >= 1"
        " AND allowance >= 0 AND demand_days >= 0)",
        "A policy keeps at least one day's copy, and drills come at least a day apart.",
    )
    _window_within_a_day = models.Constraint(
        "CHECK(window_start >= 0 AND window_start < 24"
        " AND window_end >= 0 AND window_end < 24)",
        "The hours of a window lie between 0:00 and 23:59.",
    )

    @api.model
    def _get_default(self, company):
        """Return the policy for plans without one, the company's before the shared."""
        policies = self.search([("company_id", "in", (False, company.id))])
        return policies.filtered("company_id")[:1] or policies[:1]

    def write(self, vals):
        result = super().write(vals)
        if vals.keys() & {"window_start", "window_end", "tz"}:
            # The next sweep says anew when each is due.
            tenants = (
                self.env["saas.tenant"].sudo().search([("backup_on", "!=", False)])
            )
            tenants.backup_on = False
        return result

    def _get_retention(self):
        return Policy(
            daily=self.daily, weekly=self.weekly, monthly=self.monthly, timezone=self.tz
        )

    def _get_window(self):
        return Window(
            start=make_time(self.window_start),
            end=make_time(self.window_end),
            timezone=self.tz,
        )


def make_time(hours):
    """Return the time of day that a number of hours stands for."""
    minutes = round(timedelta(hours=hours).total_seconds() / 60)
    return time(minutes // 60 % 24, minutes % 60)


class SaasPlan(models.Model):
    _inherit = "saas.plan"

    backup_policy_id = fields.Many2one(
        "saas.backup.policy",
        string="Backups",
        ondelete="restrict",
        help="Empty: the first policy.",
    )
    archive_days = fields.Integer(
        string="Archive (days)",
        default=30,
        required=True,
        help="How long a proven last copy of a deleted tenant is kept after its grace, "
        "from which it can be taken back too. 0: it is erased without such a copy.",
    )

    _archive_days_positive = models.Constraint(
        "CHECK(archive_days >= 0)", "A tenant is archived for 0 days or more."
    )

    def _get_archive_days(self):
        self.ensure_one()
        return self.archive_days
