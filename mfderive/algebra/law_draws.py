"""Independent draws from laws, one function per law; generated solvers hold the text of those they need.

Every function takes a generator, the shape, the axis of the neurons, and the law's arguments, which
broadcast to the shape; it returns float64. Draws are in place where the operation allows it: a large weight
should not need a second array.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = Any


def draw_normal(
    rng: np.random.Generator, shape: tuple[int, ...], neuron: int, mean: Array, deviation: Array
) -> Array:
    """Normal entries of a mean and a standard deviation."""
    values = rng.standard_normal(shape)
    values *= deviation
    values += mean
    return values


def draw_uniform(
    rng: np.random.Generator, shape: tuple[int, ...], neuron: int, low: Array, high: Array
) -> Array:
    """Entries with equal density between two ends."""
    values = rng.random(shape)
    values *= high - low
    values += low
    return values


def draw_rademacher(rng: np.random.Generator, shape: tuple[int, ...], neuron: int, scale: Array) -> Array:
    """Plus or minus a scale with equal odds."""
    signs = 1 - 2 * rng.integers(0, 2, shape)
    return np.broadcast_to(scale * signs, shape).astype(np.float64)


def draw_sphere(rng: np.random.Generator, shape: tuple[int, ...], neuron: int, radius: Array) -> Array:
    """One vector per neuron, over all other axes, with equal density on a sphere."""
    values = rng.standard_normal(shape)
    others = tuple(axis for axis in range(len(shape)) if axis != neuron)
    norm = np.sqrt(np.sum(values * values, axis=others, keepdims=True))
    return np.asarray(radius * values / norm)


def draw_constant(rng: np.random.Generator, shape: tuple[int, ...], neuron: int, value: Array) -> Array:
    """The same value everywhere; nothing is drawn."""
    return np.broadcast_to(np.asarray(value, dtype=np.float64), shape).copy()


def draw_radius(
    rng: np.random.Generator, shape: tuple[int, ...], neuron: int, deviation: Array, dimension: Array
) -> Array:
    """Lengths of vectors of independent normal numbers: their deviation, and how many they are."""
    return np.asarray(deviation * np.sqrt(rng.chisquare(dimension, shape)))


def draw_cosine(rng: np.random.Generator, shape: tuple[int, ...], neuron: int, dimension: Array) -> Array:
    """Cosines of the angle between a fixed direction and one of equal density, in so many dimensions."""
    values = rng.standard_normal(shape)
    return np.asarray(values / np.sqrt(values * values + rng.chisquare(dimension - 1, shape)))
