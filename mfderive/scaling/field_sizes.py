"""How large values and derivatives of a wide network are: powers of its widths, equation by equation.

The sizes are those of the limit's own normalisation: an adjoint D is the width of its population times a
network's derivative, a sum over a population is divided by its width. Where the entries of a parameter start
larger than order 1 they are centred and independent, and a sum over n of them is sqrt(n) times, not n times,
an entry: this is followed index by index. A size is an upper bound that initial values reach.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

import sympy as sp

from ..algebra.system import LimitSystem
from ..algebra.terms import Access, AxisKind, Equation, Index, Role, Term
from ..algebra.visitor import Fold
from ..errors import MfError
from .width_product import HALF, ONE, WidthProduct


class GrowsError(MfError):
    """A function that is not linear is given values that grow with the width: no size can be told."""


@dataclass(frozen=True)
class Size:
    """A size, and the places over which values are centred and independent.

    The places are index variables while a term is looked at, and numbers of axes of a field.
    """

    widths: WidthProduct = ONE
    centred: frozenset[Index | int] = frozenset()


class _Sizes(Fold[Size]):
    """The size of an expression: products multiply, of summands the largest counts."""

    def number(self, node: sp.Expr) -> Size:
        return Size()

    def add(self, node: sp.Expr, parts: list[Size]) -> Size:
        return largest(parts)

    def mul(self, node: sp.Expr, parts: list[Size]) -> Size:
        widths, centred = ONE, frozenset[Index | int]()
        for part in parts:
            widths, centred = widths * part.widths, centred | part.centred
        return Size(widths, centred)

    def power(self, node: sp.Expr, base: Size, exponent: Size) -> Size:
        if base.widths.degree == 0:
            return Size()
        number = node.args[1]
        if not number.is_Rational:
            raise GrowsError(f"'{node}' is a power of something that changes with the width")
        return Size(base.widths ** Fraction(int(number.p), int(number.q)))

    def function(self, node: sp.Expr, name: str, parts: list[Size]) -> Size:
        if any(part.widths.degree > 0 for part in parts):
            raise GrowsError(f"'{name}' is given values that grow with the width")
        return Size()


def largest(parts: list[Size]) -> Size:
    """The size of a sum: that of its largest summands; centred where all of these are."""
    if not parts:
        return Size()
    top = max(part.widths.degree for part in parts)
    leading = [part for part in parts if part.widths.degree == top]
    return Size(leading[0].widths, frozenset.intersection(*(part.centred for part in leading)))


def field_sizes(system: LimitSystem, deviations: Mapping[str, WidthProduct]) -> dict[str, Size]:
    """The size of every value, adjoint D and evolution G of a limit, by the field's name.

    ``deviations``: the sizes of the parameters' entries at the start, by name; those of a positive degree
    are centred and independent. Raises GrowsError where a function that is not linear is given values that
    grow.
    """
    sizes = {field.name: Size() for field in system.fields if field.role is Role.INPUT}
    for parameter in system.parameters:
        widths = deviations[parameter.name]
        places = [
            number
            for number, axis in enumerate(parameter.axes)
            if system.axis[axis].kind is AxisKind.POPULATION
        ]
        sizes[parameter.name] = Size(widths, frozenset(places if widths.degree > 0 else ()))
    for equation in (*system.forward, *system.backward, *system.evolution):
        sizes[equation.field] = _of_equation(system, equation, sizes)
    return sizes


def _of_equation(system: LimitSystem, equation: Equation, sizes: Mapping[str, Size]) -> Size:
    if equation.selector:
        return Size()
    try:
        size = largest([_of_term(system, term, sizes) for term in equation.terms])
    except GrowsError as problem:
        raise GrowsError(f"{equation.field}: {problem}") from problem
    # What training adds to values of order 1 is of order 1, too, and does not cancel.
    widths = size.widths.counted
    return Size(widths, size.centred if widths.degree > 0 else frozenset())


def _of_term(system: LimitSystem, term: Term, sizes: Mapping[str, Size]) -> Size:
    """The size of one term: of its expression, then of its averages."""
    known = {symbol: _read(access, sizes[access.field]) for symbol, access in term.accesses}
    size = _Sizes(known)(term.expression)
    widths, centred = size.widths, set(size.centred)
    for index in term.reduced:
        if index in centred and system.axis[index.axis].kind is AxisKind.POPULATION:
            widths *= WidthProduct.of((index.axis,), -HALF)
        centred.discard(index)
    places = (number for number, slot in enumerate(term.target) if slot in centred)
    return Size(widths, frozenset(places))


def _read(access: Access, size: Size) -> Size:
    """The size of a field where it is read: its places become index variables."""
    slots = (slot for number, slot in enumerate(access.slots) if number in size.centred)
    return Size(size.widths, frozenset(slot for slot in slots if isinstance(slot, Index)))
