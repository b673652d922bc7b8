from datetime import timedelta

from odoo import fields

from odoo.addons.saas.tests.common import new_user

from ..models.saas_signup import CODE_TRIES, MAX_CODES
from .common import SignupCommon


class TestCodes(SignupCommon):
    def test_the_code_is_stored_nowhere_in_the_clear(self):
        signup, code = self.open_signup()
        stored = signup.read()[0]
        self.assertNotIn(code, str(stored))
        self.assertFalse(self.env["mail.mail"].search([("body_html", "like", code)]))
        self.assertFalse(self.env["mail.message"].search([("body", "like", code)]))

    def test_nothing_is_built_before_the_code_is_proved(self):
        partners = self.env["res.partner"].search_count([])
        signup, _code = self.open_signup()
        self.assertEqual(signup.state, "code_sent")
        self.assertFalse(signup.tenant_id)
        self.assertEqual(self.env["res.partner"].search_count([]), partners)

    def test_the_right_code_confirms(self):
        signup, code = self.open_signup()
        self.assertFalse(signup._prove(f" {code[:3]} {code[3:]} "))
        self.assertEqual(signup.state, "confirmed")
        self.assertFalse(signup.sudo().code_hash)

    def test_after_five_wrong_codes_the_right_one_is_refused(self):
        signup, code = self.open_signup()
        for _try in range(CODE_TRIES):
            self.assertIn("not the code", signup._prove(self.other(code)))
        self.assertIn("Too many wrong codes", signup._prove(code))
        self.assertEqual(signup.state, "code_sent")

    def test_a_late_code_is_refused(self):
        signup, code = self.open_signup()
        signup.code_expiry = fields.Datetime.now() - timedelta(seconds=1)
        self.assertIn("too old", signup._prove(code))

    def test_a_code_works_once(self):
        signup, code = self.open_signup()
        signup._prove(code)
        self.assertIn("no code any more", signup._prove(code))

    def test_a_new_code_makes_the_old_one_void(self):
        signup, old = self.open_signup()
        with self.mock_mail_gateway():
            self.assertFalse(signup._resend())
        new = self.read_code()
        if new != old:
            self.assertIn("not the code", signup._prove(old))
        self.assertFalse(signup._prove(new))

    def test_new_codes_are_not_endless(self):
        signup, _code = self.open_signup()
        for _number in range(MAX_CODES - 1):
            self.assertFalse(signup._resend())
        self.assertIn("No more codes", signup._resend())

    def test_no_digits_at_all_are_a_wrong_code(self):
        signup, _code = self.open_signup()
        for nonsense in ("", None, "abcdef", "١٢٣٤٥٦", "1" * 500):
            signup.code_tries = 0
            self.assertIn("not the code", signup._prove(nonsense))


class TestLimits(SignupCommon):
    def test_too_many_mails_to_one_mailbox_are_left_out_in_silence(self):
        self.env["ir.config_parameter"].set_param("saas_website.limit_mailbox", "1")
        self.open_signup(email="bea+one@beta.example")
        signups = self.env["saas.signup"]
        with self.mock_mail_gateway():
            values = signups._parse(self.form(email="bea+two@beta.example"))
            signup, _token = signups._open(self.plan, self.website, values)
        self.assertEqual(self._mails, [])
        self.assertEqual(signup.state, "code_sent")
        self.assertTrue(signup.sudo().code_hash)

    def test_a_network_has_a_limit_that_its_addresses_share(self):
        self.env["ir.config_parameter"].set_param("saas_website.limit_network", "2")
        allowed = [
            self.env["saas.signup"]._is_allowed("x@gmail.com", f"203.0.113.{n}")
            for n in range(3)
        ]
        self.assertEqual(allowed, [True, True, False])
        self.assertTrue(
            self.env["saas.signup"]._is_allowed("x@gmail.com", "203.0.114.1")
        )

    def test_a_mail_domain_has_a_limit_but_public_providers_have_none(self):
        self.env["ir.config_parameter"].set_param("saas_website.limit_domain", "1")

        def allowed(email, address):
            return self.env["saas.signup"]._is_allowed(email, address)

        self.assertTrue(allowed("a@beta.example", "203.0.113.1"))
        self.assertFalse(allowed("b@beta.example", "198.51.100.1"))
        self.assertTrue(allowed("a@gmail.com", "203.0.113.1"))
        self.assertTrue(allowed("b@gmail.com", "203.0.113.1"))

    def test_a_limit_of_zero_is_none(self):
        rates = self.env["saas.rate"]
        for _number in range(5):
            self.assertTrue(rates._allow("address", "x", 0, timedelta(days=1)))

    def test_what_was_counted_before_the_window_counts_no_more(self):
        rates = self.env["saas.rate"]
        self.assertTrue(rates._allow("address", "x", 1, timedelta(hours=1)))
        self.assertFalse(rates._allow("address", "x", 1, timedelta(hours=1)))
        rates.search([]).date = fields.Datetime.now() - timedelta(hours=2)
        self.assertTrue(rates._allow("address", "x", 1, timedelta(hours=1)))


