"""What cannot move whatever the neurons and the data are: constant propagation through the equations.

A zero that is seen on some nodes and samples may be rare motion that they missed. A product with a factor
that is identically 0 is 0 on all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

import numpy as np
import sympy as sp

from ..algebra.functions import FUNCTIONS
from ..algebra.system import LimitSystem
from ..algebra.terms import Affine, Equation, Term
from ..algebra.visitor import Fold


def initial_constants(system: LimitSystem) -> dict[str, float]:
    """The variables that start at one number, everywhere: its value by their names."""
    return {
        v.name: float(v.law.mean) for v in system.variables if v.law.is_deterministic and v.law.mean.is_number
    }


def surely_still(
    system: LimitSystem, candidates: Collection[str], constants: Mapping[str, float], zero: Collection[str]
) -> frozenset[str]:
    """The largest set of candidates that surely do not move as long as all of the set stand still.

    ``constants`` are values of variables that are the same everywhere while they do not move; ``zero``
    names fields that are known to be 0. What a learning rule remembers of candidates stands still with them
    or moves them. Nothing is assumed of anything else.
    """
    memories = frozenset(m.name for name in candidates for m in system.memories_of[name])
    steps = {name: _change(system, name) for name in (*candidates, *memories) if name in system.next_of}
    still = frozenset(candidates) | memories
    while True:
        known = {n: v for n, v in constants.items() if n in still or system.variable[n].is_frozen}
        values = constant_fields(system, {**known, **dict.fromkeys(zero, 0.0)})
        left = frozenset(
            name
            for name in still
            if (
                _term(system, steps[name], values)
                if name in steps
                else values.get(system.velocity_of.get(name, ""), 0.0 if name in memories else None)
            )
            == 0
        )
        if left == still:
            return still - memories
        still = left


def _change(system: LimitSystem, name: str) -> Term:
    """What a step adds to a variable that has an equation for its next value, as one term."""
    (term,) = system.equation_of[system.next_of[name]].terms
    own = [symbol for symbol, access in term.accesses if access.field == name]
    return term.with_expression(sp.expand(term.expression - own[0]) if own else term.expression)


def constant_fields(system: LimitSystem, known: Mapping[str, float]) -> dict[str, float]:
    """``known`` and all fields that are then the same number for all neurons and samples."""
    values = dict(known)
    for equation in system.equations:
        if equation.field not in values and not equation.selector:
            value = _sum(system, equation, values)
            if value is not None and np.isfinite(value):
                values[equation.field] = value
    return values


def _sum(system: LimitSystem, equation: Equation, values: Mapping[str, float]) -> float | None:
    total = 0.0
    for term in equation.terms:
        value = _term(system, term, values)
        if value is None:
            return None
        total += value
    return total


def _term(system: LimitSystem, term: Term, values: Mapping[str, float]) -> float | None:
    symbols = {}
    for symbol, access in term.accesses:
        value = values.get(access.field)
        # Slots out of range read 0, so only 0 is the same wherever an affine slot points.
        if value is not None and (value == 0 or not any(isinstance(s, Affine) for s in access.slots)):
            symbols[symbol] = value
    value = constant(term.expression, symbols)
    if not value:
        return value
    if any(isinstance(slot, Affine) for slot in term.target):
        return None
    for index in term.reduced:
        axis = system.axis[index.axis]
        value *= 1 if axis.is_measure else axis.size or 1
    return value


def constant(expression: sp.Expr, values: Mapping[sp.Symbol, float]) -> float | None:
    """The number that an expression is whatever its other symbols are, None if there is none."""
    return _Constant(values)(expression)


class _Constant(Fold["float | None"]):
    """Constant propagation through one expression; None stands for what is not known."""

    def symbol(self, node: sp.Symbol) -> float | None:
        return None

    def number(self, node: sp.Expr) -> float | None:
        return float(node)

    def add(self, node: sp.Expr, parts: list[float | None]) -> float | None:
        return self._known(lambda numbers: np.sum(numbers), parts)

    def mul(self, node: sp.Expr, parts: list[float | None]) -> float | None:
        return 0.0 if 0.0 in parts else self._known(lambda numbers: np.prod(numbers), parts)

    def power(self, node: sp.Expr, base: float | None, exponent: float | None) -> float | None:
        return self._known(lambda pair: np.power(pair[0], pair[1]), [base, exponent])

    def function(self, node: sp.Expr, name: str, parts: list[float | None]) -> float | None:
        return self._known(lambda values: FUNCTIONS[name].real(*values), parts)

    def _known(self, operation: Callable[[list[float]], Any], parts: list[float | None]) -> float | None:
        numbers = [part for part in parts if part is not None]
        if len(numbers) < len(parts):
            return None
        with np.errstate(all="ignore"):  # what is not finite is no constant
            return float(operation(numbers))
