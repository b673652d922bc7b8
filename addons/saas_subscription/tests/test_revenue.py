from odoo import fields
from odoo.exceptions import AccessError
from odoo.tests import tagged

from .dunning_common import DunningCommon


@tagged("post_install", "-at_install")
class TestRevenue(DunningCommon):
    def moves(self, subscription):
        """Return what moved: (day, kind, amount)."""
        return [
            (str(movement.date), movement.kind, movement.amount)
            for movement in subscription.movement_ids.sorted("id")
        ]

    def test_movements_follow_the_life_of_a_subscription(self):
        subscription = self.subscribe("2026-01-15", users=1)
        with self.at("2026-01-20"):
            subscription._apply("owe")
            subscription._apply("hold")
            subscription._apply("settle")
        with self.at("2026-02-01"):
            subscription.action_pause()
        with self.at("2026-02-10"):
            subscription.action_resume()
        with self.at("2026-03-01"):
            subscription._cancel("now", self.reason)
        self.assertEqual(
            self.moves(subscription),
            [
                ("2026-01-15", "new", 40),
                ("2026-02-01", "churn", -40),
                ("2026-02-10", "reactivation", 40),
                ("2026-03-01", "churn", -40),
            ],
        )
        self.assertEqual(sum(subscription.movement_ids.mapped("amount")), 0)

    def test_a_year_is_brought_to_a_month(self):
        subscription = self.subscribe("2026-01-15", months=12)
        self.assertEqual(self.moves(subscription), [("2026-01-15", "new", 25)])

    def test_a_trial_brings_nothing_until_it_is_converted(self):
        subscription = self.subscribe(
            "2026-01-15", saas_trial_days=14, user_id=self.salesperson.id
        )
        self.assertFalse(subscription.movement_ids)
        self.tick("2026-01-29")
        self.assertEqual(self.moves(subscription), [("2026-01-29", "new", 30)])

    def test_an_event_that_comes_twice_moves_nothing(self):
        subscription = self.subscribe("2026-01-15")
        subscription._record_movement("activate")
        self.assertEqual(len(subscription.movement_ids), 1)

    def test_other_rates_of_a_currency_are_no_movement(self):
        currency = self.env["res.currency"].create({"name": "QQQ", "symbol": "Q"})
        rates = self.env["res.currency.rate"]
        for day, rate in (("2026-01-01", 2), ("2026-01-20", 4)):
            rates.create(
                {
                    "currency_id": currency.id,
                    "company_id": self.company.id,
                    "name": day,
                    "rate": rate,
                }
            )
        pricelist = self.env["product.pricelist"].create(
            {"name": "Q", "currency_id": currency.id}
        )
        subscription = self.subscribe("2026-01-15", pricelist_id=pricelist.id)
        [(_day, _kind, amount)] = self.moves(subscription)
        with self.at("2026-01-25"):
            subscription._apply("owe")
            subscription._apply("settle")
            self.assertEqual(len(subscription.movement_ids), 1)
            subscription._cancel("now", self.reason)
        self.assertEqual(self.moves(subscription)[1][2], -amount)

    # === FIGURES === #

    def tile(self, data, key):
        return next(tile for tile in data["tiles"] if tile["key"] == key)

    def test_the_figures_say_what_came_and_what_went(self):
        kept = self.subscribe("2026-01-15", users=2)
        lost = self.subscribe("2026-02-03", saas_tenant_name="gamma")
        tried = [
            self.subscribe(
                "2026-02-04", saas_tenant_name=name, saas_trial_days=14, user_id=user
            )
            for name, user in (("delta", self.salesperson.id), ("epsilon", False))
        ]
        self.tick("2026-02-18")
        with self.at("2026-03-10"):
            lost._cancel("now", self.reason)
        self.assertEqual(tried[1].state, "cancelled")
        with self.at("2026-03-20"):
            revenue = self.env["saas.revenue"].with_user(self.biller)
            data = revenue.with_company(self.company).get_data()
        march, february, january, december = data["months"][:4]
        self.assertEqual(len(data["months"]), 12)
        self.assertEqual(december["closing"], january["opening"])
        self.assertIn("50.00", january["new"])
        self.assertIn("60.00", february["new"])
        self.assertIn("110.00", february["closing"])
        self.assertIn("-30.00", march["churn"])
        self.assertIn("80.00", self.tile(data, "mrr")["value"])
        self.assertIn("960.00", self.tile(data, "arr")["value"])
        self.assertEqual(self.tile(data, "churn")["value"], "27.3 %")
        self.assertEqual(self.tile(data, "trials")["value"], "50.0 %")
        self.assertIn("1 of 2 trials", self.tile(data, "trials")["help"])
        self.assertEqual(kept.mrr, 50)

    def test_what_was_recovered_is_told_from_what_was_lost(self):
        paid = self.subscribe("2026-01-15")
        unpaid = self.subscribe("2026-01-15", users=1, saas_tenant_name="gamma")
        self.tick("2026-01-16")
        with self.at("2026-01-17"):
            self.pay(paid.invoice_ids)
            unpaid._cancel("now", self.reason)
            data = self.env["saas.revenue"].with_company(self.company).get_data()
        tile = self.tile(data, "dunning")
        self.assertEqual(tile["value"], "42.9 %")
        self.assertIn("36.00 of", tile["help"])

    def test_only_who_looks_after_money_sees_figures(self):
        for user in (self.operator, self.salesperson, self.viewer):
            with self.assertRaisesRegex(AccessError, "Only sales managers"):
                self.env["saas.revenue"].with_user(user).get_data()

    def test_movements_are_recorded_and_never_changed_by_hand(self):
        subscription = self.subscribe("2026-01-15")
        movement = subscription.movement_ids.with_user(self.biller)
        self.assertEqual(movement.amount, 30)
        with self.assertRaises(AccessError):
            movement.amount = 300
        with self.assertRaises(AccessError):
            movement.unlink()
        with self.assertRaises(AccessError):
            subscription.movement_ids.with_user(self.operator).read(["amount"])
        self.assertTrue(fields.Date.to_date(movement.date))
