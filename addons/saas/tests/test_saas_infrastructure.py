from psycopg2.errors import CheckViolation

from odoo.exceptions import ValidationError
from odoo.tests import tagged
from odoo.tools import file_open, mute_logger

from ..engine.errors import RefusedError
from ..models import saas_sealed_mixin
from ..models.saas_database_server import SaasDatabaseServer
from .common import SaasCommon


@tagged("post_install", "-at_install")
class TestInfrastructure(SaasCommon):
    def test_a_password_is_sealed_and_cannot_be_read_back(self):
        self.assertFalse(self.database_server.password)
        sealed = self.database_server.password_sealed
        self.assertNotIn("provisioner-secret", sealed)
        self.assertEqual(self.database_server._unseal(sealed), "provisioner-secret")

    def test_a_process_without_the_workers_key_cannot_open_a_secret(self):
        self.patch(saas_sealed_mixin, "WORKER_KEYS", self.keys / "none")
        with self.assertRaises(RefusedError) as caught:
            self.database_server._unseal(self.database_server.password_sealed)
        self.assertEqual(caught.exception.reason, "key_missing")

    def test_a_server_without_a_password_is_asked_without_one(self):
        self.database_server.password_sealed = False
        live = SaasDatabaseServer._get_database_server(self.database_server)
        self.assertEqual(live.config.password, "")

    def test_a_tested_connection_shows_what_came_of_it(self):
        self.database_server.with_user(self.manager).action_check()
        self.assertEqual(self.database_server.check_state, "checking")
        self.database_server._check()
        self.assertEqual(self.database_server.check_state, "failed")
        self.assertIn("prepare the server", self.database_server.check_message)
        self.databases.prepare()
        self.database_server._check()
        self.assertEqual(self.database_server.check_state, "ok")

    def test_preparing_a_server_tests_it(self):
        self.server._prepare()
        self.assertTrue(self.driver.prepared)
        self.assertEqual(self.server.check_state, "ok")

    def test_an_erased_tenant_gives_its_room_back(self):
        self.server.max_tenants = 1
        alfa = self.create_running_tenant("alfa")
        alfa.with_user(self.manager).action_delete(erase_now=True)
        self.run_operations()
        self.assertEqual(self.server.tenant_count, 0)
        self.create_running_tenant("beta")

    @mute_logger("odoo.addons.saas.models.saas_operation")
    def test_a_tenants_own_database_server_takes_no_other_tenant(self):
        alfa = self.create_running_tenant("alfa")
        own = self.database_server.copy({"name": "Own", "password": "x"})
        own.owner_tenant_id = alfa
        beta = self.create_tenant("beta", database_server_id=own.id)
        beta.action_provision()
        self.run_operations()
        self.assertEqual(beta.state, "failed")
        self.assertIn("belongs to alfa alone", beta.state_message)

    def test_modules_of_a_plan_are_names_without_doubles(self):
        self.plan.modules = "website, sale_management,website"
        self.assertEqual(self.plan._get_modules(), ["sale_management", "website"])
        with self.assertRaisesRegex(ValidationError, "technical name"):
            self.plan.modules = "website; rm -rf /"

    def test_a_neutralised_copy_of_the_master_cannot_touch_customers(self):
        tenant = self.create_running_tenant()
        operation = tenant.action_restart()
        with file_open("saas/data/neutralize.sql") as script:
            self.env.cr.execute(script.read())
        self.env.invalidate_all()
        self.assertFalse(self.env["saas.server"].search([]))
        self.assertEqual(self.database_server.host, "neutralized.invalid")
        self.assertFalse(self.database_server.password_sealed)
        self.assertEqual(self.proxy.directory, "/nonexistent")
        self.assertFalse(tenant.sudo().data_key_sealed)
        self.assertEqual(operation.state, "cancelled")
        jobs = self.env["queue.job"].search([("state", "=", "pending")])
        self.assertFalse(jobs)
        self.assertFalse(self.env.ref("saas.ir_cron_tick").active)

    def test_a_public_url_has_a_port_only_where_it_needs_one(self):
        self.assertEqual(self.proxy._get_public_url("a.b"), "http://a.b:8080")
        self.proxy.write({"scheme": "https", "port": 443})
        self.assertEqual(self.proxy._get_public_url("a.b"), "https://a.b")

    def test_a_plan_with_too_little_for_its_workers_says_what_they_need(self):
        self.plan.write({"workers": 2, "memory": 512})
        needed = (
            "4 HTTP workers need at least 768 MB of memory, 66 processes and 20 "
            "database connections. Give the plan “Basic” these, or fewer workers."
        )
        for limits in (
            {"memory": 767, "processes": 200, "connections": 20},
            {"memory": 768, "processes": 65, "connections": 20},
            {"memory": 768, "processes": 200, "connections": 19},
        ):
            with self.assertRaises(ValidationError) as caught:
                self.plan.write({"workers": 4, **limits})
            self.assertEqual(caught.exception.args[0], needed, limits)
        self.plan.write({"workers": 4, "memory": 768, "connections": 20})
        with self.assertRaises(ValidationError):
            self.plan.memory = 512

    def test_one_worker_alone_could_print_no_report(self):
        for workers in (1, -1):
            with self.assertRaises(ValidationError) as caught:
                self.plan.workers = workers
            self.assertIn("or 2 or more", caught.exception.args[0])

    def test_a_plan_with_impossible_limits_is_refused(self):
        with (
            mute_logger("odoo.sql_db"),
            self.assertRaises(CheckViolation) as caught,
            self.env.cr.savepoint(),
        ):
            self.plan.memory = 1
            self.plan.flush_recordset()
        message = self.env["saas.plan"]._sql_error_to_message(caught.exception)
        self.assertIn("at least 256 MB of memory", message)
