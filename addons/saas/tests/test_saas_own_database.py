import json

from odoo.tests import tagged
from odoo.tools import mute_logger

from ..engine.driver import Phase
from ..engine.errors import RefusedError
from .common import SaasCommon

QUIET = mute_logger(
    "odoo.addons.saas.models.saas_operation",
    "odoo.addons.saas.models.saas_tenant_steps",
)


@tagged("post_install", "-at_install")
class TestOwnDatabase(SaasCommon):
    def setUp(self):
        super().setUp()
        self.plan.write({"own_database": True, "database_memory": 384})

    def test_it_gets_a_postgresql_beside_it_with_a_copy_of_the_template(self):
        tenant = self.create_running_tenant()
        server = tenant.database_server_id
        self.assertTrue(server.beside)
        self.assertEqual(server.owner_tenant_id, tenant)
        self.assertEqual(self.own_databases.databases[tenant.uid].owner, tenant.uid)
        # On the one that others have too only the template stays.
        template = tenant.template_id
        self.assertEqual(template.database_server_id, self.database_server)
        self.assertEqual(set(self.databases.databases), {template.uid})
        self.assertNotIn(tenant.uid, self.databases.roles)
        spec = self.driver.databases[tenant.uid].spec
        self.assertEqual(
            (spec.image, spec.port, spec.limits.memory),
            ("saas-postgres", 6000 + tenant.slot, 384 << 20),
        )
        config = self.driver.containers[tenant.uid].spec.files["odoo.conf"].decode()
        self.assertIn("db_host = /run/saas/postgres\n", config)
        self.assertIn(f"db_port = {6000 + tenant.slot}\n", config)
        self.assertFalse(self.driver.tasks)

    def test_its_password_is_sealed_and_told_to_nobody_but_the_server(self):
        tenant = self.create_running_tenant()
        server = tenant.database_server_id
        spec = self.driver.databases[tenant.uid].spec
        password = spec.files["saas_provisioner"].decode()
        self.assertFalse(server.password)
        self.assertNotIn(password, server.password_sealed)
        self.assertEqual(server._read_password(), password)
        self.assertNotIn(password, repr(spec))

    def test_the_task_that_brings_the_template_reads_one_and_writes_the_other(self):
        started = []
        start_task = self.driver.start_task

        def watch(uid, task):
            started.append(task)
            start_task(uid, task)

        self.patch(self.driver, "start_task", watch)
        tenant = self.create_running_tenant()
        [task] = [task for task in started if task.key == "bring"]
        self.assertEqual((task.network, task.database), (True, tenant.uid))
        job = json.loads(task.files["bring.json"])
        self.assertEqual(
            (job["source"]["host"], job["target"]["host"]),
            ("172.28.0.1", "/run/saas/postgres"),
        )

    def test_two_tenants_share_the_template_and_nothing_else(self):
        alfa, beta = (self.create_running_tenant(name) for name in ("alfa", "beta"))
        self.assertEqual(alfa.template_id, beta.template_id)
        self.assertNotEqual(alfa.database_server_id, beta.database_server_id)
        specs = [self.driver.databases[one.uid].spec for one in alfa | beta]
        self.assertNotEqual(specs[0].port, specs[1].port)
        self.assertNotEqual(specs[0].files, specs[1].files)

    def test_an_erased_one_leaves_no_server_and_no_record(self):
        tenant = self.create_running_tenant()
        server = tenant.database_server_id
        tenant.with_user(self.manager).action_delete(erase_now=True)
        self.run_operations()
        self.assertEqual(tenant.state, "deleted")
        self.assertFalse(server.exists())
        self.assertFalse(self.driver.databases)
        self.assertEqual(tenant.database_server_id, self.database_server)

    @QUIET
    def test_where_the_template_cannot_be_brought_nothing_is_left(self):
        self.driver.outcomes["bring"] = 1
        tenant = self.create_tenant()
        tenant.action_provision()
        self.run_operations(rounds=60)
        self.assertEqual(tenant.state, "failed")
        self.assertFalse(self.driver.databases)
        self.assertNotIn(tenant.uid, self.databases.databases)
        self.assertNotIn(tenant.uid, self.databases.roles)
        self.assertFalse(
            self.env["saas.database.server"].search([("beside", "=", True)])
        )
        # And it can be tried again.
        self.driver.outcomes["bring"] = 0
        tenant.action_provision()
        self.run_operations()
        self.assertEqual(tenant.state, "running")

    def test_one_that_lost_its_server_is_started_again_with_it(self):
        tenant = self.create_running_tenant()
        self.driver.databases[tenant.uid].runs = False
        self.env["saas.server"]._cron_resync()
        self.run_operations()
        self.assertTrue(self.driver.databases[tenant.uid].runs)
        self.assertEqual(self.driver.observe(tenant.uid).phase, Phase.RUNNING)
        self.assertEqual(tenant.state, "running")

    def test_another_memory_counts_from_the_next_restart_on(self):
        tenant = self.create_running_tenant()
        self.plan.database_memory = 768
        tenant.action_restart()
        self.run_operations()
        spec = self.driver.databases[tenant.uid].spec
        self.assertEqual(spec.limits.memory, 768 << 20)
        self.assertEqual(tenant.state, "running")

    def test_the_memory_of_both_is_promised(self):
        self.plan.memory = 512
        self.create_running_tenant()
        self.assertEqual(self.server.memory_promised, (512 + 384) / 1024)
        self.server.write({"memory": 1, "memory_free": 1})
        left = 1 - 2 * (512 + 384) / 1024 / 4
        self.assertAlmostEqual(self.server._get_memory_left(self.plan)[0], left)

    def test_where_no_server_runs_them_placement_says_so(self):
        self.patch(
            self.env.registry["saas.server"],
            "_takes_own_databases",
            lambda _self: False,
        )
        with self.assertRaises(RefusedError) as caught:
            self.env["saas.server"]._place(self.plan, self.env.company)
        self.assertIn(
            "First server runs no PostgreSQL for one tenant", caught.exception.message
        )

    def test_a_plan_without_it_and_a_server_that_staff_chose_change_nothing(self):
        chosen = self.database_server.copy({"name": "Chosen", "password": "x"})
        tenant = self.create_running_tenant(database_server_id=chosen.id)
        self.assertEqual(tenant.database_server_id, chosen)
        self.plan.own_database = False
        other = self.create_running_tenant("beta")
        self.assertEqual(other.database_server_id, self.database_server)
        self.assertFalse(self.driver.databases)
