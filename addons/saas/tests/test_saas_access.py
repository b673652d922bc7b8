from odoo.exceptions import AccessError
from odoo.tests import new_test_user, tagged

from .common import SaasCommon


@tagged("post_install", "-at_install")
class TestAccess(SaasCommon):
    def setUp(self):
        super().setUp()
        self.tenant = self.create_running_tenant()
        self.portal = new_test_user(self.env, "portal1", groups="base.group_portal")
        self.internal = new_test_user(self.env, "internal", groups="base.group_user")

    def test_a_viewer_sees_everything_and_changes_nothing(self):
        tenant = self.tenant.with_user(self.viewer)
        self.assertEqual(tenant.state, "running")
        with self.assertRaises(AccessError):
            tenant.action_stop()
        with self.assertRaises(AccessError):
            tenant.plan_id = False

    def test_an_operator_runs_tenants_and_does_not_touch_servers(self):
        self.tenant.with_user(self.operator).action_stop()
        with self.assertRaises(AccessError):
            self.server.with_user(self.operator).draining = True
        with self.assertRaises(AccessError):
            self.server.with_user(self.operator).action_check()

    def test_others_inside_the_company_see_no_tenants(self):
        with self.assertRaises(AccessError):
            self.tenant.with_user(self.internal).read(["name"])

    def test_a_customer_sees_their_own_tenants_and_operations_only(self):
        Tenant = self.env["saas.tenant"].with_user(self.portal)
        Operation = self.env["saas.operation"].with_user(self.portal)
        self.portal.partner_id.parent_id = self.customer
        self.assertEqual(Tenant.search([]), self.tenant)
        self.assertEqual(Operation.search([]).tenant_id, self.tenant)
        stranger = new_test_user(self.env, "stranger", groups="base.group_portal")
        self.assertFalse(Tenant.with_user(stranger).search([]))
        self.assertFalse(Operation.with_user(stranger).search([]))

    def test_a_customer_cannot_act_on_a_tenant_by_itself(self):
        self.portal.partner_id.parent_id = self.customer
        for method in ("action_stop", "action_provision", "action_resume"):
            with self.subTest(method=method), self.assertRaises(AccessError):
                getattr(self.tenant.with_user(self.portal), method)()

    def test_nobody_but_the_system_reads_sealed_secrets(self):
        for user in (self.viewer, self.operator, self.portal):
            with self.subTest(user=user.login), self.assertRaises(AccessError):
                self.tenant.with_user(user).read(["data_key_sealed"])
        with self.assertRaises(AccessError):
            self.database_server.with_user(self.viewer).read(["password_sealed"])

    def test_nobody_writes_operations_by_hand(self):
        operation = self.tenant.operation_ids[0]
        for user in (self.viewer, self.operator, self.manager):
            with self.subTest(user=user.login), self.assertRaises(AccessError):
                operation.with_user(user).write({"state": "done"})

    def test_staff_of_another_company_see_nothing(self):
        other = self.env["res.company"].create({"name": "Other"})
        user = new_test_user(
            self.env,
            "elsewhere",
            groups="saas.group_manager",
            company_id=other.id,
            company_ids=[(6, 0, other.ids)],
        )
        self.assertFalse(self.env["saas.tenant"].with_user(user).search([]))
