from odoo.tests import tagged

from odoo.addons.saas.tests.rights import RightsCase

from .common import SignupCommon


@tagged("post_install", "-at_install")
class TestRights(RightsCase, SignupCommon):
    addons = ("saas", "saas_docker", "saas_website")
    sample = ("saas.tenant", "action_delete")
    own = frozenset({"saas.tenant", "saas.operation", "saas.operation.step"})
    free = frozenset(
        {
            # They say which list to open, not what is in it.
            ("res.partner", "action_view_saas_tenants"),
            ("saas.plan", "action_view_tenants"),
        }
    )
    owners = frozenset(
        {("saas.tenant", "get_login_url"), ("saas.tenant", "action_login")}
    )

    def prepare(self):
        super().prepare()
        self.tenant = self.create_running_tenant()
        self.tenant.action_suspend("Unpaid")
        self.run_operations()
        self.tenant.last_operation_id.sudo().write({"state": "failed"})

    def setUp(self):
        super().setUp()
        signup = self.prove()
        self.env["saas.login.link"]._create_for(signup.user_id)
        self.env["saas.signup"]._is_allowed("x@beta.example", "203.0.113.1")
        chosen = {"tenant_ids": self.tenant.ids}
        self.env["saas.tenant.suspend"].create({**chosen, "reason": "Unpaid"})
        self.env["saas.tenant.delete"].create(chosen)

    def get_own_records(self):
        return {
            **super().get_own_records(),
            "saas.operation": self.tenant.last_operation_id,
            "saas.operation.step": self.tenant.operation_ids.step_ids[:1],
        }
