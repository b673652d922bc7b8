from odoo.exceptions import UserError
from odoo.tests import Form, tagged

from odoo.addons.mail.tests.common import MockEmail

from .common import SubscriptionCommon


@tagged("post_install", "-at_install")
class TestAnnounce(SubscriptionCommon, MockEmail):
    def prepare(self):
        super().prepare()
        self.subscription = self.subscribe("2026-04-01", users=2)
        self.product = self.variant(self.basic_product)

    def announce(self, day="2026-05-11"):
        """Announce 35 for 30 on 11 April."""
        manager = self.create_user("seller", "sales_team.group_sale_manager")
        context = {"active_ids": self.subscription.ids}
        wizard = self.env["saas.price.announce"].with_user(manager)
        with self.at("2026-04-11"), self.mock_mail_gateway():
            form = Form(wizard.with_context(**context))
            form.product_id = self.product
            form.price_unit = 35
            form.date = day
            form.save().action_confirm()

    def test_a_price_counts_from_the_renewal_after_its_notice(self):
        self.announce()
        [may] = self.renew(self.subscription, "2026-05-01")
        self.assertEqual(may.amount_untaxed, 50)
        [june] = self.renew(self.subscription, "2026-06-01")
        self.assertEqual(june.amount_untaxed, 55)
        [july] = self.renew(self.subscription, "2026-07-01")
        self.assertEqual(july.amount_untaxed, 55)

    def test_the_customer_reads_from_when_and_how_much(self):
        self.announce()
        [mail] = self._mails
        self.assertIn("06/01/2026", mail["subject"])
        text = " ".join(mail["body"].split())
        self.assertIn("35.00", text)
        self.assertIn("30.00", text)
        self.assertEqual(len(self._mails), 1)

    def test_what_a_customer_wants_meanwhile_is_kept(self):
        self.announce()
        wanted = [{"product": self.variant(self.user_product), "quantity": 0}]
        with self.at("2026-04-12"):
            self.subscription._request_change(wanted, "renewal")
        self.renew(self.subscription, "2026-05-01")
        [june] = self.renew(self.subscription, "2026-06-01")
        self.assertEqual(june.amount_untaxed, 35)

    def test_what_nobody_has_is_not_announced(self):
        self.product = self.variant(self.storage_product)
        with self.assertRaisesRegex(UserError, "does not have “Storage"):
            self.announce()
