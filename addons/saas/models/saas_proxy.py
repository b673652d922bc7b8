from odoo import fields, models

from ..engine.proxy import DirectoryRouteFiles, TraefikProxy, TraefikSettings


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
    gateway_url = fields.Char(
        string="Gateway's Address",
        help="Where this proxy reaches the gateway, which shows a page where a tenant "
        "does not run, e.g. http://172.30.0.13:8070. Empty: such addresses are closed.",
    )

    def _get_proxy(self):
        """Return the live ``Proxy``; other kinds and transports override this."""
        self.ensure_one()
        settings = TraefikSettings(gateway=self.gateway_url or "")
        return TraefikProxy(self._get_route_files(), settings)

    def _get_route_files(self):
        """Return the live ``RouteFiles`` of the transport."""
        self.ensure_one()
        if self.transport != "directory":
            raise NotImplementedError(self.transport)
        return DirectoryRouteFiles(self.directory)

    def _put_unknown_pages(self):
        """Have addresses that nobody has say so."""
        self.ensure_one()
        company = self.company_id or self.env.ref("base.main_company")
        self._get_proxy().put_unknown_pages(company._prepare_saas_unknown_pages())

    def _get_public_url(self, host):
        """Return the address at which visitors find that host."""
        self.ensure_one()
        default = 443 if self.scheme == "https" else 80
        port = "" if self.port == default else f":{self.port}"
        return f"{self.scheme}://{host}{port}"

    def _check_connection(self):
        return self._get_proxy().check()
