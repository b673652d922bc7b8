from werkzeug.exceptions import NotFound

from odoo import http
from odoo.exceptions import UserError
from odoo.fields import Domain
from odoo.http import request

from odoo.addons.portal.controllers.portal import CustomerPortal, pager

TENANTS_A_PAGE = 20
OPERATIONS_SHOWN = 10
LARGEST_ID = 2**31 - 1
ROUTE = {"type": "http", "auth": "user", "website": True, "sitemap": False}


class TenantPortal(CustomerPortal):
    def _prepare_home_portal_values(self, counters):
        values = super()._prepare_home_portal_values(counters)
        if "saas_tenant_count" in counters:
            tenants = request.env["saas.tenant"].sudo()
            values["saas_tenant_count"] = tenants.search_count(self._get_domain())
        return values

    @http.route(["/my/tenants", "/my/tenants/page/<int:page>"], **ROUTE)
    def my_tenants(self, page=1, **_kwargs):
        tenants = request.env["saas.tenant"].sudo()
        domain = self._get_domain()
        pages = pager(
            url="/my/tenants",
            total=tenants.search_count(domain),
            page=page,
            step=TENANTS_A_PAGE,
        )
        found = tenants.search(domain, limit=TENANTS_A_PAGE, offset=pages["offset"])
        return request.render(
            "saas_website.portal_my_tenants",
            {
                **self._prepare_portal_layout_values(),
                "page_name": "tenant",
                "tenants": found,
                "pager": pages,
                "default_url": "/my/tenants",
            },
        )

    @http.route("/my/tenants/<int:tenant_id>", methods=["GET"], **ROUTE)
    def my_tenant(self, tenant_id, **_kwargs):
        return self._render_tenant(self._get_tenant(tenant_id))

    @http.route("/my/tenants/<int:tenant_id>/open", methods=["POST"], **ROUTE)
    def my_tenant_open(self, tenant_id, **_kwargs):
        tenant = self._get_tenant(tenant_id)
        try:
            url = tenant.with_user(request.env.user).get_login_url()
        except UserError as error:
            return self._render_tenant(tenant, error=str(error))
        return request.redirect(url, 303, local=False)

    @http.route("/my/tenants/<int:tenant_id>/restart", methods=["POST"], **ROUTE)
    def my_tenant_restart(self, tenant_id, **_kwargs):
        tenant = self._get_tenant(tenant_id)
        return self._ask(tenant, tenant._restart_for_customer)

    @http.route("/my/tenants/<int:tenant_id>/delete", methods=["POST"], **ROUTE)
    def my_tenant_delete(self, tenant_id, name="", **_kwargs):
        tenant = self._get_tenant(tenant_id)
        return self._ask(tenant, tenant._delete_for_customer, str(name))

    # === HELPERS === #

    def _get_domain(self):
        return request.env["saas.tenant"]._get_customer_domain()

    def _get_tenant(self, tenant_id):
        """Return the customer's own tenant.

        One query finds it or not: what belongs to others answers like what is not.
        """
        if tenant_id > LARGEST_ID:
            raise NotFound()
        tenants = request.env["saas.tenant"].sudo()
        tenant = tenants.search(Domain("id", "=", tenant_id) & self._get_domain())
        if not tenant:
            raise NotFound()
        return tenant

    def _ask(self, tenant, ask, *args):
        try:
            ask(*args)
        except UserError as error:
            return self._render_tenant(tenant, error=str(error))
        return request.redirect(f"/my/tenants/{tenant.id}", 303)

    def _render_tenant(self, tenant, error=False):
        operations = request.env["saas.operation"].sudo()
        return request.render(
            "saas_website.portal_my_tenant",
            {
                **self._prepare_portal_layout_values(),
                "page_name": "tenant",
                "tenant": tenant,
                "error": error,
                "operations": operations.search(
                    Domain("tenant_id", "=", tenant.id) & Domain("kind", "!=", "undo"),
                    limit=OPERATIONS_SHOWN,
                ),
            },
        )
