from odoo.tests import tagged
from odoo.tools import mute_logger

from .common import SaasCommon

QUIET = mute_logger("odoo.addons.saas.models.saas_operation")


@tagged("post_install", "-at_install")
class TestTemplate(SaasCommon):
    def get_template(self):
        return self.env["saas.template"]._get_or_create(
            image=self.image,
            modules=["base"],
            lang="en_US",
            server=self.server,
            database_server=self.database_server,
        )

    def test_the_same_sort_gives_the_same_template(self):
        self.assertEqual(self.get_template(), self.get_template())

    def test_a_built_template_is_sealed_and_its_task_is_gone(self):
        template = self.get_template()
        template.action_build()
        self.run_operations()
        self.assertEqual(template.state, "ready")
        self.assertTrue(self.databases.databases[template.uid].sealed)
        self.assertFalse(self.driver.tasks)

    @QUIET
    def test_a_failed_build_says_why_and_so_does_the_tenant_that_waits_for_it(self):
        self.driver.outcomes["init"] = 1
        tenant = self.create_tenant()
        operation = tenant.action_provision()
        self.run_operations()
        template = tenant.template_id
        self.assertEqual(template.state, "draft")
        self.assertEqual(operation.state, "refused")
        self.assertIn("could not be built", operation.message)

    @QUIET
    def test_a_build_can_be_tried_again(self):
        self.driver.outcomes["init"] = 1
        template = self.get_template()
        template.action_build()
        self.run_operations()
        self.driver.outcomes["init"] = 0
        template.action_build()
        self.run_operations()
        self.assertEqual(template.state, "ready")

    def test_building_waits_for_the_task_without_counting_tries(self):
        self.driver.outcomes["init"] = None
        template = self.get_template()
        operation = template.action_build()
        for _look in range(20):
            self.assertTrue(self.run_once(operation))
        self.assertEqual((operation.state, operation.attempts), ("running", 0))
