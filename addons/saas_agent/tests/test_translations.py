import polib

from odoo.tests import TransactionCase, tagged
from odoo.tools import file_path
from odoo.tools.translate import TranslationModuleReader

from ..token import NOT_VALID
from .test_login import LoginCommon


@tagged("post_install", "-at_install")
class TestTranslations(TransactionCase):
    # The other addons share a test for this, which is not there inside a tenant.
    def test_every_term_is_there_in_every_language(self):
        terms = {row[4] for row in TranslationModuleReader(self.env.cr, ["saas_agent"])}
        self.assertIn(NOT_VALID, terms)
        for language in ("pt_BR", "es"):
            entries = polib.pofile(file_path(f"saas_agent/i18n/{language}.po"))
            self.assertEqual({entry.msgid for entry in entries}, terms)
            self.assertFalse([e.msgid for e in entries if not e.msgstr or e.fuzzy])


@tagged("post_install", "-at_install")
class TestLanguages(LoginCommon):
    def test_who_is_refused_reads_why_in_their_own_language(self):
        self.env["res.lang"]._activate_lang("es_ES")
        response = self.follow("nonsense", headers={"Accept-Language": "es"})
        self.assertIn('<html lang="es-ES">', response.text)
        self.assertIn("Este enlace de inicio de sesión no es válido", response.text)
        self.assertIn("Iniciar sesión con contraseña", response.text)
