from odoo.exceptions import UserError
from odoo.tests import Form, TransactionCase, tagged

from ..engine.keys import new_recovery_key, public_of
from ..wizard.saas_recovery_key import PARAMETER

# What the form shows, and so what the web client asks for.
SPEC = {name: {} for name in ("current", "private", "public", "typed", "kept")}


@tagged("post_install", "-at_install")
class TestRecoveryKey(TransactionCase):
    """The wizard as the web client uses it: the key shown is the one put in use."""

    def setUp(self):
        super().setUp()
        self.parameters = self.env["ir.config_parameter"].sudo()
        self.parameters.set_param(PARAMETER, False)
        self.wizards = self.env["saas.recovery.key"]

    def open(self):
        """Return what a form that was just opened shows."""
        shown = self.wizards.onchange({}, [], SPEC)["value"]
        self.assertEqual(public_of(shown["private"]), shown["public"])
        return shown

    def save(self, shown, **values):
        """Return the record as the form has it after it was saved."""
        values = {"public": shown["public"], **values}
        [saved] = self.wizards.web_save(values, SPEC)
        return saved

    def use(self, saved):
        self.wizards.browse(saved["id"]).action_use()

    @property
    def used(self):
        return self.parameters.get_param(PARAMETER)

    def test_the_key_that_was_shown_is_the_one_that_is_put_in_use(self):
        shown = self.open()
        self.use(self.save(shown, typed=f" {shown['private']}\n"))
        self.assertEqual(self.used, public_of(shown["private"]))

    def test_a_form_that_was_saved_shows_no_other_key(self):
        shown = self.open()
        saved = self.save(shown)
        self.assertEqual((saved["private"], saved["kept"]), (False, False))
        [again] = self.wizards.browse(saved["id"]).web_read(SPEC)
        self.assertEqual((again["private"], again["public"]), (False, shown["public"]))

    def test_a_key_that_was_not_pasted_back_is_not_put_in_use(self):
        shown = self.open()
        saved = self.save(shown)
        with self.assertRaisesRegex(UserError, "Keep the key first"):
            self.use(saved)
        self.assertFalse(self.used)
        wizard = self.wizards.browse(saved["id"])
        wizard.web_save({"typed": shown["private"]}, SPEC)
        wizard.action_use()
        self.assertEqual(self.used, shown["public"])

    def test_another_key_or_a_part_of_it_is_not_taken_for_it(self):
        shown = self.open()
        for typed in (new_recovery_key()[0], shown["private"][:-1], shown["public"]):
            saved = self.save(shown, typed=typed)
            self.assertFalse(saved["kept"])
            with self.assertRaisesRegex(UserError, "Keep the key first"):
                self.use(saved)
        self.assertFalse(self.used)

    def test_the_button_comes_as_soon_as_the_key_was_pasted(self):
        with Form(self.wizards) as form:
            self.assertFalse(form.kept)
            form.typed = "ab" * 32
            self.assertFalse(form.kept)
            form.typed = form.private
            self.assertTrue(form.kept)
        form.record.action_use()
        self.assertEqual(self.used, form.record.public)

    def test_neither_the_key_nor_what_was_pasted_is_stored(self):
        shown = self.open()
        self.save(shown, typed=shown["private"])
        self.env.flush_all()
        self.env.cr.execute("SELECT to_jsonb(k)::text FROM saas_recovery_key k")
        rows = self.env.cr.fetchall()
        self.assertIn(shown["public"], str(rows))
        self.assertNotIn(shown["private"], str(rows))
