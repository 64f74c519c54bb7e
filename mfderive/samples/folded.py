"""The law of data by halves: of samples x and -x that do the same, one stands for both."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from .frame import Directions
from .quadrature import DataNodes
from .standard_law import StandardLaw

Array = Any

# What is smaller is 0 but for rounding, in units of the largest number; so are differences.
_ROUNDING = 1e-11
_DIGITS = 11


@dataclass(frozen=True)
class Fold:
    """Of x and -x the one whose first coordinate that is not 0 is positive; y times ``targets`` beside -x.

    Coordinates are products with ``directions``, or those of x itself where there are none.
    """

    targets: int
    directions: Directions

    def law(self, law: StandardLaw) -> StandardLaw:
        """The law of folded samples: functions that are the same at x and -x have the averages of ``law``."""
        return StandardLaw(law.kinds, law.odds, partial(_values, self, law))

    def __call__(self, x: Array, y: Array) -> tuple[Array, Array]:
        """Folded samples x [sample, coordinate] and y [sample, output]."""
        coordinates = x @ np.transpose(self.directions) if self.directions else x
        smallest = _ROUNDING * np.abs(coordinates).max(initial=0.0)
        signs = np.zeros(len(x))
        for column in coordinates.T:
            if signs.all():
                break
            signs = np.where(signs, signs, np.sign(column) * (np.abs(column) > smallest))
        turned = signs[:, None] < 0
        return np.where(turned, -x, x), np.where(turned, self.targets * y, y)


def _values(fold: Fold, law: StandardLaw, component: int, standard: Array) -> tuple[Array, Array]:
    return fold(*law.values(component, standard))


def distinct(
    nodes: DataNodes, encode: Callable[[Array, Array | None], tuple[Array, Array | None]]
) -> DataNodes:
    """The nodes without those that are the same as earlier ones once they are encoded, but for rounding.

    The first of them has the weight of all.
    """
    parts = [np.asarray(each) for each in encode(nodes.x, nodes.y)]
    rows = np.concatenate([each.reshape(len(nodes.x), -1) for each in parts], axis=1)
    rounded = np.round(rows / max(np.abs(rows).max(initial=0.0), 1e-300), _DIGITS) + 0.0  # no negative zeros
    _, first, group = np.unique(rounded, axis=0, return_index=True, return_inverse=True)
    if len(first) == len(rows):
        return nodes
    weights = np.bincount(group.reshape(-1), nodes.weights, len(first))
    order = np.argsort(first)
    kept = first[order]
    return DataNodes(nodes.x[kept], nodes.y[kept], weights[order])
