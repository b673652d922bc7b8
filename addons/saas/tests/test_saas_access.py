from odoo.exceptions import AccessError, UserError
from odoo.tests import tagged

from .common import SaasCommon, new_user


@tagged("post_install", "-at_install")
class TestAccess(SaasCommon):
    def prepare(self):
        super().prepare()
        self.tenant = self.create_running_tenant()
        self.portal = new_user(self.env, "portal1", groups="base.group_portal")
        self.internal = new_user(self.env, "internal", groups="base.group_user")

    def test_a_viewer_sees_everything_and_changes_nothing(self):
        tenant = self.tenant.with_user(self.viewer)
        self.assertEqual(tenant.state, "running")
        with self.assertRaises(AccessError):
            tenant.action_stop()
        with self.assertRaises(AccessError):
            tenant.plan_id = False

    def test_an_operator_creates_and_provisions_a_tenant(self):
        tenant = (
            self.env["saas.tenant"]
            .with_user(self.operator)
            .create(
                {
                    "name": "beta",
                    "partner_id": self.customer.id,
                    "plan_id": self.plan.id,
                }
            )
        )
        tenant.action_provision()
        self.run_operations()
        self.assertEqual(tenant.state, "running")

    def test_nobody_moves_a_placed_tenant_by_writing(self):
        other = self.server.copy({"name": "Other"})
        for field, value in (
            ("server_id", other.id),
            ("database_server_id", self.database_server.id),
            ("image_id", self.image.id),
            ("state", "failed"),
        ):
            with (
                self.subTest(field=field),
                self.assertRaisesRegex(UserError, "cannot be written"),
            ):
                self.tenant.with_user(self.manager).write({field: value})

    def test_customers_do_not_read_about_our_machines(self):
        self.portal.partner_id.parent_id = self.customer
        tenant = self.tenant.with_user(self.portal)
        self.assertEqual(tenant.read(["state", "url"])[0]["state"], "running")
        for field in ("server_id", "slot", "observed_message"):
            with self.subTest(field=field), self.assertRaises(AccessError):
                tenant.read([field])
        with self.assertRaises(AccessError):
            tenant.operation_ids.read(["message"])
        self.tenant.last_operation_id.sudo().write(
            {"state": "failed", "message": "db:5432 is down"}
        )
        self.assertEqual(tenant.state_message, "Our staff are looking after it.")

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
        stranger = new_user(self.env, "stranger", groups="base.group_portal")
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

    def test_a_contact_who_has_gone_to_another_customer_sees_nothing_any_more(self):
        Tenant = self.env["saas.tenant"].with_user(self.portal)
        self.portal.partner_id.parent_id = self.customer
        self.assertEqual(Tenant.search([]), self.tenant)
        other = self.env["res.partner"].create({"name": "Beta", "is_company": True})
        self.portal.partner_id.parent_id = other
        self.assertFalse(Tenant.search([]))
        # So does one who goes with the office that they belong to.
        office = self.env["res.partner"].create({"name": "Office"})
        self.portal.partner_id.parent_id = office
        office.parent_id = self.customer
        self.assertEqual(Tenant.search([]), self.tenant)
        office.parent_id = other
        self.assertFalse(Tenant.search([]))

    def test_nobody_writes_operations_by_hand(self):
        operation = self.tenant.operation_ids[0]
        for user in (self.viewer, self.operator, self.manager):
            with self.subTest(user=user.login), self.assertRaises(AccessError):
                operation.with_user(user).write({"state": "done"})

    def test_staff_of_another_company_see_nothing(self):
        other = self.env["res.company"].create({"name": "Other"})
        user = new_user(
            self.env,
            "elsewhere",
            groups="saas.group_manager",
            company_id=other.id,
            company_ids=[(6, 0, other.ids)],
        )
        self.assertFalse(self.env["saas.tenant"].with_user(user).search([]))
