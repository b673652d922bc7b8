from datetime import timedelta

from odoo import fields, models
from odoo.exceptions import UserError

from odoo.addons.saas.const import TRANSITIONS, UNFINISHED

from ..const import BACKED_UP


class SaasTenant(models.Model):
    """What customers may do with the copies of their own tenants."""

    _inherit = "saas.tenant"

    def _count_allowance(self):
        """Return how many copies the customer may still ask for today."""
        self.ensure_one()
        since = fields.Datetime.now() - timedelta(days=1)
        asked = (
            self.env["saas.backup"]
            .sudo()
            .search_count(
                [
                    ("tenant_id", "=", self.id),
                    ("reason", "=", "customer"),
                    ("create_date", ">", since),
                ]
            )
        )
        return max(self._get_policy().allowance - asked, 0)

    def _may_be_backed_up(self):
        return self.state in BACKED_UP and self._get_policy()

    def _may_be_restored(self):
        """Whether the page should offer to restore in place now."""
        allowed, _target = TRANSITIONS["restore"]
        busy = self.sudo().last_operation_id.state in UNFINISHED
        return self.state in allowed and not busy

    def _back_up_for_customer(self):
        """Make a copy; to be called for tenants of the current customer only."""
        tenant = self.sudo()
        tenant._check_backed_up()
        if not tenant._find_running_backup() and not tenant._count_allowance():
            raise UserError(
                self.env._(
                    "You have asked for as many copies today as your plan has. One is "
                    "made every day in any case."
                )
            )
        return tenant._back_up("customer")

    def _restore_for_customer(self, backup_id, typed):
        """Restore in place; to be called for the customer's own tenants only.

        :param str typed: the subdomain, typed to confirm
        :raise UserError: it is not the name, or the copy cannot be restored now
        """
        tenant = self.sudo()
        if typed.strip().lower() != tenant.name:
            raise UserError(
                self.env._("Nothing was restored: type “%s” to confirm.", tenant.name)
            )
        return tenant._restore_in_place(tenant._find_restorable(backup_id))
