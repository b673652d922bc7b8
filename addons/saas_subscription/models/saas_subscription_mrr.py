from odoo import fields, models

from ..engine import mrr, proration


class SaasSubscription(models.Model):
    """Its revenue, and how it moved."""

    _inherit = "saas.subscription"

    movement_ids = fields.One2many(
        "saas.mrr.movement",
        "subscription_id",
        string="Revenue Movements",
        groups="sales_team.group_sale_salesman,account.group_account_invoice",
    )

    def _apply(self, event):
        result = super()._apply(event)
        self._record_movement(event)
        return result

    def _write_lines(self, targets):
        result = super()._write_lines(targets)
        self._record_movement("change")
        return result

    def _record_movement(self, event):
        """Record by how much its revenue is another one than was recorded.

        So the movements always add up to what there is: an event that comes twice
        moves nothing. Two at one moment both write the subscription, and one of them
        is done anew by Odoo.

        :param str event: what happened
        """
        for subscription in self.sudo():
            coin = subscription.company_currency_id.rounding
            movements = subscription.movement_ids
            movement = mrr.classify(
                proration.total(movements.mapped("amount"), coin),
                subscription.mrr,
                coin,
                is_known=bool(movements),
            )
            if movement:
                movements.create(subscription._prepare_movement(movement, event))

    def _prepare_movement(self, movement, event):
        return {
            "subscription_id": self.id,
            "partner_id": self.commercial_partner_id.id,
            "plan_id": self.plan_id.id,
            "user_id": self.user_id.id,
            "date": self._get_today(),
            "kind": movement.kind.value,
            "amount": movement.amount,
            "event": event,
        }
