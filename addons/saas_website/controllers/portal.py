from werkzeug.exceptions import NotFound

from odoo import http
from odoo.exceptions import UserError
from odoo.fields import Domain
from odoo.http import request

from odoo.addons.portal.controllers.portal import CustomerPortal, pager

TENANTS_A_PAGE = 20
OPERATIONS_SHOWN = 10
LONGEST_SEARCH = 100
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
    def my_tenants(
        self,
        page=1,
        sortby=None,
        filterby=None,
        groupby=None,
        search_in=None,
        search="",
        **_kwargs,
    ):
        bar = self._prepare_searchbar(sortby, filterby, groupby, search_in, search)
        domain = self._get_domain() & self._get_searchbar_domain(bar)
        tenants = request.env["saas.tenant"].sudo()
        pages = pager(
            url="/my/tenants",
            url_args={
                name: bar[name]
                for name in ("sortby", "filterby", "groupby", "search_in", "search")
            },
            total=tenants.search_count(domain),
            page=page,
            step=TENANTS_A_PAGE,
        )
        order = bar["searchbar_sortings"][bar["sortby"]]["order"]
        if bar["groupby"] != "none":
            order = f"{bar['groupby']}, {order}"
        found = tenants.search(
            domain, order=order, limit=TENANTS_A_PAGE, offset=pages["offset"]
        )
        return request.render(
            "saas_website.portal_my_tenants",
            {
                **self._prepare_portal_layout_values(),
                **bar,
                "page_name": "tenant",
                "tenants": found,
                "pager": pages,
                "default_url": "/my/tenants",
                "is_narrowed": bool(bar["search"]) or bar["filterby"] != "all",
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

    @http.route("/my/tenants/<int:tenant_id>/retry", methods=["POST"], **ROUTE)
    def my_tenant_retry(self, tenant_id, **_kwargs):
        tenant = self._get_tenant(tenant_id)
        return self._ask(tenant, tenant._retry_for_customer)

    @http.route("/my/tenants/<int:tenant_id>/delete", methods=["POST"], **ROUTE)
    def my_tenant_delete(self, tenant_id, name="", **_kwargs):
        tenant = self._get_tenant(tenant_id)
        return self._ask(tenant, tenant._delete_for_customer, str(name))

    @http.route("/my/tenants/<int:tenant_id>/support", methods=["POST"], **ROUTE)
    def my_tenant_support(self, tenant_id, allow="", **_kwargs):
        tenant = self._get_tenant(tenant_id)
        return self._ask(tenant, tenant._decide_on_support_for_customer, allow == "1")

    # === HELPERS === #

    def _prepare_searchbar(self, sortby, filterby, groupby, search_in, search):
        """Return what portal's search bar needs; what it does not know is left out."""
        choices = {
            "searchbar_sortings": {
                "date": {"label": request.env._("Newest"), "order": "id desc"},
                "name": {"label": request.env._("Name"), "order": "name, id"},
                "plan": {"label": request.env._("Plan"), "order": "plan_id, id desc"},
            },
            "searchbar_filters": {
                name: {"label": label} for name, (label, _states) in self._get_filters()
            },
            "searchbar_groupby": {
                "none": {"label": request.env._("None")},
                "state": {"label": request.env._("State")},
                "plan_id": {"label": request.env._("Plan")},
            },
            "searchbar_inputs": {
                "name": {
                    "input": "name",
                    "label": request.env._("Search in addresses"),
                },
                "plan": {"input": "plan", "label": request.env._("Search in plans")},
            },
        }
        chosen = {
            "sortby": (sortby, "searchbar_sortings"),
            "filterby": (filterby, "searchbar_filters"),
            "groupby": (groupby, "searchbar_groupby"),
            "search_in": (search_in, "searchbar_inputs"),
        }
        return {
            **choices,
            **{
                name: value if value in choices[known] else next(iter(choices[known]))
                for name, (value, known) in chosen.items()
            },
            "search": str(search).replace("\0", "").strip()[:LONGEST_SEARCH],
        }

    def _get_filters(self):
        return (
            ("all", (request.env._("All"), None)),
            ("running", (request.env._("Running"), ("running", "sleeping"))),
            ("building", (request.env._("Being built"), ("draft", "provisioning"))),
            (
                "down",
                (request.env._("Not running"), ("failed", "stopped", "suspended")),
            ),
            ("deleting", (request.env._("Deleted"), ("deleting", "archived"))),
        )

    def _get_searchbar_domain(self, bar):
        domain = Domain.TRUE
        _label, states = dict(self._get_filters())[bar["filterby"]]
        if states:
            domain &= Domain("state", "in", states)
        if bar["search"]:
            field = "plan_id.name" if bar["search_in"] == "plan" else "domain_ids.name"
            domain &= Domain(field, "ilike", bar["search"])
        return domain

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
                "signup": tenant.signup_ids[:1],
                "error": error,
                "domains": tenant._get_domains_for_customer(),
                "operations": operations.search(
                    Domain("tenant_id", "=", tenant.id) & Domain("kind", "!=", "undo"),
                    limit=OPERATIONS_SHOWN,
                ),
            },
        )
