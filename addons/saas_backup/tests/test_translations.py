from odoo.tests import tagged

from odoo.addons.saas.tests.translation_case import TranslationCase


@tagged("post_install", "-at_install")
class TestTranslations(TranslationCase):
    module = "saas_backup"

    def test_every_term_is_there_in_every_language(self):
        self.check_languages()
