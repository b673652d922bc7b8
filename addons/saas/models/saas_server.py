import logging
from collections import Counter

from odoo import api, fields, models

from ..engine.errors import EngineError
from .saas_plan import MEGABYTE

_logger = logging.getLogger(__name__)

GIB = 2**30
FULL_PERCENT = 90  # of anything that a server has


class SaasServer(models.Model):
    _name = "saas.server"
    _inherit = ["saas.sealed.mixin", "saas.checked.mixin"]
    _description = "Server"
    _order = "sequence, name"

    name = fields.Char(required=True)
    sequence = fields.Integer(default=10)
    active = fields.Boolean(default=True)
    company_id = fields.Many2one("res.company", help="Empty: for all companies.")
    driver = fields.Selection(selection=[], required=True)
    region_id = fields.Many2one("saas.region", string="Region", ondelete="restrict")
    label_ids = fields.Many2many(
        "saas.label",
        string="Labels",
        help="What it has that plans may ask for.",
    )
    proxy_id = fields.Many2one(
        "saas.proxy", string="Proxy", required=True, ondelete="restrict"
    )
    database_server_id = fields.Many2one(
        "saas.database.server",
        string="Database Server",
        required=True,
        ondelete="restrict",
        domain="[('owner_tenant_id', '=', False)]",
    )
    toolbox_image = fields.Char(
        required=True,
        default="saas-toolbox",
        help="Image of the tasks that run beside tenants.",
    )
    postgres_image = fields.Char(
        string="PostgreSQL Image",
        required=True,
        default="saas-postgres",
        help="Image of PostgreSQL servers that tenants have for themselves.",
    )
    max_tenants = fields.Integer(
        string="Room",
        required=True,
        default=900,
        help="Tenants that it takes; a bridge network carries 1,023 ports.",
    )
    draining = fields.Boolean(help="Keeps its tenants and takes no new ones.")
    tenant_ids = fields.One2many("saas.tenant", "server_id", string="Tenants")
    tenant_count = fields.Integer(compute="_compute_promises")
    memory_promised = fields.Float(
        string="Promised Memory (GiB)",
        compute="_compute_promises",
        help="What the plans of its tenants allow them together.",
    )
    memory = fields.Float(string="Memory (GiB)", readonly=True, copy=False)
    memory_free = fields.Float(string="Free Memory (GiB)", readonly=True, copy=False)
    memory_percent = fields.Float(string="Memory in Use", compute="_compute_percents")
    disk = fields.Float(string="Disk (GiB)", readonly=True, copy=False)
    disk_free = fields.Float(string="Free Disk (GiB)", readonly=True, copy=False)
    disk_percent = fields.Float(string="Disk in Use", compute="_compute_percents")
    date_measured = fields.Datetime(string="Measured On", readonly=True, copy=False)
    full_on = fields.Datetime(
        string="Disk Full On",
        readonly=True,
        copy=False,
        help="When a tenant met a full disk here, or in the database server. For ten "
        "minutes after it no new ones come, or until a test of the server succeeds.",
    )
    orphan_ids = fields.One2many("saas.orphan", "server_id", string="Orphan")
    orphans = fields.Text(
        compute="_compute_orphans",
        help="What carries our mark on the server but belongs to no tenant. It is "
        "reported, never removed by itself.",
    )

    _max_tenants_positive = models.Constraint(
        "CHECK(max_tenants > 0)", "A server needs room for at least one tenant."
    )

    @api.depends(
        "tenant_ids.slot",
        "tenant_ids.plan_id.memory",
        "tenant_ids.plan_id.own_database",
        "tenant_ids.plan_id.database_memory",
    )
    def _compute_promises(self):
        placed = self.env["saas.tenant"]._read_group(
            [("server_id", "in", self.ids), ("slot", ">=", 0)],
            ["server_id", "plan_id"],
            ["__count"],
        )
        counts, memory = Counter(), Counter()
        for server, plan, count in placed:
            counts[server] += count
            memory[server] += count * plan._get_memory()
        for server in self:
            server.tenant_count = counts[server._origin]
            server.memory_promised = memory[server._origin] * MEGABYTE / GIB

    @api.depends("orphan_ids.uid", "orphan_ids.sorts")
    def _compute_orphans(self):
        for server in self:
            lines = [f"{orphan.uid}: {orphan.sorts}" for orphan in server.orphan_ids]
            server.orphans = "\n".join(lines) or False

    @api.depends("memory", "memory_free", "disk", "disk_free")
    def _compute_percents(self):
        for server in self:
            for name in ("memory", "disk"):
                total, free = server[name], server[f"{name}_free"]
                used = 100 * (total - free) / total if total else 0
                server[f"{name}_percent"] = used

    # === CRUD === #

    @api.model_create_multi
    def create(self, vals_list):
        servers = super().create(vals_list)
        self._refresh_menus()
        return servers

    def unlink(self):
        done = super().unlink()
        self._refresh_menus()
        return done

    def _refresh_menus(self):
        """Let menus be made anew: the set-up is the first only without a server."""
        self.env.registry.clear_cache()

    # === BUSINESS METHODS === #

    def _get_driver(self):
        """Return the live ``Driver``: the one seam between Odoo and the servers.

        Provider addons override it: a guard on ``driver``, else ``super()``.
        """
        raise NotImplementedError(self.driver)

    def _takes_own_databases(self):
        """Whether tenants can have a database server of their own there.

        Provider addons override it.
        """
        return False

    def _check_connection(self):
        found = self._get_driver().check()
        self.full_on = False
        return found

    def _get_free_slots(self):
        """Yield the slots that no tenant is seen to have, lowest first."""
        self.ensure_one()
        placed = self.env["saas.tenant"].search([("server_id", "=", self.id)])
        taken = set(placed.mapped("slot"))
        return (slot for slot in range(self.max_tenants) if slot not in taken)

    def _measure(self):
        """Write down what is left of the server; what cannot be measured stays."""
        self.ensure_one()
        try:
            room = self._get_driver().measure()
        except EngineError as error:
            _logger.warning("measure of %s: %s", self.name, error.message)
            return
        self.write(
            {
                "memory": room.memory / GIB,
                "memory_free": room.memory_free / GIB,
                "disk": room.disk / GIB,
                "disk_free": room.disk_free / GIB,
                "date_measured": fields.Datetime.now(),
            }
        )

    @api.model
    def _get_full_percent(self):
        """Return from which share on a server is nearly full, by the settings."""
        parameters = self.env["ir.config_parameter"].sudo()
        return int(parameters.get_param("saas.full_percent") or FULL_PERCENT)

    def _prepare_outside(self):
        self._get_driver().prepare()
