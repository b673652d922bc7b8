import random
from datetime import timedelta

from psycopg2.errors import UniqueViolation

from odoo import api, fields, models
from odoo.fields import Domain
from odoo.tools import hmac, mute_logger

KEPT = timedelta(days=2)  # longer than the longest window


class SaasRate(models.Model):
    """What was asked how often: one row for each request that counts.

    The rows of one key are numbered below its limit, so that a flood adds no more of
    them, and no two transactions take the last one at the same moment.
    """

    _name = "saas.rate"
    _description = "Counted Request"
    _log_access = False

    scope = fields.Char(required=True)
    # An HMAC: no address of a visitor lies here.
    key = fields.Char(required=True)
    slot = fields.Integer(required=True)
    date = fields.Datetime(required=True, default=fields.Datetime.now)

    _slot_unique = models.UniqueIndex("(scope, key, slot)")
    _date_index = models.Index("(date)")

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
        counted = rates.search_fetch(
            Domain("scope", "=", scope) & Domain("key", "=", digest), ["slot", "date"]
        )
        since = fields.Datetime.now() - window
        recent = counted.filtered(lambda rate: rate.date > since)
        if len(recent) >= limit:
            return False
        old = (counted - recent).try_lock_for_update()
        taken = set((counted - old).mapped("slot"))
        old.unlink()
        return rates._take_slot(scope, digest, set(range(limit)) - taken)

    @api.model
    def _take_slot(self, scope, digest, free):
        # At random: those who come at one moment seldom want the same one.
        for slot in random.sample(sorted(free), len(free)):
            try:
                with self.env.cr.savepoint(), mute_logger("odoo.sql_db"):
                    self.create({"scope": scope, "key": digest, "slot": slot})
            except UniqueViolation:
                continue
            return True
        return False

    @api.autovacuum
    def _gc_rates(self):
        old = self.search([("date", "<", fields.Datetime.now() - KEPT)], limit=10000)
        old.unlink()
