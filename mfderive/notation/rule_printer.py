"""Prints the equations of learning rules: decimals as in a spec, values before what is added to them."""

from __future__ import annotations

import re
from typing import Any

import sympy as sp
from sympy.core.function import AppliedUndef

from ..algebra.functions import call
from ..algebra.terms import Role
from .embedding import EmbeddingVocabulary
from .nodes import Head, HeadKind, head_name
from .printer import Printer, decimal, spelled

Tree = Any

# Terms with memories stand first, then those with parameters; fresh noise is last.
_ORDER = (Role.MEMORY, Role.PARAMETER, None, Role.DRAW)


def square_root(value: Tree) -> Tree:
    """A root as it is printed: sqrt(0.02 ξ), and 0.2 for that of 0.04."""
    exact = sp.sqrt(value) if value.is_Rational else None
    return exact if exact is not None and exact.is_Rational else call("sqrt", value)


class DecimalPrinter(Printer):
    """Prints numbers as decimals where these are short, very small ones as powers of ten."""

    pulls_out = False  # 10 φ G − 2 b: each term has the numbers of the spec

    def _coefficient(self, coefficient: Tree) -> tuple[str, str]:
        shown = decimal(coefficient)
        return (shown, "") if shown else spelled(coefficient)

    def _leaf(self, node: Tree, level: int) -> str:
        if isinstance(node, sp.Rational) and node > 0:
            if decimal(node):
                return decimal(node)
            if node.p == 1 and re.fullmatch("10+", str(node.q)):
                return self.style.power("10", str(1 - len(str(node.q))))
        return super()._leaf(node, level)


class RulePrinter(DecimalPrinter):
    """Orders the terms and factors of a step and of a flow."""

    vocabulary: EmbeddingVocabulary

    def _rank(self, factor: Tree) -> int:
        """A sum in which no variable of the network stands, such as 1 − γ α, comes first like a number."""
        if isinstance(factor, sp.Add):
            values = factor.atoms(AppliedUndef)
            return 75 if any(self._order(v) or self._position(v) for v in values) else 8
        return super()._rank(factor)

    def _term_key(self, term: Tree) -> tuple[Any, ...]:
        coefficient, rest = term.as_coeff_Mul()
        orders = [self._order(factor) for factor in sp.Mul.make_args(rest)]
        place = max(map(self._position, term.atoms(AppliedUndef)), default=0)
        return (
            Role.DRAW in orders, bool(coefficient.is_negative), bool(rest.is_number),
            min(map(_ORDER.index, orders)), place, str(rest),
        )  # fmt: skip

    def _order(self, factor: Tree) -> Role | None:
        """The role of the field that a factor is the value of, where the order of terms asks for it."""
        stands = self._stands(factor)
        if stands is None or stands.kind is not HeadKind.VALUE:
            return None
        role = self.vocabulary.system.field[stands.field].role
        return role if role in _ORDER else None

    def _position(self, value: Tree) -> int:
        """The number of the parameter whose G a value is, counted from 1; 0 for other values."""
        stands = self._stands(value)
        if stands is None or stands.kind is not HeadKind.GRADIENT:
            return 0
        return 1 + list(self.vocabulary.system.velocity_of).index(stands.field)

    def _stands(self, value: Tree) -> Head | None:
        named = isinstance(value, AppliedUndef)
        return self.vocabulary.builder.heads.get(head_name(value)) if named else None
