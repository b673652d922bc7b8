import dataclasses

from odoo import fields, models
from odoo.exceptions import UserError

from ..const import CHANGEABLE
from .saas_subscription import MONEY


class SaasSubscriptionLine(models.Model):
    _inherit = "saas.subscription.line"

    next_price = fields.Float(
        string="Announced Price", digits="Product Price", readonly=True, groups=MONEY
    )
    next_price_from = fields.Date(
        string="Announced For",
        readonly=True,
        groups=MONEY,
        help="It counts from the first renewal on that day or later.",
    )

    def _as_renewed(self, day):
        """Return what it is in a period that begins on that day."""
        self.ensure_one()
        target = self._as_target()
        if not self.next_price_from or self.next_price_from > day:
            return target
        return dataclasses.replace(target, price_unit=self.next_price)


class SaasSubscription(models.Model):
    """Prices that change, with notice."""

    _inherit = "saas.subscription"

    def _announce_price(self, product, price, day):
        """Mail the customer that a product costs something else from a renewal on.

        :param date day: the renewal is on that day or later
        """
        for subscription in self.sudo():
            lines = subscription.line_ids.filtered(
                lambda line: line.product_id == product
            )
            if not lines or subscription.state not in CHANGEABLE:
                raise UserError(
                    self.env._(
                        "%(name)s is %(state)s or does not have “%(product)s”.",
                        name=subscription.name,
                        state=subscription._get_state_label(subscription.state).lower(),
                        product=product.display_name,
                    )
                )
            lines.write({"next_price": price, "next_price_from": day})
            subscription._mail_price()

    def _mail_price(self):
        self.ensure_one()
        self.message_post_with_source(
            self.env.ref("saas_subscription.mail_template_price"),
            email_layout_xmlid="saas_website.mail_layout",
            subtype_xmlid="mail.mt_comment",
        )

    def _get_price_day(self):
        """Return the renewal from which an announced price counts."""
        self.ensure_one()
        day = self.next_invoice_date or self.trial_end
        announced = max(
            self.line_ids.filtered("next_price_from").mapped("next_price_from")
        )
        while self.next_invoice_date and day < announced:
            day = self._get_recurrence().first_period(day).end
        return day

    def _take_announced_prices(self):
        """Have the prices that were announced for this renewal."""
        self.ensure_one()
        day = self.next_invoice_date
        if any(line._as_renewed(day) != line._as_target() for line in self.line_ids):
            self._write_lines([line._as_renewed(day) for line in self.line_ids])
