from odoo.tests import tagged

from odoo.addons.saas.engine import domain_proof
from odoo.addons.saas.engine.errors import RefusedError
from odoo.addons.saas.tests.common import new_user

from .common import PagesCommon

HOST = "www.shop.example"


@tagged("post_install", "-at_install")
class TestDomainPages(PagesCommon):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.ann = new_user(cls.env, "ann", groups="base.group_portal")
        cls.ann.partner_id.parent_id = cls.customer
        cls.bob = new_user(cls.env, "bob", groups="base.group_portal")

    def prepare(self):
        super().prepare()
        self.tenant = self.create_running_tenant()
        self.path = f"/my/tenants/{self.tenant.id}"
        self.records = set()

    def setUp(self):
        super().setUp()
        self.patch(domain_proof, "check_proof", self.check_proof)
        self.authenticate("ann", "ann")

    def check_proof(self, _host, proof, *, resolver):
        if proof not in self.records:
            raise RefusedError("There is no TXT record yet.", reason="no_record")

    def add(self, name=HOST):
        response = self.post(f"{self.path}/domains", {"name": name})
        self.assertEqual(response.status_code, 303, response.text)
        return self.tenant.domain_ids.filtered(lambda d: d.name == name)

    def do(self, domain, action):
        response = self.post(f"{self.path}/domains/{domain.id}/{action}")
        self.run_jobs(domain)
        self.run_operations()
        return response

    def run_jobs(self, domain):
        """Do what the worker does with a domain that is to be looked for."""
        if domain.exists() and domain.check_state == "checking":
            domain.sudo()._check()

    def read_page(self):
        return self.text_of(self.url_open(self.path))

    def route(self):
        return self.routes.list_routes()[self.tenant.uid]

    def test_a_customer_brings_a_domain_makes_it_the_address_and_gives_it_up(self):
        self.assertIn("Use a domain of your own", self.read_page())
        domain = self.add()
        text = self.read_page()
        for words in (
            "Not proved yet",
            f"_saas-proof.{HOST}",
            domain.proof,
            "by a CNAME record to this name: alfa.odoo.localhost",
        ):
            self.assertIn(words, text)
        self.assertNotIn("Make it the address", text)
        self.do(domain, "check")
        self.assertIn("There is no TXT record yet.", self.read_page())
        self.records.add(domain.proof)
        self.do(domain, "check")
        text = self.read_page()
        self.assertIn("Leads to the address", text)
        self.assertNotIn("Not proved yet", text)
        self.assertEqual(self.route().redirects, (HOST,))
        self.do(domain, "main")
        self.assertEqual(self.route().hosts, (HOST,))
        self.assertEqual(self.tenant.url, f"http://{HOST}:8080")
        self.do(domain, "remove")
        self.assertEqual(self.route().hosts, ("alfa.odoo.localhost",))
        self.assertNotIn(HOST, self.read_page().partition("What happened")[0])
        last = self.tenant.last_operation_id
        self.assertEqual((last.user_id, last.origin), (self.ann, "portal"))

    def test_while_the_worker_looks_the_page_says_so_and_looks_again(self):
        domain = self.add()
        self.post(f"{self.path}/domains/{domain.id}/check")
        page = self.url_open(self.path)
        self.assertIn("We are looking for the record", self.text_of(page))
        self.assertIn('data-busy="1"', page.text)

    def test_what_cannot_be_had_is_said_in_one_sentence(self):
        for name, said in (
            ("", "empty"),
            ("beta.odoo.localhost", "lies in a domain of ours"),
            ("shop example", "spaces"),
        ):
            response = self.post(f"{self.path}/domains", {"name": name})
            self.assertIn(said, self.text_of(response))
        self.assertEqual(len(self.tenant.domain_ids), 1)

    def test_a_domain_may_be_typed_as_people_type_it(self):
        self.post(f"{self.path}/domains", {"name": f" {HOST.upper()}. "})
        self.assertIn(HOST, self.tenant.domain_ids.mapped("name"))

    def test_the_address_of_ours_stays(self):
        given = self.tenant.domain_ids
        self.assertIn("rename the tenant", self.text_of(self.do(given, "remove")))
        self.assertFalse(given.released_on)
        self.assertIn("nothing to prove", self.text_of(self.do(given, "check")))

    def test_domains_of_others_are_not_found(self):
        foreign = self.create_running_tenant(
            "foreign", partner_id=self.bob.partner_id.id
        )
        domain = foreign.action_add_domain(HOST)
        for tenant_id in (foreign.id, self.tenant.id):
            for domain_id in (domain.id, 2**31, 10**30):
                for action in ("check", "main", "remove"):
                    path = f"/my/tenants/{tenant_id}/domains/{domain_id}/{action}"
                    self.assertEqual(self.post(path).status_code, 404, path)
        self.assertEqual(domain.check_state, "unknown")

    def test_nothing_is_done_without_a_csrf_token(self):
        domain = self.add()
        for action in ("check", "main", "remove"):
            path = f"{self.path}/domains/{domain.id}/{action}"
            self.assertEqual(self.url_open(path, data={"x": "y"}).status_code, 400)
        self.assertTrue(domain.exists())

    def test_a_deleted_tenant_offers_no_addresses(self):
        self.tenant.with_user(self.manager).action_delete()
        self.run_operations()
        self.assertNotIn("Use a domain of your own", self.read_page())
