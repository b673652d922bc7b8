from odoo import api, fields, models
from odoo.exceptions import ValidationError

# What a copy cannot be read from at once, so that no restore and no drill would work.
SLOW_CLASSES = ("GLACIER", "DEEP_ARCHIVE")

WISHES = {
    "abandon_days",
    "transition_days",
    "transition_class",
    "noncurrent_days",
    "lock_mode",
    "lock_days",
    "bucket",
    "prefix",
}


class SaasStore(models.Model):
    """What a bucket does by itself with the copies in it."""

    _inherit = "saas.store"

    abandon_days = fields.Integer(
        string="Unfinished Uploads",
        default=1,
        help="The service removes what was never finished after so many days.",
    )
    transition_days = fields.Integer(
        string="Move After",
        help="Days after which copies move to the other storage class. 0: never.",
    )
    transition_class = fields.Char(
        string="Move To", help="A class that can be read at once, e.g. GLACIER_IR."
    )
    noncurrent_days = fields.Integer(
        string="Old Versions",
        help="Where the bucket keeps versions: deleted ones are removed after so many "
        "days. 0: they stay.",
    )
    lock_mode = fields.Selection(
        selection=[("GOVERNANCE", "Governance"), ("COMPLIANCE", "Compliance")],
        string="Object Lock",
        help="Nobody can delete what was written for so many days, whatever "
        "credentials they hold. Governance: but for those whom the account allows "
        "to. Compliance: nobody at all, and it cannot be shortened. The bucket has to "
        "be made with it.",
    )
    lock_days = fields.Integer(string="Locked For")
    bucket_message = fields.Char(
        string="The Bucket Says", readonly=True, copy=False, help="As it was read back."
    )
    bucket_date = fields.Datetime(string="Read On", readonly=True, copy=False)

    @api.constrains(
        "kind", "abandon_days", "transition_days", "transition_class", "noncurrent_days"
    )
    def _check_lifecycle(self):
        for store in self.filtered(lambda store: store.kind == "s3"):
            if (
                store.abandon_days < 1
                or min(store.transition_days, store.noncurrent_days) < 0
            ):
                raise ValidationError(
                    self.env._(
                        "Unfinished uploads stay for a day at least, and no number of "
                        "days is negative."
                    )
                )
            if bool(store.transition_days) != bool(store.transition_class):
                raise ValidationError(
                    self.env._(
                        "To move copies to another storage class, say after how many "
                        "days and to which class."
                    )
                )
            if (store.transition_class or "").upper() in SLOW_CLASSES:
                raise ValidationError(
                    self.env._(
                        "Copies in %s cannot be read at once, so none could be "
                        "restored or proven. Choose another class, e.g. GLACIER_IR.",
                        store.transition_class,
                    )
                )

    @api.constrains("lock_mode", "lock_days")
    def _check_lock(self):
        for store in self:
            if store.lock_mode and store.lock_days < 1:
                raise ValidationError(
                    self.env._("Object Lock needs the number of days, at least one.")
                )

    def write(self, vals):
        if WISHES & vals.keys():
            vals = {**vals, "bucket_message": False, "bucket_date": False}
        return super().write(vals)

    # === APPLYING === #

    def _prepare_outside(self):
        """Write what is wanted to the bucket, and take down what that says then."""
        result = super()._prepare_outside()
        server = self._get_servers()[:1]
        found = self._run_beside(server, "protect", **self._prepare_wishes())
        message = self._describe_bucket(found["lifecycle"], found["object_lock"])
        self.sudo().write(
            {
                "bucket_message": message,
                "bucket_date": fields.Datetime.now(),
            }
        )
        return result

    def _prepare_wishes(self):
        lock = {"mode": self.lock_mode, "days": self.lock_days}
        return {
            "lifecycle": {
                "abandon_days": self.abandon_days,
                "transition_days": self.transition_days,
                "transition_class": self.transition_class or "",
                "noncurrent_days": self.noncurrent_days,
            },
            "object_lock": lock if self.lock_mode else None,
        }

    def _describe_bucket(self, lifecycle, lock):
        """Return in one line what the bucket does now."""
        says = [
            self.env._(
                "Unfinished uploads are removed after %s days",
                lifecycle["abandon_days"],
            )
        ]
        if lifecycle["transition_days"]:
            says.append(
                self.env._(
                    "copies move to %(storage_class)s after %(days)s days",
                    storage_class=lifecycle["transition_class"],
                    days=lifecycle["transition_days"],
                )
            )
        if lifecycle["noncurrent_days"]:
            says.append(
                self.env._(
                    "old versions are removed after %s days",
                    lifecycle["noncurrent_days"],
                )
            )
        if lock:
            says.append(
                self.env._(
                    "Object Lock: %(mode)s, %(days)s days",
                    mode=self._get_mode_label(lock["mode"]),
                    days=lock["days"],
                )
            )
        else:
            says.append(self.env._("no Object Lock"))
        return " · ".join(says)

    def _get_mode_label(self, mode):
        return self._fields["lock_mode"].convert_to_export(mode, self)
