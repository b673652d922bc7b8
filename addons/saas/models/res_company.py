import re

from odoo import models

from ..engine.proxy import Page


class ResCompany(models.Model):
    """Who runs a tenant: whom visitors ask about it, and whom the master tells."""

    _inherit = "res.company"

    def _get_saas_page_languages(self, wanted=False):
        """Return all that the master speaks: that one first, or the company's own."""
        spoken = [code for code, _name in self.env["res.lang"].get_installed()]
        first = (wanted, self.partner_id.lang)
        return sorted(spoken, key=lambda code: [code != liked for liked in first])

    def _prepare_saas_page(self, title, sentences):
        """Return a page with whom to ask, in the language of the environment."""
        self.ensure_one()
        code = self.env.lang or "en_US"
        return Page(
            title=title,
            sentences=tuple(sentences),
            ask=self.env._(
                "If it is yours, or you need something from it, ask %s.", self.name
            ),
            contacts=tuple(self._get_saas_contacts()),
            language=code.partition("@")[0].replace("_", "-"),
            direction=self.env["res.lang"]._get_data(code=code).direction or "ltr",
        )

    def _get_saas_contacts(self):
        """Return how to reach the company: what people read, and the address of it."""
        contacts = []
        if self.email:
            contacts.append((self.email, f"mailto:{self.email}"))
        if self.phone:
            contacts.append((self.phone, f"tel:{re.sub(r'[^0-9+]', '', self.phone)}"))
        if (self.website or "").startswith(("http://", "https://")):
            contacts.append((self.website, self.website))
        return contacts

    def _find_saas_managers(self):
        """Return who of the staff is told when something goes wrong."""
        self.ensure_one()
        users = (
            self.env.ref("saas.group_manager")
            .sudo()
            .all_user_ids.filtered(
                lambda u: u.active and not u.share and self in u.company_ids
            )
        )
        return users - self.env.ref("base.user_root")

    def _prepare_saas_unknown_pages(self):
        """Return the page of addresses that nobody has, in each language."""
        return tuple(
            self.with_context(lang=code)._prepare_saas_unknown_page()
            for code in self._get_saas_page_languages()
        )

    def _prepare_saas_unknown_page(self):
        return self._prepare_saas_page(
            self.env._("There is nothing at this address"),
            [self.env._("Please look whether it is written as you were given it.")],
        )
