from datetime import timedelta

from odoo import api, fields, models

from .saas_certificate_mixin import format_moment

# What each step of an erasure has removed, as the certificate calls its moment.
REMOVED = {
    "unroute": "address_closed_on",
    "remove_container": "container_and_files_removed_on",
    "remove_database": "database_removed_on",
    "remove_role": "database_role_removed_on",
    "erase_copies": "copies_removed_on",
}


class SaasErasure(models.Model):
    """What was removed of a tenant, when, and by which operation. Never deleted."""

    _name = "saas.erasure"
    _inherit = ["saas.certificate.mixin"]
    _description = "Erasure"
    _order = "id desc"

    name = fields.Char(
        string="Certificate",
        required=True,
        readonly=True,
        default=lambda self: self._next_number(),
    )
    tenant_id = fields.Many2one(
        "saas.tenant",
        string="Tenant",
        required=True,
        readonly=True,
        ondelete="restrict",
        index=True,
    )
    partner_id = fields.Many2one(
        related="tenant_id.partner_id", string="Customer", store=True
    )
    company_id = fields.Many2one(related="tenant_id.company_id", store=True)
    operation_id = fields.Many2one(
        "saas.operation",
        string="Operation",
        required=True,
        readonly=True,
        ondelete="restrict",
    )
    date = fields.Datetime(string="Erased On", required=True, readonly=True)

    _tenant_unique = models.Constraint(
        "UNIQUE(tenant_id)", "A tenant is erased once and for all."
    )

    @api.model
    def _next_number(self):
        return self.env["ir.sequence"].sudo().next_by_code("saas.erasure")

    def _prepare_content(self):
        tenant, operation = self.tenant_id, self.operation_id
        copies = tenant.backup_ids.filtered("size")
        return {
            "certificate": self.name,
            "issuer": self.company_id.name,
            "customer": self.partner_id.commercial_partner_id.display_name,
            "tenant": tenant.name,
            "uid": tenant.uid,
            "addresses": ", ".join(tenant.domain_ids.mapped("name")),
            "operation": operation.name,
            "asked_on": format_moment(operation.create_date),
            "archived_on": format_moment(tenant.archived_on),
            **self._get_moments(),
            "key_destroyed_on": format_moment(self.date),
            "copies": len(copies),
            "locked_until_date": format_moment(self._find_end_of_locks(copies)),
        }

    def _get_moments(self):
        """Return when each step had made sure that nothing is left."""
        moments = dict.fromkeys(REMOVED.values(), "")
        for step in self.operation_id.step_ids:
            if step.name in REMOVED and step.date_start:
                ended = step.date_start + timedelta(seconds=step.duration)
                moments[REMOVED[step.name]] = format_moment(ended)
        return moments

    @api.model
    def _find_end_of_locks(self, copies):
        """Return until when a bucket's Object Lock may keep what was removed.

        False where it keeps nothing.
        """
        ends = [
            copy.date + timedelta(days=copy.store_id.lock_days)
            for copy in copies
            if copy.store_id.lock_mode
        ]
        last = max(ends, default=False)
        return last if last and last > fields.Datetime.now() else False

    def _get_verify_template(self):
        return "saas_backup.verify_erasure"


class SaasTenant(models.Model):
    _inherit = "saas.tenant"

    erasure_ids = fields.One2many("saas.erasure", "tenant_id", string="Erasure")

    def _step_forget(self):
        result = super()._step_forget()
        if self.provisioned_on and not self.erasure_ids:
            erase = self.operation_ids.filtered(
                lambda o: o.kind == "erase" and o.state == "running"
            )
            self.env["saas.erasure"].create(
                {
                    "tenant_id": self.id,
                    "operation_id": erase.id,
                    "date": self.erased_on,
                }
            )._sign()
        return result
