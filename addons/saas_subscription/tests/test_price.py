from psycopg2 import IntegrityError

from odoo import fields
from odoo.exceptions import ValidationError
from odoo.tests import tagged
from odoo.tools import mute_logger

from .common import SubscriptionCommon


@tagged("post_install", "-at_install")
class TestPrice(SubscriptionCommon):
    def test_a_variant_has_its_period_and_its_price(self):
        month = self.variant(self.basic_product, 1)
        year = self.variant(self.basic_product, 12)
        self.assertEqual((month.lst_price, year.lst_price), (30, 300))
        self.assertEqual(self.setup_product.product_variant_id.saas_months, 0)

    def test_another_period_is_another_value(self):
        quarter = self.env["product.attribute.value"].create(
            {
                "name": "Quarterly",
                "attribute_id": self.monthly.attribute_id.id,
                "saas_months": 3,
            }
        )
        line = self.basic_product.attribute_line_ids
        line.value_ids = [fields.Command.link(quarter.id)]
        self.assertEqual(len(self.variant(self.basic_product, 3)), 1)

    def test_a_plan_knows_its_prices(self):
        self.assertEqual(self.plan.product_ids, self.basic_product)

    def test_a_price_list_has_a_price_for_a_period_alone(self):
        pricelist = self.env["product.pricelist"].create(
            {
                "name": "Friends",
                "item_ids": [
                    fields.Command.create(
                        {
                            "applied_on": "0_product_variant",
                            "product_id": self.variant(self.basic_product, 12).id,
                            "compute_price": "fixed",
                            "fixed_price": 240,
                        }
                    )
                ],
            }
        )
        for months, price in ((1, 30), (12, 240)):
            order = self.order_basic(months=months, pricelist_id=pricelist.id)
            self.assertEqual(order.order_line.price_unit, price)

    def test_a_product_that_sells_a_plan_says_which(self):
        with self.assertRaisesRegex(ValidationError, "which plan “Basic” sells"):
            self.basic_product.saas_plan_id = False

    def test_an_option_says_which(self):
        with self.assertRaisesRegex(ValidationError, "which option “Domain” switches"):
            self.create_product("Domain", 5, "option")

    def test_what_is_subscribed_is_a_service(self):
        with self.assertRaisesRegex(ValidationError, "has to be a service"):
            self.basic_product.type = "consu"

    @mute_logger("odoo.sql_db")
    def test_nothing_has_less_than_no_period_trial_or_users(self):
        for record, field in (
            (self.monthly, "saas_months"),
            (self.plan, "trial_days"),
            (self.basic_product, "saas_included_users"),
        ):
            with (
                self.subTest(field=field),
                self.assertRaises(IntegrityError),
                self.env.cr.savepoint(),
            ):
                record[field] = -1
                record.flush_recordset()
