"""Parity: what becomes of an expression when some of its symbols change their sign."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum

import sympy as sp

from .functions import FUNCTIONS
from .visitor import Fold


class Parity(IntEnum):
    """Whether a value stays (even), changes its sign (odd), or does both because it is 0."""

    ODD = -1
    ZERO = 0
    EVEN = 1


Known = Parity | None  # None: neither, or not known


def parity_of(expression: sp.Expr, symbols: Mapping[sp.Symbol, Known]) -> Known:
    """The parity of an expression, given those of its symbols; None where its form does not show one."""
    return _ParityOf(dict(symbols))(expression)


def parity_of_sum(parts: list[Known]) -> Known:
    """The parity of a sum."""
    kinds = {part for part in parts if part != Parity.ZERO}
    if not kinds:
        return Parity.ZERO
    return kinds.pop() if len(kinds) == 1 else None


class _ParityOf(Fold[Known]):
    """See :func:`parity_of`."""

    def symbol(self, node: sp.Symbol) -> Known:
        """A symbol of which nothing is known."""
        return None

    def number(self, node: sp.Expr) -> Known:
        """A number stays."""
        return Parity.ZERO if node == 0 else Parity.EVEN

    def add(self, node: sp.Expr, parts: list[Known]) -> Known:
        """Summands that are not 0 must agree."""
        return parity_of_sum(parts)

    def mul(self, node: sp.Expr, parts: list[Known]) -> Known:
        """Signs multiply."""
        product = Parity.EVEN
        for part in parts:
            if part == Parity.ZERO:
                return Parity.ZERO
        for part in parts:
            if part is None:
                return None
            product = Parity(product * part)
        return product

    def power(self, node: sp.Expr, base: Known, exponent: Known) -> Known:
        """An odd base needs a whole exponent; 0 needs a positive one."""
        if base is None or exponent is None or exponent == Parity.ODD:
            return None
        if base == Parity.EVEN:
            return Parity.EVEN
        if base == Parity.ZERO:
            return Parity.ZERO if node.exp.is_positive else None
        if not node.exp.is_Integer:
            return None
        return Parity.ODD if node.exp % 2 else Parity.EVEN

    def function(self, node: sp.Expr, name: str, parts: list[Known]) -> Known:
        """A function that is even or odd in its first argument, or one of even arguments."""
        row = FUNCTIONS[name]
        if None in parts or Parity.ODD in parts[1:]:
            return None
        if parts[0] == Parity.EVEN:
            return Parity.EVEN
        if parts[0] == Parity.ZERO:
            return Parity.ZERO if row.parity == Parity.ODD else Parity.EVEN
        return Parity(row.parity) if row.parity else None
