from odoo import api, fields, models
from odoo.exceptions import ValidationError

from odoo.addons.base.models.res_partner import _tz_get

from ..engine import tenant_config
from ..engine.awake_hours import AwakeHours

MEGABYTE = 1024 * 1024
# What decides when tenants sleep and wake.
TIMES = {
    "sleep_minutes",
    "stop_minutes",
    "awake_from",
    "awake_until",
    "awake_days",
    "awake_tz",
}


def split_modules(text):
    """Return the sorted names in a list by commas, without doubles."""
    names = {name.strip() for name in text.split(",")}
    return sorted(names - {""}) or ["base"]


class SaasPlan(models.Model):
    _name = "saas.plan"
    _description = "Plan"
    _order = "sequence, name"

    name = fields.Char(required=True, translate=True)
    sequence = fields.Integer(default=10)
    active = fields.Boolean(default=True)
    company_id = fields.Many2one("res.company", help="Empty: for all companies.")
    description = fields.Text(translate=True)
    image_id = fields.Many2one(
        "saas.image",
        string="Image",
        required=True,
        ondelete="restrict",
        default=lambda self: self.env["saas.image"].search([], limit=1),
    )
    modules = fields.Char(
        default="base",
        required=True,
        help="Technical names of the modules that tenants start with, separated by "
        "commas, e.g. website,sale_management.",
    )
    memory = fields.Integer(
        string="Memory (MB)",
        default=512,
        required=True,
        help="Memory of the container.",
    )
    cpus = fields.Float(string="CPU Cores", default=1.0, required=True)
    processes = fields.Integer(
        default=200, required=True, help="Processes and threads in the container."
    )
    connections = fields.Integer(
        string="Database Connections", default=16, required=True
    )
    workers = fields.Integer(
        string="HTTP Workers",
        default=0,
        required=True,
        help="Processes that answer requests side by side, 2 or more; beside them one "
        "takes websockets. 0: one process with threads, which needs least memory.",
    )
    own_database = fields.Boolean(
        string="Own PostgreSQL",
        help="A new tenant gets a PostgreSQL server of its own, in a container beside "
        "its own; nobody else reaches it.",
    )
    database_memory = fields.Integer(
        string="PostgreSQL Memory (MB)",
        default=512,
        required=True,
        help="Memory of that container.",
    )
    grace_days = fields.Integer(
        string="Grace (days)",
        default=30,
        required=True,
        help="How long a deleted tenant can still be taken back.",
    )
    sleep_minutes = fields.Integer(
        string="Sleeps After (minutes)",
        default=0,
        required=True,
        help="A tenant is paused when nobody has used it for so long; whoever comes "
        "next wakes it, and so do its scheduled actions. 0: never.",
    )
    stop_minutes = fields.Integer(
        string="Stopped After (minutes)",
        default=0,
        required=True,
        help="A tenant that sleeps is stopped when nobody has used it for so long, "
        "which frees its memory and its database connections; it wakes as before, in "
        "some two seconds. 0: never.",
    )
    awake_from = fields.Float(
        string="Awake From",
        default=0,
        required=True,
        help="From this hour until the other one no tenant sleeps, and those that do "
        "are woken when it begins. Twice the same hour: there are no such hours.",
    )
    awake_until = fields.Float(string="Awake Until", default=0, required=True)
    awake_days = fields.Selection(
        selection=[("all", "Every day"), ("workdays", "Monday to Friday")],
        string="Awake On",
        default="all",
        required=True,
    )
    awake_tz = fields.Selection(
        selection=_tz_get,
        string="Time Zone",
        default=lambda self: self.env.user.tz or "UTC",
        required=True,
        help="Of the hours in which tenants are awake.",
    )
    region_id = fields.Many2one(
        "saas.region",
        string="Region",
        ondelete="restrict",
        help="New tenants are placed there only. Empty: anywhere.",
    )
    label_ids = fields.Many2many(
        "saas.label",
        string="Labels",
        ondelete="restrict",
        help="New tenants are placed only on servers that have all of them.",
    )
    tenant_ids = fields.One2many("saas.tenant", "plan_id", string="Tenants")
    tenant_count = fields.Integer(compute="_compute_tenant_count")

    _limits_positive = models.Constraint(
        "CHECK(memory >= 256 AND cpus > 0 AND processes >= 50 AND connections >= 4"
        " AND grace_days >= 0 AND sleep_minutes >= 0 AND stop_minutes >= 0)",
        "A plan needs at least 256 MB of memory, some CPU, 50 processes, 4 database "
        "connections, and a grace and times to sleep of 0 or more.",
    )

    _awake_hours_of_a_day = models.Constraint(
        "CHECK(awake_from >= 0 AND awake_from <= 24"
        " AND awake_until >= 0 AND awake_until <= 24)",
        "The hours in which tenants are awake lie between 00:00 and 24:00.",
    )

    _database_memory_enough = models.Constraint(
        "CHECK(database_memory >= 256)",
        "A PostgreSQL of its own needs at least 256 MB of memory.",
    )

    @api.depends("tenant_ids")
    def _compute_tenant_count(self):
        for plan in self:
            plan.tenant_count = len(plan.tenant_ids)

    @api.constrains("workers", "memory", "processes", "connections")
    def _check_workers(self):
        for plan in self:
            # A report that is printed asks another process for its pictures.
            if plan.workers < 0 or plan.workers == 1:
                raise ValidationError(
                    self.env._(
                        "A plan has 0 HTTP workers (one process with threads), or 2 or "
                        "more."
                    )
                )
            needs = tenant_config.get_needs(plan.workers)
            memory = needs.memory // MEGABYTE
            if plan.workers and (
                plan.memory < memory
                or plan.processes < needs.processes
                or plan.connections < needs.connections
            ):
                raise ValidationError(
                    self.env._(
                        "%(workers)s HTTP workers need at least %(memory)s MB of "
                        "memory, %(processes)s processes and %(connections)s database "
                        "connections. Give the plan “%(plan)s” these, or fewer "
                        "workers.",
                        workers=plan.workers,
                        memory=memory,
                        processes=needs.processes,
                        connections=needs.connections,
                        plan=plan.name,
                    )
                )

    @api.constrains("modules")
    def _check_modules(self):
        for plan in self:
            for module in plan._get_modules():
                if not module.replace("_", "").isalnum() or not module.isascii():
                    raise ValidationError(
                        self.env._(
                            "“%s” cannot be the technical name of a module.", module
                        )
                    )

    def write(self, vals):
        result = super().write(vals)
        if TIMES & vals.keys():
            self.sudo().tenant_ids._think_again()
        return result

    def _get_awake_hours(self):
        """Return in which hours its tenants do not sleep."""
        self.ensure_one()
        return AwakeHours(
            begin=self.awake_from,
            end=self.awake_until,
            zone=self.awake_tz,
            workdays=self.awake_days == "workdays",
        )

    def _get_memory(self):
        """Return the MB that all containers of a tenant may use together."""
        self.ensure_one()
        return self.memory + (self.database_memory if self.own_database else 0)

    def _get_modules(self):
        """Return the sorted names of the modules, without doubles."""
        self.ensure_one()
        return split_modules(self.modules)

    def _get_archive_days(self):
        """Return for how long a tenant's last copy is kept after its grace.

        Without such a time it is erased then. Addons that keep copies override it.
        """
        self.ensure_one()
        return 0

    def _get_days_to_take_back(self):
        """Return for how long a tenant can be taken back from the day it is deleted."""
        return self.grace_days + self._get_archive_days()

    def action_view_tenants(self):
        self.ensure_one()
        action = self.env["ir.actions.act_window"]._for_xml_id(
            "saas.saas_tenant_action"
        )
        return {
            **action,
            "domain": [("plan_id", "=", self.id)],
            "context": {"default_plan_id": self.id},
        }
