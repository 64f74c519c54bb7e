"""The inert nodes of display trees: named Mean and Sum, activations and their derivatives.

Display trees are sympy trees for people. Nothing computes with them: the calculus keeps Mean and Sum out
of sympy trees altogether (see :mod:`mfderive.algebra.terms`).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import sympy as sp
from sympy.printing.pretty.stringpict import prettyForm


class Binder(sp.Expr):
    """A node that binds index symbols: ``Binder(body, index, ...)``; never evaluates, never captures."""

    is_commutative = True
    latex_operator = ""

    def __new__(cls, body: Any, *indices: Any) -> Any:
        """Bind ``indices`` (symbols) in ``body``; with no index the body itself is returned."""
        if not indices:
            return sp.sympify(body)
        return sp.Expr.__new__(cls, sp.sympify(body), *indices)

    @property
    def body(self) -> Any:
        """What is averaged or summed."""
        return self.args[0]

    @property
    def indices(self) -> tuple[Any, ...]:
        """The bound index symbols, in the order in which they are printed."""
        return tuple(self.args[1:])

    @property
    def bound_symbols(self) -> list[Any]:
        """The bound index symbols, as sympy expects them."""
        return list(self.indices)

    @property
    def free_symbols(self) -> set[Any]:
        """The symbols of the body that are not bound here."""
        return set(self.body.free_symbols) - set(self.indices)

    # sympy's printers go by the class's name and would take Sum for their own.

    def _sympystr(self, printer: Any) -> str:
        return f"{type(self).__name__}({', '.join(printer._print(argument) for argument in self.args)})"

    _sympyrepr = _sympystr

    def _pretty(self, printer: Any) -> Any:
        return prettyForm(str(self))

    def _latex(self, printer: Any) -> str:
        names = ", ".join(printer._print(index) for index in self.indices)
        return rf"{self.latex_operator}_{{{names}}}\left[{printer._print(self.body)}\right]"

    def _eval_subs(self, old: Any, new: Any) -> Any:
        if old in self.indices:
            return self
        clash = set(self.indices) & set(sp.sympify(new).free_symbols)
        fresh = {index: sp.Dummy(index.name) for index in clash}
        body = self.body.xreplace(fresh).subs(old, new)
        return self.func(body, *[fresh.get(index, index) for index in self.indices])


class Mean(Binder):
    """The average over measures: ``Mean(body, index, ...)``."""

    latex_operator = r"\mathbb{E}"


class Sum(Binder):
    """The sum over finite axes: ``Sum(body, index, ...)``."""

    latex_operator = r"\sum"


class Maximum(Binder):
    """The largest value over finite axes: ``Maximum(body, index, ...)``."""

    latex_operator = r"\max"


class Activation(sp.Expr):
    """``Activation(field, k, argument, ...)``: the activation of a layer, or its k-th partial derivative.

    ``field`` is the symbol of the hidden field (``h1.out``); k = 0 is the function itself and k = 1, 2, ...
    its derivative with respect to the k-th argument.
    """

    is_commutative = True

    def __new__(cls, field: Any, derivative: Any, *arguments: Any) -> Any:
        """An inert application; arguments are trees."""
        return sp.Expr.__new__(cls, field, sp.Integer(derivative), *map(sp.sympify, arguments))

    @property
    def field(self) -> str:
        """The name of the hidden field."""
        return str(self.args[0].name)

    @property
    def derivative(self) -> int:
        """0 for the function, k for its derivative with respect to the k-th argument."""
        return int(self.args[1])

    @property
    def free_symbols(self) -> set[Any]:
        """The symbols of the arguments; the field's name is none."""
        return set().union(*(argument.free_symbols for argument in self.arguments))

    @property
    def arguments(self) -> tuple[Any, ...]:
        """The arguments: parameters first, then pre-activations and statistics."""
        return tuple(self.args[2:])


class Indicator(sp.Expr):
    """``Indicator(left, right)``: 1 where the two positions are the same, else 0."""

    is_commutative = True

    def __new__(cls, left: Any, right: Any) -> Any:
        """An inert equation between positions."""
        return sp.Expr.__new__(cls, sp.sympify(left), sp.sympify(right))


# Names of applications that are no field's; no name of a field has a space.
RESIDUAL = "residual of L"
FIRST_MAXIMUM = "first maximum"
NORM = "norm of G"


class HeadKind(StrEnum):
    """What the value in a display tree is of its field."""

    VALUE = "value"
    DELTA = "Δ"  # the derivative of the output with respect to the field
    ADJOINT = "D"  # the derivative of the sample's loss with respect to the field
    GRADIENT = "G"  # the velocity of a parameter without its rate
    DERIVATIVE = "derivative"  # Delta of a parameter, which has no equation of its own in a system
    NEXT = "next"  # a variable after a step of its learning rule
    FLOW = "flow"  # the derivative of a variable in time by its learning rule


@dataclass(frozen=True)
class Head:
    """What an application in a display tree stands for: a field and what is taken of it.

    Trees hold its ``name``; a tree builder's table leads from the name back to the head.
    """

    field: str
    kind: HeadKind = HeadKind.VALUE

    @property
    def name(self) -> str:
        """The name of the applied function: the field's own, or ``Δ h2``."""
        return self.field if self.kind is HeadKind.VALUE else f"{self.kind} {self.field}"


def head(name: str | Head, *slots: Any) -> Any:
    """The application ``name(slots)`` of an undefined function: how a field's value stands in a tree."""
    return sp.Function(name.name if isinstance(name, Head) else name)(*slots)


def head_name(node: Any) -> str:
    """The name of the function that :func:`head` applied."""
    return str(node.func.__name__)


def number_and_rest(body: Any) -> tuple[Any, Any]:
    """A product's number, that of its sums included: ``a (-2 b - 2 c)`` is -2 times ``a (b + c)``."""
    coefficient, rest = body.as_coeff_Mul()
    factors = []
    for factor in sp.Mul.make_args(rest):
        numbers = [term.as_coeff_Mul()[0] for term in sp.Add.make_args(factor)]
        common = abs(numbers[0]) if len({abs(number) for number in numbers}) == 1 else sp.Integer(1)
        if all(number.is_negative for number in numbers):
            common = -common
        coefficient = coefficient * common
        factors.append(sp.Add(*[term / common for term in sp.Add.make_args(factor)]))
    return coefficient, sp.Mul(*factors)


def outside(binder: type[Binder], body: Any, bound: list[Any]) -> Any:
    """What does not depend on the bound indices stands before the sum or mean."""
    factors = sp.Mul.make_args(body)
    inside = [factor for factor in factors if factor.free_symbols & set(bound)]
    if not inside:
        return binder(body, *bound)
    kept = sp.Mul(*[factor for factor in factors if factor not in inside])
    return kept * binder(sp.Mul(*inside), *bound)
