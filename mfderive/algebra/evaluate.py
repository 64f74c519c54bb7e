"""Numbers out of expressions: sympy trees of the closed table, evaluated with numpy.

Only what the table and the parser can produce is accepted; anything else raises. The arithmetic is plain
float64 (or the precision of the arrays that are put in), in the order in which sympy stores arguments.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import reduce
from operator import add, mul
from typing import Any

import sympy as sp

from .functions import FUNCTIONS, ClosedFunction

Array = Any


class UnknownNodeError(TypeError):
    """An expression holds a node that the closed table does not know: a fault of whoever built it."""


def _power(base: Array, exponent: Array) -> Array:
    """``base ** exponent`` with the integer powers that a reader of the equation would multiply out."""
    if isinstance(exponent, float) and exponent.is_integer():
        if exponent == -1.0:
            return 1.0 / base
        return base ** int(exponent)
    return base**exponent


def _number(expression: sp.Expr) -> float | None:
    """The float of a plain number (exact quotients are divided once), None for anything else."""
    if isinstance(expression, sp.Rational):
        return int(expression.p) / int(expression.q)
    if isinstance(expression, (sp.Float, sp.NumberSymbol)):
        return float(expression)
    return None


def _children(expression: sp.Expr) -> Callable[..., Array]:
    """The numpy operation of an inner node, as a function of its evaluated arguments."""
    if isinstance(expression, sp.Add):
        return lambda *values: reduce(add, values)
    if isinstance(expression, sp.Mul):
        return lambda *values: reduce(mul, values)
    if isinstance(expression, sp.Pow):
        return _power
    if isinstance(expression, ClosedFunction):
        return FUNCTIONS[type(expression).__name__].real
    raise UnknownNodeError(
        f"'{expression}' ({type(expression).__name__}) is not in the closed table of functions"
    )


def evaluate_expression(expression: sp.Expr, values: Mapping[sp.Symbol, Array]) -> Array:
    """The value of ``expression`` where each symbol is an array (they broadcast) or a number.

    Common subexpressions are computed once. Raises KeyError for a symbol without a value and
    :class:`UnknownNodeError` for a node outside the closed table.
    """
    known: dict[sp.Expr, Array] = dict(values)

    def value(node: sp.Expr) -> Array:
        if node in known:
            return known[node]
        number = _number(node)
        if number is not None:
            return number
        if isinstance(node, sp.Symbol):
            raise KeyError(node.name)
        operation = _children(node)
        known[node] = operation(*(value(argument) for argument in node.args))
        return known[node]

    return value(sp.sympify(expression))
