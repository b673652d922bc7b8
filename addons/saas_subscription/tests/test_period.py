from datetime import timedelta

from psycopg2 import IntegrityError

from odoo import fields
from odoo.exceptions import UserError
from odoo.tests import tagged
from odoo.tools import mute_logger

from ..models import saas_subscription_invoice
from .common import SubscriptionCommon


@tagged("post_install", "-at_install")
class TestPeriod(SubscriptionCommon):
    def get_starts(self, subscription):
        periods = subscription.period_ids.sorted("date_from")
        return [str(period.date_from) for period in periods]

    def test_a_period_is_invoiced_on_its_first_day_and_not_before(self):
        subscription = self.subscribe("2026-01-15")
        self.assertFalse(self.renew(subscription, "2026-02-14"))
        [invoice] = self.renew(subscription, "2026-02-15")
        self.assertEqual(invoice.state, "posted")
        self.assertEqual(str(invoice.invoice_date), "2026-02-15")
        self.assertEqual(invoice.amount_total, 36)
        self.assertEqual(invoice.invoice_origin, subscription.name)
        self.assertFalse(invoice.invoice_line_ids.sale_line_ids)

    def test_asking_again_on_that_day_makes_no_second_invoice(self):
        subscription = self.subscribe()
        self.renew(subscription, "2026-02-15")
        self.assertFalse(self.renew(subscription, "2026-02-15"))

    def test_two_at_once_cannot_invoice_a_period_twice(self):
        subscription = self.subscribe()
        self.renew(subscription, "2026-02-15")
        # As another transaction saw it that began before.
        subscription.next_invoice_date = "2026-02-15"
        with (
            mute_logger("odoo.sql_db"),
            self.assertRaises(IntegrityError),
            self.env.cr.savepoint(),
        ):
            self.renew(subscription, "2026-02-15")
        self.assertEqual(len(subscription.invoice_ids), 2)

    def test_a_period_that_was_not_invoiced_in_time_is_so_later(self):
        subscription = self.subscribe("2026-01-15")
        invoices = self.renew(subscription, "2026-04-20")
        self.assertEqual(len(invoices), 3)
        self.assertEqual(
            self.get_starts(subscription),
            ["2026-01-15", "2026-02-15", "2026-03-15", "2026-04-15"],
        )

    def test_the_31st_is_a_month_s_last_day_where_there_is_none(self):
        subscription = self.subscribe("2027-12-31")
        self.live_through(subscription, "2028-01-30", "2028-04-30")
        self.assertEqual(
            self.get_starts(subscription),
            ["2027-12-31", "2028-01-31", "2028-02-29", "2028-03-31", "2028-04-30"],
        )

    def test_a_year_from_the_29th_of_february_ends_on_the_28th(self):
        subscription = self.subscribe("2028-02-29", months=12)
        self.assertEqual(str(subscription.period_ids.date_to), "2029-02-27")
        self.assertFalse(self.renew(subscription, "2029-02-27"))
        self.assertEqual(self.renew(subscription, "2029-02-28").amount_untaxed, 300)

    def test_a_day_begins_where_the_customer_is(self):
        subscription = self.subscribe("2026-01-15")
        subscription.tz = "Pacific/Auckland"
        # 12:00 in UTC is the next day there.
        self.assertTrue(self.renew(subscription, "2026-02-14"))
        subscription.tz = "Pacific/Honolulu"
        self.assertFalse(self.renew(subscription, "2026-03-14"))
        self.assertTrue(self.renew(subscription, "2026-03-15"))

    def test_a_tax_that_changes_does_so_in_the_next_invoice(self):
        subscription = self.subscribe()
        self.basic_product.taxes_id = self.tax.copy({"name": "25%", "amount": 25})
        self.assertEqual(self.renew(subscription, "2026-02-15").amount_tax, 7.5)

    def test_a_customer_abroad_has_their_own_taxes(self):
        abroad = self.env["account.fiscal.position"].create(
            {
                "name": "Abroad",
                "auto_apply": True,
                "country_id": self.env.ref("base.be").id,
                "company_id": self.company.id,
            }
        )
        self.env["account.tax"].create(
            {
                "name": "0% export",
                "amount": 0,
                "company_id": self.company.id,
                "fiscal_position_ids": [fields.Command.set(abroad.ids)],
                "original_tax_ids": [fields.Command.set(self.tax.ids)],
            }
        )
        self.customer.country_id = self.env.ref("base.be")
        subscription = self.subscribe()
        self.assertEqual(subscription.fiscal_position_id, abroad)
        self.assertEqual(subscription.invoice_ids.amount_total, 30)
        self.assertEqual(self.renew(subscription, "2026-02-15").amount_total, 30)

    def test_another_currency_is_charged_in_it(self):
        euro = self.setup_other_currency("EUR", rates=[("2020-01-01", 2.0)])
        pricelist = self.env["product.pricelist"].create(
            {"name": "Euro", "currency_id": euro.id, "company_id": self.company.id}
        )
        subscription = self.subscribe(pricelist_id=pricelist.id)
        [invoice] = self.renew(subscription, "2026-02-15")
        self.assertEqual(invoice.currency_id, euro)
        self.assertEqual(invoice.amount_untaxed, 60)
        self.assertEqual(subscription.mrr, 30)

    def test_what_is_metered_is_charged_after_it_was_used(self):
        subscription = self.subscribe()
        storage = self.variant(self.storage_product)
        subscription.line_ids = [
            fields.Command.create(
                {
                    "product_id": storage.id,
                    "name": "Storage",
                    "quantity": 0,
                    "price_unit": 1,
                    "metered": True,
                }
            )
        ]
        line = subscription.line_ids[1]
        line._add_usage(7)
        line._add_usage(5)
        [invoice] = self.renew(subscription, "2026-02-15")
        used = invoice.invoice_line_ids.filtered(lambda l: l.product_id == storage)
        self.assertEqual(used.quantity, 12)
        self.assertEqual(str(used.saas_date_from), "2026-01-15")
        self.assertEqual(line.used, 0)
        self.assertEqual(self.renew(subscription, "2026-03-15").amount_untaxed, 30)
        with self.assertRaisesRegex(UserError, "only upwards"):
            line._add_usage(-1)

    # === THE WORKER === #

    def test_the_schedule_asks_once_for_what_is_due(self):
        subscription = self.subscribe("2026-01-15")
        with self.at("2026-02-15"):
            self.env["saas.subscription"]._cron_renew()
            self.env["saas.subscription"]._cron_renew()
        jobs = self.get_jobs("_renew")
        self.assertEqual(jobs.records, subscription)
        self.assertEqual(jobs.channel, "root.billing")

    def test_the_schedule_asks_on_the_day_where_the_customer_is(self):
        subscription = self.subscribe("2026-01-15")
        for zone, day in (("Pacific/Auckland", "02-14"), ("Pacific/Honolulu", "02-15")):
            subscription.write({"tz": zone, "invoice_queued_on": False})
            self.get_jobs("_renew").unlink()
            eve = fields.Date.to_date(f"2026-{day}") - timedelta(days=1)
            for noon, asked in ((eve, 0), (f"2026-{day}", 1)):
                with self.at(noon):
                    self.env["saas.subscription"]._cron_renew()
                self.assertEqual(len(self.get_jobs("_renew")), asked, (zone, noon))

    def test_the_schedule_asks_again_for_what_got_lost(self):
        subscription = self.subscribe("2026-01-15")
        with self.at("2026-02-15"):
            self.env["saas.subscription"]._cron_renew()
        self.get_jobs("_renew").unlink()
        with self.at("2026-02-16"):
            self.env["saas.subscription"]._cron_renew()
        self.assertEqual(self.get_jobs("_renew").records, subscription)

    def test_a_day_with_many_is_done_in_batches_and_each_once(self):
        many = self.env["saas.subscription"].union(
            *(
                self.subscribe("2026-01-15", saas_tenant_name=f"many{number}")
                for number in range(5)
            )
        )
        self.patch(saas_subscription_invoice, "QUEUED_AT_ONCE", 2)
        crons = self.env["ir.cron.trigger"]
        for queued in (2, 4, 5):
            before = crons.search_count([])
            with self.at("2026-02-15"):
                many._cron_renew()
            self.assertEqual(len(self.get_jobs("_renew")), queued)
            self.assertEqual(crons.search_count([]) > before, queued < 5)
        # Killed after the second: what was done stays, and all are asked again.
        for subscription in many[:2]:
            self.renew(subscription, "2026-02-15")
        for subscription in many:
            self.renew(subscription, "2026-02-15")
        for subscription in many:
            self.assertEqual(len(subscription.invoice_ids), 2)

    def test_people_look_at_what_could_not_be_invoiced(self):
        subscription = self.subscribe()
        subscription.user_id = self.salesperson
        subscription._on_renewal_failure(exc_name="odoo.exceptions.UserError")
        activity = subscription.activity_ids
        self.assertEqual(activity.user_id, self.salesperson)
        self.assertIn("odoo.exceptions.UserError", activity.note)

    def test_an_invoice_is_mailed_once_with_its_pdf(self):
        self.customer.email = "ann@alfa.example"
        invoice = self.subscribe().invoice_ids
        self.assertEqual(self.get_jobs("_send_saas_mail").records, invoice)
        invoice._send_saas_mail()
        self.assertTrue(invoice.is_move_sent)
        mails = self.env["mail.mail"].search(
            [("model", "=", "account.move"), ("res_id", "=", invoice.id)]
        )
        invoice._send_saas_mail()
        again = self.env["mail.mail"].search(
            [("model", "=", "account.move"), ("res_id", "=", invoice.id)]
        )
        self.assertEqual(len(mails), 1)
        self.assertEqual(again, mails)

    def test_nobody_but_the_owner_of_the_billing_invoices(self):
        subscription = self.subscribe()
        subscription.billing_owner = "stripe"
        with self.at("2026-02-15"):
            self.env["saas.subscription"]._cron_renew()
        self.assertFalse(self.get_jobs("_renew"))
        with self.assertRaisesRegex(UserError, "is billed by Stripe"):
            self.renew(subscription, "2026-02-15")
