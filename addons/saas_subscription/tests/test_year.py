from datetime import timedelta

from odoo import fields
from odoo.tests import tagged

from odoo.addons.mail.tests.common import MockEmail

from .common import SubscriptionCommon


@tagged("post_install", "-at_install")
class TestYear(SubscriptionCommon, MockEmail):
    """A customer's year, day by day; another one's in a country with other taxes."""

    def prepare(self):
        super().prepare()
        self.customer.email = "ann@alfa.example"
        with self.at("2026-01-15"):
            order = self.order_basic(saas_trial_days=14)
            order.action_confirm()
            self.run_operations()
        self.subscription = order.subscription_id
        self.tenant = self.subscription.tenant_id
        self.save_token(self.subscription)
        self.neighbour = self.subscribe_abroad()

    def subscribe_abroad(self):
        """Return a subscription of a Belgian, whose tax is 6 % there."""
        country = self.env.ref("base.be")
        abroad = self.env["account.fiscal.position"].create(
            {
                "name": "Belgium",
                "auto_apply": True,
                "country_id": country.id,
                "company_id": self.company.id,
            }
        )
        self.tax.copy(
            {
                "name": "6%",
                "amount": 6,
                "fiscal_position_ids": [fields.Command.set(abroad.ids)],
                "original_tax_ids": [fields.Command.set(self.tax.ids)],
            }
        )
        alfa = self.customer
        self.customer = alfa.create(
            {"name": "Bea", "country_id": country.id, "email": "bea@beta.example"}
        )
        subscription = self.subscribe("2026-01-31", saas_tenant_name="bea")
        self.save_token(subscription)
        self.customer = alfa
        with self.at("2026-01-31"), self.mock_mail_gateway(), self.the_bank():
            subscription.invoice_ids._queue_saas_charge()
            self.run_jobs()
        return subscription

    # === WHAT HAPPENS WHEN === #

    def add_users(self):
        self.want(self.user_product, 2)

    def upgrade(self):
        self.want(self.pro_product, 1)

    def lose_card(self):
        self.bank[self.subscription.payment_token_id] = "No money"

    def pay_late(self):
        self.bank.clear()
        self.pay(self.get_unpaid())

    def downgrade(self):
        self.want(self.basic_product, 1, "renewal")

    def leave(self):
        self.subscription._cancel("renewal", self.reason)

    def want(self, template, quantity, when="now"):
        wanted = [{"product": self.variant(template), "quantity": quantity}]
        self.subscription._request_change(wanted, when)

    def get_unpaid(self):
        return self.subscription.invoice_ids.filtered(
            lambda move: move.payment_state == "not_paid"
        )

    def live(self, first, last, events):
        """Let the days come; return which states the tenant was in, and since when."""
        seen = []
        day, end = fields.Date.to_date(first), fields.Date.to_date(last)
        with self.at(day) as clock:
            while day <= end:
                clock.move_to(f"{day} 12:00:00")
                self.do_a_day(events.get(str(day)))
                state = (self.subscription.state, self.tenant.state)
                if not seen or seen[-1][1:] != state:
                    seen.append((str(day), *state))
                day += timedelta(days=1)
        return seen

    def do_a_day(self, event):
        with self.the_bank():
            if event:
                getattr(self, event)()
            self.env["saas.subscription"]._cron_renew()
            self.env["saas.operation"]._cron_tick()
            self.run_jobs()
        self.run_operations()
        self.env["saas.subscription"]._cron_end()

    # === THE YEAR === #

    def test_a_year(self):
        with self.mock_mail_gateway():
            seen = self.live(
                "2026-01-16",
                "2026-12-31",
                {
                    "2026-02-14": "add_users",
                    "2026-03-15": "upgrade",
                    "2026-04-28": "lose_card",
                    "2026-05-14": "pay_late",
                    "2026-06-10": "downgrade",
                    "2026-08-01": "leave",
                },
            )
        self.assertEqual(
            seen,
            [
                ("2026-01-16", "trial", "running"),
                ("2026-01-29", "active", "running"),
                ("2026-04-29", "past_due", "running"),
                ("2026-05-13", "unpaid", "suspended"),
                ("2026-05-14", "active", "running"),
                ("2026-08-29", "cancelled", "deleting"),
                ("2026-09-28", "closed", "deleted"),
            ],
        )
        self.check_invoices()
        self.check_neighbour()
        self.check_books()
        self.check_dunning()
        self.check_revenue()
        self.check_mails()

    def check_invoices(self):
        """A month from 29 January has 30 days, one from 28 February 29."""
        invoices = self.subscription.invoice_ids.sorted("id")
        self.assertEqual(
            [
                (str(move.invoice_date), move.amount_untaxed, move.payment_state)
                for move in invoices
            ],
            [
                ("2026-01-29", 30, "paid"),
                ("2026-02-14", 9.33, "paid"),
                ("2026-02-28", 50, "paid"),
                ("2026-03-15", 14.49, "paid"),
                ("2026-03-29", 80, "paid"),
                ("2026-04-29", 80, "paid"),
                ("2026-05-29", 80, "paid"),
                ("2026-06-29", 50, "paid"),
                ("2026-07-29", 50, "paid"),
            ],
        )
        for move in invoices:
            # A cent is lost or won where each line is rounded.
            self.assertAlmostEqual(
                move.amount_tax, move.amount_untaxed * 0.2, delta=0.01
            )
        self.assertEqual(len(self.charged), len(set(self.charged)))

    def check_neighbour(self):
        invoices = self.neighbour.invoice_ids
        self.assertEqual(len(invoices), 12)
        self.assertEqual(set(invoices.mapped("amount_total")), {31.8})
        self.assertEqual(set(invoices.mapped("payment_state")), {"paid"})

    def check_books(self):
        """Debit is credit, nobody owes anything, taxes are those of the invoices."""
        lines = self.env["account.move.line"].search(
            [("company_id", "=", self.company.id), ("parent_state", "=", "posted")]
        )
        coin = self.company.currency_id
        self.assertTrue(coin.is_zero(sum(lines.mapped("balance"))))
        owed = lines.filtered(lambda line: line.account_type == "asset_receivable")
        self.assertTrue(coin.is_zero(sum(owed.mapped("balance"))))
        invoices = (self.subscription + self.neighbour).invoice_ids
        taxes = lines.filtered("tax_line_id")
        self.assertTrue(
            coin.is_zero(
                sum(taxes.mapped("balance")) + sum(invoices.mapped("amount_tax"))
            )
        )

    def check_dunning(self):
        """The card was tried by the ladder, and what is said to the customer."""
        [case] = self.subscription.case_ids
        self.assertEqual((case.state, case.days_late), ("recovered", 15))
        tries = case.move_id.saas_charge_ids.mapped("state")
        self.assertEqual(tries, ["error"] * 4)
        subjects = self.subscription.message_ids.filtered("subject").mapped("subject")
        self.assertEqual(
            [subject.replace(case.move_id.name, "it") for subject in subjects[::-1]],
            [
                "Your trial of Basic",
                "Your trial ends on 01/29/2026",
                "Your trial ends on 01/29/2026",
                f"Your subscription {self.subscription.name} has begun",
                "We could not charge you for it",
                "Invoice it is not paid yet",
                "Please pay it, so that your Odoo goes on",
                "Your Odoo is stopped: it is not paid",
                "Thank you: your Odoo runs again",
            ],
        )

    def check_revenue(self):
        """What moved adds up to nothing, as it has left."""
        moves = self.subscription.movement_ids.sorted("id")
        self.assertEqual(
            [(str(move.date), move.kind, move.amount) for move in moves],
            [
                ("2026-01-29", "new", 30),
                ("2026-02-14", "expansion", 20),
                ("2026-03-15", "expansion", 30),
                ("2026-06-29", "contraction", -30),
                ("2026-08-29", "churn", -50),
            ],
        )

    def check_mails(self):
        """Each invoice was mailed to its customer, once."""
        invoices = (self.subscription + self.neighbour).invoice_ids
        for move in invoices.filtered(lambda m: str(m.invoice_date) != "2026-01-31"):
            # What else is mailed names the invoice in other words.
            subject = f"Invoice (Ref {move.name})"
            [mail] = [mail for mail in self._mails if subject in mail["subject"]]
            self.assertIn(move.partner_id.email, mail["email_to"][0])
