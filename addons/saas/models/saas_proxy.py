from odoo import fields, models

from ..engine.proxy import DirectoryRouteFiles, TraefikProxy


class SaasProxy(models.Model):
    _name = "saas.proxy"
    _inherit = ["saas.sealed.mixin", "saas.checked.mixin"]
    _description = "Proxy"
    _order = "name"

    name = fields.Char(required=True)
    active = fields.Boolean(default=True)
    company_id = fields.Many2one("res.company", help="Empty: for all companies.")
    kind = fields.Selection(
        selection=[("traefik", "Traefik")], required=True, default="traefik"
    )
    transport = fields.Selection(
        selection=[("directory", "Directory that the worker shares with it")],
        required=True,
        default="directory",
        help="How route files reach the proxy.",
    )
    directory = fields.Char(default="/var/lib/saas/routes")
    scheme = fields.Selection(
        selection=[("http", "http"), ("https", "https")],
        required=True,
        default="http",
    )
    port = fields.Integer(
        string="Public Port", required=True, default=80, help="As visitors see it."
    )
    internal_url = fields.Char(
        string="Worker's Address",
        required=True,
        help="Where the worker reaches this proxy to see whether a tenant answers, "
        "e.g. http://172.30.0.1:8080.",
    )

    def _get_proxy(self):
        """Return the live ``Proxy``; other kinds and transports override this."""
        self.ensure_one()
        return TraefikProxy(self._get_route_files())

    def _get_route_files(self):
        """Return the live ``RouteFiles`` of the transport."""
        self.ensure_one()
        if self.transport != "directory":
            raise NotImplementedError(self.transport)
        return DirectoryRouteFiles(self.directory)

    def _get_public_url(self, host):
        """Return the address at which visitors find that host."""
        self.ensure_one()
        default = 443 if self.scheme == "https" else 80
        port = "" if self.port == default else f":{self.port}"
        return f"{self.scheme}://{host}{port}"

    def _check_connection(self):
        return self._get_proxy().check()
