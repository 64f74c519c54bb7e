"""Expectations over jointly Gaussian variables by quadrature, many covariances at once.

Standard variables z with u = mean + L z. Two rules. The lattice (trapezoidal rule) in z converges faster than
every power of its distance for smooth integrands; it is halved until two distances agree. Where an integrand
bends, or is too steep for a lattice, lines in z are split exactly at the bends and integrated adaptively, the
second variable inside of the first. L may be singular: equal, opposite and constant variables are exact.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations, product
from typing import Any

import numpy as np

from ..errors import MfError
from .adaptive_panels import integrate
from .linear_places import STEEP

Array = Any
RADIUS = 10.0  # beyond it lies less than 1e-22 of a standard normal law
_RADII = np.array([0.0, 2.0, 4.0, 6.0, 8.0, RADIUS, 13.0, 17.0, 22.0, 29.0, 38.0])
_FARTHEST = _RADII[-1]  # beyond it the density is 0 in floating point
_NEGLIGIBLE = 1e-19
_AT_ONCE = 1 << 19  # values of the integrand that are held at a time
# How often the distance 1/2 of a lattice may be halved, by the number of variables.
_HALVINGS = {1: 5, 2: 3, 3: 2, 4: 1}
MOST_VARIABLES = max(_HALVINGS)
_STEPS_PER_WIDTH = 1.3  # the largest distance of a first lattice, in units of a function's argument


@dataclass(frozen=True, eq=False)
class GaussianBatch:
    """Expectations that are wanted: of one integrand at many laws.

    ``values(u, which)``: the integrand at u (one array [element, node] a variable) of the elements ``which``.
    ``factor`` [element, i, j] is lower triangular, u_i = ``mean``_i + sum_j factor_ij z_j. ``slopes``,
    ``offsets``: of every place, [element, variable] and [element]; ``bends`` which of them are bends.
    ``split``: whether every bend is one of the places.
    """

    values: Callable[[tuple[Array, ...], Array], Array]
    factor: Array
    mean: Array
    slopes: tuple[Array, ...]
    offsets: tuple[Array, ...]
    bends: tuple[bool, ...]
    split: bool

    @property
    def count(self) -> int:
        """The number of variables."""
        return int(self.mean.shape[1])

    def at(self, z: tuple[Array, ...], which: Array) -> Array:
        """The integrand at standard variables z (each [element, node]) of the elements ``which``."""
        u = []
        for i in range(self.count):
            value = self.mean[which, i, None]
            for j in range(i + 1):
                value = value + self.factor[which, i, j, None] * z[j]
            u.append(value)
        with np.errstate(all="ignore"):
            result = self.values(tuple(u), which)
        return np.broadcast_to(
            result, np.broadcast_shapes(np.shape(result), (len(which), 1), *map(np.shape, z))
        )


def lower_factor(covariance: Array) -> Array:
    """L [element, i, j], lower triangular, with L L^T = ``covariance``; singular ones are exact."""
    factor = np.zeros_like(covariance)
    for j in range(covariance.shape[1]):
        before = np.einsum("ek,ek->e", factor[:, j, :j], factor[:, j, :j])
        own = covariance[:, j, j]
        left = own - before
        if j == 1:  # without cancellation: (g - k)(g + k) with g^2 = k11 k22
            geometric = np.sqrt(covariance[:, 0, 0] * own)
            k = covariance[:, 0, 1]
            with np.errstate(divide="ignore", invalid="ignore"):
                left = np.where(own > 0, (geometric - k) * (geometric + k) / covariance[:, 0, 0], 0.0)
            left = np.where(covariance[:, 0, 0] > 0, left, own)
        pivot = np.sqrt(np.maximum(left, 0.0))
        if j > 1:
            pivot = np.where(left > 1e-14 * own, pivot, 0.0)
        factor[:, j, j] = pivot
        for i in range(j + 1, covariance.shape[1]):
            rest = covariance[:, i, j] - np.einsum("ek,ek->e", factor[:, i, :j], factor[:, j, :j])
            factor[:, i, j] = np.where(pivot > 0, rest / np.where(pivot > 0, pivot, 1.0), 0.0)
    return factor


def by_rules(batch: GaussianBatch, tolerance: float) -> tuple[Array, Array]:
    """Expectations [element] and their estimated errors [element]."""
    count = len(batch.mean)
    reach = _reach(batch)
    value, error = np.zeros(count), np.full(count, np.inf)
    steep = _steepness(batch)
    smooth = batch.split and not any(batch.bends)
    halvings = _HALVINGS[batch.count]
    lattice = (reach <= RADIUS) & (steep * 0.5**halvings < _STEPS_PER_WIDTH)
    if batch.count > 2:
        lattice[:] = True
    if smooth or batch.count > 2:
        first = np.clip(np.ceil(np.log2(np.maximum(steep, 1e-9) / (2 * _STEPS_PER_WIDTH))), 0, halvings - 1)
        for start in range(halvings):
            which = np.flatnonzero(lattice & (first == start))
            if len(which):
                value[which], error[which] = _by_lattice(batch, which, start, tolerance)
    if batch.count <= 2:
        left = np.flatnonzero(~(error < np.inf))
        if len(left):
            value[left], error[left] = _by_lines(batch, left, reach[left], tolerance)
    bad = ~np.isfinite(value)
    if bad.any():
        raise _not_finite(batch, int(np.flatnonzero(bad)[0]))
    return value, error


def _not_finite(batch: GaussianBatch, which: int) -> MfError:
    covariance = batch.factor[which] @ batch.factor[which].T
    return MfError(
        f"an expectation is not a finite number at the covariance {covariance.tolist()}: its integrand "
        "leaves the finite numbers or its domain (the root of a negative number, say), or grows "
        "faster than the normal density falls. Use an expression that is defined on all real numbers"
    )


def _reach(batch: GaussianBatch) -> Array:
    """The radius in z beyond which the integrand is negligible [element], at least RADIUS."""
    m = batch.count
    directions = [d for d in product((-1.0, 0.0, 1.0), repeat=m) if any(d)]
    unit = np.array([np.array(d) / np.linalg.norm(d) for d in directions])
    points = (_RADII[:, None, None] * unit).reshape(-1, m)
    which = np.arange(len(batch.mean))
    sizes = np.abs(batch.at(tuple(points[None, :, j] for j in range(m)), which))
    sizes = sizes.reshape(len(which), len(_RADII), len(unit)).max(axis=2)
    with np.errstate(invalid="ignore"):
        weighted = sizes * np.exp(-0.5 * _RADII**2)
    weighted = np.where(np.isnan(weighted), 0.0, weighted)
    peak = weighted.max(axis=1, keepdims=True)
    counts = weighted > _NEGLIGIBLE * peak
    if counts[:, -1].any():
        raise _not_finite(batch, int(np.flatnonzero(counts[:, -1])[0]))
    last = len(_RADII) - 1 - np.argmax(counts[:, ::-1], axis=1)
    return np.maximum(RADIUS, _RADII[np.minimum(last + 1, len(_RADII) - 1)])


def _steepness(batch: GaussianBatch) -> Array:
    """The largest rate of change, in z, of what functions of the integrand are applied to [element]."""
    result = np.zeros(len(batch.mean))
    for slope in batch.slopes:
        along = np.einsum("ei,eij->ej", slope, batch.factor)
        result = np.maximum(result, np.sqrt(np.einsum("ej,ej->e", along, along)))
    return result


@lru_cache(maxsize=32)
def _lattice(variables: int, halvings: int) -> tuple[Array, Array]:
    """Points [node, variable] and weights of the lattice whose distance is 1/2, halved ``halvings`` times."""
    distance = 0.5 ** (1 + halvings)
    most = int(RADIUS / distance)
    line = np.arange(-most, most + 1)
    grid = np.stack(np.meshgrid(*[line] * variables, indexing="ij"), axis=-1).reshape(-1, variables)
    inside = np.einsum("nj,nj->n", grid, grid) * distance**2 <= RADIUS**2
    grid = grid[inside]
    squares = np.einsum("nj,nj->n", grid, grid) * distance**2
    weights = np.exp(-0.5 * squares) * (distance / np.sqrt(2 * np.pi)) ** variables
    return grid * distance, weights


@lru_cache(maxsize=32)
def _new_points(variables: int, halvings: int) -> tuple[Array, Array]:
    points, weights = _lattice(variables, halvings)
    odd = np.any(np.round(points * 2 ** (1 + halvings)).astype(int) % 2 != 0, axis=1)
    return points[odd], weights[odd]


def _by_lattice(batch: GaussianBatch, which: Array, first: int, tolerance: float) -> tuple[Array, Array]:
    """Values and errors of some elements; the error is infinite where the lattices do not agree in the end.

    The error of a lattice of half the distance is about the square of the coarser one's, relative to the
    integral of the absolute value; the stated one is its power 1.75, and rounding.
    """
    m, last = batch.count, _HALVINGS[batch.count]
    value, size = _lattice_sums(batch, which, *_lattice(m, first))
    result, error = value.copy(), np.full(len(which), np.inf)
    open_ = np.arange(len(which))
    for halvings in range(first + 1, last + 1):
        new, new_size = _lattice_sums(batch, which[open_], *_new_points(m, halvings))
        finer = new + value[open_] * 0.5**m
        size[open_] = new_size + size[open_] * 0.5**m
        difference = np.abs(finer - value[open_])
        value[open_] = result[open_] = finer
        with np.errstate(divide="ignore", invalid="ignore"):
            relative = np.where(size[open_] > 0, difference / size[open_], 0.0)
        good = np.minimum(relative, relative**1.75 * 4)
        error[open_] = size[open_] * (good + 4e-16)
        done = good <= tolerance
        open_ = open_[~done]
        if not len(open_):
            break
    if m <= 2 or not batch.split:
        error[open_] = np.inf
    if m > 2:  # no other rule is left: the difference of the last two lattices as it is
        error[open_] = difference[~done] if len(open_) else error[open_]
    return result, error


def _lattice_sums(batch: GaussianBatch, which: Array, points: Array, weights: Array) -> tuple[Array, Array]:
    value, size = np.empty(len(which)), np.empty(len(which))
    rows = max(1, _AT_ONCE // len(weights))
    z = tuple(points[None, :, j] for j in range(batch.count))
    for start in range(0, len(which), rows):
        some = slice(start, start + rows)
        values = batch.at(z, which[some])
        value[some] = values @ weights
        size[some] = np.abs(values) @ weights
    return value, size


def _by_lines(batch: GaussianBatch, which: Array, reach: Array, tolerance: float) -> tuple[Array, Array]:
    """Values and errors of some elements, by lines in z that are split at the bends."""
    value, error = np.empty(len(which)), np.empty(len(which))
    rows = max(1, 1 << 16 >> (0 if batch.count == 1 else 8))
    for start in range(0, len(which), rows):
        some = slice(start, start + rows)
        one = _line if batch.count == 1 else _line_of_lines
        value[some], error[some] = one(batch, which[some], reach[some], tolerance)
    return value, error


def _line(batch: GaussianBatch, which: Array, reach: Array, tolerance: float) -> tuple[Array, Array]:
    def weighted(z: Array, panel: Array) -> tuple[Array, Array]:
        values = batch.at((z,), which[panel]) * _density(z)
        return values, np.zeros_like(values)

    cuts = [
        (
            cut - (offset[which] + (slope[which] * batch.mean[which]).sum(axis=1)),
            slope[which, 0] * batch.factor[which, 0, 0],
        )
        for slope, offset, bends in zip(batch.slopes, batch.offsets, batch.bends, strict=True)
        for cut in _levels(bends)
    ]
    value, error, _ = integrate(weighted, _edges(reach, [_quotient(*cut) for cut in cuts]), tolerance)
    return value, error


def _line_of_lines(batch: GaussianBatch, which: Array, reach: Array, tolerance: float) -> tuple[Array, Array]:
    """Two variables: the integral over z_2 at every z_1 is split where the bends are on that line."""
    lines = []  # place: along_1 z_1 + along_2 z_2 = level
    for slope, offset, bends in zip(batch.slopes, batch.offsets, batch.bends, strict=True):
        along = np.einsum("ei,eij->ej", slope[which], batch.factor[which])
        at_mean = offset[which] + np.einsum("ei,ei->e", slope[which], batch.mean[which])
        lines += [(along[:, 0], along[:, 1], cut - at_mean) for cut in _levels(bends)]

    def inner(z: Array, panel: Array) -> tuple[Array, Array]:
        element, first = np.repeat(panel, z.shape[1]), z.ravel()
        cuts = [_quotient(level[element] - a[element] * first, b[element]) for a, b, level in lines]

        def weighted(second: Array, row: Array) -> tuple[Array, Array]:
            values = batch.at((first[row, None], second), which[element[row]]) * _density(second)
            return values, np.zeros_like(values)

        value, error, _ = integrate(weighted, _edges(reach[element], cuts), tolerance)
        density = _density(z)
        return value.reshape(z.shape) * density, error.reshape(z.shape) * density

    cuts = [_quotient(level, a) for a, _, level in lines]
    for (a, b, level), (other_a, other_b, other) in combinations(lines, 2):
        cuts.append(_quotient(level * other_b - other * b, a * other_b - other_a * b))
    value, error, _ = integrate(inner, _edges(reach, cuts), tolerance)
    return value, error


def _levels(bends: bool) -> tuple[float, ...]:
    return (0.0,) if bends else (-STEEP, 0.0, STEEP)


def _quotient(numerator: Array, denominator: Array) -> Array:
    """A place on a line; 0, where a line is split anyhow, if there is none."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        place = numerator / denominator
    return np.where(np.isfinite(place), place, 0.0)


def _edges(reach: Array, cuts: list[Array]) -> Array:
    """Where lines are split, in rising order [line, edge]: at places, and where the density has its scale."""
    fixed = [share * reach for share in (-1.0, -0.3, 0.0, 0.3, 1.0)]
    return np.sort(np.stack([*fixed, *(np.clip(cut, -reach, reach) for cut in cuts)], axis=1), axis=1)


def _density(z: Array) -> Array:
    return np.exp(-0.5 * z * z) / np.sqrt(2 * np.pi)
