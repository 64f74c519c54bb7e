"""States as vectors in which an error of root mean square 1 is what a step may be wrong by.

Each parameter is measured in L2(P): entries count by the weights of their nodes, and the unit is atol + rtol
times the size of the parameter. So a node of small weight or a single entry near 0 does not dictate the step,
and kinks, which every node crosses at another time, are averaged before they are judged.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod, sqrt
from typing import Any

import numpy as np

from ..state.draw import WEIGHTS
from .stepping import Problem

Array = Any
Arrays = dict[str, Any]
# Nodes count at least so much of an equal share: values of nodes of no weight must stay accurate, too.
_LEAST_SHARE = 1e-4


class FlowSpace:
    """Coordinates around one state: vectors of the moving entries in units of the tolerated error."""

    def __init__(self, problem: Problem, state: Mapping[str, Any], rtol: float, atol: float) -> None:
        layout = problem.module.layout
        self.names = [name for name in layout.parameters if name not in layout.frozen]
        self.still: Arrays = {name: value for name, value in state.items() if name not in self.names}
        self.shapes = {name: np.shape(state[name]) for name in self.names}
        self.dtypes = {name: np.asarray(state[name]).dtype for name in self.names}
        shares = [_shares(layout.parameters[name], self.shapes[name], state[WEIGHTS]) for name in self.names]
        entries = sum(share.size for share in shares)
        units = []
        for name, share in zip(self.names, shares, strict=True):
            size = sqrt(float(share @ np.ravel(state[name]).astype(np.float64) ** 2))
            counted = np.maximum(share, _LEAST_SHARE / max(1, share.size))
            units.append(np.sqrt(entries * counted) / (atol + rtol * size))
        # Where nothing moves, one number that stays 0 is integrated.
        self.units = np.concatenate(units) if units else np.ones(1)
        finite = [
            prod(size for axis, size in zip(layout.parameters[name], self.shapes[name], strict=True)
                 if axis not in state[WEIGHTS])
            for name in self.names
        ]  # fmt: skip
        # In L2(P) nodes are averaged over, and finite axes are summed over.
        weights = [share * count for share, count in zip(shares, finite, strict=True)]
        self.weights = np.concatenate(weights) if weights else np.zeros(1)

    def vector(self, state: Mapping[str, Any]) -> Array:
        """A state, or a velocity, as a vector."""
        if not self.names:
            return np.zeros(1)
        flat = np.concatenate([np.ravel(state[name]) for name in self.names], dtype=np.float64)
        flat *= self.units
        return flat

    def state(self, vector: Array) -> Arrays:
        """The state of a vector: new arrays for what moves."""
        flat = vector / self.units
        state, place = dict(self.still), 0
        for name, shape in self.shapes.items():
            size = prod(shape)
            state[name] = flat[place : place + size].astype(self.dtypes[name]).reshape(shape)
            place += size
        return state

    def speed(self, velocity: Array) -> float:
        """The size in L2(P) of a velocity that is given as a vector, all parameters together."""
        return sqrt(float(self.weights @ (velocity / self.units) ** 2))


def _shares(axes: tuple[str, ...], shape: tuple[int, ...], weights: Mapping[str, Any]) -> Array:
    """What each entry of an array counts in its mean, flat; they sum to 1."""
    share = np.ones(shape)
    for place, (axis, size) in enumerate(zip(axes, shape, strict=True)):
        along = np.asarray(weights[axis], np.float64) if axis in weights else np.full(size, 1 / size)
        share = share * along.reshape([-1 if place == other else 1 for other in range(len(shape))])
    return share.ravel()
