from odoo import api, fields, models
from odoo.exceptions import UserError, ValidationError
from odoo.fields import Domain

from ..engine import domain_proof, names
from ..engine.errors import RefusedError, RetryableError

STATES = {
    "unproved": "Not Proved",
    "in_use": "In Use",
    "released": "Released",
}


class SaasDomain(models.Model):
    """Host names that lead to tenants, and those that may not be given again yet.

    Ours lie under the tenants' domain. Those that customers bring are proved by a TXT
    record first; who can prove one has it.
    """

    _name = "saas.domain"
    _inherit = ["saas.checked.mixin"]
    _description = "Domain"
    _order = "name, id"

    name = fields.Char(string="Host Name", required=True)
    tenant_id = fields.Many2one(
        "saas.tenant", string="Tenant", ondelete="restrict", index=True
    )
    company_id = fields.Many2one(related="tenant_id.company_id", store=True)
    own = fields.Boolean(
        string="Customer's Own",
        help="The customer brought it; else it is one of ours.",
    )
    main = fields.Boolean(
        default=True,
        help="The tenant's address; its other domains send visitors on to it.",
    )
    state = fields.Selection(selection=list(STATES.items()), compute="_compute_state")
    proof = fields.Char(
        string="TXT Record",
        copy=False,
        help="What the record has to say that proves whose the domain is.",
    )
    proof_name = fields.Char(string="Name of the Record", compute="_compute_proof_name")
    proved_on = fields.Datetime(copy=False)
    released_on = fields.Datetime(
        copy=False,
        help="Since when it waits in quarantine, where nobody else gets it.",
    )

    # Whoever says that a domain is theirs keeps nobody from proving that it is not.
    _taken_unique = models.UniqueIndex(
        "(name) WHERE own IS NOT TRUE"
        " OR (proved_on IS NOT NULL AND released_on IS NULL)",
        "That address is already taken.",
    )
    _main_unique = models.UniqueIndex(
        "(tenant_id) WHERE main AND released_on IS NULL",
        "A tenant has one main address.",
    )
    _released_index = models.Index("(released_on) WHERE released_on IS NOT NULL")

    @api.depends("own", "proved_on", "released_on")
    def _compute_state(self):
        for domain in self:
            if domain.released_on:
                domain.state = "released"
            elif domain.own and not domain.proved_on:
                domain.state = "unproved"
            else:
                domain.state = "in_use"

    @api.depends("name", "own")
    def _compute_proof_name(self):
        for domain in self:
            named = domain.own and domain.name
            domain.proof_name = named and domain_proof.proof_name(domain.name)

    @api.constrains("name")
    def _check_name(self):
        for domain in self:
            try:
                names.check_host(domain.name)
            except names.InvalidName as error:
                raise ValidationError(str(error)) from error

    # === CRUD === #

    def write(self, vals):
        if not self.env.su:
            self.check_access("write")
            raise UserError(self.env._("Domains are changed by their actions only."))
        return super().write(vals)

    # === WHERE VISITORS ARE LED === #

    def _get_in_use(self):
        return self.filtered(lambda domain: domain.state == "in_use")

    def _get_main(self):
        return self._get_in_use().filtered("main")[:1]

    def _get_given(self):
        """Return the tenant's address under our domain."""
        return self._get_in_use().filtered(lambda domain: not domain.own)[:1]

    def _get_redirects(self):
        """Return the host names that send visitors on to the main one.

        Also those that the tenant had and that nobody else gets yet.
        """
        led = self.filtered(
            lambda domain: (
                domain.state == "in_use"
                or (domain.state == "released" and not domain.own)
            )
        )
        return tuple(sorted((led - self._get_main()).mapped("name")))

    # === WHAT PEOPLE ASK FOR === #

    def action_set_main(self):
        """Have one domain be its tenant's address."""
        self.ensure_one()
        self.check_access("write")
        tenant = self.tenant_id
        tenant._check_may_move("domains")
        return self._set_main()

    def action_remove(self):
        """Give up one domain of the customer's; to come back it is proved anew."""
        self.ensure_one()
        self.check_access("write")
        return self._remove()

    def _set_main(self):
        domain, tenant = self.sudo(), self.sudo().tenant_id
        if domain.state != "in_use":
            raise UserError(
                self.env._("%s does not lead to the tenant (yet).", domain.name)
            )
        tenant._check_settled()
        domain._make_main()
        return tenant._follow_domains().sudo(self.env.su)

    def _make_main(self):
        others = self.tenant_id.domain_ids.filtered(lambda d: d.main and d != self)
        others.main = False
        others.flush_recordset()
        self.main = True

    def _remove(self):
        """Remove it; one that was never proved leaves nothing."""
        domain, tenant = self.sudo(), self.sudo().tenant_id
        if not domain.own:
            raise UserError(
                self.env._(
                    "%s is the tenant's own address with us; rename the tenant to have "
                    "another one.",
                    domain.name,
                )
            )
        if domain.state == "released":
            raise UserError(self.env._("%s is removed already.", domain.name))
        if domain.state == "unproved":
            domain.unlink()
            return self.env["saas.operation"]
        tenant._check_settled()
        if domain.main:
            tenant.domain_ids._get_given()._make_main()
        domain.released_on = fields.Datetime.now()
        return tenant._follow_domains().sudo(self.env.su)

    # === PROOF === #

    def _check_connection(self):
        """Look for the TXT record; called by the worker."""
        if not self.own or self.released_on:
            raise RefusedError(
                self.env._("There is nothing to prove."), reason="no_proof_needed"
            )
        parameters = self.env["ir.config_parameter"].sudo()
        resolver = parameters.get_param("saas.dns_resolver") or ""
        domain_proof.check_proof(self.name, self.proof, resolver=resolver)
        if not self.proved_on:
            self._prove()
        return self.env._("The TXT record is there.")

    def _prove(self):
        """Lead it to the tenant from now on."""
        self._check_free()
        if self.tenant_id._is_moving():
            raise RetryableError(
                self.env._(
                    "The record is there, and the tenant's address is just being "
                    "changed. Try again in a moment."
                ),
                reason="busy",
            )
        self.sudo().proved_on = fields.Datetime.now()
        self.tenant_id.sudo()._follow_domains()

    def _check_free(self):
        taken = self.sudo().search_count(
            Domain("name", "=", self.name)
            & Domain("proved_on", "!=", False)
            & Domain("released_on", "=", False),
            limit=1,
        )
        if taken:
            raise RefusedError(
                self.env._(
                    "The record is there, but %s leads to another tenant. It has to be "
                    "removed there first.",
                    self.name,
                ),
                reason="taken",
            )

    # === QUARANTINE === #

    @api.model
    def _end_quarantine(self, released_long_ago):
        """Let names be given again that were released long enough ago."""
        due = self.search(released_long_ago)
        # They lead to their tenants until then; the outside has to follow.
        due = due.filtered(lambda domain: not domain.tenant_id._is_moving())
        tenants = due.filtered(lambda domain: not domain.own).tenant_id
        due.unlink()
        tenants._follow_domains()
