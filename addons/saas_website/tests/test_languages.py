from odoo.tests import tagged

from .common import PagesCommon

WORDS = {
    "es_ES": {
        "plans": "Su propio Odoo, en segundos",
        "memory": "1,5 GB de memoria",
        "email": "Eso no parece una dirección de correo electrónico.",
        "name": "«alfa» está ocupado. Elija otra dirección.",
        "code": "Ese no es el código que enviamos. Compruébelo.",
        "subject": "Su código para",
        "mail": "escriba este código en la página donde se registró",
        "step": "Creando su base de datos",
    },
    "pt_BR": {
        "plans": "Seu próprio Odoo, em segundos",
        "memory": "1,5 GB de memória",
        "email": "Isso não parece um endereço de e-mail.",
        "name": "“alfa” já está em uso. Escolha outro endereço.",
        "code": "Esse não é o código que enviamos. Verifique-o.",
        "subject": "Seu código para",
        "mail": "digite este código na página em que você se cadastrou",
        "step": "Criando seu banco de dados",
    },
}


@tagged("post_install", "-at_install")
class TestLanguages(PagesCommon):
    """Pages, errors and mails come in the language of who reads them."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        languages = cls.env["res.lang"]
        for code in WORDS:
            languages |= languages._activate_lang(code)
        cls.website.language_ids |= languages
        modules = cls.env["ir.module.module"].search(
            [("name", "in", ["saas", "saas_website"])]
        )
        modules._update_translations(list(WORDS))

    def setUp(self):
        super().setUp()
        self.authenticate(None, None)

    def path_of(self, lang):
        return f"/{self.env['res.lang']._get_data(code=lang).url_code}"

    def test_the_page_of_plans_is_in_the_language_of_its_address(self):
        self.plan.memory = 1536
        for lang, words in WORDS.items():
            with self.subTest(lang=lang):
                page = self.url_open(f"{self.path_of(lang)}/plans")
                self.assertIn(words["plans"], self.text_of(page))
                self.assertIn(words["memory"], self.text_of(page))

    def test_what_is_wrong_in_the_form_is_said_in_the_language_of_the_page(self):
        self.create_tenant("alfa")
        for lang, words in WORDS.items():
            with self.subTest(lang=lang), self.mock_mail_gateway():
                form = self.form(email="nonsense", name="alfa")
                page = self.post(self.path_of(lang) + self.signup_url(), form)
                self.assertEqual(page.status_code, 422)
                self.assertIn(words["email"], self.text_of(page))
                self.assertIn(words["name"], self.text_of(page))

    def test_the_code_comes_in_the_language_that_was_chosen_in_the_form(self):
        for lang, words in WORDS.items():
            with self.subTest(lang=lang):
                self.begin(lang=lang, name=lang.lower().replace("_", "-"))
                [mail] = self._mails
                self.assertIn(words["subject"], mail["subject"])
                self.assertIn(words["mail"], mail["body"])

    def test_the_pages_after_the_form_keep_its_language(self):
        for lang, words in WORDS.items():
            with self.subTest(lang=lang):
                name = lang.lower().replace("_", "-")
                _signup, path, code = self.begin(lang=lang, name=name)
                path = self.path_of(lang) + path
                page = self.post(f"{path}/code", {"code": self.other(code)}, True)
                self.assertIn(words["code"], self.text_of(page))
                self.post(f"{path}/code", {"code": code})
                self.assertIn(words["step"], self.text_of(self.url_open(path)))
