from odoo import fields, models
from odoo.exceptions import UserError, ValidationError
from odoo.fields import Domain

from ..const import ADDRESS_KINDS, ADDRESSED, MOST_DOMAINS, UNFINISHED
from ..engine import domain_proof, names, odoo_database


class SaasTenant(models.Model):
    """Where a tenant is found: its subdomain, and domains of its customer's own.

    What the records say changes at once; an operation has the outside follow.
    """

    _inherit = "saas.tenant"

    # === ASKING === #

    def _check_may_move(self, kind):
        """Refuse to change the address of what has none that leads anywhere."""
        self.check_access("write")
        if self.state not in ADDRESSED:
            raise UserError(
                self.env._(
                    "%(name)s is %(state)s; “%(kind)s” is not possible now.",
                    name=self.name,
                    state=self._get_state_label().lower(),
                    kind=self.env["saas.operation"]._get_kind_label(kind),
                )
            )

    def _check_settled(self):
        """Refuse a change while another one is on its way to the outside.

        What that one has read already would not be read again.
        """
        if self._is_moving():
            raise UserError(
                self.env._(
                    "The address of %s is just being changed. Try again in a moment.",
                    self.name,
                )
            )

    def _is_moving(self):
        operations = self.env["saas.operation"].sudo()
        return bool(
            operations.search_count(
                Domain("tenant_id", "=", self.id)
                & Domain("kind", "in", ADDRESS_KINDS)
                & Domain("state", "in", UNFINISHED),
                limit=1,
            )
        )

    def _follow_domains(self):
        """Have proxy and tenant follow what the domains say now, where they can."""
        return self.filtered(lambda tenant: tenant.slot >= 0)._submit("domains")

    # === SUBDOMAIN === #

    def _take_name(self, name):
        """Have the new subdomain, and put the old one into quarantine."""
        try:
            names.check_subdomain(name or "")
        except names.InvalidName as error:
            raise ValidationError(str(error)) from error
        tenant = self.sudo()
        tenant._write_name(name)
        tenant._take_host(tenant._make_host())

    def _take_host(self, host):
        """Have that address of ours in place of the one that it has."""
        known = self.env["saas.domain"].search(
            Domain("name", "=", host) & Domain("own", "=", False)
        )
        if known.tenant_id != self and known:
            raise UserError(
                self.env._("“%s” is taken. Please choose another address.", host)
            )
        old = self.domain_ids._get_given()
        main = old.main
        old.write({"released_on": fields.Datetime.now(), "main": False})
        old.flush_recordset()
        # What it gave up itself it may have back at any time.
        if known:
            known.write({"released_on": False, "main": main})
        else:
            self.domain_ids = [fields.Command.create({"name": host, "main": main})]

    # === OWN DOMAINS === #

    def _add_domain(self, name):
        """Add a domain that its owner still has to prove."""
        try:
            domain_proof.check_own_host(name or "", self._get_our_domains())
        except names.InvalidName as error:
            raise ValidationError(str(error)) from error
        brought = self.sudo().domain_ids.filtered(lambda d: d.own and not d.released_on)
        if name in brought.mapped("name"):
            raise UserError(self.env._("%s is there already.", name))
        if len(brought) >= MOST_DOMAINS:
            raise UserError(
                self.env._(
                    "%(tenant)s has %(count)s domains, and may have no more. Remove "
                    "one that is not needed.",
                    tenant=self.name,
                    count=len(brought),
                )
            )
        domain = brought.create(
            {
                "name": name,
                "tenant_id": self.id,
                "own": True,
                "main": False,
                "proof": domain_proof.new_proof(),
            }
        )
        return domain.sudo(self.env.su)

    def _get_our_domains(self):
        """Return the domains under which no customer brings one."""
        steps = self.env["saas.setup.step"]
        ours = (steps._get_tenant_domain(), steps._get_master_host())
        return tuple(domain for domain in ours if domain)

    # === STEPS === #

    def _step_lead(self):
        """Have the proxy lead its addresses as they are now."""
        if self.slot < 0:
            return
        if self._find_kind_of_rest():
            self._step_page()
        elif self.wanted == "sleeping":
            self._lead_by_gateway()
        else:
            self._step_route()

    def _step_address(self):
        """Have it write its new address into mails and documents."""
        if self.slot < 0:
            return
        # As the tenant itself: somebody else's triggers may lie in its database.
        password = self._derive_secret("database")
        with self._database_server().connect(self.uid, password) as connection:
            odoo_database.set_url(connection, self.url)
