"""The order of arguments in sums and products: our own, so that no library decides it.

sympy stores and prints arguments by rules that change between its versions; what is planned and generated
must not. Argument lists are sorted here by a key that depends on structure and on ranks that the caller
gives to symbols, so that equal shapes have equal keys whatever their symbols are called.
"""

from __future__ import annotations

from collections.abc import Mapping

import sympy as sp

from ..algebra.functions import ClosedFunction
from ..algebra.visitor import Fold

Ranks = Mapping[sp.Symbol, str]


def is_number(expression: sp.Expr) -> bool:
    """Whether an expression is a number: pi / 4 is one, relu(pi / 4) is code."""
    return not expression.free_symbols and not expression.has(ClosedFunction)


def is_negative(expression: sp.Expr) -> bool:
    """Whether a summand has a negative number in front."""
    return bool(expression.as_coeff_Mul()[0].is_negative)


def number_value(expression: sp.Expr) -> float:
    """The double nearest to a number; exact quotients are divided once."""
    if expression.is_Rational:
        return int(expression.p) / int(expression.q)
    return float(expression)


class SortKeys(Fold[str]):
    """Keys that order expressions by structure and by the ranks of their symbols: numbers come first.

    Raises :class:`mfderive.algebra.visitor.UnknownNodeError` for a node outside the closed table.
    """

    def __init__(self, ranks: Ranks) -> None:
        super().__init__({symbol: f"1{rank}" for symbol, rank in ranks.items()})

    def is_number(self, node: sp.Expr) -> bool:
        """An expression of numbers alone (pi / 4) is one number."""
        return is_number(node)

    def number(self, node: sp.Expr) -> str:
        """A number, by its value."""
        return f"0{number_value(node)!r}"

    def add(self, node: sp.Expr, parts: list[str]) -> str:
        """A sum, whose summands are sorted."""
        return _node("Add", sorted(parts))

    def mul(self, node: sp.Expr, parts: list[str]) -> str:
        """A product, whose factors are sorted."""
        return _node("Mul", sorted(parts))

    def power(self, node: sp.Expr, base: str, exponent: str) -> str:
        """A power: base, then exponent."""
        return _node("Pow", [base, exponent])

    def function(self, node: sp.Expr, name: str, parts: list[str]) -> str:
        """A function of the closed table; its arguments keep their order."""
        return _node(name, parts)


def _node(name: str, parts: list[str]) -> str:
    return f"2({name} {' '.join(parts)})"


def sort_key(expression: sp.Expr, ranks: Ranks) -> str:
    """The key of one expression; equal for expressions that are equal up to the names of their symbols."""
    return SortKeys(ranks)(expression)


def ordered(expression: sp.Expr, keys: SortKeys) -> list[sp.Expr]:
    """The arguments of a sum or product in our order, numbers first."""
    return sorted(expression.args, key=keys)
