"""Numbers out of expressions: sympy trees of the closed table, evaluated with numpy.

Only what the table and the parser can produce is accepted; anything else raises. The arithmetic is plain
float64 (or the precision of the arrays that are put in), in the order in which sympy stores arguments.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from operator import add, mul
from typing import Any

import sympy as sp

from .functions import FUNCTIONS
from .visitor import Fold

Array = Any


class Evaluation(Fold[Array]):
    """The value of an expression, each symbol of which is an array (they broadcast) or a number."""

    def number(self, node: sp.Expr) -> Array:
        """The float of a number; exact quotients are divided once."""
        return int(node.p) / int(node.q) if isinstance(node, sp.Rational) else float(node)

    def add(self, node: sp.Expr, parts: list[Array]) -> Array:
        """A sum, from the left."""
        return reduce(add, parts)

    def mul(self, node: sp.Expr, parts: list[Array]) -> Array:
        """A product, from the left."""
        return reduce(mul, parts)

    def power(self, node: sp.Expr, base: Array, exponent: Array) -> Array:
        """A power, with the integer powers that a reader of the equation would multiply out."""
        if isinstance(exponent, float) and exponent.is_integer():
            return 1.0 / base if exponent == -1.0 else base ** int(exponent)
        return base**exponent

    def function(self, node: sp.Expr, name: str, parts: list[Array]) -> Array:
        """A function of the closed table."""
        return FUNCTIONS[name].real(*parts)


def evaluate_expression(expression: sp.Expr, values: Mapping[sp.Symbol, Array]) -> Array:
    """The value of ``expression`` where each symbol is an array (they broadcast) or a number.

    Common subexpressions are computed once. Raises KeyError for a symbol without a value and
    :class:`mfderive.algebra.visitor.UnknownNodeError` for a node outside the closed table.
    """
    return Evaluation(values)(sp.sympify(expression))
