"""Prints display trees; a vocabulary says how the values of fields look in one notation."""

from __future__ import annotations

from typing import Any, Protocol

import sympy as sp
from sympy.core.function import AppliedUndef

from ..algebra.functions import ClosedFunction, split_inside
from .letters import DATA_LETTER, Letter
from .nodes import FIRST_MAXIMUM, Activation, Binder, Indicator, Maximum, Mean, Sum, head_name
from .styles import Style

Tree = Any

ADD, MULTIPLY, ATOM = range(3)


def spelled(number: Tree) -> tuple[str, str]:
    """A positive number as (what stands above, what stands below a bar, or nothing).

    Specs give decimals: 109/100 was written 1.09, 1/(1.09) became 100/109. Simple fractions stay.
    """
    if not isinstance(number, sp.Rational):
        return (f"{float(number):.6g}", "")
    if number.q == 1:
        return str(number.p), ""
    if number.q <= _SIMPLE and number.p <= _SIMPLE:
        return str(number.p), str(number.q)
    for above, below in ((decimal(number), ""), ("1", decimal(1 / number))):
        if above and (below or above != "1"):
            return above, below
    return str(number.p), str(number.q)


_SIMPLE = 9
_DIGITS = 6


def decimal(number: Tree) -> str:
    """A number with few decimals as such, else nothing."""
    scaled = number * 10**_DIGITS
    if scaled.q != 1:
        return ""
    whole, part = divmod(int(scaled), 10**_DIGITS)
    return f"{whole}.{part:0{_DIGITS}d}".rstrip("0").rstrip(".")


class Vocabulary(Protocol):
    """What a notation knows: how values, activations and indices are printed."""

    def letter(self, symbol: Tree) -> Letter:
        """The letter of a symbol: an index variable, a variable of a neuron, a rate."""

    def value(self, node: Tree, printer: Printer) -> str:
        """The value of a field: an undefined function applied to slots."""

    def activation(self, node: Activation, printer: Printer) -> str:
        """An activation or one of its derivatives."""

    def other(self, node: Tree, printer: Printer) -> str:
        """A node of the notation's own."""

    def rank(self, node: Tree) -> int:
        """The rank of a factor in a product: factors of a small one stand at the left."""


