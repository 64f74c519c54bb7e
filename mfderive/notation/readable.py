"""Expressions of learning rules as people write them: signs, roots and powers in their usual places."""

from __future__ import annotations

from collections.abc import Set
from typing import Any

import sympy as sp
from sympy.core.function import AppliedUndef

from ..algebra.functions import call
from .nodes import NORM, head

Tree = Any


def readable(tree: Tree, given: Set[str]) -> Tree:
    """The same value as people write it: ``α (G − λ w)`` for ``−α (−G + λ w)``, ``0.9^k`` as a power.

    ``given`` are the names of what a step is given: its size, number and time, and rates, none of them
    negative.
    """
    return _Readable(given).tree(tree)


class _Readable:
    def __init__(self, given: Set[str]) -> None:
        self.given = {head(name) for name in given}

    def tree(self, tree: Tree) -> Tree:
        if not tree.args:
            return tree
        arguments = [self.tree(argument) for argument in tree.args]
        if isinstance(tree, sp.Mul):
            return self._product(arguments)
        if isinstance(tree, sp.Pow) and arguments[1].is_Integer and arguments[1] % 2 == 0:
            return self._even_power(*arguments)
        return self._function(type(tree).__name__, arguments) or tree.func(*arguments)

    def _product(self, factors: list[Tree]) -> Tree:
        """A minus before a product goes into a sum of it, if that sum has no fewer signs of its own."""
        product = sp.Mul(*factors)
        coefficient, rest = product.as_coeff_Mul()
        if not coefficient.is_negative:
            return product
        for factor in sp.Mul.make_args(rest):
            if isinstance(factor, sp.Add) and self._is_turned(factor):
                others = [other for other in sp.Mul.make_args(rest) if other is not factor]
                return sp.Mul(-coefficient, *others, _minus(factor))
        return product

    def _is_turned(self, total: Tree) -> bool:
        """Whether a sum has more minus signs than its negative, or as many and its plus before a variable."""
        positive = [term for term in total.args if not term.as_coeff_Mul()[0].is_negative]
        if 2 * len(positive) != len(total.args):
            return 2 * len(positive) < len(total.args)
        return not any(self._is_given(term) for term in positive)

    def _is_given(self, tree: Tree) -> bool:
        """Whether an expression holds numbers and what a step is given, and nothing else."""
        return bool(tree.atoms(AppliedUndef) <= self.given)

    def _even_power(self, base: Tree, exponent: Tree) -> Tree:
        if type(base).__name__ == "sqrt":
            return sp.Pow(base.args[0], exponent / 2)
        return sp.Pow(self._positive(base), exponent)

    def _positive(self, tree: Tree) -> Tree:
        """The expression or its negative, where only the modulus counts."""
        if isinstance(tree, sp.Add):
            return _minus(tree) if self._is_turned(tree) else tree
        return -tree if tree.as_coeff_Mul()[0].is_negative else tree

    def _function(self, name: str, arguments: list[Tree]) -> Tree | None:
        """Root of a square, modulus of a negative, power as an exponential: what stands for them."""
        first = arguments[0]
        if name == "abs":
            return call("abs", self._positive(first))
        if name == "sqrt" and first == head(NORM) ** 2:
            return head(NORM)
        if name == "max" and arguments[1] == 0 and self._is_product_of_given(first):
            return first
        if name == "exp":
            for factor in sp.Mul.make_args(first):
                if type(factor).__name__ == "log" and factor.args[0].is_positive:
                    others = [other for other in sp.Mul.make_args(first) if other is not factor]
                    return sp.Pow(factor.args[0], sp.Mul(*others))
        return None

    def _is_product_of_given(self, tree: Tree) -> bool:
        coefficient, rest = tree.as_coeff_Mul()
        return bool(coefficient >= 0) and all(f in self.given for f in sp.Mul.make_args(rest))


def _minus(total: Tree) -> Tree:
    return sp.Add(*[-term for term in total.args])
