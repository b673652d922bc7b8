from odoo import fields
from odoo.tests import tagged

from ..const import HOLD_KINDS
from ..engine.driver import Phase
from ..models import saas_tenant_steps
from .common import SaasCommon


@tagged("post_install", "-at_install")
class TestTenantPage(SaasCommon):
    def prepare(self):
        super().prepare()
        self.tenant = self.create_running_tenant()
        self.company = self.tenant.company_id
        self.company.write(
            {
                "name": "Cloud Ltd",
                "email": "help@cloud.example",
                "phone": "+351 210 000 (000)",
                "website": "https://cloud.example",
            }
        )

    def page(self):
        """What the address says now that all is done, to who likes no language."""
        return self.pages()[0]

    def pages(self):
        self.run_operations()
        route = self.routes.list_routes()[self.tenant.uid]
        self.assertEqual((route.http, route.websocket), ("", ""))
        self.assertEqual(route.hosts, ("alfa.odoo.localhost",))
        return route.pages

    def hold(self, *kinds):
        self.tenant.sudo().hold_ids = [
            fields.Command.create({"kind": kind, "reason": f"secret of {kind}"})
            for kind in kinds
        ]

    def test_a_suspended_tenant_says_so_and_never_what_staff_wrote(self):
        self.tenant.action_suspend("They insulted Bob of the support")
        page = self.page()
        self.assertEqual(page.title, "This site is suspended")
        self.assertEqual(
            page.sentences,
            (
                "It was suspended by its provider.",
                "Nothing is lost: all of its data are kept.",
            ),
        )
        self.assertNotIn("Bob", str(page))
        self.assertNotIn(self.customer.name, str(page))

    def test_visitors_read_whom_to_ask(self):
        self.tenant.action_suspend("Spam")
        page = self.page()
        self.assertEqual(
            page.ask, "If it is yours, or you need something from it, ask Cloud Ltd."
        )
        self.assertEqual(
            page.contacts,
            (
                ("help@cloud.example", "mailto:help@cloud.example"),
                ("+351 210 000 (000)", "tel:+351210000000"),
                ("https://cloud.example", "https://cloud.example"),
            ),
        )

    def test_a_company_that_tells_nothing_of_itself_is_named_at_least(self):
        self.company.write({"email": False, "phone": False, "website": False})
        self.tenant.action_suspend("Spam")
        page = self.page()
        self.assertEqual(page.contacts, ())
        self.assertIn("Cloud Ltd", page.ask)

    def test_each_kind_of_hold_has_its_careful_words(self):
        self.hold(*HOLD_KINDS)
        sentences = self.tenant._prepare_page_route().pages[0].sentences
        self.assertEqual(len(set(sentences)), len(HOLD_KINDS) + 1)
        self.assertEqual(
            sentences[0], "There is an open question about its subscription."
        )
        self.assertNotIn("secret", str(sentences))

    def test_a_stopped_tenant_says_that_it_is_switched_off(self):
        self.tenant.action_stop()
        self.assertEqual(self.page().title, "This site is switched off")

    def test_a_tenant_in_its_grace_says_that_its_owner_closed_it(self):
        self.hold("unpaid")
        self.tenant.with_user(self.manager).action_delete()
        page = self.page()
        self.assertEqual(page.title, "This site is closed")
        self.assertEqual(page.sentences, ("It was closed on request of its owner.",))

    def test_an_erased_tenant_has_no_page_any_more(self):
        self.tenant.action_suspend("Spam")
        self.run_operations()
        self.tenant.with_user(self.manager).action_delete(erase_now=True)
        self.run_operations()
        self.assertNotIn(self.tenant.uid, self.routes.list_routes())

    def test_the_page_is_there_before_the_container_stops(self):
        self.routes.calls.clear()
        self.driver.calls.clear()
        suspend = self.tenant.action_suspend("Spam")
        self.run_operations()
        self.assertEqual(suspend.step_ids.mapped("name"), ["page", "stop"])
        self.assertIn(("put_route", self.tenant.uid), self.routes.calls)

    def test_resuming_leads_the_address_to_the_tenant_again(self):
        self.tenant.action_suspend("Spam")
        self.run_operations()
        self.tenant.action_resume()
        self.run_operations()
        route = self.routes.list_routes()[self.tenant.uid]
        self.assertTrue(route.http)
        self.assertFalse(route.pages)

    def test_who_sleeps_is_woken_by_who_comes_and_they_read_so(self):
        before = self.routes.list_routes()[self.tenant.uid]
        sleep = self.tenant.action_sleep()
        self.run_operations()
        self.assertEqual(sleep.step_ids.mapped("name"), ["doze", "pause"])
        route = self.routes.list_routes()[self.tenant.uid]
        self.assertTrue(route.is_asleep)
        self.assertEqual(route.http, before.http)
        page = route.pages[0]
        self.assertEqual(page.title, "This site is waking up")
        self.assertEqual((page.ask, page.contacts), ("", ()))

    def test_nobody_falls_asleep_as_long_as_the_proxy_goes_past_the_gateway(self):
        self.patch(saas_tenant_steps, "READY_SECONDS", 0.05)
        registry = self.env.registry
        self.patch(registry["saas.tenant"], "_answers", lambda _tenant: True)
        sleep = self.tenant.action_sleep()
        self.assertTrue(self.run_once(sleep))
        self.assertIn("does not lead alfa to the gateway", sleep.message)
        self.assertEqual(self.driver.observe(self.tenant.uid).phase, Phase.RUNNING)

    def test_without_a_gateway_who_sleeps_keeps_its_route(self):
        self.proxy.gateway_url = False
        before = self.routes.list_routes()
        self.tenant.action_sleep()
        self.run_operations()
        self.assertEqual(self.tenant.state, "sleeping")
        self.assertEqual(self.routes.list_routes(), before)
        self.routes.delete_route(self.tenant.uid)
        self.env["saas.server"]._cron_resync()
        self.run_operations()
        self.assertEqual(self.routes.list_routes(), before)

    def test_work_that_is_under_way_is_called_so(self):
        page = self.tenant._prepare_page_route().pages[0]
        self.assertEqual(page.title, "This site will be back soon")

    # === LANGUAGES === #

    def test_the_page_speaks_the_tenant_s_language_first_and_all_of_the_master_s(self):
        self.env["res.lang"]._activate_lang("pt_BR")
        self.tenant.sudo().lang = "pt_BR"
        self.tenant.action_suspend("Spam")
        pages = self.pages()
        installed = self.env["res.lang"].get_installed()
        self.assertEqual(len(pages), len(installed))
        english = next(page for page in pages if page.language == "en-US")
        self.assertEqual(english.title, "This site is suspended")
        page = pages[0]
        self.assertEqual((page.language, page.direction), ("pt-BR", "ltr"))
        self.assertEqual(page.title, "Este site está suspenso")
        self.assertIn("Cloud Ltd", page.ask)
        self.assertNotIn("If it is yours", page.ask)

    def test_else_it_speaks_the_company_s_language(self):
        self.env["res.lang"]._activate_lang("es_ES")
        self.company.partner_id.lang = "es_ES"
        self.tenant.sudo().lang = "ja_JP"
        self.tenant.action_suspend("Spam")
        self.assertEqual(self.page().language, "es-ES")

    def test_a_language_that_is_read_from_the_right_is_marked_so(self):
        self.env["res.lang"]._activate_lang("ar_001")
        self.tenant.sudo().lang = "ar_001"
        page = self.tenant._prepare_page_route().pages[0]
        self.assertEqual((page.language, page.direction), ("ar-001", "rtl"))
