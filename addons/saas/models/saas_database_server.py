from odoo import fields, models

from ..engine.errors import RefusedError
from ..engine.postgres import DatabaseServerConfig, PostgresServer


class SaasDatabaseServer(models.Model):
    _name = "saas.database.server"
    _inherit = ["saas.sealed.mixin", "saas.checked.mixin"]
    _description = "Database Server"
    _order = "name"

    name = fields.Char(required=True)
    active = fields.Boolean(default=True)
    company_id = fields.Many2one("res.company", help="Empty: for all companies.")
    host = fields.Char(required=True, help="Where the master reaches it.")
    port = fields.Integer(required=True, default=5432)
    user = fields.Char(
        string="Role",
        required=True,
        default="saas_provisioner",
        help="A role that may create databases and roles; no superuser.",
    )
    password = fields.Char(
        compute="_compute_password",
        inverse="_inverse_password",
        groups="saas.group_manager",
        help="Sealed as it is saved: it can be replaced, never read.",
    )
    password_sealed = fields.Char(groups=fields.NO_ACCESS, copy=False)
    tenant_host = fields.Char(
        required=True, help="Where tenants reach it, as seen from their network."
    )
    tenant_port = fields.Integer(required=True, default=5432)
    stack = fields.Char(
        required=True,
        default="saas",
        help="Marks the roles that are ours; one name per master on a shared server.",
    )
    owner_tenant_id = fields.Many2one(
        "saas.tenant",
        string="Only For",
        ondelete="restrict",
        help="The one tenant whose own database server this is; empty: shared.",
    )
    tenant_ids = fields.One2many("saas.tenant", "database_server_id", string="Tenants")

    def _compute_password(self):
        self.password = False

    def _inverse_password(self):
        for server in self.filtered("password"):
            server.sudo().password_sealed = self._seal(server.password)

    def _adopt_password(self):
        """Take the password of the stack's role from the worker's keys, if it is new.

        Works in the worker alone; elsewhere there is none to be read.
        """
        self.ensure_one()
        password = self._read_worker_key("provisioner_password")
        if password and password != self._read_password():
            self.password = password

    def _read_password(self):
        sealed = self.sudo().password_sealed
        try:
            return sealed and self._unseal(sealed)
        except RefusedError:
            return False  # sealed for a key that is gone: as good as none

    def _get_database_server(self):
        """Return the live ``DatabaseServer``; needs the worker's keys."""
        self.ensure_one()
        server = self.sudo()
        return PostgresServer(
            DatabaseServerConfig(
                host=server.host,
                port=server.port,
                user=server.user,
                password=self._unseal(server.password_sealed),
                tenant_host=server.tenant_host,
                tenant_port=server.tenant_port,
                stack=server.stack,
            )
        )

    def _prepare_outside(self):
        self._get_database_server().prepare()

    def _check_connection(self):
        return self._get_database_server().check()
