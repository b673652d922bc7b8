from odoo.exceptions import UserError
from odoo.tests import tagged

from .common import SaasCommon


@tagged("post_install", "-at_install")
class TestLanguages(SaasCommon):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.env["res.lang"]._activate_lang("es_ES")
        module = cls.env["ir.module.module"].search([("name", "=", "saas")])
        module._update_translations("es_ES")

    def test_a_refusal_names_state_and_operation_in_the_readers_language(self):
        tenant = self.create_tenant().with_context(lang="es_ES")
        with self.assertRaises(UserError) as caught:
            tenant.action_restart()
        self.assertEqual(
            str(caught.exception),
            "alfa: borrador; «Reiniciar» no es posible ahora.",
        )

    def test_an_operation_and_its_steps_are_named_in_the_readers_language(self):
        tenant = self.create_running_tenant()
        operation = tenant.last_operation_id
        self.assertIn("Provision alfa", operation.display_name)
        self.assertEqual(operation.step_ids[0].label, "Choose a server")
        operation = operation.with_context(lang="es_ES")
        self.assertIn("Aprovisionar alfa", operation.display_name)
        self.assertEqual(operation.step_ids[0].label, "Elegir un servidor")
