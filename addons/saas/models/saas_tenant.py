from odoo import api, fields, models
from odoo.exceptions import UserError, ValidationError
from odoo.fields import Domain

from ..const import (
    OBSERVED,
    STATES_BY_URGENCY,
    TENANT_STATES,
    TROUBLED,
    TROUBLED_ATTEMPTS,
    UNFINISHED,
    WANTED,
    compute_state,
)
from ..engine import names, sealing

# Written by operations and actions only, so that no import or RPC call can make the
# master believe what is not.
PROTECTED = {
    "uid",
    "wanted",
    "observed",
    "observed_message",
    "provisioned_on",
    "archived_on",
    "erased_on",
    "erase_on",
    "look_on",
    "wake_on",
    "slot",
    "data_key_sealed",
    "last_operation_id",
    "state",
    "template_id",
    "troubled",
    "crashes",
    "crashes_from",
    "crash_message",
    "crashed_on",
    "restarts_seen",
}
# What a container and its database were made from: moved by operations only.
FIXED = {
    "company_id",
    "country_id",
    "currency_id",
    "database_server_id",
    "image_id",
    "lang",
    "server_id",
}


STAFF = "saas.group_viewer"  # what customers need not know about our machines


class SaasTenant(models.Model):
    _name = "saas.tenant"
    _inherit = ["mail.thread", "mail.activity.mixin", "saas.sealed.mixin"]
    _description = "Tenant"
    _order = "id desc"

    name = fields.Char(
        string="Subdomain",
        required=True,
        tracking=True,
        copy=False,
        help="First part of the address, e.g. alfa.",
    )
    uid = fields.Char(
        string="UID",
        required=True,
        readonly=True,
        copy=False,
        default=lambda self: names.new_uid(),
        help="Never changes: name of its database, role and containers.",
    )
    partner_id = fields.Many2one(
        "res.partner", string="Customer", required=True, tracking=True, index=True
    )
    company_id = fields.Many2one(
        "res.company", required=True, default=lambda self: self.env.company
    )
    plan_id = fields.Many2one(
        "saas.plan", string="Plan", required=True, tracking=True, ondelete="restrict"
    )
    image_id = fields.Many2one(
        "saas.image",
        string="Image",
        compute="_compute_image_id",
        store=True,
        readonly=False,
        ondelete="restrict",
    )
    lang = fields.Selection(
        selection="_get_languages",
        string="Language",
        compute="_compute_lang",
        store=True,
        readonly=False,
    )
    country_id = fields.Many2one(
        "res.country",
        compute="_compute_country_id",
        store=True,
        readonly=False,
        help="Of the company in the tenant. Empty: the template's.",
    )
    currency_id = fields.Many2one(
        "res.currency",
        compute="_compute_currency_id",
        store=True,
        readonly=False,
        help="In which the tenant keeps its books. Empty: the template's.",
    )
    server_id = fields.Many2one(
        "saas.server",
        string="Server",
        copy=False,
        ondelete="restrict",
        groups=STAFF,
        help="Empty: chosen when it is provisioned.",
    )
    database_server_id = fields.Many2one(
        "saas.database.server",
        string="Database Server",
        copy=False,
        ondelete="restrict",
        groups=STAFF,
        help="Empty: the server's.",
    )
    template_id = fields.Many2one(
        "saas.template", string="Template", copy=False, readonly=True, groups=STAFF
    )
    slot = fields.Integer(copy=False, readonly=True, default=-1, groups=STAFF)
    domain_ids = fields.One2many("saas.domain", "tenant_id", string="Domains")
    hold_ids = fields.One2many("saas.hold", "tenant_id", string="Holds")
    operation_ids = fields.One2many("saas.operation", "tenant_id", string="Operations")
    last_operation_id = fields.Many2one("saas.operation", copy=False, readonly=True)
    wanted = fields.Selection(
        selection=list(WANTED.items()),
        default="nothing",
        required=True,
        readonly=True,
        copy=False,
    )
    observed = fields.Selection(
        selection=list(OBSERVED.items()),
        default="unknown",
        required=True,
        readonly=True,
        copy=False,
    )
    observed_message = fields.Char(readonly=True, copy=False, groups=STAFF)
    provisioned_on = fields.Datetime(readonly=True, copy=False)
    archived_on = fields.Datetime(
        readonly=True,
        copy=False,
        help="Since when nothing of it is on a server: its last copy is all there is.",
    )
    erase_on = fields.Datetime(
        string="Kept Until",
        readonly=True,
        copy=False,
        help="Then it is archived or, without an archive or at its end, erased.",
    )
    erased_on = fields.Datetime(readonly=True, copy=False)
    log = fields.Text(readonly=True, copy=False, groups="saas.group_operator")
    data_key_sealed = fields.Char(groups=fields.NO_ACCESS, copy=False)
    support_access = fields.Boolean(
        default=True,
        tracking=True,
        help="The customer lets our staff log in to this tenant.",
    )
    state = fields.Selection(
        selection=list(TENANT_STATES.items()),
        compute="_compute_state",
        store=True,
        index=True,
        tracking=True,
        group_expand="_group_expand_state",
    )
    state_message = fields.Char(compute="_compute_state_message", compute_sudo=True)
    troubled = fields.Boolean(
        compute="_compute_state",
        store=True,
        help="Its last operation failed, it should run and does not, or it was stopped "
        "because it ended again and again.",
    )
    url = fields.Char(string="Address", compute="_compute_url", compute_sudo=True)

    _uid_unique = models.Constraint("UNIQUE(uid)", "A tenant's uid is unique.")
    _slot_unique = models.UniqueIndex(
        "(server_id, slot) WHERE slot >= 0", "That slot of the server is taken."
    )
    _erase_index = models.Index("(erase_on) WHERE erased_on IS NULL")

    @api.depends("plan_id")
    def _compute_image_id(self):
        for tenant in self:
            tenant.image_id = tenant.image_id or tenant.plan_id.image_id

    @api.model
    def _get_languages(self):
        """Return all that Odoo speaks: a tenant need not speak the master's."""
        languages = self.env["res.lang"].sudo().with_context(active_test=False)
        return [(lang.code, lang.name) for lang in languages.search([], order="name")]

    @api.depends("partner_id")
    def _compute_lang(self):
        for tenant in self:
            tenant.lang = tenant.lang or tenant.partner_id.lang or "en_US"

    @api.depends("partner_id")
    def _compute_country_id(self):
        for tenant in self:
            customer = tenant.partner_id.commercial_partner_id
            tenant.country_id = (
                tenant.country_id or tenant.partner_id.country_id or customer.country_id
            )

    @api.depends("country_id")
    def _compute_currency_id(self):
        for tenant in self:
            # Books that are kept already stay in their currency.
            tenant.currency_id = (
                tenant.currency_id
                if tenant.provisioned_on
                else tenant.country_id.currency_id
            )

    @api.depends(
        "wanted",
        "observed",
        "hold_ids.active",
        "provisioned_on",
        "archived_on",
        "erased_on",
        "crashed_on",
        "last_operation_id.state",
        "last_operation_id.attempts",
    )
    def _compute_state(self):
        for tenant in self:
            last = tenant.last_operation_id.state
            tenant.state = compute_state(
                {
                    "wanted": tenant.wanted,
                    "observed": tenant.observed,
                    "held": bool(tenant.hold_ids),
                    "provisioned": bool(tenant.provisioned_on),
                    "archived": bool(tenant.archived_on),
                    "erased": bool(tenant.erased_on),
                    "troubled": last in TROUBLED,
                }
            )
            tenant.troubled = tenant._is_troubled()

    def _get_state_label(self):
        """Return the state in the reader's language."""
        self.ensure_one()
        return self._fields["state"].convert_to_export(self.state, self)

    def _is_troubled(self):
        last = self.last_operation_id
        if self.state == "deleted":
            return False
        if last.state in UNFINISHED:
            return last.attempts >= TROUBLED_ATTEMPTS
        down = self.wanted == "running" and self.state == "stopped"
        return last.state in TROUBLED or down or self._has_crashed()

    def _has_crashed(self):
        """Whether it rests because it ended by itself again and again."""
        return self.state == "stopped" and bool(self.crashed_on)

    @api.depends(
        "state",
        "last_operation_id.message",
        "hold_ids",
        "observed_message",
        "crashed_on",
    )
    @api.depends_context("uid", "lang")
    def _compute_state_message(self):
        for tenant in self:
            operation = tenant.last_operation_id
            if tenant.state == "deleted":
                tenant.state_message = False
            elif operation.state in (*TROUBLED, *UNFINISHED) and operation.message:
                tenant.state_message = self._tell_staff_only(operation.message)
            elif tenant._has_crashed():
                tenant.state_message = self._tell_staff_only(tenant._explain_crashes())
            elif tenant.state == "suspended":
                tenant.state_message = ", ".join(tenant.hold_ids.mapped("reason"))
            elif tenant.state == "stopped" and tenant.wanted == "running":
                tenant.state_message = tenant.observed_message or self.env._(
                    "It should run and does not; it is being started again."
                )
            elif tenant.state in ("deleting", "archived") and tenant.erase_on:
                tenant.state_message = self.env._(
                    "It can be taken back until %s.",
                    fields.Date.to_string(tenant._get_erasure_date()),
                )
            else:
                tenant.state_message = False

    @api.model
    def _tell_staff_only(self, message):
        """Messages name machines of ours, which are nothing for customers."""
        if self.env.user.share:
            return self.env._("Our staff are looking after it.")
        return message

    @api.depends(
        "domain_ids.name",
        "domain_ids.main",
        "domain_ids.released_on",
        "server_id.proxy_id.scheme",
        "server_id.proxy_id.port",
    )
    def _compute_url(self):
        proxies = self.env["saas.proxy"].sudo()
        for tenant in self:
            proxy = tenant.server_id.sudo().proxy_id or proxies.search([], limit=1)
            host = tenant._get_host()
            tenant.url = proxy._get_public_url(host) if proxy and host else False

    @api.constrains("name")
    def _check_name(self):
        for tenant in self:
            try:
                names.check_subdomain(tenant.name)
            except names.InvalidName as error:
                raise ValidationError(str(error)) from error

    @api.constrains("lang")
    def _check_lang(self):
        known = dict(self._get_languages())
        for tenant in self:
            if tenant.lang not in known:
                raise ValidationError(
                    self.env._("Odoo does not know the language “%s”.", tenant.lang)
                )

    # === CRUD === #

    @api.model_create_multi
    def create(self, vals_list):
        for vals in vals_list:
            self._refuse_protected(vals)
        tenants = super().create(vals_list)
        for tenant in tenants.sudo():
            tenant.data_key_sealed = tenant._seal(sealing.new_data_key())
            if not tenant.domain_ids:
                host = {"name": tenant._make_host()}
                tenant.domain_ids = [fields.Command.create(host)]
        return tenants

    def write(self, vals):
        self._refuse_protected(vals)
        if self.filtered(lambda tenant: tenant.slot >= 0) and not self.env.su:
            self._refuse(FIXED & vals.keys())
        if "name" in vals and any(tenant.name != vals["name"] for tenant in self):
            raise UserError(
                self.env._("A tenant's subdomain is changed by its action Rename.")
            )
        return super().write(vals)

    @api.ondelete(at_uninstall=False)
    def _unlink_only_what_left_nothing(self):
        if self.filtered(lambda tenant: tenant.state != "draft"):
            raise UserError(
                self.env._(
                    "A tenant is removed by its action Delete, which also removes its "
                    "container and its database."
                )
            )

    def unlink(self):
        # Names of erased tenants stay in quarantine; those of drafts are free again.
        self.sudo().domain_ids.filtered(lambda d: not d.released_on).unlink()
        return super().unlink()

    def _refuse_protected(self, vals):
        if not self.env.su:
            self._refuse(PROTECTED & vals.keys())

    def _refuse(self, names):
        if names:
            raise UserError(
                self.env._(
                    "These fields cannot be written from outside: %s",
                    ", ".join(sorted(names)),
                )
            )

    @api.model
    def _group_expand_state(self, states, _domain):
        """Show those columns first that somebody has to look at."""
        return [state for state in STATES_BY_URGENCY if state in states]

    # === BUSINESS METHODS === #

    @api.model
    def _get_customer_domain(self):
        """Return what the current user sees as a customer, whatever their groups."""
        customer = self.env.user.partner_id.commercial_partner_id
        return Domain("partner_id", "child_of", customer.id) & Domain(
            "state", "!=", "deleted"
        )

    def _get_host(self):
        """Return the main host name, empty where it has none any more."""
        self.ensure_one()
        return self.sudo().domain_ids._get_main().name

    def _write_name(self, name):
        """Change what nobody may edit: whoever calls it changes the address, too."""
        return super().write({"name": name})

    def _make_host(self):
        parameters = self.env["ir.config_parameter"].sudo()
        domain = parameters.get_param("saas.tenant_domain", "odoo.localhost")
        return f"{self.name}.{domain}"

    def _derive_secret(self, purpose):
        """Return this tenant's secret for a purpose; works in the worker alone."""
        self.ensure_one()
        sealed = self.sudo().data_key_sealed
        data_key = self._unseal(sealed)
        return sealing.derive(data_key, purpose)

    def _write_observation(self, observation):
        """Store what was seen, where it differs from what was known."""
        self.ensure_one()
        vals = {
            "observed": str(observation.phase),
            "observed_message": observation.message or False,
        }
        if any(self[name] != value for name, value in vals.items()):
            self.sudo().write(vals)
