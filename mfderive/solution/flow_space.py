"""States as vectors in which an error of root mean square 1 is what a step may be wrong by.

Each parameter is measured in L2(P): entries count by the weights of their nodes, and the unit is atol + rtol
times the size of the parameter. So a node of small weight or a single entry near 0 does not dictate the step,
and kinks, which every node crosses at another time, are averaged before they are judged.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from math import prod, sqrt
from typing import Any

import numpy as np

from ..state.draw import WEIGHTS
from .stepping import Problem

Array = Any
Arrays = dict[str, Any]
# Nodes count at least so much of an equal share: values of nodes of no weight must stay accurate, too.
_LEAST_SHARE = 1e-4
# Units are right until a parameter has become so many times larger or smaller.
_OUTGROWN = 10.0


class FlowSpace:
    """Coordinates around one state: vectors of the moving entries in units of the tolerated error."""

    def __init__(self, problem: Problem, state: Mapping[str, Any], rtol: float, atol: float) -> None:
        layout, self.tolerances = problem.module.layout, (rtol, atol)
        names = [name for name in layout.parameters if name not in layout.frozen]
        self.still: Arrays = {name: value for name, value in state.items() if name not in names}
        self.shapes = {name: np.shape(state[name]) for name in names}
        self.dtypes = {name: np.asarray(state[name]).dtype for name in names}
        counts = [prod(shape) for shape in self.shapes.values()]
        ends = np.cumsum(counts, dtype=int).tolist()
        self.parts = {
            name: slice(end - count, end) for name, count, end in zip(names, counts, ends, strict=True)
        }
        # Where nothing moves, one number that stays 0 is integrated.
        self.starts = np.cumsum([0, *counts[:-1]])
        self.counts = np.array(counts or [1])
        weights, finite = state[WEIGHTS], np.ones(len(self.counts))
        self.shares = np.ones(1)
        if names:
            axes = [layout.parameters[name] for name in names]
            pairs = list(zip(axes, self.shapes.values(), strict=True))
            self.shares = np.concatenate([_shares(along, shape, weights) for along, shape in pairs])
            finite = np.array([_finite(along, shape, weights) for along, shape in pairs])
        # In L2(P) nodes are averaged over, and finite axes are summed over.
        self.weights = self.shares * np.repeat(finite, self.counts)
        self.flat = np.zeros(0)
        least = np.repeat(_LEAST_SHARE / self.counts, self.counts)
        self.scale = np.sqrt(len(self.shares) * np.maximum(self.shares, least))
        self._measure(state)

    def around(self, state: Mapping[str, Any]) -> FlowSpace:
        """The same around another state of the same nodes."""
        found = copy(self)
        found.still = {name: state[name] for name in self.still}
        found._measure(state)
        return found

    def _measure(self, state: Mapping[str, Any]) -> None:
        """Take the units of a state: by what each parameter may be wrong there."""
        self.units = np.ones(len(self.shares))
        self.allowed = self.errors(self.vector(state))
        self.units = self.scale / np.repeat(self.allowed, self.counts)

    def errors(self, vector: Array) -> Array:
        """What each parameter may be wrong by at a state: atol + rtol times its size."""
        rtol, atol = self.tolerances
        squares = np.add.reduceat(self.shares * (vector / self.units) ** 2, self.starts)
        return atol + rtol * np.sqrt(squares)

    def is_outgrown(self, vector: Array) -> bool:
        """Whether a parameter has changed its size so much that these are the wrong units."""
        change = self.errors(vector) / self.allowed
        return bool((change > _OUTGROWN).any() or (change < 1 / _OUTGROWN).any())

    def vector(self, state: Mapping[str, Any]) -> Array:
        """A state, or a velocity, as a vector."""
        return self.joined([np.ravel(state[name]) for name in self.shapes])

    def joined(self, parts: Sequence[Array]) -> Array:
        """The vector of the values of all that moves, each flat."""
        if not parts:
            return np.zeros(1)
        flat = np.concatenate(parts, dtype=np.float64)
        flat *= self.units
        return flat

    def state(self, vector: Array) -> Arrays:
        """The state of a vector: new arrays for what moves."""
        flat, state = vector / self.units, dict(self.still)
        for name, part in self.parts.items():
            state[name] = flat[part].astype(self.dtypes[name]).reshape(self.shapes[name])
        return state

    def arrays(self) -> Arrays:
        """Arrays of their own for a state, of no values yet where something moves."""
        self.flat = np.empty(len(self.units), next(iter(self.dtypes.values()), np.dtype(np.float64)))
        own = {name: self.flat[part].reshape(self.shapes[name]) for name, part in self.parts.items()}
        still = {
            name: value if name == WEIGHTS else np.array(value, order="C")
            for name, value in self.still.items()
        }
        return own | still

    def write(self, vector: Array) -> None:
        """Write the state of a vector into :meth:`arrays`: one array, of which theirs are parts."""
        np.divide(vector, self.units, out=self.flat, casting="same_kind")

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


def _finite(axes: tuple[str, ...], shape: tuple[int, ...], weights: Mapping[str, Any]) -> int:
    """How many places the finite axes of an array have."""
    return prod(size for axis, size in zip(axes, shape, strict=True) if axis not in weights)
