"""Expressions of learning rules as people write them: signs, roots and powers in their usual places."""

from __future__ import annotations

from typing import Any

import sympy as sp
from sympy.core.function import AppliedUndef

from ..algebra.functions import call
from ..algebra.update_rules import CLOCK
from .nodes import NORM, head

Tree = Any


def readable(tree: Tree) -> Tree:
    """The same value as people write it: ``α (G − λ w)`` for ``−α (−G + λ w)``, ``0.9^k`` as a power."""
    if not tree.args:
        return tree
    arguments = [readable(argument) for argument in tree.args]
    if isinstance(tree, sp.Mul):
        return _product(arguments)
    if isinstance(tree, sp.Pow) and arguments[1].is_Integer and arguments[1] % 2 == 0:
        return _even_power(*arguments)
    return _function(type(tree).__name__, arguments) or tree.func(*arguments)


def _product(factors: list[Tree]) -> Tree:
    """A minus before a product goes into a sum of it, if that sum has no fewer signs of its own."""
    product = sp.Mul(*factors)
    coefficient, rest = product.as_coeff_Mul()
    if not coefficient.is_negative:
        return product
    for factor in sp.Mul.make_args(rest):
        if isinstance(factor, sp.Add) and _is_turned(factor):
            others = [other for other in sp.Mul.make_args(rest) if other is not factor]
            return sp.Mul(-coefficient, *others, _minus(factor), evaluate=True)
    return product


def _is_turned(total: Tree) -> bool:
    """Whether a sum has more minus signs than its negative, or as many and its plus before a variable."""
    positive = [term for term in total.args if not term.as_coeff_Mul()[0].is_negative]
    given = {head(name) for name in CLOCK.values()}
    plain = any(term.atoms(AppliedUndef) <= given for term in positive)
    return 2 * len(positive) < len(total.args) or (2 * len(positive) == len(total.args) and not plain)


def _minus(total: Tree) -> Tree:
    return sp.Add(*[-term for term in total.args])


def _positive(tree: Tree) -> Tree:
    """The expression or its negative, where only the modulus counts."""
    if isinstance(tree, sp.Add):
        return _minus(tree) if _is_turned(tree) else tree
    return -tree if tree.as_coeff_Mul()[0].is_negative else tree


def _even_power(base: Tree, exponent: Tree) -> Tree:
    if type(base).__name__ == "sqrt":
        return sp.Pow(base.args[0], exponent / 2)
    return sp.Pow(_positive(base), exponent)


def _function(name: str, arguments: list[Tree]) -> Tree | None:
    """Root of a square, modulus of a negative, power as an exponential: what stands for them."""
    if name == "abs":
        return call("abs", _positive(arguments[0]))
    if name == "sqrt" and arguments[0] == head(NORM) ** 2:
        return head(NORM)
    if name == "exp":
        exponent = arguments[0]
        for factor in sp.Mul.make_args(exponent):
            if type(factor).__name__ == "log" and factor.args[0].is_positive:
                return sp.Pow(
                    factor.args[0], sp.Mul(*[f for f in sp.Mul.make_args(exponent) if f is not factor])
                )
    return None
