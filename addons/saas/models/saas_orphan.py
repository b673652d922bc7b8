from datetime import timedelta

from odoo import api, fields, models

QUARANTINE_AFTER = timedelta(days=1)  # in which staff can put an older master right


class SaasOrphan(models.Model):
    """What carries our mark on a server but belongs to nobody; never removed by us."""

    _name = "saas.orphan"
    _description = "Orphan"
    _order = "date, uid"
    _rec_name = "uid"

    server_id = fields.Many2one(
        "saas.server", string="Server", required=True, ondelete="cascade", readonly=True
    )
    uid = fields.Char(string="UID", required=True, readonly=True)
    sorts = fields.Char(
        string="What", required=True, readonly=True, help="What of it is there."
    )
    date = fields.Datetime(
        string="Found On", required=True, readonly=True, default=fields.Datetime.now
    )
    quarantined_on = fields.Datetime(
        readonly=True,
        help="Since when its container is stopped. Nothing of it was removed.",
    )

    _uid_unique = models.UniqueIndex(
        "(server_id, uid)", "That orphan of the server is known."
    )

    @api.model
    def _keep_account(self, server, found):
        """Have a record for each that is there, and for no other.

        :param dict found: sorts of things by uid
        """
        known = self.search([("server_id", "=", server.id)])
        gone = known.filtered(lambda orphan: orphan.uid not in found)
        for orphan in known - gone:
            if orphan.sorts != found[orphan.uid]:
                orphan.sorts = found[orphan.uid]
        new = found.keys() - set(known.mapped("uid"))
        self.create(
            [
                {"server_id": server.id, "uid": uid, "sorts": found[uid]}
                for uid in sorted(new)
            ]
        )
        gone.unlink()

    @api.model
    def _quarantine(self, server, driver):
        """Stop what has long belonged to nobody: nobody answers for what it does."""
        long_ago = fields.Datetime.now() - QUARANTINE_AFTER
        due = self.search(
            [
                ("server_id", "=", server.id),
                ("date", "<=", long_ago),
                ("quarantined_on", "=", False),
            ]
        )
        for orphan in due:
            driver.stop(orphan.uid)
        due.quarantined_on = fields.Datetime.now()
