from datetime import timedelta

from odoo import fields
from odoo.exceptions import ValidationError
from odoo.tests import tagged

from ..engine import setup_checks
from ..engine.setup_checks import Finding
from .test_saas_domain import HOST, DomainCommon


@tagged("post_install", "-at_install")
class TestCertificates(DomainCommon):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.env["saas.proxy"].search([("id", "!=", cls.proxy.id)]).active = False
        parameters = cls.env["ir.config_parameter"]
        parameters.set_param("web.base.url", "https://saas.example")
        parameters.set_param("saas.tenant_domain", "odoo.example")
        cls.proxy.write(
            {
                "scheme": "https",
                "port": 443,
                "https_entry_point": "websecure",
                "certificate_resolver": "http",
                "covered": "*.odoo.example",
                "internal_url": "http://172.30.0.1:8080",
            }
        )

    def setUp(self):
        super().setUp()
        self.bad = {}  # what is wrong, by host
        self.asked = []
        self.patch(setup_checks, "check_certificate", self.check_certificate)

    def check_certificate(self, host, port, *, address, context):
        host = "*" if host.startswith("check-") else host
        self.asked.append((host, port, address))
        reason, days = self.bad.get(host, ("ok", 60))
        facts = {"host": host, "port": port, "cause": "unknown"}
        return Finding(reason, facts | ({"days": days} if days is not None else {}))

    def look(self):
        self.asked.clear()
        self.env["saas.domain"]._cron_certificates()
        return [host for host, _port, _address in self.asked]

    def find_items(self):
        items = self.env["saas.dashboard"].with_user(self.viewer).get_data()["items"]
        return [
            (item["subject"], item["level"], item["message"])
            for item in items
            if item["label"] == "Certificate"
        ]

    def test_the_proxy_itself_is_asked_for_all_that_visitors_get(self):
        self.add_proved()
        self.assertEqual(self.look(), ["saas.example", "*", HOST])
        self.assertEqual(
            {tuple(asked[1:]) for asked in self.asked}, {(443, "172.30.0.1")}
        )
        self.assertEqual(self.proxy.certificate_state, "ok")
        self.assertEqual(
            self.proxy.certificate_until, fields.Date.today() + timedelta(days=60)
        )
        self.assertEqual(self.find_items(), [])

    def test_what_stands_in_front_is_asked_where_names_lead(self):
        self.proxy.write({"https_entry_point": False, "covered": False})
        self.assertEqual(self.look(), ["saas.example", "*", "alfa.odoo.example"])
        self.assertEqual({address for _host, _port, address in self.asked}, {""})

    def test_without_one_for_all_each_address_is_looked_at(self):
        self.proxy.covered = False
        self.assertEqual(self.look(), ["saas.example", "alfa.odoo.example"])

    def test_staff_see_which_certificate_ends_soon_and_which_is_not_good(self):
        domain = self.add_proved()
        self.bad = {"*": ("ok_expiring", 5), HOST: ("certificate_expired", None)}
        self.look()
        self.assertEqual(domain.certificate_state, "failed")
        self.assertEqual(self.proxy.certificate_state, "expiring")
        expired = (
            f"The certificate for {HOST} has expired. Renew it, and see why that did "
            "not happen by itself."
        )
        expiring = (
            "The certificate for * is good for 5 more days only. See that it is "
            "renewed in time."
        )
        self.assertEqual(
            self.find_items(),
            [(HOST, "danger", expired), ("Traefik", "warning", expiring)],
        )
        self.bad = {}
        hour_ago = fields.Datetime.now() - timedelta(hours=1, seconds=1)
        domain.sudo().certificate_date = hour_ago
        self.look()
        self.assertEqual(self.find_items(), [])

    def test_a_good_one_is_looked_at_once_a_day(self):
        domain = self.add_proved()
        self.look()
        self.assertNotIn(HOST, self.look())
        day_ago = fields.Datetime.now() - timedelta(days=1, seconds=1)
        domain.sudo().certificate_date = day_ago
        self.assertIn(HOST, self.look())

    def test_what_leads_nowhere_is_not_looked_at(self):
        self.add()
        self.add_proved("www.alfa.example").action_remove()
        self.run_operations()
        self.assertEqual(self.look(), ["saas.example", "*"])

    def test_where_nobody_speaks_https_nobody_is_asked(self):
        self.proxy.write({"scheme": "http", "https_entry_point": False})
        self.assertEqual(self.look(), [])

    def test_a_tenant_s_address_asks_for_a_certificate_where_none_covers_it(self):
        self.assertEqual(
            self.proxy._prepare_tls(),
            {
                "entry_points": ("websecure",),
                "tls": True,
                "health_entry_points": ("web",),
                "certificate_resolver": "http",
                "covered": ("*.odoo.example",),
            },
        )

    def test_switching_https_off_and_on_changes_the_address_of_every_tenant(self):
        self.assertEqual(self.tenant.url, "https://alfa.odoo.example")
        self.proxy.write({"scheme": "http", "port": 8080, "https_entry_point": False})
        self.run_operations()
        self.assertEqual(self.known_urls()[-1], "http://alfa.odoo.example:8080")
        self.assertEqual(self.tenant.last_operation_id.kind, "domains")
        self.proxy.write({"scheme": "https", "port": 443})
        self.run_operations()
        self.assertEqual(self.known_urls()[-1], "https://alfa.odoo.example")
        last = self.tenant.last_operation_id
        self.proxy.write({"scheme": "https", "name": "Other"})
        self.assertEqual(self.tenant.last_operation_id, last)

    def test_a_trusted_authority_is_a_certificate(self):
        for text in ("x", "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----"):
            with self.assertRaisesRegex(ValidationError, "enter its PEM text"):
                self.proxy.authority = text
