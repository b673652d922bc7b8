from odoo.modules import Manifest
from odoo.tests import tagged
from odoo.tools.convert import convert_file

from .common import IMAGE, SaasCommon


@tagged("post_install", "-at_install")
class TestDemo(SaasCommon):
    """The demo data of all our addons, which no database of our tests is made with."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        # It would be in the way of the demo's.
        cls.image.reference = "saas-odoo:before"
        cls.env.flush_all()
        cls.load("init")

    @classmethod
    def load(cls, mode):
        addons = cls.env["ir.module.module"].search(
            [("name", "=like", "saas%"), ("state", "=", "installed")]
        )
        for addon in addons.mapped("name"):
            for path in Manifest.for_addon(addon)["demo"]:
                convert_file(cls.env(su=True), addon, path, {}, mode, noupdate=True)

    def find(self, model):
        """Return the records of that model that the demo data made, by their names."""
        known = self.env["ir.model.data"].search(
            [("module", "=", "saas"), ("model", "=", model)], order="id"
        )
        return self.env[model].browse(known.mapped("res_id"))

    def test_there_is_an_image_and_two_plans_that_stand_on_it(self):
        image = self.find("saas.image")
        self.assertEqual(image.reference, IMAGE)
        plans = self.find("saas.plan")
        self.assertEqual(
            [(plan.name, plan._get_modules(), plan.memory) for plan in plans],
            [
                ("Starter", ["base"], 512),
                ("Business", ["sale_management", "website"], 1024),
            ],
        )
        self.assertEqual(plans.image_id, image)
        self.assertTrue(all(plans.mapped("description")))

    def test_there_are_customers_who_get_tenants_of_the_plans(self):
        customers, plans = self.find("res.partner"), self.find("saas.plan")
        self.assertEqual(
            customers.mapped("name"), ["Alfa Bakery", "Beta Bikes", "Gamma Gardens"]
        )
        for customer, plan in zip(customers, (*plans, plans[0]), strict=True):
            self.create_running_tenant(
                f"demo-{customer.id}", partner_id=customer.id, plan_id=plan.id
            )

    def test_an_update_makes_nothing_twice_and_leaves_what_people_changed(self):
        models = ("saas.image", "saas.plan", "res.partner")
        before = {model: self.env[model].search([]) for model in models}
        self.find("saas.plan")[0].memory = 768
        self.load("update")
        self.assertEqual({m: self.env[m].search([]) for m in models}, before)
        self.assertEqual(self.find("saas.plan")[0].memory, 768)
