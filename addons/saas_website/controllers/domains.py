from werkzeug.exceptions import NotFound

from odoo import http
from odoo.fields import Domain

from .portal import LARGEST_ID, ROUTE, TenantPortal

DOMAINS = "/my/tenants/<int:tenant_id>/domains"


class DomainPortal(TenantPortal):
    """What customers do themselves with the addresses of their tenants."""

    @http.route(DOMAINS, methods=["POST"], **ROUTE)
    def my_domain_add(self, tenant_id, name="", **_kwargs):
        tenant = self._get_tenant(tenant_id)
        return self._ask(tenant, tenant._add_domain_for_customer, str(name))

    @http.route(f"{DOMAINS}/<int:domain_id>/check", methods=["POST"], **ROUTE)
    def my_domain_check(self, tenant_id, domain_id, **_kwargs):
        domain = self._get_own_domain(tenant_id, domain_id)
        return self._ask(domain.tenant_id, domain._check_for_customer)

    @http.route(f"{DOMAINS}/<int:domain_id>/main", methods=["POST"], **ROUTE)
    def my_domain_main(self, tenant_id, domain_id, **_kwargs):
        domain = self._get_own_domain(tenant_id, domain_id)
        return self._ask(domain.tenant_id, domain._set_main_for_customer)

    @http.route(f"{DOMAINS}/<int:domain_id>/remove", methods=["POST"], **ROUTE)
    def my_domain_remove(self, tenant_id, domain_id, **_kwargs):
        domain = self._get_own_domain(tenant_id, domain_id)
        return self._ask(domain.tenant_id, domain._remove_for_customer)

    def _get_own_domain(self, tenant_id, domain_id):
        """Return a domain of the customer's own tenant, also one of ours."""
        tenant = self._get_tenant(tenant_id)
        if domain_id > LARGEST_ID:
            raise NotFound()
        domain = tenant.domain_ids.search(
            Domain("id", "=", domain_id) & Domain("tenant_id", "=", tenant.id)
        )
        if not domain:
            raise NotFound()
        return domain