class TestCustomer(SignupCommon):
    def test_a_new_customer_is_a_company_with_a_portal_user_without_password(self):
        signup = self.prove(email="Bea@Beta.example")
        self.assertEqual(signup.partner_id.commercial_partner_id.name, "Beta Ltd")
        self.assertEqual(signup.partner_id.country_id, self.country)
        user = signup.user_id
        self.assertEqual(user.login, "bea@beta.example")
        self.assertTrue(user._is_portal())
        query = "SELECT password FROM res_users WHERE id = %s"
        self.env.cr.execute(query, [user.id])
        self.assertFalse(self.env.cr.fetchone()[0])

    def test_a_known_partner_gets_the_tenant(self):
        signup = self.prove(email="ANN@alfa.example")
        self.assertEqual(signup.partner_id, self.customer)
        signup._claim("beta")
        self.assertEqual(signup.tenant_id.partner_id, self.customer)

    def test_a_second_tenant_goes_to_the_same_user(self):
        first, second = self.prove(), self.prove(name="gamma")
        self.assertEqual(first.user_id, second.user_id)

    def test_staff_never_become_portal_users_nor_log_in_so(self):
        staff = new_user(self.env, "sam", email="sam@host.example")
        signup = self.prove(email="sam@host.example")
        self.assertFalse(signup.user_id)
        self.assertEqual(signup.partner_id, staff.partner_id)
        self.assertTrue(staff._is_internal())

    def test_an_archived_user_is_not_woken(self):
        user = self.prove().user_id
        user.active = False
        signup = self.prove(name="gamma")
        self.assertFalse(signup.user_id)
        self.assertFalse(user.active)


