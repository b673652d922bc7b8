from odoo.exceptions import ValidationError
from odoo.tests import TransactionCase

from ..engine.odoo_database import Identity, personalise
from .common import SaasCommon


class OwnConnection:
    """This test's own database and transaction, in which nothing is committed."""

    def __init__(self, cr):
        self.cursor = cr._cnx.cursor

    def __enter__(self):
        return self

    def __exit__(self, *details):
        pass


class TestIdentity(TransactionCase):
    """The statements, on a real database of Odoo's."""

    def personalise(self, **values):
        identity = Identity(
            company="Alfa Ltda",
            name="Ann",
            email="ann@alfa.example",
            login="ann@alfa.example",
            url="http://alfa.odoo.localhost:8080",
            **values,
        )
        self.env.flush_all()
        personalise(OwnConnection(self.env.cr), identity)
        self.env.invalidate_all()
        return self.env["res.company"].search([], order="id", limit=1)

    def test_the_company_has_the_customer_s_country_currency_and_time_zone(self):
        company = self.personalise(
            country="AR", currency="ARS", timezone="America/Buenos_Aires"
        )
        self.assertEqual(company.country_id, self.env.ref("base.ar"))
        self.assertEqual(company.currency_id, self.env.ref("base.ARS"))
        self.assertTrue(company.currency_id.active)
        self.assertEqual(self.env.ref("base.user_admin").tz, "America/Buenos_Aires")

    def test_as_many_currencies_are_active_as_before(self):
        company = self.env["res.company"].search([], order="id", limit=1)
        old = company.currency_id
        currencies = self.env["res.currency"]
        active = currencies.search_count([])
        self.assertFalse(self.env.ref("base.ARS").active)
        self.personalise(currency="ARS")
        self.assertEqual(currencies.search_count([]), active)
        self.assertFalse(old.active)

    def test_a_currency_that_another_company_uses_stays_active(self):
        other = self.env["res.company"].create({"name": "Other"})
        self.personalise(currency="ARS")
        self.assertTrue(other.currency_id.active)

    def test_a_state_of_another_country_is_forgotten(self):
        company = self.env["res.company"].search([], order="id", limit=1)
        company.state_id = self.env.ref("base.state_us_5")
        self.assertFalse(self.personalise(country="AR").state_id)


class TestCustomersIdentity(SaasCommon):
    """What of the customer goes there."""

    def test_country_and_currency_are_the_customer_s(self):
        self.customer.country_id = self.env.ref("base.br")
        identity = self.create_running_tenant()._prepare_identity()
        self.assertEqual((identity.country, identity.currency), ("BR", "BRL"))

    def test_a_contact_without_a_country_has_the_company_s(self):
        self.customer.country_id = self.env.ref("base.pt")
        contact = self.env["res.partner"].create(
            {"name": "Ann", "parent_id": self.customer.id, "country_id": False}
        )
        contact.country_id = False
        tenant = self.create_tenant(partner_id=contact.id)
        self.assertEqual(tenant.country_id, self.env.ref("base.pt"))
        self.assertEqual(tenant.currency_id, self.env.ref("base.EUR"))

    def test_a_country_with_one_time_zone_gives_it(self):
        for code, zone in (("pt", ""), ("be", "Europe/Brussels"), ("br", "")):
            tenant = self.env["saas.tenant"].new(
                {"country_id": self.env.ref(f"base.{code}").id}
            )
            self.assertEqual(tenant._get_timezone(), zone, code)

    def test_what_is_asked_for_goes_before_the_customer_s(self):
        self.customer.country_id = self.env.ref("base.br")
        tenant = self.create_tenant(
            country_id=self.env.ref("base.us").id,
            currency_id=self.env.ref("base.EUR").id,
            lang="fr_BE",
        )
        identity = tenant._prepare_identity()
        self.assertEqual(
            (identity.country, identity.currency, identity.language),
            ("US", "EUR", "fr_BE"),
        )

    def test_another_country_brings_its_currency_until_the_tenant_is_made(self):
        tenant = self.create_tenant(country_id=self.env.ref("base.br").id)
        tenant.country_id = self.env.ref("base.us")
        self.assertEqual(tenant.currency_id, self.env.ref("base.USD"))

    def test_a_customer_who_moves_does_not_change_a_tenant_s_books(self):
        self.customer.country_id = self.env.ref("base.br")
        tenant = self.create_running_tenant(currency_id=self.env.ref("base.EUR").id)
        tenant.partner_id = self.env["res.partner"].create(
            {"name": "Buyer", "country_id": self.env.ref("base.us").id}
        )
        self.assertEqual(tenant.country_id, self.env.ref("base.br"))
        self.assertEqual(tenant.currency_id, self.env.ref("base.EUR"))

    def test_a_language_that_odoo_does_not_know_is_refused(self):
        with self.assertRaisesRegex(ValidationError, "language “xx_XX”"):
            self.create_tenant(lang="xx_XX")
