"""Amounts in the smallest coin of a currency, so that parts add up to their whole."""

from __future__ import annotations

import decimal

Decimal = decimal.Decimal


def to_coins(amount: float | Decimal, coin: float) -> int:
    """How many of the smallest coin an amount has, half a coin rounded away from zero.

    :param float coin: the currency's rounding, e.g. 0.01
    """
    coins = _exact(amount) / _exact(coin)
    return int(coins.quantize(Decimal(1), rounding=decimal.ROUND_HALF_UP))


def from_coins(coins: int, coin: float) -> float:
    """The amount that so many coins are: the nearest number to its decimal form."""
    return float(coins * _exact(coin))


def _exact(amount: float | Decimal) -> Decimal:
    # The decimal number that people mean by a float, which its digits are.
    return amount if isinstance(amount, Decimal) else Decimal(repr(amount))
