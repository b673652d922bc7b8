from odoo.addons.saas.tests.common import new_user

from .common import SignupCommon


class TestHijack(SignupCommon):
    """Customers write any address into contacts of theirs; it must win them nothing."""

    def setUp(self):
        super().setUp()
        self.attacker = new_user(
            self.env, "mallory@evil.example", groups="base.group_portal"
        )

    def test_an_address_that_a_customer_typed_catches_no_sign_up(self):
        self.attacker.partner_id.email = "bea@beta.example"
        signup = self.prove()
        self.assertNotEqual(signup.user_id, self.attacker)
        self.assertEqual(signup.user_id.login, "bea@beta.example")
        self.assertNotEqual(
            signup.partner_id.commercial_partner_id,
            self.attacker.partner_id.commercial_partner_id,
        )

    def test_an_address_in_a_customer_s_address_book_catches_no_sign_up(self):
        self.env["res.partner"].create(
            {
                "name": "Delivery",
                "type": "delivery",
                "email": "bea@beta.example",
                "parent_id": self.attacker.partner_id.id,
            }
        )
        signup = self.prove()
        signup._claim("beta")
        visible = self.env["saas.tenant"].with_user(self.attacker).search([])
        self.assertFalse(visible)
        self.assertEqual(signup.user_id.login, "bea@beta.example")

    def test_a_typed_address_does_not_come_before_its_owner_s_login(self):
        self.attacker.partner_id.email = "bea@beta.example"
        owner = self.prove().user_id
        found = self.env["res.users"]._find_customer("bea@beta.example")
        self.assertEqual(found, owner)
        self.assertEqual(self.prove(name="gamma").user_id, owner)

    def test_who_changed_the_address_does_not_come_back_by_the_old_mailbox(self):
        user = self.prove().user_id
        user.partner_id.email = "bea@new.example"
        self.assertFalse(self.prove(name="gamma").user_id)

    def test_an_address_with_wildcards_finds_nobody_else(self):
        self.prove(email="bea1@beta.example")
        users = self.env["res.users"]
        for email in ("bea_@beta.example", "%@beta.example", "BEA1@beta.example%"):
            self.assertFalse(users._find_customer(email), email)
