from datetime import timedelta

from odoo import api, fields, models
from odoo.exceptions import ValidationError

from ..const import QUARANTINE_DAYS
from ..engine import names


class SaasDomain(models.Model):
    """Host names that lead to tenants, and those that may not be given again yet."""

    _name = "saas.domain"
    _description = "Domain"
    _order = "name"

    name = fields.Char(string="Host Name", required=True)
    tenant_id = fields.Many2one(
        "saas.tenant", string="Tenant", ondelete="restrict", index=True
    )
    company_id = fields.Many2one(related="tenant_id.company_id", store=True)
    released_on = fields.Datetime(
        readonly=True, help="Since when it leads nowhere and waits in quarantine."
    )

    _name_unique = models.Constraint("UNIQUE(name)", "That address is already taken.")

    @api.model
    def _end_quarantine(self):
        """Let names be given again whose tenants were erased long enough ago."""
        long_ago = fields.Datetime.now() - timedelta(days=QUARANTINE_DAYS)
        self.search([("released_on", "<", long_ago)]).unlink()

    @api.constrains("name")
    def _check_name(self):
        for domain in self:
            try:
                names.check_host(domain.name)
            except names.InvalidName as error:
                raise ValidationError(str(error)) from error
