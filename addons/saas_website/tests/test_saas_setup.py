from odoo.exceptions import AccessError
from odoo.tests import tagged

from odoo.addons.saas.tests.test_saas_setup import SetupCommon


@tagged("post_install", "-at_install")
class TestSetupOfPlans(SetupCommon):
    def make_plan(self, **values):
        """Make the first plan as the page does, and have it built."""
        self.env["saas.plan"].search([]).active = False
        [button] = [
            button
            for button in self.describe("plan")["buttons"]
            if button["label"] == "Make the First Plan"
        ]
        plans = self.env["saas.plan"].with_user(self.manager)
        plan = plans.with_context(**button["context"]).create(
            {"image_id": self.image.id, "modules": "base", **values}
        )
        self.step("plan").action_continue(plan.id)
        self.run_operations()
        return plan

    def published(self):
        website = self.env["website"].get_current_website()
        return self.env["saas.plan"]._get_published(website)

    def test_the_first_plan_is_on_the_page_of_plans_at_once(self):
        plan = self.make_plan()
        self.assertEqual(self.published(), plan)
        shown = self.describe("plan")
        self.assertEqual(shown["state"], "ok")
        self.assertIn("Visitors can choose it", shown["remedy"])
        labels = [button["label"] for button in shown["buttons"]]
        self.assertEqual(labels, ["Open “Basic”", "See the Page of Plans"])

    def test_a_plan_that_nobody_sees_is_said_and_published_from_the_page(self):
        plan = self.make_plan(is_published=False)
        shown = self.describe("plan")
        self.assertEqual(shown["state"], "ok")
        self.assertIn("No visitor sees it yet", shown["remedy"])
        button = shown["buttons"][0]
        self.assertEqual(button["label"], "Publish It")
        self.assertFalse(self.published())
        getattr(self.step("plan"), button["method"])()
        self.assertEqual(self.published(), plan)
        self.assertNotIn("Publish It", self.buttons("plan"))

    def test_only_managers_publish_from_the_page(self):
        self.make_plan(is_published=False)
        step = self.step("plan").with_user(self.operator)
        with self.assertRaises(AccessError):
            step.action_publish_plan()
        self.assertFalse(self.published())
