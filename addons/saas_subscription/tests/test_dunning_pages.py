from odoo.tests import HttpCase, new_test_user, tagged

from .dunning_common import DunningCommon


@tagged("post_install", "-at_install")
class TestDunningPages(DunningCommon, HttpCase):
    def prepare(self):
        super().prepare()
        for login in ("ann", "bob"):
            new_test_user(self.env, login, groups="base.group_portal")
        ann = self.env["res.users"].search([("login", "=", "ann")])
        ann.partner_id.parent_id = self.customer
        self.subscription = self.subscribe("2026-01-15")
        self.invoice = self.subscription.invoice_ids

    def read_page(self, login, path="/my"):
        self.authenticate(login, login)
        return " ".join(self.url_open(path).text.split())

    def test_the_customer_reads_on_each_page_what_is_owed_and_what_happens_when(self):
        self.tick("2026-01-16", "2026-01-17", "2026-01-18")
        self.assertNotIn("o_saas_unpaid", self.read_page("ann"))
        self.tick("2026-01-21", "2026-01-22")
        for path in ("/my", "/my/tenants"):
            page = self.read_page("ann", path)
            self.assertIn(f"The invoice {self.invoice.name} of", page)
            self.assertIn("was due on 01/15/2026 and is not paid.", page)
            self.assertIn("01/29/2026: your Odoo is stopped.", page)
            self.assertIn(f"/my/invoices/{self.invoice.id}?access_token=", page)
        self.assertNotIn("o_saas_unpaid", self.read_page("bob"))
        self.authenticate(None, None)
        self.assertNotIn("o_saas_unpaid", self.url_open("/plans").text)
        with self.at("2026-01-23"):
            self.pay(self.invoice)
        self.assertNotIn("o_saas_unpaid", self.read_page("ann"))

    def test_other_mails_of_an_unpaid_subscription_say_so_too(self):
        template = self.env.ref("saas_subscription.mail_template_trial_begun")
        self.tick("2026-01-16", "2026-01-17", "2026-01-18")
        self.subscription.trial_end = "2026-01-15"
        self.subscription._mail(template)
        self.assertNotIn("Your invoice is not paid:", self.mail(self.subscription))
        self.tick("2026-01-21", "2026-01-22")
        self.subscription._mail(template)
        self.assertIn("Your invoice is not paid:", self.mail(self.subscription))
        self.assertIn(
            self.subscription._get_payment_url().split("?")[0],
            self.mail(self.subscription),
        )

    def test_mails_of_later_invoices_say_so_too(self):
        for day in (16, 17, 18, 21, 22):
            self.tick(f"2026-01-{day}")
        self.invoice.message_post(
            body="Another one",
            partner_ids=self.customer.ids,
            email_layout_xmlid="mail.mail_notification_layout_with_responsible_signature",
        )
        mail = self.env["mail.mail"].search(
            [("model", "=", "account.move"), ("res_id", "=", self.invoice.id)],
            order="id desc",
            limit=1,
        )
        self.assertIn("Your invoice is not paid:", mail.body_html)
