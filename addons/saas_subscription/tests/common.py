from contextlib import contextmanager
from datetime import timedelta
from unittest.mock import patch

from freezegun import freeze_time

from odoo import fields
from odoo.tests import new_test_user

from odoo.addons.account_payment.tests.common import AccountPaymentCommon
from odoo.addons.queue_job.exception import RetryableJobError
from odoo.addons.queue_job.job import Job
from odoo.addons.saas.tests.common import SaasCommon


class SubscriptionCommon(SaasCommon, AccountPaymentCommon):
    """A company that sells the plan Basic with users, a set-up fee and storage.

    The provider of payments is Odoo's dummy one; ``bank`` says what it answers.
    """

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.company.name = "Hosting Inc"
        cls.monthly = cls.env.ref("saas_subscription.product_attribute_value_monthly")
        cls.yearly = cls.env.ref("saas_subscription.product_attribute_value_yearly")
        cls.tax = cls.tax_sale_a
        cls.tax.amount = 20
        cls.pro = cls.plan.copy({"name": "Pro", "memory": 1024})
        cls.basic_product = cls.create_product("Basic", 30, "plan", cls.plan)
        cls.pro_product = cls.create_product("Pro", 60, "plan", cls.pro)
        cls.user_product = cls.create_product("User", 10, "user")
        cls.storage_product = cls.create_product("Storage", 1, "storage")
        cls.setup_product = cls.create_product("Set-up", 100, "setup", periods=False)
        cls.customer.write({"tz": "UTC", "country_id": cls.env.ref("base.us").id})
        cls.reason = cls.env.ref("saas_subscription.close_reason_price")
        cls.salesperson = cls.create_user(
            "salesperson", "sales_team.group_sale_salesman_all_leads"
        )
        cls.biller = cls.create_user("biller", "account.group_account_invoice")

    @classmethod
    def create_user(cls, login, group):
        return new_test_user(
            cls.env,
            login,
            groups=group,
            company_id=cls.company.id,
            company_ids=[fields.Command.set(cls.company.ids)],
        )

    @classmethod
    def setup_independent_user(cls):
        """As the system: roles have tests of their own."""
        return

    @classmethod
    def create_product(cls, name, price, kind, plan=None, periods=True):
        """Return a product; a year of it costs ten months."""
        template = cls.env["product.template"].create(
            {
                "name": name,
                "type": "service",
                "invoice_policy": "order",
                "list_price": price,
                "taxes_id": [fields.Command.set(cls.tax.ids)],
                "saas_kind": kind,
                "saas_plan_id": plan.id if plan else False,
            }
        )
        return cls.add_periods(template, price) if periods else template

    @classmethod
    def add_periods(cls, template, price):
        values = cls.monthly + cls.yearly
        template.attribute_line_ids = [
            fields.Command.create(
                {
                    "attribute_id": values.attribute_id.id,
                    "value_ids": [fields.Command.set(values.ids)],
                }
            )
        ]
        year = template.attribute_line_ids.product_template_value_ids[1]
        year.price_extra = 9 * price
        return template

    def _use_fakes(self):
        super()._use_fakes()
        # Archives are saas_backup's, which may be there or not.
        registry = self.env.registry["saas.plan"]
        self.patch(registry, "_get_archive_days", lambda _self: 0)

    def prepare(self):
        super().prepare()
        self.bank = {}
        self.charged = []

    # === ORDERS === #

    def variant(self, template, months=1):
        return template.product_variant_ids.filtered(
            lambda product: product.saas_months == months
        )

    def create_order(self, *lines, **values):
        """Return a quotation of these (product, quantity)."""
        values = {"saas_tenant_name": "beta", **values}
        return self.env["sale.order"].create(
            {
                "partner_id": self.customer.id,
                "order_line": [
                    fields.Command.create(
                        {"product_id": product.id, "product_uom_qty": quantity}
                    )
                    for product, quantity in lines
                ],
                **values,
            }
        )

    def order_basic(self, users=0, months=1, **values):
        lines = [(self.variant(self.basic_product, months), 1)]
        if users:
            lines.append((self.variant(self.user_product, months), users))
        return self.create_order(*lines, **values)

    def subscribe(self, day="2026-01-15", users=0, months=1, **values):
        """Return a subscription since that day, whose tenant runs."""
        with freeze_time(f"{day} 12:00:00"):
            order = self.order_basic(users, months, **values)
            order.action_confirm()
            self.run_operations()
        return order.subscription_id

    # === TIME === #

    def at(self, day):
        return freeze_time(f"{day} 12:00:00")

    def renew(self, subscription, day):
        """Do what the worker does on that day; return the invoices that are new."""
        known = subscription.invoice_ids
        with self.at(day):
            subscription._renew()
        return subscription.invoice_ids - known

    def live_through(self, subscription, first, last):
        """Let each day from one to the other come."""
        day, last = (fields.Date.to_date(text) for text in (first, last))
        with self.at(day) as clock:
            while day <= last:
                clock.move_to(f"{day} 12:00:00")
                subscription._renew()
                day += timedelta(days=1)

    # === PAYMENT === #

    def save_token(self, subscription):
        """Let the customer save a payment method."""
        token = self._create_token(partner_id=subscription.partner_id.id)
        subscription.payment_token_id = token
        return token

    def charge(self, move, again=False):
        """Charge an invoice as the jobs do, one after the other."""
        with self.the_bank():
            charge = move._charge_saas()
            if charge:
                self.send(charge, again)
        return charge

    def send(self, charge, again=False):
        """Run the job that asks; return whether it asked to be tried again."""
        try:
            charge._send_saas(again=again)
        except RetryableJobError:
            return True
        if charge.state != "draft":
            charge._book_saas()
        return False

    @contextmanager
    def the_bank(self):
        """Answer what ``bank`` says for a try or a token; by default it is paid."""

        def send(charge):
            answer = self.bank.get(charge.saas_try, "done")
            answer = self.bank.get(charge.token_id, answer)
            if answer == "done":
                self.charged.append(charge.reference)
                charge._set_done()
            else:
                charge._set_error(answer)

        registry = self.env.registry["payment.transaction"]
        with patch.object(registry, "_send_payment_request", send):
            yield

    def pay(self, move):
        """Pay an invoice by hand, as by a transfer."""
        wizard = self.env["account.payment.register"].with_context(
            active_model="account.move", active_ids=move.ids
        )
        wizard.create({})._create_payments()

    # === JOBS === #

    def get_jobs(self, method):
        return self.env["queue.job"].search([("method_name", "=", method)])

    def run_jobs(self):
        """Run what is queued for billing, and what is queued by that."""
        domain = [("state", "=", "pending"), ("channel", "=", "root.billing")]
        while queued := self.env["queue.job"].search(domain, order="id", limit=1):
            job = Job.load(self.env, queued.uuid)
            job.perform()
            job.set_done()
            job.store()
