"""The first equation of a system whose values are not finite, and the operation in it that is to blame."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..algebra.departure import Departure, departure_of
from ..algebra.system import LimitSystem, draw_noise
from ..algebra.terms import Equation, Field
from .interpreter import Interpretation, reader

Array = Any
# Terms that are laid out over more numbers than this are not looked into.
_LARGEST_GRID = 2 * 10**7


@dataclass(frozen=True)
class FirstDeparture:
    """The field whose equation left the finite numbers first, and the operation in it that did."""

    field: Field
    departure: Departure


def first_departure(
    system: LimitSystem, state: Mapping[str, Any], x: Array, y: Array
) -> FirstDeparture | None:
    """The first departure from the finite numbers on some samples, in the order of the equations.

    ``state`` is finite, ``x`` [sample, inputs...], ``y`` [sample, outputs]. None where all values are finite,
    where only a sum over neurons is too large, or where a term is too large to be laid out.
    """
    system = draw_noise(system)
    run = Interpretation(system, state, np.asarray(x, float), np.asarray(y, float), None)
    with np.errstate(all="ignore"):
        for equation in system.equations:
            if any(_numbers(run, term.indices) > _LARGEST_GRID for term in equation.terms):
                return None
            if not equation.reads <= run.values.keys():
                continue  # what a step makes of gradients is no matter of a state
            run.equation(equation)
            if not np.isfinite(run.values[equation.field]).all():
                found = _in_equation(run, equation)
                return None if found is None else FirstDeparture(system.field[equation.field], found)
    return None


def _numbers(run: Interpretation, indices: Any) -> int:
    return math.prod(run.size(index.axis) for index in indices)


def _in_equation(run: Interpretation, equation: Equation) -> Departure | None:
    for term in equation.terms:
        grid, values = run.grid(term.indices), {}
        for symbol, access in term.accesses:
            known = run.values[access.field]
            values[symbol] = reader(access.slots, grid, known.shape)(known)
        found = departure_of(term.expression, values)
        if found is not None:
            return found
    return None
