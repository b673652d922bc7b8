from datetime import timedelta
from unittest.mock import patch

from psycopg2 import IntegrityError

from odoo import fields
from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.tests import tagged
from odoo.tools import mute_logger

from ..const import MOST_DOMAINS, QUARANTINE_DAYS
from ..engine import domain_proof
from ..engine.driver import Phase
from ..engine.errors import RefusedError
from ..engine.fake import LostProxy
from ..engine.tenant_use import Use
from .common import SaasCommon

HOST = "shop.alfa.example"


class DomainCommon(SaasCommon):
    def prepare(self):
        super().prepare()
        self.records = {}  # what the DNS says, by host
        self.resolvers = []
        self.tenant = self.create_running_tenant()

    def setUp(self):
        super().setUp()
        self.patch(domain_proof, "check_proof", self.check_proof)

    def check_proof(self, host, proof, *, resolver):
        self.resolvers.append(resolver)
        if self.records.get(host) != proof:
            raise RefusedError("There is no TXT record.", reason="no_record")

    def add(self, name=HOST, tenant=None):
        tenant = tenant or self.tenant
        return tenant.with_user(self.operator).action_add_domain(name)

    def add_proved(self, name=HOST, tenant=None):
        domain = self.add(name, tenant)
        self.records[name] = domain.proof
        domain._check()
        self.run_operations()
        self.assertEqual(domain.state, "in_use", domain.check_message)
        return domain

    def route(self, tenant=None):
        return self.routes.list_routes()[(tenant or self.tenant).uid]

    def known_urls(self):
        """The addresses that the tenant was told, in order."""
        database = self.databases.databases[self.tenant.uid]
        return [
            parameters[1]
            for _statement, parameters in database.statements
            if isinstance(parameters, tuple) and parameters[:1] == ("web.base.url",)
        ]

    def pass_quarantine(self, domain):
        long_ago = fields.Datetime.now() - timedelta(days=QUARANTINE_DAYS + 1)
        domain.sudo().released_on = long_ago


