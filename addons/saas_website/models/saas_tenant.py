import dataclasses
from datetime import timedelta

from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.tools import format_date

from odoo.addons.saas.const import TRANSITIONS, UNFINISHED
from odoo.addons.saas.engine import names


class SaasTenant(models.Model):
    _inherit = "saas.tenant"

    signup_ids = fields.One2many("saas.signup", "tenant_id", string="Sign-ups")

    def _prepare_identity(self):
        """Let its administrator be who signed up, not the company."""
        identity = super()._prepare_identity()
        contact = self.sudo().signup_ids[:1].partner_id
        if not contact.email:
            return identity
        return dataclasses.replace(
            identity, name=contact.name, login=contact.email, email=contact.email
        )

    def _restart_for_customer(self):
        """Restart; to be called for tenants of the current customer only."""
        return self.sudo().action_restart()

    def _decide_on_support_for_customer(self, allowed):
        """Let our staff log in, or not; for tenants of the current customer only."""
        self.sudo().support_access = allowed

    def _retry_for_customer(self):
        """Have it built again; to be called for the customer's own tenants only.

        :raise UserError: there is nothing to try again, or it was tried too often
        """
        signup = self.sudo().signup_ids[:1]
        if signup.state != "failed" or self.state != "failed":
            raise UserError(self.env._("There is nothing to try again."))
        if not signup._is_retry_allowed():
            raise UserError(
                self.env._("Our staff are looking into it. Please try later.")
            )
        signup._retry()

    def _delete_for_customer(self, typed):
        """Delete after the plan's grace; to be called for the customer's own only.

        :param str typed: the subdomain, typed to confirm
        :raise UserError: it is not the name, or the tenant cannot be deleted now
        """
        self.ensure_one()
        tenant = self.sudo()
        if (typed or "").strip().lower() != tenant.name:
            raise UserError(
                self.env._("Nothing was deleted: type “%s” to confirm.", tenant.name)
            )
        if not tenant.provisioned_on:
            return tenant._request("erase", {"wanted": "deleted"})
        tenant._check_request("delete")
        grace = timedelta(days=tenant.plan_id.grace_days)
        erase_on = tenant.erase_on or fields.Datetime.now() + grace
        return tenant._submit("delete", {"wanted": "deleted", "erase_on": erase_on})

    def _add_domain_for_customer(self, name):
        """Add a domain to be proved; to be called for the customer's own only.

        :raise UserError: it cannot be had
        """
        tenant = self.sudo()
        tenant._check_may_move("domains")
        return tenant._add_domain((name or "").strip().lower().rstrip("."))

    def _get_domains_for_customer(self):
        """Return its addresses: the main one first, those of the past left out."""
        domains = self.sudo().domain_ids.filtered(lambda d: not d.released_on)
        return domains.sorted(lambda d: (not d.main, d.own, d.name))

    def _explain_deletion(self):
        """Return what becomes of it where the customer deletes it."""
        self.ensure_one()
        days = self.sudo().plan_id._get_days_to_take_back()
        if not self.provisioned_on:
            return self.env._("It never ran: nothing is lost.")
        if not days:
            return self.env._("It stops, and all its data are erased at once.")
        if days == 1:
            return self.env._(
                "It stops at once. For 1 day it can be taken back; then all its data "
                "are erased."
            )
        return self.env._(
            "It stops at once. For %s days it can be taken back; then all its data "
            "are erased.",
            str(days),
        )

    def _explain_confirmation(self):
        """Return what the customer has to type to delete it."""
        return self.env._("Type “%s” to confirm", self.name)

    def _explain_erasure(self):
        """Return until when a deleted one can be taken back."""
        return self.env._(
            "It is deleted for good on %s. Write to us to take it back before.",
            format_date(self.env, self._get_erasure_date()),
        )

    def _is_possible(self, kind):
        """Whether the page should offer that kind of operation now."""
        self.ensure_one()
        allowed, _target = TRANSITIONS[kind]
        busy = self.sudo().last_operation_id.state in UNFINISHED
        return self.state in allowed and not busy

    # === NAMES === #

    @api.model
    def _explain_name(self, name):
        """Return why a new tenant cannot be called so, False where it can."""
        try:
            names.check_subdomain(name or "")
        except names.InvalidName:
            if name in names.RESERVED:
                return self.env._(
                    "“%s” is reserved. Please choose another address.", name
                )
            return self.env._(
                "Use 2 to 63 letters (a to z), digits and hyphens; begin with a "
                "letter, and do not end with a hyphen."
            )
        if self._find_taken([name]):
            return self.env._("“%s” is taken. Please choose another address.", name)
        return False

    @api.model
    def _find_taken(self, subdomains):
        """Return those of the names that lead somewhere or rest in quarantine."""
        hosts = {self.new({"name": name})._make_host(): name for name in subdomains}
        taken = self.env["saas.domain"].sudo().search([("name", "in", list(hosts))])
        return {hosts[domain.name] for domain in taken}

    @api.model
    def _suggest_names(self, text, count=3, but=None):
        """Return free names that resemble the text, e.g. a company's name.

        :param str but: a name that is none of them
        """
        slug = self.env["ir.http"]._slugify(text or "").replace("_", "-")
        slug = "".join(c for c in slug if c.isascii() and (c.isalnum() or c == "-"))
        slug = slug.strip("-")[:40].strip("-")
        short = slug.partition("-")[0]
        wished = [slug, short, f"{slug}-erp", f"{slug}-online", f"my-{slug}"]
        wished += [f"{slug}{number}" for number in range(2, 8)]
        usable = [
            name
            for name in dict.fromkeys(wished)
            if name != but and self._is_usable(name)
        ]
        taken = self._find_taken(usable)
        return [name for name in usable if name not in taken][:count]

    @api.model
    def _is_usable(self, name):
        try:
            names.check_subdomain(name)
        except names.InvalidName:
            return False
        return True
