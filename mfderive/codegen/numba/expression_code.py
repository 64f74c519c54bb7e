"""Expressions as text, in an order of our own.

sympy's printers order sums and products by rules that change between its versions; generated files must
not. Every argument list is sorted here by a key that depends on structure and on ranks that the caller
gives to symbols, so equal shapes print equally whatever their symbols are called.
"""

from __future__ import annotations

from collections.abc import Mapping

import sympy as sp

from ...algebra.functions import FUNCTIONS, ClosedFunction
from ...errors import MfError
from .function_code import CODE

Names = Mapping[sp.Symbol, str]


def unknown_node(expression: sp.Expr) -> MfError:
    """The error for a node that no printer knows."""
    return MfError(
        f"code generation does not know the node '{type(expression).__name__}' in '{expression}'; "
        f"known: sums, products, powers, numbers, symbols and {', '.join(FUNCTIONS)}"
    )


def is_number(expression: sp.Expr) -> bool:
    """Whether an expression is a number: pi / 4 is one, relu(pi / 4) is code."""
    return not expression.free_symbols and not expression.has(ClosedFunction)


def number_value(expression: sp.Expr) -> float:
    """The double nearest to a number; exact quotients are divided once."""
    if expression.is_Rational:
        return int(expression.p) / int(expression.q)
    return float(expression)


def number_text(expression: sp.Expr) -> str:
    """A number as a Python literal: integers without a point."""
    if expression.is_Integer:
        return str(int(expression))
    return repr(number_value(expression))


def sort_key(expression: sp.Expr, ranks: Names) -> str:
    """A key that orders expressions by structure and by the ranks of their symbols."""
    if is_number(expression):
        return f"0{number_value(expression)!r}"
    if expression.is_Symbol:
        return f"1{ranks[expression]}"
    keys = [sort_key(argument, ranks) for argument in expression.args]
    if expression.is_Add or expression.is_Mul:
        keys.sort()
    return f"2({type(expression).__name__} {' '.join(keys)})"


def ordered(expression: sp.Expr, ranks: Names) -> list[sp.Expr]:
    """The arguments of a sum or product in our order, numbers first."""
    return sorted(expression.args, key=lambda argument: sort_key(argument, ranks))


def serial(expression: sp.Expr, ranks: Names) -> str:
    """A canonical text of an expression, for digests."""
    return sort_key(expression, ranks)


def is_negative(expression: sp.Expr) -> bool:
    """Whether a summand has a negative number in front."""
    return bool(expression.as_coeff_Mul()[0].is_negative)


class _Infix:
    """Infix text; ``precedence`` 0: sum, 1: product, 2: power, 3: atom."""

    def __init__(self, names: Names, ranks: Names) -> None:
        self.names, self.ranks = names, ranks

    def number(self, expression: sp.Expr) -> str:
        return number_text(expression)

    def call(self, name: str, arguments: list[str]) -> str:
        return f"{name}({', '.join(arguments)})"

    def text(self, expression: sp.Expr, level: int = 0) -> str:
        written, own = self.parts(expression)
        return f"({written})" if own < level else written

    def parts(self, expression: sp.Expr) -> tuple[str, int]:
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
            return self.call(type(expression).__name__, [self.text(a) for a in expression.args]), 3
        raise unknown_node(expression)

    def sum(self, expression: sp.Expr) -> str:
        result = ""
        arguments = ordered(expression, self.ranks)
        arguments.sort(key=is_negative)
        for argument in arguments:
            negative = is_negative(argument)
            written = self.text(-argument if negative else argument, 1)
            if not result:
                result = f"-{written}" if negative else written
            else:
                result += f" - {written}" if negative else f" + {written}"
        return result

    def product(self, expression: sp.Expr) -> tuple[str, int]:
        coefficient, rest = expression.as_coeff_Mul()
        if coefficient == -1:
            return f"-{self.text(rest, 1)}", 0
        factors = ordered(rest, self.ranks) if rest.is_Mul else [rest]
        written = [self.text(factor, 2) for factor in factors]
        if coefficient != 1:
            written.insert(0, self.text(coefficient, 1))
        return "*".join(written), 1


class _Numpy(_Infix):
    def call(self, name: str, arguments: list[str]) -> str:
        return CODE[name].array.format(*arguments)

    def number(self, expression: sp.Expr) -> str:
        return repr(number_value(expression))


def formula(expression: sp.Expr, names: Names, ranks: Names | None = None) -> str:
    """An expression as a person would type it, for comments."""
    return _Infix(names, ranks or names).text(expression)


def array_text(expression: sp.Expr, names: Names, ranks: Names | None = None) -> str:
    """An expression as numpy code on arrays (laws of initial values, rates), in double precision."""
    return _Numpy(names, ranks or names).text(expression)
