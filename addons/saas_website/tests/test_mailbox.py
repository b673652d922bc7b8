from odoo.tests import TransactionCase

from ..engine import mailbox


class TestMailbox(TransactionCase):
    def test_alias_and_dots_count_as_one_mailbox(self):
        spellings = ("b.e.a@gmail.com", "bea+odoo@gmail.com", "BEA@googlemail.com")
        keys = {mailbox.count_key(email) for email in spellings}
        self.assertEqual(keys, {"bea@gmail.com"})

    def test_two_people_of_one_domain_are_two_mailboxes(self):
        self.assertNotEqual(
            mailbox.count_key("bea@beta.example"), mailbox.count_key("ben@beta.example")
        )

    def test_an_address_that_is_only_an_alias_is_still_counted(self):
        self.assertEqual(mailbox.count_key("+x@beta.example"), "+x@beta.example")

    def test_subdomains_of_disposable_domains_are_disposable(self):
        self.assertTrue(mailbox.is_disposable("x@mailinator.com"))
        self.assertTrue(mailbox.is_disposable("x@eu.MAILINATOR.com"))
        self.assertFalse(mailbox.is_disposable("x@notmailinator.com"))

    def test_networks_are_a_24_and_a_64(self):
        self.assertEqual(mailbox.get_network("203.0.113.77"), "203.0.113.0/24")
        self.assertEqual(mailbox.get_network("::ffff:203.0.113.77"), "203.0.113.0/24")
        self.assertEqual(mailbox.get_network("2001:db8:1:2:3::4"), "2001:db8:1:2::/64")
        self.assertEqual(mailbox.get_network("unknown"), "unknown")
