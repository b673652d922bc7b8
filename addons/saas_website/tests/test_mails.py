from .common import SignupCommon


class TestMails(SignupCommon):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.website.company_id.write(
            {
                "name": "Host Inc",
                "email_primary_color": "#FEDCBA",
                "email_secondary_color": "#123456",
            }
        )

    def provision(self, signup):
        """Return the mails that the customer gets while it is built, or is not."""
        with self.mock_mail_gateway():
            self.run_operations()
        return [mail for mail in self._mails if mail["email_to"] == [signup.email]]

    def claim(self, **values):
        signup = self.prove(**values)
        self.assertFalse(signup._claim(signup.name))
        return signup

    def test_the_code_is_in_the_company_s_layout_and_in_plain_text(self):
        with self.mock_mail_gateway():
            signups = self.env["saas.signup"]
            signups._open(self.plan, self.website, signups._parse(self.form()))
        code = self.read_code()
        [mail] = self._mails
        self.assertEqual(mail["email_to"], ["bea@beta.example"])
        self.assertIn("Host Inc</span>", mail["body"])
        self.assertIn(code, mail["body_alternative"])
        self.assertNotIn("<p", mail["body_alternative"])

    def test_the_customer_is_told_once_that_the_tenant_is_ready(self):
        signup = self.claim()
        [mail] = self.provision(signup)
        link = f"http://master.example/my/tenants/{signup.tenant_id.id}"
        self.assertEqual(mail["email_to"], ["bea@beta.example"])
        self.assertEqual(mail["subject"], "Your Odoo is ready: beta.odoo.localhost")
        self.assertIn(f'href="{link}"', mail["body"])
        self.assertIn("background-color: #123456; color: #FEDCBA", mail["body"])
        self.assertIn(link, mail["body_alternative"])
        signup.tenant_id.action_restart()
        self.assertEqual(self.provision(signup), [])
        with self.mock_mail_gateway():
            self.env["saas.signup"]._cron_sweep()
        self.assertEqual(self._mails, [])

    def test_no_mail_but_the_code_carries_what_lets_somebody_in(self):
        signup = self.claim()
        [mail] = self.provision(signup)
        for text in (mail["body"], mail["body_alternative"]):
            self.assertNotIn("token", text)
            self.assertNotIn("login-link", text)

    def test_whom_staff_answer_to_is_told_by_mail_too(self):
        self.refuse_to_build()
        self.manager.notification_type = "email"
        self.env["ir.config_parameter"].set_param(
            "saas_website.responsible_id", self.manager.id
        )
        self.provision(self.claim())
        recipients = [mail["email_to"] for mail in self._mails]
        self.assertTrue(any(self.manager.email in str(to) for to in recipients))

    def test_a_failure_is_told_once_and_success_after_it_too(self):
        refusing = self.refuse_to_build()
        signup = self.claim()
        [mail] = self.provision(signup)
        self.assertIn("takes longer", mail["subject"])
        self.assertIn("Our staff have been told", mail["body_alternative"])
        self.assertNotIn("The server is full", mail["body"])
        signup._retry()
        self.assertEqual(self.provision(signup), [])
        self.assertEqual(signup.state, "failed")
        refusing.stop()
        signup._retry()
        [mail] = self.provision(signup)
        self.assertIn("is ready", mail["subject"])

    def test_mails_speak_the_customer_s_language(self):
        self.env["res.lang"]._activate_lang("fr_FR")
        for name, subject in (
            ("code", "Votre code"),
            ("ready", "Votre Odoo est prêt"),
            ("failed", "Un peu de patience"),
        ):
            template = self.env.ref(f"saas_website.mail_template_{name}")
            template.with_context(lang="fr_FR").subject = subject
        signup, _code = self.open_signup(lang="fr_FR")
        self.assertEqual(self._mails[0]["subject"], "Votre code")
        for name, subject in (
            ("ready", "Votre Odoo est prêt"),
            ("failed", "Un peu de patience"),
        ):
            with self.mock_mail_gateway():
                signup._mail(name, link="http://master.example/")
            self.assertEqual(self._mails[0]["subject"], subject)

    def test_tenants_that_staff_made_are_told_of_to_nobody(self):
        with self.mock_mail_gateway():
            self.create_running_tenant()
        self.assertEqual(self._mails, [])
