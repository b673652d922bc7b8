"""What a subscription is to have of products: now, or after a change."""

import dataclasses


@dataclasses.dataclass(frozen=True, slots=True)
class Target:
    """One line as it is to be.

    :param product.product product: what is sold
    :param float price_unit: None where today's line or the price list says it
    """

    product: object
    quantity: float
    price_unit: float | None = None
    discount: float | None = None
    name: str = ""
    metered: bool = False

    @property
    def key(self):
        """What makes it another line: a product may have two prices."""
        return (self.product.id, self.price_unit, self.discount)

    def get_price(self, currency):
        """Return what it costs in a whole period, where it is not metered."""
        if self.metered:
            return 0.0
        price = self.quantity * self.price_unit * (1 - self.discount / 100)
        return currency.round(price)


def merge(targets):
    """Return them, those of the same product and price as one, without empty ones."""
    merged = {}
    for target in targets:
        known = merged.get(target.key)
        merged[target.key] = (
            dataclasses.replace(known, quantity=known.quantity + target.quantity)
            if known
            else target
        )
    return [target for target in merged.values() if target.quantity or target.metered]
