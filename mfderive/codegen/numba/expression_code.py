"""Expressions as text: formulas for comments, and numpy code for laws and rates.

Arguments of sums and products stand in the order of :mod:`mfderive.tensor.ordering`, so that the same system
gives the same bytes whatever sympy is installed.
"""

from __future__ import annotations

from collections.abc import Mapping

import sympy as sp

from ...algebra.functions import split_inside
from ...algebra.visitor import Visitor
from ...tensor.ordering import Ranks, SortKeys, is_negative, is_number, number_value, ordered
from .function_code import CODE

Names = Mapping[sp.Symbol, str]
Written = tuple[str, int]  # text, and how tightly it binds: 0 a sum, 1 a product, 2 a power, 3 an atom


def number_text(expression: sp.Expr) -> str:
    """A number as a Python literal: integers without a point."""
    if expression.is_Integer:
        return str(int(expression))
    return repr(number_value(expression))


class _Infix(Visitor[Written]):
    """Infix text of expressions as a person would type it.

    The arguments are visited in our order and with their signs taken out, which no fold from below can do.
    """

    def __init__(self, names: Names, ranks: Ranks) -> None:
        super().__init__()
        self.names, self.keys = names, SortKeys(ranks)

    def arguments(self, expression: sp.Expr) -> list[str]:
        """The arguments of a function."""
        return [self.text(argument) for argument in expression.args]

    def text(self, expression: sp.Expr, level: int = 0) -> str:
        """The text of an expression, in brackets where it binds less than ``level``."""
        written, own = self(expression)
        return f"({written})" if own < level else written

    def is_number(self, node: sp.Expr) -> bool:
        """An expression of numbers alone (pi / 4) is one number."""
        return is_number(node)

    def digits(self, node: sp.Expr) -> str:
        """A number as text."""
        return number_text(node)

    def number(self, node: sp.Expr) -> Written:
        """A number; a sign or a quotient binds as a sum does."""
        written = self.digits(node)
        return written, 3 if node.is_nonnegative and "/" not in written else 0

    def symbol(self, node: sp.Symbol) -> Written:
        """A symbol by its name."""
        return self.names[node], 3

    def visit_power(self, node: sp.Expr) -> Written:
        """A power; -1 is a quotient."""
        base, exponent = node.args
        if exponent == -1:
            return f"1/{self.text(base, 2)}", 1
        return f"{self.text(base, 3)}**{self.text(exponent, 3)}", 2

    def visit_function(self, node: sp.Expr, name: str) -> Written:
        """A call."""
        return f"{name}({', '.join(self.arguments(node))})", 3

    def visit_add(self, node: sp.Expr) -> Written:
        """A sum, what is subtracted last."""
        result = ""
        arguments = ordered(node, self.keys)
        arguments.sort(key=is_negative)
        for argument in arguments:
            negative = is_negative(argument)
            written = self.text(-argument if negative else argument, 1)
            if not result:
                result = f"-{written}" if negative else written
            else:
                result += f" - {written}" if negative else f" + {written}"
        return result, 0

    def visit_mul(self, node: sp.Expr) -> Written:
        """A product, its number in front."""
        coefficient, rest = node.as_coeff_Mul()
        if coefficient == -1:
            return f"-{self.text(rest, 1)}", 0
        factors = ordered(rest, self.keys) if rest.is_Mul else [rest]
        written = [self.text(factor, 2) for factor in factors]
        if coefficient != 1:
            written.insert(0, self.text(coefficient, 1))
        return "*".join(written), 1


class _Formula(_Infix):
    def visit_function(self, node: sp.Expr, name: str) -> Written:
        masked = split_inside(node)  # a maximum that padding never wins
        if masked is None:
            return super().visit_function(node, name)
        value, inside = masked
        return f"{self.text(value, 1)} where {self.text(inside, 1)} = 1", 0


class _Numpy(_Infix):
    def visit_function(self, node: sp.Expr, name: str) -> Written:
        return CODE[name].array.format(*self.arguments(node)), 3

    def digits(self, node: sp.Expr) -> str:
        return repr(number_value(node))


def formula(expression: sp.Expr, names: Names, ranks: Ranks | None = None) -> str:
    """An expression as a person would type it, for comments."""
    return _Formula(names, ranks or names).text(expression)


def array_text(expression: sp.Expr, names: Names, ranks: Ranks | None = None) -> str:
    """An expression as numpy code on arrays (laws of initial values, rates), in double precision."""
    return _Numpy(names, ranks or names).text(expression)
