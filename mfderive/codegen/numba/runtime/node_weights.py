"""Sizes of axes and weights of nodes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from .compilation import Array


class Nodes:
    """Sizes of all axes and the weights of the nodes of measures.

    ``equal`` holds the weight of a node for those axes whose nodes all have the same one; ``shapes``
    holds the shapes of arrays by their ``layouts``.
    """

    def __init__(
        self,
        weights: Mapping[str, Array],
        sizes: Mapping[str, int],
        layouts: Mapping[str, tuple[str, ...]],
        dtype: np.dtype[Any],
    ) -> None:
        self.weights = {axis: np.ascontiguousarray(values, dtype) for axis, values in weights.items()}
        self.equal = {
            axis: float(values[0]) for axis, values in self.weights.items() if np.all(values == values[0])
        }
        self.size = {**sizes, **{axis: len(values) for axis, values in self.weights.items()}}
        self.shapes = {name: tuple(self.size[axis] for axis in axes) for name, axes in layouts.items()}
        self.dtype = dtype
        self.known: dict[tuple[str, ...], tuple[float, Array | None]] = {}

    def weighting(self, axes: tuple[str, ...]) -> tuple[float, Array | None]:
        """The factor and the weights (None where all are equal) of a mean or sum over axes together."""
        if axes not in self.known:
            self.known[axes] = self._weighting(axes)
        return self.known[axes]

    def _weighting(self, axes: tuple[str, ...]) -> tuple[float, Array | None]:
        factor = math.prod(self.equal.get(axis, 1.0) for axis in axes)
        if all(axis in self.equal or axis not in self.weights for axis in axes):
            return factor, None
        weights: Array = np.ones(1, self.dtype)
        for axis in axes:
            varies = axis in self.weights and axis not in self.equal
            own = self.weights[axis] if varies else np.ones(self.size[axis], self.dtype)
            weights = np.multiply.outer(weights, own).ravel()
        return factor, weights