class Printer:
    """Prints trees in one style and one notation."""

    pulls_out = True  # a whole number that all terms of a sum have stands before it: 2 (a − b)

    def __init__(self, style: Style, vocabulary: Vocabulary) -> None:
        self.style = style
        self.vocabulary = vocabulary

    def text(self, node: Tree, level: int = ADD) -> str:
        """The printed tree, in brackets where ``level`` asks for them. Unknown nodes raise TypeError."""
        if isinstance(node, sp.Add):
            return self._bracketed(self._add(node), level > ADD)
        if isinstance(node, sp.Mul):
            return self._mul(node, level)
        if isinstance(node, sp.Pow):
            return self._power(node, level)
        if isinstance(node, Binder):
            return self._binder(node, level)
        if isinstance(node, Activation):
            return self.vocabulary.activation(node, self)
        if isinstance(node, ClosedFunction):
            return self.style.function(type(node).__name__, [self.text(a) for a in node.args])
        if isinstance(node, AppliedUndef) and head_name(node) == FIRST_MAXIMUM:
            return self._first_maximum(node)
        if isinstance(node, AppliedUndef):
            return self.vocabulary.value(node, self)
        if isinstance(node, Indicator):
            left, right = self.indices(node.args)
            return self.style.subscript(self.style.letter(Letter("1")), f"{left} = {right}")
        return self._leaf(node, level)

    def _leaf(self, node: Tree, level: int) -> str:
        if isinstance(node, sp.Symbol):
            return self.style.letter(self.vocabulary.letter(node))
        if isinstance(node, sp.Integer | sp.Float):
            shown = str(node) if isinstance(node, sp.Integer) else f"{float(node):.6g}"
            shown = shown.replace("-", self.style.minus)
            return self._bracketed(shown, node.is_negative and level > ADD)
        if isinstance(node, sp.Rational):
            above, below = spelled(abs(node))
            shown = self.style.fraction(above, below) if below else above
            shown = self.style.minus + shown if node.is_negative else shown
            return self._bracketed(shown, level > ADD and (node.is_negative or bool(below)))
        if node is sp.pi:
            return "π" if self.style.minus == "−" else r"\pi"
        return self.vocabulary.other(node, self)

    def indices(self, nodes: Any) -> list[str]:
        """Printed slots."""
        return [self.slot(node) for node in nodes]

    def slot(self, node: Tree) -> str:
        """An index or a position: ``2p + k − 1``, the largest stride first, numbers last."""
        if not isinstance(node, sp.Add | sp.Mul):
            return self.text(node)
        terms = [term.as_coeff_Mul() for term in sp.Add.make_args(node)]
        parts = [(c, index) for c, index in terms if not index.is_number]
        position = {index: self.vocabulary.letter(index).base == "p" for _, index in parts}
        parts.sort(key=lambda part: (-part[0], not position[part[1]], part[1].name))
        shown = ""
        for coefficient, index in [*parts, (sum(c for c, one in terms if one.is_number), None)]:
            if coefficient == 0:
                continue
            number = "" if abs(coefficient) == 1 and index is not None else str(abs(coefficient))
            sign = self.style.minus if coefficient < 0 else "+"
            joint = f" {sign} " if shown else sign.replace("+", "")
            shown += joint + number + (self.text(index) if index is not None else "")
        return shown

    def _bracketed(self, shown: str, needed: bool) -> str:
        return self.style.group(shown) if needed else shown

    # ------------------------------------------------------------------ sums and products

    def _add(self, node: Tree) -> str:
        content, rest = node.primitive()
        if self.pulls_out and content.is_integer and content != 1 and isinstance(rest, sp.Add):
            return self._product(content, [rest])
        terms = sorted(node.args, key=self._term_key)
        pieces = []
        for position, term in enumerate(terms):
            negative = term.as_coeff_Mul()[0].is_negative
            shown = self.text(-term if negative else term, MULTIPLY if negative else ADD)
            if position + 1 < len(terms) and self._ends_open(term):
                shown = self.style.group(shown)
            sign = self.style.minus if negative else "+"
            if position:
                pieces.append(f" {sign} {shown}")
            else:
                pieces.append(f"{sign}{shown}" if negative else shown)
        return "".join(pieces)

    def _term_key(self, term: Tree) -> tuple[Any, ...]:
        coefficient, rest = term.as_coeff_Mul()
        ranked = sorted((-self._rank(factor), str(factor)) for factor in sp.Mul.make_args(rest))
        return bool(coefficient.is_negative), self._ends_open(term), *ranked

    def _ends_open(self, term: Tree) -> bool:
        return any(isinstance(f, Sum | Maximum) for f in sp.Mul.make_args(term)) and not self._divided(term)

    def _divided(self, term: Tree) -> bool:
        coefficient, rest = term.as_coeff_Mul()
        powers = [f for f in sp.Mul.make_args(rest) if isinstance(f, sp.Pow)]
        return coefficient.q != 1 or any(f.exp.is_number and f.exp.is_negative for f in powers)

    def _rank(self, factor: Tree) -> int:
        if isinstance(factor, sp.Pow):
            return self._rank(factor.base)
        if isinstance(factor, Sum | Maximum):
            return 90
        if isinstance(factor, sp.Add):
            return 75
        if isinstance(factor, Mean):
            return 80
        return self.vocabulary.rank(factor)

    def _mul(self, node: Tree, level: int) -> str:
        coefficient, rest = node.as_coeff_Mul()
        factors = list(sp.Mul.make_args(rest))
        if coefficient.is_negative:
            inner = self._product(-coefficient, factors)
            return self._bracketed(self.style.minus + inner, level > ADD)
        shown = self._product(coefficient, factors)
        return self._bracketed(shown, level > MULTIPLY)

    def _product(self, coefficient: Tree, factors: list[Tree]) -> str:
        above, below = [], []
        for factor in sorted(factors, key=lambda f: (self._rank(f), str(f))):
            if isinstance(factor, sp.Pow) and factor.exp.is_number and factor.exp.is_negative:
                below.append(sp.Pow(factor.base, -factor.exp))
            else:
                above.append(factor)
        number, divisor = self._coefficient(coefficient)
        if divisor and any(isinstance(factor, Binder) for factor in above):
            fraction = self.style.fraction(number, divisor)
            number, divisor = fraction if self.style.minus == "-" else self.style.group(fraction), ""
        front = [number] if number != "1" or not above else []
        numerator = self._factors(above, front)
        if not below and not divisor:
            return numerator
        under = [divisor] if divisor else []
        if self.style.minus == "-":
            return self.style.fraction(numerator, self._factors(below, under))
        if any(self._ends_open(factor) for factor in above):
            numerator = self.style.group(numerator)
        if len(below) + len(under) == 1:
            closed = divisor or self.text(below[0], ATOM)
        else:
            closed = self.style.group(self._factors(below, under))
        return self.style.fraction(numerator, closed)

    def _coefficient(self, coefficient: Tree) -> tuple[str, str]:
        """The number of a product: what stands above the bar, and below it."""
        number, divisor = spelled(coefficient) if coefficient.p != 1 else ("1", str(coefficient.q))
        return number, "" if divisor == "1" else divisor

    def _factors(self, factors: list[Tree], front: list[str]) -> str:
        if len(factors) == 1 and not front:
            return self.text(factors[0], MULTIPLY)
        last = len(factors) - 1
        shown = list(front)
        for position, factor in enumerate(factors):
            piece = self.text(factor, MULTIPLY)
            if self._ends_open(factor) and position < last:
                piece = self.style.group(piece)
            shown.append(piece)
        return self.style.times.join(shown)

    def _power(self, node: Tree, level: int) -> str:
        if node.exp.is_number and node.exp.is_negative:
            return self._bracketed(self._product(sp.Integer(1), [node]), level > MULTIPLY)
        if node.exp == sp.Rational(1, 2):
            return self.style.function("sqrt", [self.text(node.base)])
        simple = isinstance(node.base, sp.Symbol | AppliedUndef | Activation | ClosedFunction)
        simple = simple or bool(node.base.is_number)
        base = self.text(node.base, ATOM)
        if not simple and not isinstance(node.base, sp.Add | sp.Mul):
            base = self.style.group(base)
        return self.style.power(base, self.text(node.exp))

    # ------------------------------------------------------------------ means, sums, maxima

    def _binder(self, node: Binder, level: int) -> str:
        names = self.indices(node.indices)
        if isinstance(node, Mean):
            data = [self.vocabulary.letter(index).bare for index in node.indices] == [DATA_LETTER]
            sign = self.style.subscript(self.style.expectation, "P") if data else ""
            sign = sign or self.style.operator("mean", names)
            return sign + self.style.group(self.text(node.body), "[]")
        if not isinstance(node, Sum | Maximum):
            return self.vocabulary.other(node, self)
        conditions = [f for f in sp.Mul.make_args(node.body) if isinstance(f, Indicator)]
        body = sp.Mul(*[f for f in sp.Mul.make_args(node.body) if not isinstance(f, Indicator)])
        condition = ", ".join(" = ".join(self.indices(c.args)) for c in conditions)
        sign = self.style.operator("sum" if isinstance(node, Sum) else "max", names, condition)
        shown = f"{sign} {self.text(body, MULTIPLY)}"
        return self._bracketed(shown, level == ATOM)

    def _first_maximum(self, node: Tree) -> str:
        value, *indices = node.args
        names = ", ".join(self.indices(indices))
        words = self.style.words
        left, right = words("[1 where "), words(" is the first maximum of ")
        masked = split_inside(value)
        if masked is None:
            return left + names + right + self.text(value) + words(", else 0]")
        counted, inside = map(self.text, masked)
        return left + names + right + counted + words(" with ") + inside + " = 1" + words(", else 0]")
