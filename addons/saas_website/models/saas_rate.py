from datetime import timedelta

from odoo import api, fields, models
from odoo.fields import Domain
from odoo.tools import hmac

KEPT = timedelta(days=2)  # longer than the longest window


class SaasRate(models.Model):
    """What was asked how often: one row for each request that counts."""

    _name = "saas.rate"
    _description = "Counted Request"
    _log_access = False

    scope = fields.Char(required=True)
    # An HMAC: no address of a visitor lies here.
    key = fields.Char(required=True)
    date = fields.Datetime(required=True, default=fields.Datetime.now)

    _lookup_index = models.Index("(scope, key, date)")

    @api.model
    def _allow(self, scope, key, limit, window):
        """Count one request and tell whether it is still within the limit.

        :param str key: who asks, e.g. a network address
        :param int limit: requests in that window; 0 for no limit
        :param timedelta window: how far to look back
        """
        if not limit:
            return True
        rates = self.sudo()
        digest = hmac(rates.env, f"saas_website.{scope}", key)
        seen = rates.search_count(
            Domain("scope", "=", scope)
            & Domain("key", "=", digest)
            & Domain("date", ">", fields.Datetime.now() - window),
            limit=limit,
        )
        if seen >= limit:
            return False
        rates.create({"scope": scope, "key": digest})
        return True

    @api.autovacuum
    def _gc_rates(self):
        old = self.search([("date", "<", fields.Datetime.now() - KEPT)], limit=10000)
        old.unlink()
