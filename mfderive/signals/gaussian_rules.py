"""Expectations over jointly Gaussian variables by quadrature, many covariances at once.

Standard variables z with u = mean + L z. Two rules. The lattice (trapezoidal rule) in z converges faster than
every power of its distance for smooth integrands; it is halved until two distances agree. Where an integrand
bends, or is too steep for a lattice, lines in z are split exactly at the bends and integrated adaptively, the
second variable inside of the first. L may be singular: equal, opposite and constant variables are exact.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations, product
from typing import Any

import numpy as np

from ..errors import MfError
from .adaptive_panels import integrate
from .linear_places import STEEP

Array = Any
RADIUS = 9.0  # beyond it lies less than 3e-19 of a standard normal law
_RADII = np.array([0.0, 2.0, 4.0, 6.0, RADIUS, 11.0, 13.0, 17.0, 22.0, 29.0, 38.0])
_NEGLIGIBLE = 4e-16  # of the density's greatest product with the integrand; the tail beyond is smaller still
_ENDLESS = 1e-200
_ROUGH = 4.0
# Where lines of wide laws are split besides, in units of arguments: what is left beyond is e^-36 and less.
_FAR = (-(STEEP**4), -(STEEP**2), STEEP**2, STEEP**4)
_AT_ONCE = 1 << 18  # values of the integrand that are held at a time
# How many points a lattice may have, by the number of variables.
_MOST_POINTS = {1: 2_500, 2: 60_000, 3: 1_500_000, 4: 9_000_000}
MOST_VARIABLES = max(_MOST_POINTS)
_WIDEST = 0.8  # the largest distance of a coarse lattice: its error for a normal density is 4e-14
_POINT = -1  # the grade of a direction in which nothing varies: one node
_GRADES = 8  # distances differ by this many grades in an octave


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
        """The integrand at standard variables z (each [element, node, ...]) of the elements ``which``."""
        rest = (1,) * (len(np.broadcast_shapes(*map(np.shape, z))) - 1)  # the axes of the nodes
        u = []
        for i in range(self.count):
            value = self.mean[which, i].reshape(-1, *rest)
            for j in range(i + 1):
                value = value + self.factor[which, i, j].reshape(-1, *rest) * z[j]
            u.append(value)
        with np.errstate(all="ignore"):
            result = self.values(tuple(u), which)
        shape = np.broadcast_shapes(np.shape(result), (len(which), *rest), *map(np.shape, z))
        return np.broadcast_to(result, shape)


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
    smooth = batch.split and not any(batch.bends)
    if smooth or batch.count > 2:
        value, error = by_lattices(batch, reach, tolerance)
    if not smooth and batch.count > 2:  # a jump between nodes: the two lattices differ by less than they err
        error = _ROUGH * error
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
    counts = (weighted > _NEGLIGIBLE * peak) | np.isinf(weighted)
    # Beyond the last radius the density alone is below 1e-313: what counts there has no end.
    endless = counts[:, -1] & (weighted[:, -1] > _ENDLESS)
    if endless.any():
        raise _not_finite(batch, int(np.flatnonzero(endless)[0]))
    last = len(_RADII) - 1 - np.argmax(counts[:, ::-1], axis=1)
    reach = np.maximum(RADIUS, _RADII[np.minimum(last + 1, len(_RADII) - 1)])
    return np.where(counts.any(axis=1), reach, RADIUS)


def by_lattices(batch: GaussianBatch, reach: Array, tolerance: float) -> tuple[Array, Array]:
    """Values and errors [element]; the error is infinite where two lattices do not agree in the end.

    The distance of a first lattice is chosen for functions whose next pole is as far as that of tanh. Every
    lattice holds one of twice the distance; the error of the finer one is about the square of the coarser
    one's, relative to the integral of the absolute value. With more than two variables there is no other
    rule, and the difference of the two is stated as it is.
    """
    value, error = np.zeros(len(reach)), np.full(len(reach), np.inf)
    widths = np.pi**2 / np.log(np.sqrt(10 / tolerance))
    grades = np.where(np.any(batch.factor != 0, axis=1), _grades(_steepness(batch), widths), _POINT)
    open_ = np.arange(len(reach))
    while len(open_):
        wanted = np.concatenate([grades[open_], reach[open_, None]], axis=1)
        kinds, kind = np.unique(wanted, axis=0, return_inverse=True)
        held = np.zeros(len(open_), dtype=bool)
        for k, (*grade, radius) in enumerate(kinds.tolist()):
            own = np.flatnonzero(kind.ravel() == k)
            lines = [_line_points(int(each), radius) for each in grade]
            points = np.prod([float(line[0].size) for line in lines])
            if points > _MOST_POINTS[batch.count] and batch.count <= 2:
                continue
            some = open_[own]
            value[some], error[some], done = _lattice_values(batch, some, lines, tolerance)
            if points * 2**batch.count <= _MOST_POINTS[batch.count]:
                held[own[~done]] = True
            elif batch.count <= 2:
                error[some[~done]] = np.inf
        open_ = open_[held]
        grades[open_] += np.where(grades[open_] == _POINT, 0, _GRADES)
    return value, error


def rough_size(batch: GaussianBatch, which: Array) -> Array:
    """E|f| of the elements ``which`` from few nodes: a scale, nothing more."""
    line, weights = np.polynomial.hermite_e.hermegauss(8)
    z = tuple(line.reshape(1, *(1,) * j, -1, *(1,) * (batch.count - 1 - j)) for j in range(batch.count))
    values = np.abs(batch.at(z, which))
    return _weighted(values, [weights / np.sqrt(2 * np.pi)] * batch.count)


def _steepness(batch: GaussianBatch) -> Array:
    """The largest rate of change along each z of what functions are applied to [element, j]."""
    result = np.zeros(batch.mean.shape)
    for slope in batch.slopes:
        along = np.einsum("ei,eij->ej", slope, batch.factor)
        result = np.maximum(result, np.abs(along))
    return result


def _grades(steepness: Array, widths: float) -> Array:
    """How fine lattices begin along each z: distances are _WIDEST / 2^(1 + grade / _GRADES)."""
    wanted = np.log2(np.maximum(steepness * _WIDEST / widths, 1.0)) * _GRADES
    return np.ceil(np.minimum(wanted, 12 * _GRADES)).astype(int)


@lru_cache(maxsize=256)
def _line_points(grade: int, radius: float) -> tuple[Array, Array, Array]:
    """Points and weights along one z, and weights of every second point, the first and last among them."""
    if grade == _POINT:
        return np.zeros(1), np.ones(1), np.ones(1)
    distance = 0.5 * _WIDEST * 2.0 ** (-grade / _GRADES)
    most = 2 * int(np.ceil(radius / distance / 2))
    points = np.arange(-most, most + 1) * distance
    weights = np.exp(-0.5 * points**2) * distance / np.sqrt(2 * np.pi)
    return points, weights, 2 * weights[::2]


def _lattice_values(
    batch: GaussianBatch, which: Array, lines: list[tuple[Array, Array, Array]], tolerance: float
) -> tuple[Array, Array, Array]:
    """Values, errors and whether they are good enough, of elements with the same lattice."""
    m = len(lines)
    z = tuple(points.reshape(1, *(1,) * j, -1, *(1,) * (m - 1 - j)) for j, (points, *_) in enumerate(lines))
    every_second = (slice(None), *[slice(None, None, 2)] * m)
    sums = np.empty((3, len(which)))
    rows = max(1, _AT_ONCE // int(np.prod([line[0].size for line in lines])))
    for start in range(0, len(which), rows):
        some = slice(start, start + rows)
        values = batch.at(z, which[some])
        sums[0, some] = _weighted(values, [weights for _, weights, _ in lines])
        sums[1, some] = _weighted(values[every_second], [coarse for *_, coarse in lines])
        sums[2, some] = _weighted(np.abs(values), [weights for _, weights, _ in lines])
    value, coarse, size = sums
    with np.errstate(divide="ignore", invalid="ignore"):
        relative = np.where(size > 0, np.abs(value - coarse) / size, 0.0)
    good = np.minimum(relative, 10 * relative**1.9) if m <= 2 else relative
    return value, size * (good + 4e-16), (good <= tolerance) | ~np.isfinite(value)


def _weighted(values: Array, weights: list[Array]) -> Array:
    """Sums over all nodes, the last variable first."""
    for each in reversed(weights):
        values = values @ each
    return values


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
        _quotient(cut - at_mean, along[:, 0])
        for along, at_mean, levels in _cuts(batch, which)
        for cut in levels
    ]
    value, error, _ = integrate(weighted, _edges(reach, cuts), tolerance)
    return value, error


def _line_of_lines(batch: GaussianBatch, which: Array, reach: Array, tolerance: float) -> tuple[Array, Array]:
    """Two variables: the integral over z_2 at every z_1 is split where the bends are on that line."""
    size = rough_size(batch, which)
    lines, near = [], []  # place: along_1 z_1 + along_2 z_2 = level
    for along, at_mean, levels in _cuts(batch, which):
        own = [(along[:, 0], along[:, 1], cut - at_mean) for cut in levels]
        lines += own
        near += [line for line, cut in zip(own, levels, strict=True) if abs(cut) < STEEP**2]

    def inner(z: Array, panel: Array) -> tuple[Array, Array]:
        element, first = np.repeat(panel, z.shape[1]), z.ravel()
        cuts = [_quotient(level[element] - a[element] * first, b[element]) for a, b, level in lines]

        def weighted(second: Array, row: Array) -> tuple[Array, Array]:
            values = batch.at((first[row, None], second), which[element[row]]) * _density(second)
            return values, np.zeros_like(values)

        density = _density(z)
        least = size[element] / np.maximum(density.ravel(), 1e-290)
        value, error, _ = integrate(weighted, _edges(reach[element], cuts), tolerance, least)
        return value.reshape(z.shape) * density, error.reshape(z.shape) * density

    # Along z_1 the inner integral is as steep as a place is thin: within a few b / a of it.
    cuts = [_quotient(level + side * STEEP * b, a) for a, b, level in lines for side in (-1.0, 0.0, 1.0)]
    for (a, b, level), (other_a, other_b, other) in combinations(near, 2):
        cuts.append(_quotient(level * other_b - other * b, a * other_b - other_a * b))
    value, error, _ = integrate(inner, _edges(reach, cuts), tolerance)
    return value, error


def _cuts(batch: GaussianBatch, which: Array) -> Iterator[tuple[Array, Array, tuple[float, ...]]]:
    """Linear forms along which lines are split: slopes by z [element, j], values at the mean, and levels.

    Wide laws need the far levels: a function that is special within a few units of a place would lie
    between two nodes, and nothing would show it. Variables are split around 0 for the same reason.
    """
    for slope, offset, bends in zip(batch.slopes, batch.offsets, batch.bends, strict=True):
        along = np.einsum("ei,eij->ej", slope[which], batch.factor[which])
        at_mean = offset[which] + np.einsum("ei,ei->e", slope[which], batch.mean[which])
        yield along, at_mean, (0.0, *_FAR) if bends else (-STEEP, 0.0, STEEP, *_FAR)
    for i in range(batch.count):
        yield batch.factor[which, i], batch.mean[which, i], _FAR


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
