import dataclasses

from odoo import models

from ..const import HOLD_KINDS
from ..engine.proxy import Route


class SaasTenant(models.Model):
    """What visitors of a tenant read while it does not run.

    It is for everybody: never what staff wrote of it, nor who the customer is.
    """

    _inherit = "saas.tenant"

    def _step_page(self):
        """Lead the address to a page that says what happened and whom to ask."""
        if not self.server_id:
            return
        if route := self._prepare_page_route():
            self._proxy().put_route(route)
        else:
            self._proxy().delete_route(self.uid)

    def _prepare_page_route(self, known=None):
        """Return the route of a tenant that does not run; none without a gateway.

        :param dict known: pages that were prepared before, to take and to add to
        """
        if not self.server_id.proxy_id.gateway_url:
            return None
        known = {} if known is None else known
        # All that its pages say follows from these.
        kinds = tuple(self.hold_ids.mapped("kind"))
        crashed = bool(self.crashed_on)
        key = (self.company_id, self.lang, self.wanted, kinds, crashed)
        if key not in known:
            known[key] = self._prepare_pages(lambda tenant: tenant._prepare_page())
        return Route(
            uid=self.uid,
            hosts=(self._get_host(),),
            pages=known[key],
            redirects=self.domain_ids._get_redirects(),
        )

    def _prepare_waking_pages(self):
        """Return what visitors read who wait for it to wake."""
        return self._prepare_pages(lambda tenant: tenant._prepare_waking_page())

    def _prepare_pages(self, prepare):
        """Return a page in each language of those who may read it."""
        return tuple(
            prepare(self.with_context(lang=code))
            for code in self.company_id._get_saas_page_languages(self.lang)
        )

    def _prepare_page(self):
        return self.company_id._prepare_saas_page(*self._describe_pause())

    def _prepare_waking_page(self):
        page = self.company_id._prepare_saas_page(
            self.env._("This site is waking up"),
            [
                self.env._("Nobody has used it for a while."),
                self.env._("It will be here in some seconds."),
            ],
        )
        return dataclasses.replace(page, ask="", contacts=())

    def _describe_pause(self):
        """Return a title and sentences about why it does not run."""
        kept = self.env._("Nothing is lost: all of its data are kept.")
        if self.wanted == "deleted":
            return self.env._("This site is closed"), [
                self.env._("It was closed on request of its owner.")
            ]
        if self.hold_ids:
            reasons = self._describe_holds()
            return self.env._("This site is suspended"), [*reasons, kept]
        if self.wanted == "stopped" and not self.crashed_on:
            return self.env._("This site is switched off"), [
                self.env._("It can be started again at any time."),
                kept,
            ]
        return self.env._("This site will be back soon"), [
            self.env._("Work on it is under way. Please try again in some minutes.")
        ]

    def _describe_holds(self):
        """Return a careful sentence for each kind of its holds."""
        sentences = {
            "unpaid": self.env._("There is an open question about its subscription."),
            "quota": self.env._("It needs more room than its plan has."),
            "abuse": self.env._("A report about its use is being looked into."),
            "paused": self.env._("Its customer has paused it."),
            "staff": self.env._("It was suspended by its provider."),
        }
        kinds = set(self.hold_ids.mapped("kind"))
        return [sentences[kind] for kind in HOLD_KINDS if kind in kinds]
