"""Intervals of real numbers with ends that belong to them or not; their sums, products and powers.

An interval that comes out of a calculation holds every value of the expression; it may hold more. Ends are
rounded to double precision.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import reduce


@dataclass(frozen=True)
class Interval:
    """The numbers from ``low`` to ``high``; ``low_open``, ``high_open``: without that end itself.

    Infinite ends are always open.
    """

    low: float
    high: float
    low_open: bool = False
    high_open: bool = False

    def __post_init__(self) -> None:
        """Infinity is no number; where a calculation left the doubles, nothing is known of that end."""
        low = -math.inf if math.isnan(self.low) else min(self.low, sys.float_info.max)
        high = math.inf if math.isnan(self.high) else max(self.high, -sys.float_info.max)
        object.__setattr__(self, "low", low)
        object.__setattr__(self, "high", high)
        object.__setattr__(self, "low_open", self.low_open or math.isinf(self.low))
        object.__setattr__(self, "high_open", self.high_open or math.isinf(self.high))

    @property
    def is_bounded(self) -> bool:
        """Whether both ends are finite."""
        return math.isfinite(self.low) and math.isfinite(self.high)

    @property
    def is_zero(self) -> bool:
        """Whether 0 is its only number."""
        return self.low == 0 == self.high

    @property
    def is_positive(self) -> bool:
        """Whether all of its numbers are greater than 0."""
        return self.low > 0 or (self.low == 0 and self.low_open)

    @property
    def is_negative(self) -> bool:
        """Whether all of its numbers are less than 0."""
        return self.high < 0 or (self.high == 0 and self.high_open)

    @property
    def is_not_negative(self) -> bool:
        """Whether none of its numbers is less than 0."""
        return self.low >= 0

    @property
    def has_zero(self) -> bool:
        """Whether 0 is one of its numbers."""
        return not (self.is_positive or self.is_negative)

    def __and__(self, other: Interval) -> Interval:
        """What both hold; the other one where rounding leaves nothing."""
        low, low_open = max((self.low, self.low_open), (other.low, other.low_open))
        high, closed = min((self.high, not self.high_open), (other.high, not other.high_open))
        return Interval(low, high, low_open, not closed) if low <= high else other


WHOLE = Interval(-math.inf, math.inf)
ZERO = Interval(0.0, 0.0)


def point(value: float) -> Interval:
    """The interval of one number."""
    return Interval(value, value)


def added(parts: Iterable[Interval]) -> Interval:
    """All sums of numbers of the parts."""
    found = list(parts)
    return Interval(
        sum(part.low for part in found),
        sum(part.high for part in found),
        any(part.low_open for part in found),
        any(part.high_open for part in found),
    )


def multiplied(parts: Iterable[Interval]) -> Interval:
    """All products of numbers of the parts, which are taken as if they had nothing to do with each other."""
    return reduce(_times, parts, point(1.0))


def _times(one: Interval, other: Interval) -> Interval:
    if one.is_zero or other.is_zero:
        return ZERO
    # A product of ends is reached where both ends are, or where one of them is a 0 that is reached.
    ends: list[tuple[float, bool]] = []
    for a, a_open in ((one.low, one.low_open), (one.high, one.high_open)):
        for b, b_open in ((other.low, other.low_open), (other.high, other.high_open)):
            reached_zero = (a == 0 and not a_open) or (b == 0 and not b_open)
            value = 0.0 if a == 0 or b == 0 else a * b
            ends.append((value, (a_open or b_open) and not reached_zero))
    return _hull(ends)


def _hull(ends: list[tuple[float, bool]]) -> Interval:
    """The smallest interval with these ends, each with whether it is open; closed if one of equals is."""
    low, low_open = min(ends)
    high, closed = max((value, not is_open) for value, is_open in ends)
    return Interval(low, high, low_open, not closed)


def raised(base: Interval, exponent: Interval) -> Interval:
    """All powers of numbers of ``base``; the whole line for exponents that are not one number."""
    if exponent.low != exponent.high:
        return WHOLE
    power = exponent.low
    if power < 0:
        return inverse(raised(base, point(-power)))
    if power == int(power):
        if int(power) % 2 or not base.has_zero:
            return _monotone_power(base, power)
        top = max(abs(base.low), abs(base.high))
        ends = [(abs(base.low), base.low_open), (abs(base.high), base.high_open)]
        is_open = all(is_open for value, is_open in ends if value == top)
        return Interval(0.0, _power(top, power), False, is_open)
    return _monotone_power(base, power) if base.is_not_negative else WHOLE


def _monotone_power(base: Interval, power: float) -> Interval:
    ends = [(_power(base.low, power), base.low_open), (_power(base.high, power), base.high_open)]
    return _hull(ends)


def _power(value: float, power: float) -> float:
    try:
        return float(value**power)
    except OverflowError:
        return math.inf if value > 0 or power % 2 == 0 else -math.inf


def inverse(base: Interval) -> Interval:
    """1 over the numbers of an interval; the whole line where 0 is one of them."""
    if base.has_zero:
        return WHOLE

    def turned(value: float) -> float:
        if value == 0:
            return math.inf if base.is_positive else -math.inf
        return 1.0 / value

    return Interval(turned(base.high), turned(base.low), base.high_open, base.low_open)


def mapped(function: Callable[[float], float], argument: Interval) -> Interval:
    """The values of a function that never falls on an interval, with the values at infinity as limits."""
    low, high = float(function(argument.low)), float(function(argument.high))
    return Interval(low, high, argument.low_open, argument.high_open)
