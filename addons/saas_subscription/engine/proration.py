"""What some days of a period cost: by days, and to the coin.

What has been charged by any day of a period is rounded, and some days cost the
difference between two such amounts. So the parts of a period add up to its price,
however it is cut and how often.
"""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Iterable, Iterator, Mapping

from .money import Decimal, from_coins, to_coins
from .recurrence import Period

Date = datetime.date


@dataclasses.dataclass(frozen=True, slots=True)
class Part:
    """What a change gives back, or charges, for the rest of a period.

    :param str key: of the line, as the caller named it
    :param float amount: below zero where it is given back
    :param Period period: the days that it is for
    """

    key: str
    amount: float
    period: Period


def prorate(price: float, whole: Period, part: Period, coin: float) -> float:
    """What those days cost of a period that costs so much as a whole.

    :param Period part: days of the whole; others are not counted
    :param float coin: the currency's rounding
    """
    start = _coins_by(price, whole, part.start, coin)
    return from_coins(_coins_by(price, whole, part.end, coin) - start, coin)


def list_parts(
    old: Mapping[str, float],
    new: Mapping[str, float],
    whole: Period,
    day: Date,
    coin: float,
) -> tuple[Part, ...]:
    """What a change from that day on gives back and charges until the period's end.

    A line that keeps its price is left alone. What is given back comes first.

    :param old: the price of each line for the whole period, until the change
    :param new: the same from the change on
    :param Period whole: the full period; a cut one's full one where it was cut short
    """
    if not whole.has(day):
        raise ValueError(f"{day} is not between {whole.start} and {whole.last}")
    rest = Period(day, whole.end)
    changed = {
        key
        for key in old.keys() | new.keys()
        if _differ(old.get(key, 0), new.get(key, 0), coin)
    }
    back = ((key, -price) for key, price in old.items() if key in changed)
    more = ((key, price) for key, price in new.items() if key in changed)
    return (*_list(back, whole, rest, coin), *_list(more, whole, rest, coin))


def total(amounts: Iterable[float], coin: float) -> float:
    """The sum, without what floats leave behind."""
    return from_coins(sum(to_coins(amount, coin) for amount in amounts), coin)


def _list(
    prices: Iterable[tuple[str, float]], whole: Period, rest: Period, coin: float
) -> Iterator[Part]:
    for key, price in prices:
        amount = prorate(price, whole, rest, coin)
        if amount:
            yield Part(key, amount, rest)


def _differ(price: float, other: float, coin: float) -> bool:
    return to_coins(price, coin) != to_coins(other, coin)


def _coins_by(price: float, whole: Period, day: Date, coin: float) -> int:
    """What the period's days before that one have cost."""
    gone = min(max((day - whole.start).days, 0), whole.days)
    coins = Decimal(to_coins(price, coin)) * gone / whole.days
    return to_coins(coins, 1)
