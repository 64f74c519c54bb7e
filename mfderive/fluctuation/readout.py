"""What is read off a state at the end: outputs at points, with their first derivatives."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..algebra.system import LimitSystem, draw_noise
from ..limit.masses import mass_name, output_gradient
from ..tensor.interpreter import interpret
from .influence import Functional

Array = Any
Arrays = dict[str, Any]
# Samples that the interpreter lays out at once.
_PIECE = 32


def differentiated(
    system: LimitSystem, gradient: LimitSystem, state: Arrays, samples: tuple[Array, Array], last: int
) -> Functional:
    """The average over samples of an objective, with its derivatives by parameters and masses."""
    given = dict(state)
    for axis in system.populations:
        given.setdefault(mass_name(axis.name), np.zeros(len(state["p"][axis.name])))
    x, y = samples
    found: Arrays = {}
    for first in range(0, len(x), _PIECE):
        part = slice(first, first + _PIECE)
        values, _ = interpret(gradient, given, x[part], y[part])
        share = len(x[part]) / len(x)
        for name, velocity in gradient.velocity_of.items():
            found[name] = found.get(name, 0.0) - share * values[velocity]
    moving = [v.name for v in system.variables if not v.is_frozen]
    return Functional(
        last,
        {name: found[name] if name in found else np.zeros_like(state[name]) for name in moving},
        {
            axis.name: found[mass_name(axis.name)]
            for axis in system.populations
            if mass_name(axis.name) in found
        },
    )


def outputs_of(
    system: LimitSystem, points: Array, outputs: int, state: Arrays, last: int
) -> Iterator[tuple[int, int, Functional]]:
    """Every output at every point x [point, ...]: (point, output, its functional)."""
    gradient = draw_noise(output_gradient(system))
    for point in range(len(points)):
        for output in range(outputs):
            chosen = np.eye(outputs)[output : output + 1]
            found = differentiated(system, gradient, state, (points[point : point + 1], chosen), last)
            yield point, output, found
