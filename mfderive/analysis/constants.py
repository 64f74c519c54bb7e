"""What cannot move whatever the neurons and the data are: constants followed through the equations.

A zero that is seen on some nodes and samples may be rare motion that they missed. A product with a factor
that is identically 0 is 0 on all of them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
import sympy as sp

from ..algebra.functions import FUNCTIONS
from ..algebra.system import LimitSystem, velocity
from ..algebra.terms import Affine, Equation, Term


def initial_constants(system: LimitSystem) -> dict[str, float]:
    """The parameters that start at one number, everywhere: its value by their names."""
    return {
        p.name: float(p.law.mean)
        for p in system.parameters
        if p.law.is_deterministic and p.law.mean.is_number
    }


def surely_still(
    system: LimitSystem, candidates: Collection[str], constants: Mapping[str, float], zero: Collection[str]
) -> frozenset[str]:
    """The largest set of candidates whose velocities are identically 0 as long as all of the set stand still.

    ``constants`` are values of parameters that are the same everywhere while they do not move; ``zero``
    names fields that are known to be 0. Nothing is assumed of anything else.
    """
    still = frozenset(candidates)
    while True:
        known = {n: v for n, v in constants.items() if n in still or system.parameter[n].is_frozen}
        values = constant_fields(system, {**known, **dict.fromkeys(zero, 0.0)})
        left = frozenset(name for name in still if values.get(velocity(name)) == 0)
        if left == still:
            return still
        still = left


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
    if expression.is_Symbol:
        return values.get(expression)
    if expression.is_Number or expression.is_NumberSymbol:
        return float(expression)
    parts = [constant(argument, values) for argument in expression.args]
    if expression.is_Mul and 0.0 in parts:
        return 0.0
    numbers = [part for part in parts if part is not None]
    if len(numbers) < len(parts):
        return None
    with np.errstate(all="ignore"):  # what is not finite is no constant
        if expression.is_Add:
            return float(np.sum(numbers))
        if expression.is_Mul:
            return float(np.prod(numbers))
        if expression.is_Pow:
            return float(np.power(numbers[0], numbers[1]))
        return float(FUNCTIONS[type(expression).__name__].real(*numbers))
