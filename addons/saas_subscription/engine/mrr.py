"""Monthly recurring revenue, and how it moves."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Iterable

from .money import Decimal, from_coins, to_coins

MONTHS_OF_A_YEAR = 12


class Kind(enum.StrEnum):
    """Why revenue moved."""

    NEW = "new"
    EXPANSION = "expansion"
    CONTRACTION = "contraction"
    CHURN = "churn"
    REACTIVATION = "reactivation"


@dataclasses.dataclass(frozen=True, slots=True)
class Movement:
    """By how much revenue moved, below zero where it shrank."""

    kind: Kind
    amount: float


@dataclasses.dataclass(frozen=True, slots=True)
class Summary:
    """Revenue at the beginning and the end of some time, and what lies between."""

    opening: float
    new: float
    expansion: float
    contraction: float
    churn: float
    reactivation: float
    closing: float

    @property
    def churn_rate(self) -> float:
        """Which part of the revenue at the beginning was lost, from 0 to 1."""
        return find_share(-(self.churn + self.contraction), self.opening)


def monthly(amount: float, months: int, coin: float) -> float:
    """What an amount for so many months is for one.

    :param float coin: the currency's rounding
    """
    coins = Decimal(to_coins(amount, coin)) / months
    return from_coins(to_coins(coins, 1), coin)


def yearly(amount: float, coin: float) -> float:
    """What monthly revenue is in a year."""
    return from_coins(to_coins(amount, coin) * MONTHS_OF_A_YEAR, coin)


def classify(
    before: float, after: float, coin: float, *, is_known: bool
) -> Movement | None:
    """What a subscription's change is, None where its revenue stays.

    :param bool is_known: it has brought revenue before, whatever it brings now
    """
    coins = to_coins(after, coin) - to_coins(before, coin)
    if not coins:
        return None
    return Movement(
        _find_kind(to_coins(before, coin), to_coins(after, coin), is_known),
        from_coins(coins, coin),
    )


def summarize(opening: float, movements: Iterable[Movement], coin: float) -> Summary:
    """What became of the revenue that was there at the beginning."""
    sums = dict.fromkeys(Kind, 0)
    for movement in movements:
        sums[movement.kind] += to_coins(movement.amount, coin)
    first = to_coins(opening, coin)
    return Summary(
        opening=from_coins(first, coin),
        closing=from_coins(first + sum(sums.values()), coin),
        **{kind.value: from_coins(coins, coin) for kind, coins in sums.items()},
    )


def find_share(part: float, whole: float) -> float:
    """Which part of a whole something is; nothing where there is no whole."""
    return part / whole if whole else 0.0


def _find_kind(before: int, after: int, is_known: bool) -> Kind:
    if before <= 0:
        return Kind.REACTIVATION if is_known else Kind.NEW
    if after <= 0:
        return Kind.CHURN
    return Kind.EXPANSION if after > before else Kind.CONTRACTION