@tagged("post_install", "-at_install")
class TestOwnDomain(DomainCommon):
    def test_a_new_one_says_which_record_proves_it_and_leads_nowhere(self):
        domain = self.add()
        self.assertEqual(domain.state, "unproved")
        self.assertEqual(domain.proof_name, f"_saas-proof.{HOST}")
        self.assertRegex(domain.proof, r"^saas-proof=[0-9a-f]{32}$")
        self.assertFalse(
            self.tenant.operation_ids.filtered(lambda o: o.kind != "provision")
        )
        self.assertNotIn(HOST, self.route().hosts + self.route().redirects)

    def test_without_its_record_it_stays_unproved_and_says_why(self):
        domain = self.add()
        domain.action_check()
        self.assertEqual(domain.check_state, "checking")
        domain._check()
        self.assertEqual((domain.state, domain.check_state), ("unproved", "failed"))
        self.assertEqual(domain.check_message, "There is no TXT record.")

    def test_a_proved_one_sends_visitors_on_to_the_tenant_s_address(self):
        self.add_proved()
        route = self.route()
        self.assertEqual(route.hosts, ("alfa.odoo.localhost",))
        self.assertEqual(route.redirects, (HOST,))
        self.assertTrue(route.http)
        self.assertEqual(self.tenant.url, "http://alfa.odoo.localhost:8080")

    def test_the_resolver_of_the_settings_is_asked(self):
        self.env["ir.config_parameter"].set_param("saas.dns_resolver", "192.0.2.53")
        self.add()._check()
        self.assertEqual(self.resolvers, ["192.0.2.53"])

    def test_made_the_address_it_is_where_all_others_lead(self):
        domain = self.add_proved()
        domain.with_user(self.operator).action_set_main()
        self.run_operations()
        self.assertEqual(self.route().hosts, (HOST,))
        self.assertEqual(self.route().redirects, ("alfa.odoo.localhost",))
        self.assertEqual(self.tenant.url, f"http://{HOST}:8080")
        self.assertEqual(self.known_urls()[-1], f"http://{HOST}:8080")
        self.assertTrue(self.tenant.get_login_url().startswith(f"http://{HOST}:8080/"))

    def test_what_is_not_proved_cannot_be_the_address(self):
        with self.assertRaisesRegex(UserError, "does not lead to the tenant"):
            self.add().action_set_main()

    def test_a_removed_one_leads_nowhere_and_the_subdomain_is_the_address_again(self):
        domain = self.add_proved()
        domain.action_set_main()
        self.run_operations()
        domain.with_user(self.operator).action_remove()
        self.run_operations()
        self.assertEqual(domain.state, "released")
        self.assertEqual(self.route().hosts, ("alfa.odoo.localhost",))
        self.assertEqual(self.route().redirects, ())
        self.assertEqual(self.known_urls()[-1], "http://alfa.odoo.localhost:8080")
        with self.assertRaisesRegex(UserError, "is removed already"):
            domain.action_remove()

    def test_a_removed_one_comes_back_with_a_new_proof_only(self):
        domain = self.add_proved()
        domain.action_remove()
        self.run_operations()
        domain._check()
        self.assertEqual(domain.check_message, "There is nothing to prove.")
        again = self.add()
        self.assertNotEqual(again.proof, domain.proof)
        again._check()
        self.assertEqual(again.state, "unproved")
        self.records[HOST] = again.proof
        again._check()
        self.run_operations()
        self.assertEqual(self.route().redirects, (HOST,))

    def test_one_that_was_never_proved_leaves_nothing_when_it_is_removed(self):
        domain = self.add()
        self.assertFalse(domain.with_user(self.operator).action_remove())
        self.assertFalse(domain.exists())

    def test_the_subdomain_cannot_be_removed(self):
        with self.assertRaisesRegex(UserError, "rename the tenant"):
            self.tenant.domain_ids.with_user(self.operator).action_remove()

    def test_saying_that_a_domain_is_theirs_keeps_its_owner_from_nothing(self):
        beta = self.create_running_tenant("beta")
        claim = self.add(tenant=beta)
        domain = self.add_proved()
        self.records[HOST] = claim.proof
        claim._check()
        self.assertEqual(claim.state, "unproved")
        self.assertIn("leads to another tenant", claim.check_message)
        self.assertEqual(self.route(beta).redirects, ())
        domain.action_remove()
        self.run_operations()
        claim._check()
        self.run_operations()
        self.assertEqual(self.route(beta).redirects, (HOST,))
        self.assertEqual(self.route().redirects, ())

    def test_two_that_prove_one_domain_at_one_moment_cannot_both_have_it(self):
        claim = self.add(tenant=self.create_running_tenant("beta"))
        self.add_proved()
        with (
            mute_logger("odoo.sql_db"),
            self.assertRaises(IntegrityError),
            self.env.cr.savepoint(),
        ):
            claim.sudo().proved_on = fields.Datetime.now()
            claim.flush_recordset()

    def test_unusable_names_are_refused_with_their_cause(self):
        parameters = self.env["ir.config_parameter"]
        parameters.set_param("web.base.url", "http://saas.localhost:8080")
        for name, cause in (
            ("beta.odoo.localhost", "lies in a domain of ours"),
            ("saas.localhost", "lies in a domain of ours"),
            ("Shop.example", "lower case"),
            ("192.0.2.1", "is an address"),
            ("a.example`) || Host(`b.example", "spaces"),
            ("", "empty"),
        ):
            with (
                self.subTest(name=name),
                self.assertRaisesRegex(ValidationError, cause),
            ):
                self.add(name)
        self.assertEqual(len(self.tenant.domain_ids), 1)

    def test_one_tenant_has_a_domain_once_and_not_too_many(self):
        self.add()
        with self.assertRaisesRegex(UserError, "is there already"):
            self.add()
        for number in range(MOST_DOMAINS - 1):
            self.add(f"shop{number}.example")
        with self.assertRaisesRegex(UserError, "may have no more"):
            self.add("one-more.example")

    def test_a_suspended_tenant_says_so_at_each_of_its_domains(self):
        self.add_proved()
        self.tenant.action_suspend()
        self.run_operations()
        self.assertTrue(self.route().pages)
        self.assertEqual(self.route().redirects, (HOST,))
        self.add_proved("www.alfa.example")
        self.assertTrue(self.route().pages)
        self.assertEqual(self.route().redirects, (HOST, "www.alfa.example"))
        self.assertEqual(self.driver.observe(self.tenant.uid).phase, Phase.STOPPED)

    def test_a_tenant_that_waits_for_erasure_takes_no_domain(self):
        self.tenant.with_user(self.manager).action_delete()
        with self.assertRaisesRegex(
            UserError, "alfa is deleting; “Change the domains”"
        ):
            self.add()

    def test_the_domains_of_an_erased_tenant_may_be_proved_by_others(self):
        self.add_proved()
        self.tenant.with_user(self.manager).action_delete(erase_now=True)
        self.run_operations()
        self.assertEqual(set(self.tenant.domain_ids.mapped("state")), {"released"})
        beta = self.create_running_tenant("beta")
        self.add_proved(tenant=beta)
        self.assertEqual(self.route(beta).redirects, (HOST,))

    def test_a_change_waits_until_the_last_one_has_arrived(self):
        domain = self.add_proved()
        domain.action_set_main()
        for change in (domain.action_set_main, domain.action_remove):
            with self.assertRaisesRegex(UserError, "is just being changed"):
                change()
        other = self.add("www.alfa.example")
        self.records[other.name] = other.proof
        other._check()
        self.assertIn("Try again in a moment", other.check_message)
        self.run_operations()
        other._check()
        self.run_operations()
        self.assertEqual(
            self.route().redirects, ("alfa.odoo.localhost", "www.alfa.example")
        )

    def test_a_change_of_domains_cancels_nothing_that_was_asked_for_before(self):
        stop = self.tenant.action_stop()
        domain = self.add()
        self.records[HOST] = domain.proof
        domain._check()
        self.run_operations()
        self.assertEqual(stop.state, "done")
        self.assertTrue(self.route().pages)
        self.assertEqual(self.route().redirects, (HOST,))

    def test_a_lost_domain_of_a_route_is_mended_by_the_resync(self):
        self.add_proved()
        route = self.route()
        self.routes.routes[self.tenant.uid] = type(route)(
            route.uid, route.hosts, route.http, route.websocket
        )
        self.env["saas.server"]._cron_resync()
        self.run_operations()
        self.assertEqual(self.route(), route)

    def test_domains_are_changed_by_operators_and_by_actions_only(self):
        domain = self.add_proved()
        for user in (self.operator, self.manager):
            for vals in ({"name": "evil.example"}, {"proved_on": False}):
                with self.assertRaisesRegex(UserError, "by their actions only"):
                    domain.with_user(user).write(vals)
        for call in (
            lambda d: d.action_check(),
            lambda d: d.action_set_main(),
            lambda d: d.action_remove(),
            lambda d: d.tenant_id.action_add_domain("a.example"),
            lambda d: d.tenant_id.action_rename("beta"),
        ):
            with self.assertRaises(AccessError):
                call(domain.with_user(self.viewer))

    def test_staff_add_one_by_its_form_and_see_what_to_do(self):
        wizards = self.env["saas.domain.add"].with_user(self.operator)
        wizard = wizards.with_context(default_tenant_id=self.tenant.id)
        action = wizard.create({"name": f" {HOST.upper()} "}).action_add()
        domain = self.env["saas.domain"].browse(action["res_id"])
        self.assertEqual((domain.name, domain.tenant_id), (HOST, self.tenant))


