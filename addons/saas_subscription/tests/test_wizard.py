from odoo.tests import Form, tagged

from .common import SubscriptionCommon


@tagged("post_install", "-at_install")
class TestWizard(SubscriptionCommon):
    def prepare(self):
        super().prepare()
        self.subscription = self.subscribe("2026-04-01", users=2)

    def open(self, model):
        context = {
            "active_id": self.subscription.id,
            "active_ids": self.subscription.ids,
        }
        return Form(self.env[model].with_user(self.salesperson).with_context(**context))

    def test_staff_read_the_difference_before_they_change(self):
        with self.at("2026-04-11"):
            form = self.open("saas.subscription.alter")
            with form.line_ids.edit(1) as line:
                line.quantity = 5
            self.assertEqual((form.untaxed, form.tax, form.total), (20, 4, 24))
            self.assertEqual(form.each_period, 80)
            form.save().action_confirm()
        self.assertEqual(self.subscription.recurring_total, 80)
        invoice = self.subscription.invoice_ids.sorted("id")[-1]
        self.assertEqual(invoice.amount_total, 24)

    def test_staff_add_and_remove_products(self):
        with self.at("2026-04-11"):
            form = self.open("saas.subscription.alter")
            form.when = "renewal"
            form.line_ids.remove(1)
            with form.line_ids.new() as line:
                line.product_id = self.variant(self.storage_product)
                self.assertEqual(line.price_unit, 1)
                line.quantity = 10
            self.assertEqual((form.total, form.each_period), (0, 40))
            form.save().action_confirm()
        [renewal] = self.renew(self.subscription, "2026-05-01")
        self.assertEqual(renewal.amount_untaxed, 40)

    def test_staff_read_why_a_change_is_not_possible(self):
        with self.at("2026-04-11"):
            form = self.open("saas.subscription.alter")
            form.line_ids.remove(0)
            self.assertEqual(form.problem, "A subscription has one plan.")

    def test_staff_cancel_with_a_reason(self):
        with self.at("2026-04-11"):
            form = self.open("saas.subscription.cancel")
            form.reason_id = self.reason
            form.save().action_confirm()
        self.assertEqual(str(self.subscription.cancel_on), "2026-05-01")
        self.assertEqual(self.subscription.close_reason_id, self.reason)
        self.subscription.with_user(self.salesperson).action_keep()
        self.assertFalse(self.subscription.cancel_on)
