"""Expressions as text: formulas for comments, and numpy code for laws and rates.

Arguments of sums and products stand in the order of :mod:`mfderive.tensor.ordering`, so that the same system
gives the same bytes whatever sympy is installed.
"""

from __future__ import annotations

from collections.abc import Mapping

import sympy as sp

from ...algebra.functions import FUNCTIONS, ClosedFunction, split_inside
from ...algebra.visitor import UnknownNodeError
from ...tensor.ordering import Ranks, SortKeys, is_negative, is_number, number_value, ordered
from .function_code import CODE

Names = Mapping[sp.Symbol, str]
Written = tuple[str, int]  # text, and how tightly it binds: 0 a sum, 1 a product, 2 a power, 3 an atom


def unknown_node(expression: sp.Expr) -> UnknownNodeError:
    """The error for a node that no printer knows."""
    return UnknownNodeError(
        f"code generation does not know the node '{type(expression).__name__}' in '{expression}'; "
        f"known: sums, products, powers, numbers, symbols and {', '.join(FUNCTIONS)}"
    )


def number_text(expression: sp.Expr) -> str:
    """A number as a Python literal: integers without a point."""
    if expression.is_Integer:
        return str(int(expression))
    return repr(number_value(expression))


class _Infix:
    """Infix text of expressions as a person would type it.

    The arguments are visited in our order and with their signs taken out, which no fold from below can do.
    """

    def __init__(self, names: Names, ranks: Ranks) -> None:
        self.names, self.keys = names, SortKeys(ranks)

    def number(self, expression: sp.Expr) -> str:
        return number_text(expression)

    def call(self, expression: sp.Expr) -> Written:
        return f"{type(expression).__name__}({', '.join(self.arguments(expression))})", 3

    def arguments(self, expression: sp.Expr) -> list[str]:
        return [self.text(argument) for argument in expression.args]

    def text(self, expression: sp.Expr, level: int = 0) -> str:
        written, own = self.parts(expression)
        return f"({written})" if own < level else written

    def parts(self, expression: sp.Expr) -> Written:
        if is_number(expression):
            written = self.number(expression)
            return written, 3 if expression.is_nonnegative and "/" not in written else 0
        if expression.is_Symbol:
            return self.names[expression], 3
        if expression.is_Add:
            return self.sum(expression), 0
        if expression.is_Mul:
            return self.product(expression)
        if expression.is_Pow:
            base, exponent = expression.args
            if exponent == -1:
                return f"1/{self.text(base, 2)}", 1
            return f"{self.text(base, 3)}**{self.text(exponent, 3)}", 2
        if isinstance(expression, ClosedFunction):
            return self.call(expression)
        raise unknown_node(expression)

    def sum(self, expression: sp.Expr) -> str:
        result = ""
        arguments = ordered(expression, self.keys)
        arguments.sort(key=is_negative)
        for argument in arguments:
            negative = is_negative(argument)
            written = self.text(-argument if negative else argument, 1)
            if not result:
                result = f"-{written}" if negative else written
            else:
                result += f" - {written}" if negative else f" + {written}"
        return result

    def product(self, expression: sp.Expr) -> Written:
        coefficient, rest = expression.as_coeff_Mul()
        if coefficient == -1:
            return f"-{self.text(rest, 1)}", 0
        factors = ordered(rest, self.keys) if rest.is_Mul else [rest]
        written = [self.text(factor, 2) for factor in factors]
        if coefficient != 1:
            written.insert(0, self.text(coefficient, 1))
        return "*".join(written), 1


class _Formula(_Infix):
    def call(self, expression: sp.Expr) -> Written:
        masked = split_inside(expression)  # a maximum that padding never wins
        if masked is None:
            return super().call(expression)
        value, inside = masked
        return f"{self.text(value, 1)} where {self.text(inside, 1)} = 1", 0


class _Numpy(_Infix):
    def call(self, expression: sp.Expr) -> Written:
        return CODE[type(expression).__name__].array.format(*self.arguments(expression)), 3

    def number(self, expression: sp.Expr) -> str:
        return repr(number_value(expression))


def formula(expression: sp.Expr, names: Names, ranks: Ranks | None = None) -> str:
    """An expression as a person would type it, for comments."""
    return _Formula(names, ranks or names).text(expression)


def array_text(expression: sp.Expr, names: Names, ranks: Ranks | None = None) -> str:
    """An expression as numpy code on arrays (laws of initial values, rates), in double precision."""
    return _Numpy(names, ranks or names).text(expression)
