import logging
from datetime import timedelta

from odoo import api, fields, models
from odoo.exceptions import AccessError, UserError

from ..const import TRANSITIONS
from ..engine import login_token
from ..engine.errors import RefusedError
from .saas_sealed_mixin import WEB_KEYS

_logger = logging.getLogger(__name__)


class SaasTenant(models.Model):
    """What people, pages and programs may ask for; each only records an operation."""

    _inherit = "saas.tenant"

    def action_provision(self):
        return self._request("provision", {"wanted": "running"})

    def action_start(self):
        return self._request("start", {"wanted": "running"})

    def action_stop(self):
        return self._request("stop", {"wanted": "stopped"})

    def action_restart(self):
        return self._request("restart", {"wanted": "running"})

    def action_sleep(self):
        return self._request("sleep", {"wanted": "sleeping"})

    def action_wake(self):
        return self._request("wake", {"wanted": "running"})

    def action_suspend(self, reason=None):
        """Hold the tenants: they do not run until staff resume them."""
        self._check_request("suspend")
        reason = reason or self.env._("Suspended by %s", self.env.user.name)
        for tenant in self:
            held = tenant.sudo().hold_ids.filtered(lambda h: h.kind == "staff")
            if held:
                held.reason = reason
            else:
                tenant.sudo().hold_ids = [
                    fields.Command.create({"kind": "staff", "reason": reason})
                ]
        return self._submit("suspend")

    def action_resume(self):
        """Lift the staff's holds, and take back a tenant that waits for erasure."""
        self._check_request("resume")
        self.sudo().hold_ids._lift()
        return self._submit("resume", {"wanted": "running", "erase_on": False})

    def action_delete(self, erase_now=False):
        """Delete after the plan's grace and its time in the archive, or at once.

        :param bool erase_now: neither: container, database, role, files, copies and key
            go now and for good
        """
        self._check_may_delete()
        graced = self.filtered("provisioned_on") if not erase_now else self.browse()
        operations = (self - graced)._request("erase", {"wanted": "deleted"})
        graced._check_request("delete")
        for tenant in graced:
            grace = timedelta(days=tenant.plan_id.grace_days)
            erase_on = tenant.erase_on or fields.Datetime.now() + grace
            operations |= tenant._submit(
                "delete", {"wanted": "deleted", "erase_on": erase_on}
            )
        return operations

    def action_archive(self):
        """Leave nothing but a last copy, without a grace; it is erased later.

        From the archive it can be taken back by ``action_resume`` until then.
        """
        self._check_may_delete()
        # Its grace is over, so it is asked for again as long as it is refused.
        return self._request(
            "archive", {"wanted": "deleted", "erase_on": fields.Datetime.now()}
        )

    def action_rename(self, name):
        """Give one tenant another subdomain, at which it is found from now on.

        The old address sends visitors on, and nobody else gets it, for 90 days.
        """
        self.ensure_one()
        self._check_may_move("rename")
        if self.name != name:
            self._check_settled()
            self._take_name(name)
        elif not self._is_moving():
            raise UserError(self.env._("It is called “%s” already.", name))
        return self._submit("rename")

    def action_add_domain(self, name):
        """Add a domain of the customer's own to one tenant; it has to be proved then.

        :return: the ``saas.domain``, which says what record its owner has to set
        """
        self.ensure_one()
        self._check_may_move("domains")
        return self._add_domain(name)

    def get_login_url(self):
        """Return an address that logs in to the tenant as its administrator.

        It works once, within 60 seconds. Every call is recorded as an operation.
        """
        self.ensure_one()
        self._check_login()
        if self.state not in ("running", "sleeping"):
            raise UserError(
                self.env._(
                    "%(name)s is %(state)s; one can log in only while it runs.",
                    name=self.name,
                    state=self._get_state_label().lower(),
                )
            )
        self.env["saas.operation"]._record("login", self)
        key = self.env["saas.sealed.mixin"]._read_key(WEB_KEYS / "login_key")
        try:
            token = login_token.make_token(key, self.uid)
        except RefusedError as error:
            raise UserError(self._explain_no_login(error)) from error
        return f"{self.url}/saas/login?token={token}"

    def action_login(self):
        """Open the tenant in a new tab, logged in."""
        return {
            "type": "ir.actions.act_url",
            "url": self.get_login_url(),
            "target": "new",
        }

    def action_read_log(self):
        """Have the worker read the last lines that the containers wrote."""
        self.check_access("write")
        return self.env["saas.operation"]._record("logs", self)

    def _check_login(self):
        self.check_access("read")
        user = self.env.user
        customer = self.partner_id.sudo().commercial_partner_id
        if user.partner_id.commercial_partner_id == customer:
            return
        if not user.has_group("saas.group_operator"):
            raise AccessError(
                self.env._("Only its customer and SaaS operators may log in there.")
            )
        if self._is_consent_wanted() and not self.support_access:
            raise AccessError(
                self.env._(
                    "The customer of %s does not let our staff log in.", self.name
                )
            )

    @api.model
    def _is_consent_wanted(self):
        """Whether staff log in only where the customer allows it."""
        parameters = self.env["ir.config_parameter"].sudo()
        return parameters.get_param("saas.login_consent") == "True"

    # === HELPERS === #

    def _explain_no_login(self, error):
        """Return the cause for staff; customers read nothing of what runs behind it."""
        _logger.error("login to %s: %s", self.uid, error.message)
        if self.env.user.has_group("saas.group_viewer"):
            return error.message
        return self.env._(
            "Logging in does not work at this moment. Please write to us."
        )

    def _request(self, kind, vals=None):
        """Record an operation of that kind for each tenant that may have it now."""
        self._check_request(kind)
        return self._submit(kind, vals)

    def _submit(self, kind, vals=None):
        if vals:
            new = self.filtered(lambda tenant: not tenant._is_under_way(kind))
            new.sudo().write(vals)
            if vals.get("wanted") == "running":
                new._forget_crashes()
        return self.env["saas.operation"]._record(kind, self)

    def _check_request(self, kind):
        self.check_access("write")
        for tenant in self:
            if cause := tenant._explain_refusal(kind):
                raise UserError(cause)

    def _explain_refusal(self, kind):
        """Return why that kind is not possible now, False where it is."""
        allowed, _target = TRANSITIONS[kind]
        # Asking again for what is under way returns the operation that runs.
        if self.state not in allowed and not self._is_under_way(kind):
            return self.env._(
                "%(name)s is %(state)s; “%(kind)s” is not possible now.",
                name=self.name,
                state=self._get_state_label().lower(),
                kind=self.env["saas.operation"]._get_kind_label(kind),
            )
        if kind in ("resume", "archive") and self._is_under_way("erase"):
            return self.env._("%s is being erased; it is too late.", self.name)
        if kind == "archive":
            return self._explain_no_archive()
        return self._explain_no_resume() if kind == "resume" else False

    def _explain_no_archive(self):
        """Return why its last copy could not be kept, False where it could.

        Addons that keep copies override it.
        """
        return self.env._(
            "%s cannot be archived, as nothing keeps copies here. Erase it now.",
            self.name,
        )

    def _get_erasure_date(self):
        """Return when it is erased for good, if nobody takes it back."""
        if self.archived_on:
            return self.erase_on
        return self.erase_on + timedelta(days=self.sudo().plan_id._get_archive_days())

    def _explain_no_resume(self):
        others = self.sudo().hold_ids.filtered(lambda h: h.kind != "staff")
        if others:
            return self.env._(
                "%(tenant)s has holds that staff cannot lift: %(reasons)s.",
                tenant=self.name,
                reasons=", ".join(others.mapped("reason")),
            )
        return False

    def _check_may_delete(self):
        if not self.env.user.has_group("saas.group_manager"):
            raise AccessError(self.env._("Only SaaS managers may delete tenants."))

    def _is_under_way(self, kind):
        """Whether the last thing that was asked for is that, and it has not ended."""
        return self.env["saas.operation"]._find_unfinished(self)[:1].kind == kind
