from psycopg2 import IntegrityError

from odoo.exceptions import UserError, ValidationError
from odoo.tests import tagged
from odoo.tools import mute_logger

from .common import SaasCommon


@tagged("post_install", "-at_install")
class TestTenant(SaasCommon):
    def test_a_new_tenant_is_a_draft_with_an_address_and_an_opaque_uid(self):
        tenant = self.create_tenant("alfa")
        self.assertEqual(tenant.state, "draft")
        self.assertRegex(tenant.uid, r"^t[0-9a-f]{12}$")
        self.assertEqual(tenant.domain_ids.name, "alfa.odoo.localhost")
        self.assertEqual(tenant.url, "http://alfa.odoo.localhost:8080")
        self.assertEqual(tenant.image_id, self.image)

    def test_an_unusable_name_is_refused_and_nothing_is_created(self):
        for name in (
            "www",
            "Alfa",
            "xn--alfa",
            "-alfa",
            "alfa-",
            "al'fa",
            "al;fa",
            "al\nfa",
            "a" * 64,
            "álfa",
            "alfa.beta",
            "",
            "1234",
        ):
            with (
                self.subTest(name=name),
                self.assertRaises(ValidationError) as caught,
                self.env.cr.savepoint(),
            ):
                self.create_tenant(name)
            if name:
                self.assertGreater(len(str(caught.exception)), 20)
        self.assertFalse(
            self.env["saas.tenant"].search([("plan_id", "=", self.plan.id)])
        )
        self.assertFalse(
            self.env["saas.domain"].search([]).filtered("tenant_id.plan_id")
        )

    def test_a_taken_name_is_refused(self):
        self.create_tenant("alfa")
        with (
            mute_logger("odoo.sql_db"),
            self.assertRaises(IntegrityError) as caught,
            self.env.cr.savepoint(),
        ):
            self.create_tenant("alfa")
        message = self.env["saas.domain"]._sql_error_to_message(caught.exception)
        self.assertEqual(message, "That address is already taken.")

    def test_the_name_of_an_erased_tenant_stays_in_quarantine(self):
        tenant = self.create_running_tenant("alfa")
        tenant.with_user(self.manager).action_delete(erase_now=True)
        self.run_operations()
        self.assertTrue(tenant.domain_ids.released_on)
        with (
            mute_logger("odoo.sql_db"),
            self.assertRaises(IntegrityError),
            self.env.cr.savepoint(),
        ):
            self.create_tenant("alfa")

    def test_what_operations_decide_cannot_be_written_from_outside(self):
        tenant = self.create_tenant()
        for field, value in (
            ("uid", "postgres"),
            ("wanted", "running"),
            ("observed", "running"),
            ("slot", 3),
            ("data_key_sealed", "x"),
        ):
            with self.subTest(field=field), self.assertRaises(UserError):
                tenant.with_user(self.manager).write({field: value})

    def test_the_subdomain_cannot_be_edited(self):
        tenant = self.create_tenant()
        with self.assertRaisesRegex(UserError, "is changed by its action Rename"):
            tenant.name = "beta"

    def test_a_running_tenant_cannot_be_unlinked_behind_its_back(self):
        tenant = self.create_running_tenant()
        with self.assertRaisesRegex(UserError, "removed by its action Delete"):
            tenant.unlink()

    def test_unlinking_a_draft_frees_its_name(self):
        self.create_tenant("alfa").unlink()
        self.assertTrue(self.create_tenant("alfa"))

    def test_secrets_of_a_tenant_differ_by_tenant_and_purpose(self):
        alfa, beta = self.create_tenant("alfa"), self.create_tenant("beta")
        secrets = {
            tenant._derive_secret(purpose)
            for tenant in (alfa, beta)
            for purpose in ("database", "admin")
        }
        self.assertEqual(len(secrets), 4)

    def test_two_tenants_get_two_slots_and_a_freed_one_is_used_again(self):
        alfa = self.create_running_tenant("alfa")
        beta = self.create_running_tenant("beta")
        self.assertEqual((alfa.slot, beta.slot), (0, 1))
        alfa.with_user(self.manager).action_delete(erase_now=True)
        self.run_operations()
        self.assertEqual(self.create_running_tenant("gamma").slot, 0)

    def test_two_tenants_placed_at_one_moment_get_two_slots_and_log_no_error(self):
        alfa, beta = self.create_tenant("alfa"), self.create_tenant("beta")
        (alfa | beta).sudo().server_id = self.server
        # Neither transaction sees what the other has taken.
        free = self.env.registry["saas.server"]
        self.patch(free, "_get_free_slots", lambda _server: iter(range(3)))
        with self.assertNoLogs("odoo.sql_db", "ERROR"):
            alfa.sudo()._take_slot()
            beta.sudo()._take_slot()
        self.assertEqual((alfa.slot, beta.slot), (0, 1))
        self.assertEqual(self.server.tenant_count, 2)