@tagged("post_install", "-at_install")
class TestRename(DomainCommon):
    def rename(self, name="beta"):
        operation = self.tenant.with_user(self.operator).action_rename(name)
        self.run_operations()
        return operation

    def test_a_renamed_tenant_is_found_at_its_new_address_and_knows_it(self):
        operation = self.rename()
        self.assertEqual((operation.kind, operation.state), ("rename", "done"))
        self.assertEqual(self.tenant.name, "beta")
        self.assertEqual(self.tenant.url, "http://beta.odoo.localhost:8080")
        self.assertEqual(self.route().hosts, ("beta.odoo.localhost",))
        self.assertEqual(self.known_urls()[-1], "http://beta.odoo.localhost:8080")
        self.assertEqual(self.tenant.state, "running")

    def test_the_old_address_sends_visitors_on_and_nobody_else_gets_it(self):
        self.rename()
        self.assertEqual(self.route().redirects, ("alfa.odoo.localhost",))
        with (
            mute_logger("odoo.sql_db"),
            self.assertRaises(IntegrityError),
            self.env.cr.savepoint(),
        ):
            self.create_tenant("alfa")
        gamma = self.create_running_tenant("gamma")
        with (
            self.assertRaisesRegex(UserError, "“alfa.odoo.localhost” is taken"),
            self.env.cr.savepoint(),
        ):
            gamma.action_rename("alfa")
        self.assertEqual(gamma.name, "gamma")

    def test_after_its_quarantine_the_old_name_is_another_one_s(self):
        self.rename()
        old = self.tenant.domain_ids.filtered("released_on")
        self.pass_quarantine(old)
        self.env["saas.operation"]._cron_tick()
        self.run_operations()
        self.assertFalse(old.exists())
        self.assertEqual(self.route().redirects, ())
        other = self.create_running_tenant("alfa")
        self.assertEqual(self.route(other).hosts, ("alfa.odoo.localhost",))

    def test_a_tenant_may_have_its_old_name_back(self):
        self.rename()
        self.rename("alfa")
        self.assertEqual(self.route().hosts, ("alfa.odoo.localhost",))
        self.assertEqual(self.route().redirects, ("beta.odoo.localhost",))

    def test_a_tenant_with_a_domain_of_its_own_keeps_that_as_its_address(self):
        self.add_proved().action_set_main()
        self.run_operations()
        self.rename()
        self.assertEqual(self.route().hosts, (HOST,))
        self.assertEqual(
            self.route().redirects, ("alfa.odoo.localhost", "beta.odoo.localhost")
        )

    def test_a_name_that_cannot_be_had_changes_nothing(self):
        self.create_tenant("gamma")
        for name, cause in (
            ("gamma", "is taken"),
            ("www", "reserved"),
            ("Beta", "lower case"),
            ("", "empty"),
            (False, "empty"),
            ("alfa", "called “alfa” already"),
        ):
            with (
                self.subTest(name=name),
                self.assertRaisesRegex(UserError, cause),
                self.env.cr.savepoint(),
            ):
                self.tenant.action_rename(name)
        self.assertEqual(self.tenant.name, "alfa")
        self.assertEqual(self.tenant.last_operation_id.kind, "provision")

    def test_asking_twice_is_asking_once_and_another_name_has_to_wait(self):
        first = self.tenant.action_rename("beta")
        self.assertEqual(self.tenant.action_rename("beta"), first)
        with self.assertRaisesRegex(UserError, "is just being changed"):
            self.tenant.action_rename("gamma")
        self.run_operations()
        self.assertEqual(self.tenant.name, "beta")

    def test_a_stopped_tenant_can_be_renamed_and_goes_on_saying_why(self):
        self.tenant.action_stop()
        self.run_operations()
        self.rename()
        self.assertEqual(self.route().hosts, ("beta.odoo.localhost",))
        self.assertTrue(self.route().pages)
        self.assertEqual(self.tenant.state, "stopped")

    def test_a_sleeping_tenant_sleeps_on_and_is_woken_at_its_new_address(self):
        self.tenant.action_sleep()
        self.run_operations()
        self.rename()
        route = self.route()
        self.assertEqual(route.hosts, ("beta.odoo.localhost",))
        self.assertTrue(route.is_asleep)
        self.assertEqual(self.tenant.state, "sleeping")
        self.assertEqual(self.driver.observe(self.tenant.uid).phase, Phase.PAUSED)

    def test_one_that_a_visitor_has_just_woken_is_renamed_while_it_is_used(self):
        self.tenant.action_sleep()
        self.run_operations()
        self.driver.unpause(self.tenant.uid)
        self.use = Use(idle=0, transactions=1)
        self.rename()
        self.assertEqual(self.route().hosts, ("beta.odoo.localhost",))
        self.assertEqual(self.driver.observe(self.tenant.uid).phase, Phase.RUNNING)

    def test_a_draft_and_a_deleted_one_are_not_renamed(self):
        draft = self.create_tenant("gamma")
        with self.assertRaisesRegex(UserError, "gamma is draft; “Rename”"):
            draft.action_rename("delta")
        self.tenant.with_user(self.manager).action_delete()
        with self.assertRaisesRegex(UserError, "alfa is deleting"):
            self.tenant.action_rename("beta")

    def test_a_proxy_that_is_lost_for_a_while_is_told_later(self):
        working, lost = self.routes, LostProxy()
        self.routes = lost
        operation = self.tenant.action_rename("beta")
        with patch("odoo.addons.saas.models.saas_operation.MAX_ATTEMPTS", 2):
            for _try in range(4):
                self.assertTrue(self.run_once(operation))
        self.assertEqual(operation.state, "running")
        self.routes = working
        self.run_operations()
        self.assertEqual(operation.state, "done")
        self.assertEqual(self.route().hosts, ("beta.odoo.localhost",))

    def test_erasing_a_renamed_tenant_keeps_both_names_from_others(self):
        self.rename()
        self.tenant.with_user(self.manager).action_delete(erase_now=True)
        self.run_operations()
        self.assertEqual(
            [(d.name, d.state) for d in self.tenant.domain_ids],
            [
                ("alfa.odoo.localhost", "released"),
                ("beta.odoo.localhost", "released"),
            ],
        )

    def test_staff_rename_by_a_form(self):
        wizards = self.env["saas.tenant.rename"].with_user(self.operator)
        wizard = wizards.with_context(default_tenant_id=self.tenant.id)
        wizard.create({"name": " beta "}).action_rename()
        self.run_operations()
        self.assertEqual(self.tenant.name, "beta")
