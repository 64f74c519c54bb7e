"""Where expressions are not smooth: what is 0 there, and how many derivatives are still functions.

A function of the closed table that jumps or bends does so where an expression in its arguments is 0. Rules
for integrals are split there, and derivatives of expectations take no more derivatives than there are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import sympy as sp

from ..algebra.functions import ClosedFunction


@dataclass(frozen=True)
class SingularPlace:
    """``zero``: an expression that is 0 where another one is not smooth; ``derivatives``: how often it may be
    differentiated across that place and still be a function (a jump 0, a bend 1)."""

    zero: sp.Expr
    derivatives: int

    def crossings(self, *variables: sp.Symbol) -> int:
        """How many derivatives with respect to ``variables`` are taken across the place."""
        return sum(variable in self.zero.free_symbols for variable in variables)


Zeros = Callable[..., tuple[sp.Expr, ...]]


def _argument(x: sp.Expr) -> tuple[sp.Expr, ...]:
    return (x,)


def _difference(a: sp.Expr, b: sp.Expr) -> tuple[sp.Expr, ...]:
    return (a - b,)


def _both_ends(r: sp.Expr, delta: sp.Expr) -> tuple[sp.Expr, ...]:
    return (r - delta, r + delta)


# For every function of the closed table that is not smooth: how many derivatives it has there, and where.
_PLACES: dict[str, tuple[int, Zeros]] = {
    "step": (0, _argument),
    "sign": (0, _argument),
    "heaviside": (0, _argument),
    "not_less": (0, _difference),
    "selu_slope": (0, _argument),
    "relu": (1, _argument),
    "leaky_relu": (1, _argument),
    "abs": (1, _argument),
    "selu": (1, _argument),
    "elu_slope": (1, _argument),
    "max": (1, _difference),
    "min": (1, _difference),
    "clip": (1, _both_ends),
    "elu": (2, _argument),
    "huber": (2, _both_ends),
    # Of infinite slope at 0: derivatives are not counted on.
    "sqrt": (0, _argument),
    "log": (0, _argument),
}


def singular_places(expression: sp.Expr) -> tuple[SingularPlace, ...]:
    """Every place where an expression of the closed table is not smooth, in a fixed order."""
    found: dict[sp.Expr, int] = {}
    for atom in sp.ordered(expression.atoms(ClosedFunction, sp.Pow)):
        for zero, derivatives in _of(atom):
            if zero.free_symbols:
                found[zero] = min(derivatives, found.get(zero, derivatives))
    return tuple(SingularPlace(zero, derivatives) for zero, derivatives in found.items())


def _of(atom: sp.Expr) -> list[tuple[sp.Expr, int]]:
    """The places of one function or power; a product is 0 where a factor is."""
    if isinstance(atom, sp.Pow):
        if atom.exp.is_Integer and atom.exp >= 0:
            return []
        return [(atom.base, 0)]
    if type(atom).__name__ not in _PLACES:
        return []
    derivatives, zeros = _PLACES[type(atom).__name__]
    return [(factor, derivatives) for zero in zeros(*atom.args) for factor in sp.Mul.make_args(zero)]
