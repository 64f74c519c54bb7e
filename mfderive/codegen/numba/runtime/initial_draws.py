"""Independent draws from the laws of initial values."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np

from .compilation import Array


def draw(
    kind: str, arguments: tuple[Any, ...], name: str, shape: tuple[int, ...], seed: int, neuron: int = 0
) -> Array:
    """Independent entries of one law, in float64; every parameter has a random generator of its own.

    ``neuron``: the axis of the neurons, whose vectors a sphere draws one by one.
    """
    rng = np.random.default_rng([seed, zlib.crc32(name.encode())])
    if kind == "normal":
        values = rng.standard_normal(shape)
        values *= arguments[1]
        values += arguments[0]
        return values
    if kind == "uniform":
        values = rng.random(shape)
        values *= arguments[1] - arguments[0]
        values += arguments[0]
        return values
    if kind == "rademacher":
        signs = 1 - 2 * rng.integers(0, 2, shape)
        return np.broadcast_to(arguments[0] * signs, shape).astype(np.float64)
    if kind == "sphere":
        values = rng.standard_normal(shape)
        others = tuple(axis for axis in range(len(shape)) if axis != neuron)
        norm = np.sqrt(np.sum(values * values, axis=others, keepdims=True))
        return np.asarray(arguments[0] * values / norm)
    return np.broadcast_to(np.asarray(arguments[0], dtype=np.float64), shape).copy()
