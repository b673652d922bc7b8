from odoo.exceptions import UserError
from odoo.tests import tagged

from .common import SubscriptionCommon


@tagged("post_install", "-at_install")
class TestOption(SubscriptionCommon):
    def prepare(self):
        super().prepare()
        self.subscription = self.subscribe("2026-04-01")
        self.tenant = self.subscription.tenant_id

    def sell_domains(self):
        template = self.env["product.template"].create(
            {
                "name": "Own domain",
                "type": "service",
                "saas_kind": "option",
                "saas_option": "domain",
            }
        )
        return self.add_periods(template, 5)

    def add_domain(self):
        return self.tenant._add_domain_for_customer("www.alfa.example")

    def test_where_nobody_sells_it_everybody_has_it(self):
        self.assertEqual(self.add_domain().name, "www.alfa.example")

    def test_where_it_is_sold_it_is_had_by_those_who_bought_it(self):
        product = self.sell_domains()
        with self.assertRaisesRegex(UserError, "add own domains to your subscription"):
            self.add_domain()
        wanted = [{"product": self.variant(product), "quantity": 1}]
        with self.at("2026-04-11"):
            self.subscription._request_change(wanted, "now")
        self.assertEqual(self.add_domain().name, "www.alfa.example")

    def test_what_goes_with_another_plan_is_nothing_to_this_one(self):
        self.sell_domains().saas_plan_id = self.pro
        self.assertTrue(self.add_domain())
