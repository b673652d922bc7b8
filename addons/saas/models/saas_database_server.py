import secrets

from odoo import api, fields, models

from ..engine.driver import DATABASE_DIRECTORY, MASTER_DATABASES
from ..engine.errors import RefusedError
from ..engine.postgres import DatabaseServerConfig, PostgresServer

FIRST_PORT = 6000  # of those beside tenants; it is part of their sockets' names


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
    beside = fields.Boolean(
        string="Beside the Tenant",
        readonly=True,
        copy=False,
        help="A container beside the tenant's own, which comes and goes with it.",
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

    @api.model
    def _create_beside(self, tenant):
        """Return the record of a database server beside a tenant, still to be made.

        Nobody but the worker ever knows the password of its role.
        """
        port = FIRST_PORT + tenant.slot
        return self.create(
            {
                "name": self.env._("PostgreSQL of %s", tenant.name),
                "company_id": tenant.company_id.id,
                "host": MASTER_DATABASES,
                "port": port,
                "tenant_host": DATABASE_DIRECTORY,
                "tenant_port": port,
                "stack": tenant.server_id.database_server_id.stack,
                "password": secrets.token_urlsafe(32),
                "owner_tenant_id": tenant.id,
                "beside": True,
            }
        )

    def _get_database_server(self):
        """Return the live ``DatabaseServer``; needs the worker's keys."""
        self.ensure_one()
        server = self.sudo()
        sealed = server.password_sealed
        return PostgresServer(
            DatabaseServerConfig(
                host=server.host,
                port=server.port,
                user=server.user,
                password=self._unseal(sealed) if sealed else "",
                tenant_host=server.tenant_host,
                tenant_port=server.tenant_port,
                stack=server.stack,
            )
        )

    def _prepare_outside(self):
        self._get_database_server().prepare()

    def _list_roles(self):
        """Return the uids of all roles that are ours."""
        return self._get_database_server().list_roles()

    def _check_connection(self):
        return self._get_database_server().check()
