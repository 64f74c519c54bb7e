"""What a function of one variable is: bounded, smooth, monotone, a polynomial, convex; yes, no or open.

Every yes and every no rests on something that is named with it: an interval that holds all values, a limit,
a kink, two places between which a sign changes. What nothing shows stays open.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from itertools import pairwise

import numpy as np
import sympy as sp

from ..algebra.derivative import derivative
from ..algebra.evaluate import evaluate_expression
from ..algebra.functions import call
from ..algebra.parity import Parity, parity_of
from ..algebra.visitor import Fold, Rewriting
from .intervals import Interval
from .jets import Break, Jet, interval_of, jet_of, limit_at


class Answer(StrEnum):
    """Three answers."""

    YES = "yes"
    NO = "no"
    OPEN = "not decidable"


def all_of(answers: Iterable[Answer]) -> Answer:
    """No if one is no, yes if all are yes."""
    found = set(answers)
    return Answer.NO if Answer.NO in found else Answer.OPEN if Answer.OPEN in found else Answer.YES


class Why(StrEnum):
    """What an answer about a function rests on."""

    RANGE = "range"  # an interval holds all values
    GROWS = "grows"  # with the end (plus or minus infinity) at which it, or a derivative, grows
    KINK = "kink"  # the slope jumps
    ZERO = "zero"  # it is 0 at a place
    SIGN = "sign"  # its sign changes between two places
    FORM = "form"  # the written form shows it
    NOT_POLYNOMIAL = "not polynomial"  # it, or a derivative, is bounded or has a limit, and is not constant
    UNSEEN = "unseen"  # nothing shows it


@dataclass(frozen=True)
class Fact:
    """An answer and what it rests on; ``at`` are the numbers that belong to the reason."""

    answer: Answer
    why: Why
    at: tuple[float, ...] = ()


_OPEN = Fact(Answer.OPEN, Why.UNSEEN)
_ENDS = (-math.inf, math.inf)
# Where slopes are looked at: no place in particular, and 0, where kinks and zeros of the table are.
_PLACES = (-7.0, -4.3, -2.9, -1.7, -0.9, -0.31, 0.0, 0.37, 0.83, 1.9, 3.1, 4.7, 7.0)
# A value that is larger than this part of the largest value near it is no rounding.
_ROUNDING = 1e-9
_STRETCH = 1e-3


@dataclass(frozen=True)
class RealFunction:
    """An expression as a function of one symbol; ``ranges``: where its other symbols lie."""

    expression: sp.Expr
    symbol: sp.Symbol
    ranges: tuple[tuple[sp.Symbol, Interval], ...] = ()

    @cached_property
    def jet(self) -> Jet:
        """Where its values, slopes and curvatures lie."""
        return jet_of(self.expression, self.symbol, dict(self.ranges))

    @cached_property
    def slope(self) -> sp.Expr:
        """Its derivative."""
        return derivative(self.expression, self.symbol)

    def bounded(self) -> Fact:
        """Whether its values stay within bounds."""
        return self._within(self.jet.value, self.expression)

    def slope_bounded(self) -> Fact:
        """Whether its derivative stays within bounds."""
        return self._within(self.jet.slope, self.slope)

    def slope_lipschitz(self) -> Fact:
        """Whether its derivative is Lipschitz: continuous, with a bounded derivative of its own."""
        jet = self.jet
        if jet.breaks is Break.SURE:
            return Fact(Answer.NO, Why.KINK)
        found = self._within(jet.curvature, derivative(self.slope, self.symbol))
        return _OPEN if jet.breaks and found.answer is Answer.YES else found

    def _within(self, interval: Interval, expression: sp.Expr) -> Fact:
        if interval.is_bounded:
            return Fact(Answer.YES, Why.RANGE, (interval.low, interval.high))
        # Growth for one value of the other symbols is enough.
        others = {symbol: min(max(part.low, 0.0), part.high) for symbol, part in self.ranges}
        for end in _ENDS:
            found = limit_at(expression, self.symbol, end, others)
            if found is not None and math.isinf(found):
                return Fact(Answer.NO, Why.GROWS, (end,))
        return _OPEN

    def slope_nonzero(self) -> Fact:
        """Whether its derivative is 0 nowhere (where it has one)."""
        jet = self.jet
        if not jet.slope.has_zero:
            return Fact(Answer.YES, Why.RANGE, (jet.slope.low, jet.slope.high))
        if self._is_level(-2.0, -1.0) or self._is_level(1.0, 2.0):
            return Fact(Answer.NO, Why.ZERO, (-2.0, -1.0) if self._is_level(-2.0, -1.0) else (1.0, 2.0))
        found = self._sign_change()
        if found is _OPEN and not jet.breaks and self._is_level(0.0, 0.0):
            return Fact(Answer.NO, Why.ZERO, (0.0,))
        return found

    def _is_level(self, low: float, high: float) -> bool:
        """Whether its derivative is 0 everywhere between two places."""
        there = dict(self.ranges) | {self.symbol: Interval(low, high)}
        return interval_of(self.slope, there).is_zero

    def _sign_change(self) -> Fact:
        """Two places between which the derivative passes through 0 (or jumps over it)."""
        stretches = self._stretches(self.slope)
        size = _ROUNDING * max((min(abs(part.low), abs(part.high)) for _, part in stretches), default=0.0)
        signs = [(at, part.low > 0) for at, part in stretches if part.low > size or part.high < -size]
        for (place, rises), (other, rises_there) in pairwise(signs):
            if rises != rises_there:
                return Fact(Answer.NO, Why.SIGN, (place, other))
        return _OPEN

    def _stretches(self, expression: sp.Expr) -> list[tuple[float, Interval]]:
        """Where an expression lies on short intervals that begin at some places; none where it is not known.

        One place alone may be a kink or a jump, where a value stands that nothing near it has.
        """
        if expression.free_symbols - {self.symbol}:
            return []
        found = [(place, stretch_of(expression, self.symbol, place, place + _STRETCH)) for place in _PLACES]
        return [(place, part) for place, part in found if part.is_bounded]

    def not_polynomial(self) -> Fact:
        """Whether it is no polynomial.

        A polynomial that is bounded, or has a finite limit at one end, is constant; and the derivatives of a
        polynomial are polynomials.
        """
        if sp.expand(self.expression).is_polynomial(self.symbol):
            return Fact(Answer.NO, Why.FORM)
        expression, interval = self.expression, self.jet.value
        for order in range(3):
            bound = interval.is_bounded
            ends = [limit_at(expression, self.symbol, end) for end in _ENDS]
            if (bound or any(end is not None and math.isfinite(end) for end in ends)) and self._varies(
                expression
            ):
                return Fact(Answer.YES, Why.NOT_POLYNOMIAL, (float(order),))
            expression = derivative(expression, self.symbol)
            interval = self.jet.slope if order == 0 else self.jet.curvature
        return _OPEN

    def _varies(self, expression: sp.Expr) -> bool:
        """Whether an expression has different values on two stretches, beyond rounding."""
        found = [part for _, part in self._stretches(expression)]
        if not found:
            return False
        room = _ROUNDING * (1 + max(max(abs(part.low), abs(part.high)) for part in found))
        return max(part.low for part in found) > min(part.high for part in found) + room

    def locally_bounded(self) -> bool:
        """Whether the written form shows that the values are bounded on every bounded interval."""
        return _Tame()(self.expression)

    def convex(self) -> Fact:
        """Whether it is convex: its derivative never falls."""
        jet = self.jet
        if jet.curvature.is_not_negative and not jet.breaks:
            return Fact(Answer.YES, Why.RANGE, (jet.curvature.low, jet.curvature.high))
        return _OPEN

    def halves(self) -> tuple[sp.Expr, sp.Expr] | None:
        """Its even and its odd part; None where the form of the expression does not show them."""
        expanded = sp.expand(_Halving()(self.expression))
        even: list[sp.Expr] = []
        odd: list[sp.Expr] = []
        for term in sp.Add.make_args(expanded):
            found = parity_of(term, {self.symbol: Parity.ODD})
            if found is None:
                return None
            (odd if found == Parity.ODD else even).append(term)
        return sp.Add(*even), sp.Add(*odd)


def stretch_of(expression: sp.Expr, symbol: sp.Symbol, low: float, high: float) -> Interval:
    """Where an expression lies on a short interval: by its parts, and by its middle and its slopes."""
    jet = jet_of(expression, symbol, {symbol: Interval(low, high)})
    if jet.breaks or not jet.slope.is_bounded:
        return jet.value
    with np.errstate(all="ignore"):
        middle = float(evaluate_expression(expression, {symbol: (low + high) / 2}))
    if not math.isfinite(middle):
        return jet.value
    reach = max(abs(jet.slope.low), abs(jet.slope.high)) * (high - low) / 2
    return jet.value & Interval(middle - reach, middle + reach)


class _Tame(Fold[bool]):
    """Whether an expression is bounded on bounded intervals: it has no poles, also none of a logarithm."""

    def number(self, node: sp.Expr) -> bool:
        return True

    def symbol(self, node: sp.Symbol) -> bool:
        return True

    def add(self, node: sp.Expr, parts: list[bool]) -> bool:
        return all(parts)

    def mul(self, node: sp.Expr, parts: list[bool]) -> bool:
        return all(parts)

    def power(self, node: sp.Expr, base: bool, exponent: bool) -> bool:
        if not (base and exponent and node.exp.is_number):
            return False
        if node.exp.is_Integer and node.exp > 0:
            return True
        least = interval_of(node.base, {}).low
        return least > 0 or (least == 0 and node.exp > 0)

    def function(self, node: sp.Expr, name: str, parts: list[bool]) -> bool:
        if name == "log":
            return parts[0] and interval_of(node.args[0], {}).low > 0
        if name == "sqrt":
            return parts[0] and interval_of(node.args[0], {}).low >= 0
        return all(parts)


# Functions that are neither even nor odd as sums of an even and an odd part.
_HALF = sp.Rational(1, 2)
_SUMS: dict[str, Callable[[sp.Expr], sp.Expr]] = {
    "sigmoid": lambda x: _HALF + call("tanh", x / 2) / 2,
    "normal_cdf": lambda x: _HALF + call("erf", x / sp.sqrt(2)) / 2,
    "softplus": lambda x: x / 2 + call("abs", x) / 2 + call("softplus", -call("abs", x)),
    "gelu": lambda x: x / 2 + x * call("erf", x / sp.sqrt(2)) / 2,
    "silu": lambda x: x / 2 + x * call("tanh", x / 2) / 2,
    "relu": lambda x: x / 2 + call("abs", x) / 2,
    "leaky_relu": lambda x: sp.Rational(101, 200) * x + sp.Rational(99, 200) * call("abs", x),
}


class _Halving(Rewriting):
    """Writes functions of the table as sums of their even and odd parts."""

    def symbol(self, node: sp.Symbol) -> sp.Expr:
        return node

    def function(self, node: sp.Expr, name: str, parts: list[sp.Expr]) -> sp.Expr:
        return _SUMS[name](parts[0]) if name in _SUMS else node.func(*parts)


def is_polynomial(expression: sp.Expr, symbol: sp.Symbol) -> bool:
    """Whether the written form of an expression is a polynomial of a symbol (numbers are)."""
    return bool(sp.expand(expression).is_polynomial(symbol))