class TestBuilding(SignupCommon):
    def claim(self, **values):
        signup = self.prove(**values)
        self.assertFalse(signup._claim(signup.name))
        return signup

    def test_from_the_code_to_a_running_tenant(self):
        signup = self.claim()
        self.assertEqual(signup.state, "building")
        self.assertEqual(signup.tenant_id.operation_ids.user_id, signup.user_id)
        self.run_operations()
        self.assertEqual(signup.state, "done")
        self.assertEqual(signup.tenant_id.state, "running")
        progress = signup._get_progress()
        self.assertEqual(progress["percent"], 100)
        self.assertEqual({step["state"] for step in progress["steps"]}, {"done"})

    def test_who_signed_up_administers_the_tenant_of_the_company(self):
        signup = self.prove()
        self.assertFalse(signup._claim("beta"))
        identity = signup.tenant_id._prepare_identity()
        self.assertEqual(identity.company, "Beta Ltd")
        self.assertEqual(identity.name, "Bea Beta")
        self.assertEqual(identity.login, "bea@beta.example")
        self.assertEqual(identity.email, "bea@beta.example")

    def test_another_tenant_has_the_country_that_was_chosen_for_it(self):
        spain = self.env.ref("base.es")
        first, second = self.claim(), self.claim(name="gamma", country_id=str(spain.id))
        self.assertEqual(first.partner_id, second.partner_id)
        self.assertEqual(first.tenant_id.country_id, self.country)
        self.assertEqual(second.tenant_id.country_id, spain)
        self.assertEqual(second.tenant_id.currency_id.name, "EUR")

    def test_a_name_taken_meanwhile_needs_another_name_but_no_code(self):
        signup = self.prove()
        self.create_tenant("beta")
        self.assertIn("taken", signup._claim("beta"))
        self.assertEqual(signup.state, "confirmed")
        self.assertFalse(signup._claim("beta2"))
        self.assertEqual(signup.tenant_id.name, "beta2")

    def test_the_unique_address_decides_where_the_check_came_too_early(self):
        signup = self.prove()
        self.create_tenant("beta")
        tenants = self.env.registry["saas.tenant"]
        self.patch(tenants, "_explain_name", lambda _self, _name: False)
        self.assertIn("taken", signup._claim("beta"))
        self.assertFalse(signup.tenant_id)

    def test_a_sign_up_takes_one_tenant_only(self):
        signup = self.claim()
        self.assertIn("its tenant already", signup._claim("gamma"))

    def test_those_beyond_the_limit_wait_and_know_their_place(self):
        self.env["ir.config_parameter"].set_param("saas_website.limit_building", "1")
        first, second, third = (
            self.claim(name=name, email=f"{name}@beta.example")
            for name in ("one1", "two2", "three3")
        )
        self.assertEqual(first.state, "building")
        self.assertEqual([second._get_place(), third._get_place()], [1, 2])
        self.assertFalse(second.tenant_id.operation_ids)
        self.run_operations()
        self.assertEqual(
            (first + second + third).mapped("state"), ["done", "done", "done"]
        )

    def test_a_waiting_tenant_that_is_deleted_holds_nobody_up(self):
        self.env["ir.config_parameter"].set_param("saas_website.limit_building", "1")
        first, second, third = (
            self.claim(name=name, email=f"{name}@beta.example")
            for name in ("one1", "two2", "three3")
        )
        second.tenant_id.action_delete(erase_now=True)
        self.assertEqual(third._get_place(), 1)
        self.run_operations()
        self.assertEqual(second.tenant_id.state, "deleted")
        self.assertEqual((first + third).mapped("state"), ["done", "done"])

    def test_a_failure_is_told_to_staff_and_mended_without_a_new_sign_up(self):
        refusing = self.refuse_to_build()
        signup = self.claim()
        self.run_operations()
        self.assertEqual(signup.state, "failed")
        activity = signup.tenant_id.activity_ids
        self.assertIn("The server is full.", activity.note)
        self.assertTrue(activity.user_id.has_group("saas.group_manager"))
        refusing.stop()
        self.assertTrue(signup._retry())
        self.run_operations()
        self.assertEqual(signup.state, "done")
        self.assertFalse(signup.tenant_id.activity_ids)

    def test_a_retry_of_what_did_not_fail_does_nothing(self):
        signup = self.claim()
        self.assertFalse(signup._retry())
        self.assertEqual(len(signup.tenant_id.operation_ids), 1)

    def test_a_sign_up_that_is_never_proved_expires(self):
        signup, code = self.open_signup()
        query = "UPDATE saas_signup SET create_date = %s WHERE id = %s"
        late = fields.Datetime.now() - timedelta(days=2)
        self.env.cr.execute(query, [late, signup.id])
        signup.invalidate_recordset()
        self.env["saas.signup"]._cron_sweep()
        self.assertEqual(signup.state, "expired")
        self.assertTrue(signup._prove(code))

    def test_the_sweep_finds_an_end_that_nobody_told(self):
        signup = self.claim()
        signups = self.env.registry["saas.signup"]
        self.patch(signups, "_provision_ended", lambda _self, _operation: None)
        self.run_operations()
        self.assertEqual(signup.state, "building")
        self.env["saas.signup"]._cron_sweep()
        self.assertEqual((signup.state, signup.slot), ("done", -1))


class TestNames(SignupCommon):
    def test_suggestions_are_free_and_usable(self):
        self.create_tenant("acai-cia")
        names = self.env["saas.tenant"]._suggest_names("Açaí & Cia.")
        self.assertEqual(len(names), 3)
        self.assertNotIn("acai-cia", names)
        for name in names:
            self.assertFalse(self.env["saas.tenant"]._explain_name(name))

    def test_text_without_a_single_letter_suggests_nothing_wrong(self):
        for text in ("", "!!!", "株式会社", "---", "admin"):
            for name in self.env["saas.tenant"]._suggest_names(text):
                self.assertFalse(self.env["saas.tenant"]._explain_name(name))

    def test_bad_reserved_and_taken_names_are_explained(self):
        explain = self.env["saas.tenant"]._explain_name
        self.create_tenant("alfa")
        self.assertIn("reserved", explain("admin"))
        self.assertIn("taken", explain("alfa"))
        for name in ("", "a", "-a", "1a", "a b", "é1", "A1", "a.b", "x" * 64):
            self.assertIn("2 to 63 letters", explain(name), name)

    def test_a_quarantined_name_is_taken(self):
        tenant = self.create_tenant("alfa")
        tenant.domain_ids.write({"released_on": fields.Datetime.now()})
        self.assertIn("taken", self.env["saas.tenant"]._explain_name("alfa"))
