from werkzeug.exceptions import NotFound

from odoo import http
from odoo.exceptions import UserError
from odoo.fields import Domain
from odoo.http import request

from odoo.addons.portal.controllers.portal import CustomerPortal, pager

TENANTS_A_PAGE = 20
LARGEST_ID = 2**31 - 1
ROUTE = {"type": "http", "auth": "user", "website": True, "sitemap": False}


class BackupPortal(CustomerPortal):
    def _prepare_home_portal_values(self, counters):
        values = super()._prepare_home_portal_values(counters)
        if "saas_backup_count" in counters:
            backups = request.env["saas.backup"].sudo()
            values["saas_backup_count"] = backups.search_count(
                Domain("tenant_id", "any", self._get_backup_domain())
                & Domain("state", "=", "done")
            )
        return values

    @http.route(["/my/backups", "/my/backups/page/<int:page>"], **ROUTE)
    def my_backups(self, page=1, **_kwargs):
        tenants = request.env["saas.tenant"].sudo()
        domain = self._get_backup_domain()
        pages = pager(
            url="/my/backups",
            total=tenants.search_count(domain),
            page=page,
            step=TENANTS_A_PAGE,
        )
        found = tenants.search(domain, limit=TENANTS_A_PAGE, offset=pages["offset"])
        return request.render(
            "saas_backup.portal_my_backups",
            {
                **self._prepare_portal_layout_values(),
                "page_name": "saas_backup",
                "tenants": found,
                "erasures": request.env["saas.erasure"]
                .sudo()
                .search(self._get_erasure_domain(), limit=TENANTS_A_PAGE),
                "pager": pages,
                "default_url": "/my/backups",
            },
        )

    @http.route("/my/backups/<int:tenant_id>", methods=["GET"], **ROUTE)
    def my_backup(self, tenant_id, **_kwargs):
        return self._render_backups(self._get_backed_up(tenant_id))

    @http.route("/my/backups/<int:tenant_id>/make", methods=["POST"], **ROUTE)
    def my_backup_make(self, tenant_id, **_kwargs):
        tenant = self._get_backed_up(tenant_id)
        return self._ask_backup(tenant, tenant._back_up_for_customer)

    @http.route("/my/backups/<int:tenant_id>/restore", methods=["POST"], **ROUTE)
    def my_backup_restore(self, tenant_id, backup="", name="", **_kwargs):
        tenant = self._get_backed_up(tenant_id)
        chosen = tenant.backup_ids.filtered(lambda copy: str(copy.id) == str(backup))
        return self._ask_backup(
            tenant, tenant._restore_for_customer, chosen.id, str(name)
        )

    @http.route("/my/backups/certificate/<int:drill_id>", methods=["GET"], **ROUTE)
    def my_certificate(self, drill_id, report_type="", download="", **_kwargs):
        drill = self._get_drill(drill_id)
        if report_type == "pdf":
            report = "saas_backup.action_report_certificate"
            return self._show_certificate(drill, report, download)
        return self._render_certificate(
            "saas_backup.portal_certificate", "drill", drill
        )

    @http.route("/my/backups/erasure/<int:erasure_id>", methods=["GET"], **ROUTE)
    def my_erasure(self, erasure_id, report_type="", download="", **_kwargs):
        erasure = self._get_own("saas.erasure", erasure_id, self._get_erasure_domain())
        if report_type == "pdf":
            report = "saas_backup.action_report_erasure"
            return self._show_certificate(erasure, report, download)
        return self._render_certificate(
            "saas_backup.portal_erasure", "erasure", erasure
        )

    # === HELPERS === #

    def _get_backup_domain(self):
        return request.env["saas.tenant"]._get_customer_domain()

    def _get_erasure_domain(self):
        customer = request.env.user.partner_id.commercial_partner_id
        return Domain("partner_id", "child_of", customer.id)

    def _show_certificate(self, record, report, download):
        return self._show_report(
            model=record,
            report_type="pdf",
            report_ref=report,
            download=bool(download),
        )

    def _render_certificate(self, template, name, record):
        return request.render(
            template,
            {
                **self._prepare_portal_layout_values(),
                "page_name": "saas_backup",
                "tenant": record.tenant_id,
                name: record,
            },
        )

    def _get_backed_up(self, tenant_id):
        """Return the customer's own tenant; those of others answer like what is not."""
        return self._get_own("saas.tenant", tenant_id, self._get_backup_domain())

    def _get_drill(self, drill_id):
        tenants = Domain("tenant_id", "any", self._get_backup_domain())
        passed = Domain("state", "=", "passed")
        return self._get_own("saas.drill", drill_id, tenants & passed)

    def _get_own(self, model, record_id, domain):
        records = request.env[model].sudo()
        if record_id > LARGEST_ID:
            raise NotFound()
        record = records.search(Domain("id", "=", record_id) & domain)
        if not record:
            raise NotFound()
        return record

    def _ask_backup(self, tenant, ask, *args):
        try:
            ask(*args)
        except UserError as error:
            return self._render_backups(tenant, error=str(error))
        return request.redirect(f"/my/backups/{tenant.id}", 303)

    def _render_backups(self, tenant, error=False):
        backups = tenant.backup_ids.filtered(
            lambda b: b.state in ("running", "done", "failed")
        )._sort_newest_first()
        proof = tenant.drill_ids.filtered(lambda drill: drill.state == "passed")[:1]
        response = request.render(
            "saas_backup.portal_my_backup",
            {
                **self._prepare_portal_layout_values(),
                "page_name": "saas_backup",
                "tenant": tenant,
                "backups": backups,
                "proof": proof,
                "left": tenant._count_allowance(),
                "error": error,
            },
        )
        if error:
            response.status_code = 422
        return response
