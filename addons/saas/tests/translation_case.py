"""What every addon of ours checks of its translations."""

import re
from collections import Counter

import polib

from odoo.tests import TransactionCase
from odoo.tools import file_path
from odoo.tools.translate import TranslationModuleReader

LANGUAGES = ("pt_BR", "es")
# What a program fills in or follows is in a translation as in its source.
FIXED = re.compile(
    r"%\(\w+\)[sd]|%[sd%]|\{\{.*?\}\}|</\w+>|/>"
    r"|\b(?:class|href|style|invisible|t-[\w-]+)=\"[^\"]*\""
)


class TranslationCase(TransactionCase):
    """Every term of the addon ``module`` is there in each of our languages."""

    module = None

    def check_languages(self):
        terms = self.get_terms()
        self.assertTrue(terms)
        for language in LANGUAGES:
            with self.subTest(language=language):
                self.check_entries(self.read_entries(language), terms)

    def get_terms(self):
        return {row[4] for row in TranslationModuleReader(self.env.cr, [self.module])}

    def read_entries(self, language):
        return list(polib.pofile(file_path(f"{self.module}/i18n/{language}.po")))

    def check_entries(self, entries, terms):
        known = {entry.msgid for entry in entries}
        self.assertFalse(terms - known, "new terms: run make translations")
        self.assertFalse(known - terms, "terms of the past: run make translations")
        for says, is_wrong in (
            ("not translated", lambda entry: not entry.msgstr.strip()),
            ("only guessed", lambda entry: entry.fuzzy),
            ("placeholders or tags differ", self.is_unlike),
        ):
            wrong = [(e.msgid, e.msgstr) for e in entries if is_wrong(e)]
            self.assertFalse(wrong, says)

    def is_unlike(self, entry):
        return self.find_fixed(entry.msgid) != self.find_fixed(entry.msgstr)

    def find_fixed(self, text):
        return Counter(FIXED.findall(text))
