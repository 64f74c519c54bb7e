"""Where an expression, its slope and its curvature lie as one symbol runs over the line; its limits there.

Both follow the expression from its parts, so whatever they say holds; where they cannot say, the answer is
the whole line, or no limit.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import IntEnum

import numpy as np
import sympy as sp

from ..algebra.derivative import derivative
from ..algebra.functions import FUNCTIONS
from ..algebra.visitor import Fold
from .function_rows import LIMITS, ROWS, FunctionRow
from .intervals import WHOLE, ZERO, Interval, added, multiplied, point, raised

Ranges = Mapping[sp.Symbol, Interval]


class Break(IntEnum):
    """Whether the slope of an expression jumps somewhere."""

    NONE = 0
    POSSIBLE = 1
    SURE = 2


@dataclass(frozen=True)
class Jet:
    """Intervals that hold all values, slopes and curvatures; slopes and curvatures wherever they exist."""

    value: Interval
    slope: Interval = ZERO
    curvature: Interval = ZERO
    breaks: Break = Break.NONE

    @property
    def is_fixed(self) -> bool:
        """Whether it does not depend on the symbol."""
        return self.slope.is_zero and self.curvature.is_zero and not self.breaks

    @property
    def is_affine(self) -> bool:
        """Whether it is affine in the symbol, with a slope that is one number other than 0."""
        same = self.slope.low == self.slope.high
        return same and not self.slope.has_zero and self.curvature.is_zero and not self.breaks


def jet_of(expression: sp.Expr, symbol: sp.Symbol, ranges: Ranges | None = None) -> Jet:
    """The jet of an expression in ``symbol``; ``ranges``: where that and the other symbols lie."""
    known = {other: Jet(interval) for other, interval in (ranges or {}).items()}
    known[symbol] = Jet((ranges or {}).get(symbol, WHOLE), point(1.0))
    return _Jets(known)(sp.sympify(expression))


def interval_of(expression: sp.Expr, ranges: Ranges) -> Interval:
    """Where an expression lies whose symbols lie in ``ranges``, those that are not named anywhere."""
    return _Jets({symbol: Jet(interval) for symbol, interval in ranges.items()})(expression).value


class _Jets(Fold[Jet]):
    """See :func:`jet_of`."""

    def number(self, node: sp.Expr) -> Jet:
        return Jet(point(float(node)))

    def symbol(self, node: sp.Symbol) -> Jet:
        """Another symbol: it may be any number, and stays where it is."""
        return Jet(WHOLE)

    def add(self, node: sp.Expr, parts: list[Jet]) -> Jet:
        """A kink of one summand stays where all others have none."""
        worst = [part.breaks for part in parts if part.breaks]
        breaks = max(worst, default=Break.NONE) if len(worst) < 2 else Break.POSSIBLE
        return Jet(
            added(part.value for part in parts),
            added(part.slope for part in parts),
            added(part.curvature for part in parts),
            breaks,
        )

    def mul(self, node: sp.Expr, parts: list[Jet]) -> Jet:
        """By the product rule, one factor after the other."""
        found = parts[0]
        for part in parts[1:]:
            found = _product(found, part)
        return found

    def power(self, node: sp.Expr, base: Jet, exponent: Jet) -> Jet:
        """A power whose exponent is one number; of others nothing is known but that they are numbers."""
        if exponent.value.low != exponent.value.high:
            value = WHOLE if not base.value.is_positive else Interval(0.0, math.inf, True)
            fixed = base.is_fixed and exponent.is_fixed
            return Jet(value) if fixed else Jet(value, WHOLE, WHOLE, Break.POSSIBLE)
        power = exponent.value.low
        row = FunctionRow(
            WHOLE,
            lambda argument: raised(argument, point(power)),
            multiplied([point(power), raised(base.value, point(power - 1))]),
            multiplied([point(power * (power - 1)), raised(base.value, point(power - 2))]),
        )
        jet = _composed(row, base, row.slope, row.curvature)
        whole = power == int(power) and power >= 0
        inside = whole or base.value.is_positive or (power == int(power) and not base.value.has_zero)
        return jet if inside or base.is_fixed else replace(jet, breaks=Break.POSSIBLE)

    def function(self, node: sp.Expr, name: str, parts: list[Jet]) -> Jet:
        """By the chain rule; what the row says of slopes is narrowed by the derivative on this argument."""
        if len(parts) == 2:
            return _binary(name, *parts)
        row, symbol = ROWS[name], sp.Symbol("argument")
        slope = derivative(node.func(symbol), symbol)
        curvature = derivative(slope, symbol)
        return _composed(
            row,
            parts[0],
            row.slope & _image(slope, symbol, parts[0].value),
            row.curvature & _image(curvature, symbol, parts[0].value),
        )


def _image(expression: sp.Expr, symbol: sp.Symbol, argument: Interval) -> Interval:
    return _Values({symbol: argument})(expression)


class _Values(Fold[Interval]):
    """The values of a derivative of the table on an interval, by the rows of what it is made of."""

    def number(self, node: sp.Expr) -> Interval:
        return point(float(node))

    def add(self, node: sp.Expr, parts: list[Interval]) -> Interval:
        return added(parts)

    def mul(self, node: sp.Expr, parts: list[Interval]) -> Interval:
        return multiplied(parts)

    def power(self, node: sp.Expr, base: Interval, exponent: Interval) -> Interval:
        return raised(base, exponent)

    def function(self, node: sp.Expr, name: str, parts: list[Interval]) -> Interval:
        return ROWS[name].image(parts[0]) if len(parts) == 1 else WHOLE


def _product(one: Jet, other: Jet) -> Jet:
    slope = added([multiplied([one.slope, other.value]), multiplied([one.value, other.slope])])
    curvature = added(
        [
            multiplied([one.curvature, other.value]),
            multiplied([point(2.0), one.slope, other.slope]),
            multiplied([one.value, other.curvature]),
        ]
    )
    breaks = max(one.breaks, other.breaks)
    if breaks and not any(jet.is_fixed and not jet.value.has_zero for jet in (one, other)):
        breaks = Break.POSSIBLE  # a zero of the other factor may smooth it
    return Jet(multiplied([one.value, other.value]), slope, curvature, breaks)


def _composed(row: FunctionRow, inner: Jet, slope: Interval, curvature: Interval) -> Jet:
    """The chain rule."""
    if inner.is_fixed:
        return Jet(row.image(inner.value))
    breaks = Break.POSSIBLE if inner.breaks else Break.NONE
    if row.jumps:
        met = inner.value.has_zero  # every function of the table jumps at 0
        sure = inner.is_affine and not inner.value.is_bounded
        breaks = max(breaks, Break.SURE if sure else Break.POSSIBLE if met else Break.NONE)
    bend = added(
        [
            multiplied([curvature, raised(inner.slope, point(2.0))]),
            multiplied([slope, inner.curvature]),
        ]
    )
    return Jet(row.image(inner.value), multiplied([slope, inner.slope]), bend, breaks)


def _binary(name: str, one: Jet, other: Jet) -> Jet:
    """Functions of two arguments: maximum, minimum, huber, clip and a comparison."""
    if name == "huber" and other.is_fixed and other.value.is_positive:
        delta = other.value.high
        row = FunctionRow(WHOLE, lambda _: Interval(0.0, math.inf))
        return _composed(row, one, Interval(-delta, delta), Interval(0.0, 1.0))
    if name == "not_less":
        value = _compared(one.value, other.value)
    elif name == "clip" and other.value.is_bounded:
        value = Interval(-abs(other.value.high), abs(other.value.high))
    elif name in ("max", "min"):
        value = _chosen(name, one.value, other.value)
    else:
        value = WHOLE
    if one.is_fixed and other.is_fixed:
        return Jet(value)
    affine, fixed = (one, other) if other.is_fixed else (other, one)
    sure = name in ("max", "min") and affine.is_affine and fixed.is_fixed and not affine.value.is_bounded
    slope = Interval(
        min(one.slope.low, other.slope.low),
        max(one.slope.high, other.slope.high),
        one.slope.low_open and other.slope.low_open,
        one.slope.high_open and other.slope.high_open,
    )
    if name not in ("max", "min"):
        slope = WHOLE
    return Jet(value, slope, WHOLE, Break.SURE if sure else Break.POSSIBLE)


def _compared(one: Interval, other: Interval) -> Interval:
    """1 where the first is never less than the second, 0 where it always is."""
    if one.low >= other.high:
        return point(1.0)
    return ZERO if one.high < other.low else Interval(0.0, 1.0)


def _chosen(name: str, one: Interval, other: Interval) -> Interval:
    """The values of a maximum or minimum."""
    pick = max if name == "max" else min
    low, high = pick(one.low, other.low), pick(one.high, other.high)
    low_open = all(part.low_open for part in (one, other) if part.low == low)
    high_open = all(part.high_open for part in (one, other) if part.high == high)
    return Interval(low, high, low_open, high_open)


# ---------------------------------------------------------------------------------------- limits


def limit_at(
    expression: sp.Expr, symbol: sp.Symbol, end: float, others: Mapping[sp.Symbol, float] | None = None
) -> float | None:
    """The limit of an expression as a symbol goes to ``end`` (plus or minus infinity), the others at values.

    A number, plus or minus infinity, or None where the form of the expression does not show one.
    """
    return _Limits({**(others or {}), symbol: end})(sp.sympify(expression))


class _Limits(Fold[float | None]):
    """See :func:`limit_at`: infinity minus infinity, and infinity times 0, are not known."""

    def number(self, node: sp.Expr) -> float | None:
        return float(node)

    def symbol(self, node: sp.Symbol) -> float | None:
        """A symbol of which nothing is known."""
        return None

    def add(self, node: sp.Expr, parts: list[float | None]) -> float | None:
        known = [part for part in parts if part is not None]
        return None if len(known) < len(parts) else _number(sum(known))

    def mul(self, node: sp.Expr, parts: list[float | None]) -> float | None:
        known = [part for part in parts if part is not None]
        return None if len(known) < len(parts) else _number(math.prod(known))

    def power(self, node: sp.Expr, base: float | None, exponent: float | None) -> float | None:
        if base is None or exponent is None or not math.isfinite(exponent):
            return None
        if base == 0 and exponent <= 0:
            return None
        if base < 0 and exponent != int(exponent):
            return None
        try:
            return _number(float(base**exponent))
        except (OverflowError, ZeroDivisionError):
            return None

    def function(self, node: sp.Expr, name: str, parts: list[float | None]) -> float | None:
        if any(part is None for part in parts):
            return None
        first = parts[0]
        if len(parts) == 1 and (name, first) in LIMITS:
            return LIMITS[name, first]  # type: ignore[index]
        jumps = ROWS[name].jumps == "value" if len(parts) == 1 else name == "not_less"
        if jumps and (len(parts) > 1 or first == 0):
            return None
        with np.errstate(all="ignore"):
            return _number(float(FUNCTIONS[name].real(*parts)))


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value
