from datetime import timedelta

from odoo import api, fields, models
from odoo.fields import Domain

from odoo.addons.saas.models.saas_dashboard import ITEMS_OF_A_SORT

# Since the newest copy: one is made each day, and this is half a day after it was due.
OVERDUE = timedelta(hours=36)


class SaasDashboard(models.AbstractModel):
    _inherit = "saas.dashboard"

    @api.model
    def _get_checked_models(self):
        return (*super()._get_checked_models(), "saas.store")

    @api.model
    def _find_items(self):
        return [
            *super()._find_items(),
            *self._find_failed_backups(),
            *self._find_unusable_copies(),
            *self._find_overdue_backups(),
            *self._find_overdue_drills(),
        ]

    @api.model
    def _find_failed_backups(self):
        def explain(tenant):
            return tenant._get_ended_backups()[:1].message

        return self._find_by_coverage(
            Domain("coverage", "=", "failed"),
            self.env._("Backup failed"),
            explain,
            self._mend_by_copy,
        )

    @api.model
    def _find_unusable_copies(self):
        """Return whose newest copy was tried or read, and found not to be good."""

        def explain(tenant):
            return tenant._get_ended_backups()[:1]._explain_fault()

        return self._find_by_coverage(
            Domain("coverage", "=", "unusable"),
            self.env._("Copy cannot be restored"),
            explain,
            self._mend_by_copy,
        )

    @api.model
    def _find_overdue_backups(self):
        def explain(tenant):
            if not tenant.backup_date:
                return self.env._("There is no copy of it yet.")
            return self.env._(
                "Its newest copy is of %s; one is due each day.",
                fields.Datetime.to_string(tenant.backup_date),
            )

        late = fields.Datetime.now() - OVERDUE
        return self._find_by_coverage(
            Domain("coverage", "=", False)
            & Domain("provisioned_on", "<=", late)
            & (Domain("backup_date", "=", False) | Domain("backup_date", "<=", late)),
            self.env._("Backup overdue"),
            explain,
            self._mend_by_copy,
            level="warning",
        )

    @api.model
    def _find_overdue_drills(self):
        def explain(tenant):
            if not tenant.drill_date:
                return self.env._("None of its copies was proven yet.")
            return self.env._(
                "Its copies were last proven on %s.",
                fields.Datetime.to_string(tenant.drill_date),
            )

        return self._find_by_coverage(
            Domain("coverage", "=", False)
            & Domain("prove_by", "<=", fields.Datetime.now()),
            self.env._("Drill overdue"),
            explain,
            self._mend_by_drill,
            level="warning",
            date="prove_by",
        )

    @api.model
    def _mend_by_copy(self, tenant):
        return self.env._("Back Up"), tenant, "action_backup"

    @api.model
    def _mend_by_drill(self, tenant):
        newest = tenant._get_good_backups()[:1]
        return newest and (self.env._("Try It Out"), newest, "action_drill")

    @api.model
    def _find_by_coverage(
        self, domain, label, explain, mend, level="danger", date="backup_date"
    ):
        """Return a line for each tenant of the domain, and one for all the rest.

        :param explain: gives the sentence of a tenant
        :param mend: gives the button of a tenant
        :param str date: the field that says since when
        """
        Tenant = self.env["saas.tenant"]
        domain &= Tenant._get_backed_up_domain()
        tenants = Tenant.search(domain, order=f"{date}, id", limit=ITEMS_OF_A_SORT)
        items = [
            self._make_item(
                tenant,
                label=label,
                message=explain(tenant) or self.env._("It left no message."),
                level=level,
                date=tenant[date],
                mend=mend(tenant) if self._may_run() else None,
            )
            for tenant in tenants
        ]
        if len(tenants) == ITEMS_OF_A_SORT:
            total = Tenant.search_count(domain)
            items += self._make_rest(domain, "saas.tenant", total, label)
        return items
