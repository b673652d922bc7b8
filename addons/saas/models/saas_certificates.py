from datetime import timedelta

from odoo import api, fields, models

from ..engine import setup_checks
from ..engine.proxy import is_covered

LOOK_EACH = timedelta(days=1)
LOOK_AGAIN = timedelta(hours=1)  # where something was wrong
LOOKS_AT_ONCE = 50  # each takes some seconds at most


class SaasProxy(models.Model):
    _name = "saas.proxy"
    _inherit = ["saas.proxy", "saas.certified.mixin"]

    def _look_at_host(self, host):
        """Return the finding about the certificate that visitors of a host get."""
        self.ensure_one()
        return setup_checks.check_certificate(
            host,
            self.port,
            address=self._get_tls_address(),
            context=setup_checks.make_context(self.authority or ""),
        )

    def _look_at_own_certificates(self):
        self._look_at_certificates(self, self._get_certified_hosts())

    def _get_certified_hosts(self):
        """Return the master's name, and any tenant's where one is for all of them."""
        steps = self.env["saas.setup.step"]
        domain, master = steps._get_tenant_domain(), steps._get_master_host()
        hosts = [master] if master else []
        if not self.https_entry_point or f"*.{domain}" in self._get_covered():
            hosts.append(setup_checks.random_host(domain))
        return hosts


class SaasDomain(models.Model):
    _name = "saas.domain"
    _inherit = ["saas.domain", "saas.certified.mixin"]

    @api.model
    def _cron_certificates(self):
        """Look at the certificates of the proxies, and at those of some domains."""
        proxies = self.env["saas.proxy"].search([("scheme", "=", "https")])
        for proxy in proxies:
            proxy._look_at_own_certificates()
        for domain in self._find_to_look_at(proxies):
            domain._look_at_own_certificate()

    @api.model
    def _find_to_look_at(self, proxies):
        """Return those that nobody looked at for a day, or for an hour if ill."""
        now = fields.Datetime.now()
        return self.search(
            [
                ("released_on", "=", False),
                "|",
                ("own", "=", False),
                ("proved_on", "!=", False),
                ("tenant_id.server_id.proxy_id", "in", proxies.ids),
                ("tenant_id.slot", ">=", 0),
                "|",
                "|",
                ("certificate_date", "=", False),
                ("certificate_date", "<", now - LOOK_EACH),
                "&",
                ("certificate_state", "in", ("expiring", "failed")),
                ("certificate_date", "<", now - LOOK_AGAIN),
            ],
            order="certificate_date NULLS FIRST, id",
            limit=LOOKS_AT_ONCE,
        )

    def _look_at_own_certificate(self):
        proxy = self.tenant_id.server_id.proxy_id
        covered = is_covered(self.name, proxy._get_covered())
        self._look_at_certificates(proxy, [] if covered else [self.name])
