from datetime import timedelta

from odoo import fields, models
from odoo.exceptions import UserError

from odoo.addons.saas.const import TRANSITIONS

from ..const import ENDED


class SaasTenant(models.Model):
    _inherit = "saas.tenant"

    subscription_ids = fields.One2many(
        "saas.subscription", "tenant_id", string="Subscriptions"
    )

    def _hold_for(self, kind, reason):
        """Stop it for a reason of its subscription; once, if it is so already."""
        for tenant in self.sudo():
            if kind in tenant.hold_ids.mapped("kind"):
                continue
            tenant.hold_ids = [fields.Command.create({"kind": kind, "reason": reason})]
            if not tenant._explain_refusal("suspend"):
                tenant._submit("suspend")

    def _lift_hold(self, kind):
        """Lift that hold and no other; it runs again where nothing else holds it."""
        for tenant in self.sudo():
            holds = tenant.hold_ids.filtered(lambda hold: hold.kind == kind)
            others = tenant.hold_ids - holds
            # Asked before: without its hold it is only stopped.
            was_held = tenant.state in TRANSITIONS["resume"][0]
            holds._lift()
            # What left with its subscription does not come back because it is paid.
            if holds and was_held and not others and tenant._get_subscription():
                tenant._run_again()

    def _get_subscription(self):
        """Return the subscription under which it runs, or none."""
        self.ensure_one()
        return self.sudo().subscription_ids.filtered(lambda s: s.state not in ENDED)[:1]

    def _use_plan(self, plan):
        """Make it what that plan is; where it runs, that takes a restart."""
        for tenant in self.sudo():
            if tenant.plan_id == plan:
                continue
            tenant.plan_id = plan
            if tenant.state == "running":
                tenant._submit("restart", {"wanted": "running"})

    # === OPTIONS === #

    def _has_option(self, option):
        """Whether its subscription has that option, or nobody sells it by itself."""
        self.ensure_one()
        products = self.env["product.template"].sudo()
        sold = products.search_count(
            [
                ("saas_option", "=", option),
                ("saas_plan_id", "in", (False, self.sudo().plan_id.id)),
            ],
            limit=1,
        )
        lines = self._get_subscription().line_ids
        return not sold or option in lines.product_id.mapped("saas_option")

    def _add_domain_for_customer(self, name):
        """Where own domains are sold as an option, it has to be theirs."""
        if not self._has_option("domain"):
            raise UserError(
                self.env._("Please add own domains to your subscription first.")
            )
        return super()._add_domain_for_customer(name)

    # === THE SUBSCRIPTION'S END === #

    def _leave(self):
        """Delete it after its plan's grace, as its customer could."""
        for tenant in self.sudo():
            if tenant.provisioned_on and not tenant._explain_refusal("delete"):
                grace = timedelta(days=tenant.plan_id.grace_days)
                erase_on = tenant.erase_on or fields.Datetime.now() + grace
                tenant._submit("delete", {"wanted": "deleted", "erase_on": erase_on})

    def _come_back(self):
        """Have it run, from deletion or from the archive too, unless it is held."""
        for tenant in self.sudo():
            if not tenant.hold_ids and not tenant._explain_refusal("resume"):
                tenant._run_again()

    def _run_again(self):
        """Have it run as it was; one in the archive is brought back from there."""
        self.ensure_one()
        if self.archived_on:
            self.action_resume()
        else:
            self._submit("resume", {"wanted": "running", "erase_on": False})

    def _delete_for_customer(self, typed):
        """Whoever deletes it does not want to pay for it either."""
        operation = super()._delete_for_customer(typed)
        if subscription := self._get_subscription():
            reason = self.env.ref("saas_subscription.close_reason_other")
            subscription._cancel("now", reason)
        return operation
