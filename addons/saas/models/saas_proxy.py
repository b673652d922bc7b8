import urllib.parse

from odoo import api, fields, models
from odoo.exceptions import ValidationError

from ..engine import setup_checks
from ..engine.errors import RefusedError
from ..engine.proxy import DirectoryRouteFiles, TraefikProxy, TraefikSettings

# What tenants' routes and addresses are made of.
ADDRESS_FIELDS = (
    "scheme",
    "port",
    "https_entry_point",
    "http_entry_point",
    "certificate_resolver",
    "covered",
)


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

    https_entry_point = fields.Char(
        string="HTTPS Entry Point",
        help="The proxy's own name for it, e.g. websecure. Empty: it speaks plain "
        "HTTP, and something in front of it may speak HTTPS.",
    )
    http_entry_point = fields.Char(
        string="HTTP Entry Point",
        default="web",
        help="The proxy's own name for it. Where there is HTTPS, visitors are sent on "
        "to that from here, and the worker sees whether tenants answer.",
    )
    certificate_resolver = fields.Char(
        string="Certificates From",
        help="The proxy's own name for an authority that gives certificates, e.g. "
        "http. Empty: all certificates are given to it.",
    )
    covered = fields.Char(
        string="Names With a Certificate",
        help="Host names for which nothing has to be asked, by commas, e.g. "
        "*.odoo.example.",
    )
    authority = fields.Text(
        string="Trusted Authority",
        help="Certificate of an authority that not everybody knows. The worker trusts "
        "it when it looks at certificates.",
    )

    def write(self, vals):
        before = [proxy._get_address_values() for proxy in self]
        result = super().write(vals)
        for proxy, values in zip(self, before, strict=True):
            if proxy._get_address_values() != values:
                proxy._lead_tenants()
        return result

    def _get_address_values(self):
        return [self[name] for name in ADDRESS_FIELDS]

    def _lead_tenants(self):
        """Have all tenants follow what their addresses are now."""
        tenants = self.env["saas.tenant"].sudo().search([("slot", ">=", 0)])
        tenants.filtered(
            lambda tenant: tenant.server_id.proxy_id == self and tenant.provisioned_on
        )._follow_domains()

    def _get_proxy(self):
        """Return the live ``Proxy``; other kinds and transports override this."""
        self.ensure_one()
        settings = TraefikSettings(
            gateway=self.gateway_url or "", **self._prepare_tls()
        )
        return TraefikProxy(self._get_route_files(), settings)

    def _prepare_tls(self):
        """Return how Traefik speaks HTTPS, if it does."""
        if not self.https_entry_point:
            return {}
        return {
            "entry_points": (self.https_entry_point,),
            "tls": True,
            "health_entry_points": (self.http_entry_point,),
            "certificate_resolver": self.certificate_resolver or "",
            "covered": self._get_covered(),
        }

    def _get_tls_address(self):
        """Return where this proxy itself speaks HTTPS; empty: where its names lead."""
        if not self.https_entry_point:
            return ""
        return urllib.parse.urlsplit(self.internal_url).hostname or ""

    @api.constrains("authority")
    def _check_authority(self):
        for proxy in self:
            try:
                setup_checks.make_context(proxy.authority or "")
            except RefusedError as error:
                raise ValidationError(error.message) from error

    def _get_covered(self):
        """Return the names for which there is a certificate without asking."""
        names = (self.covered or "").split(",")
        return tuple(name.strip() for name in names if name.strip())

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

    def _list_routes(self):
        """Return all routes by uid, and have the pages of all other addresses there."""
        self._put_unknown_pages()
        return self._get_proxy().list_routes()

    def _get_public_url(self, host):
        """Return the address at which visitors find that host."""
        self.ensure_one()
        default = 443 if self.scheme == "https" else 80
        port = "" if self.port == default else f":{self.port}"
        return f"{self.scheme}://{host}{port}"

    def _check_connection(self):
        return self._get_proxy().check()
