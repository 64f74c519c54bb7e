"""Fixed points of the correlation of two inputs whose variances rest at q*: c -> advance_pair(c q*) / q*."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import elementwise

from .depth_map import DepthMap, Scales
from .variance_points import NEUTRAL

Array = Any
Pointwise = Callable[[Array, Array], Array]  # at correlations [point] of the scales [point]
_ONE = 1e-11  # how near to 1 the correlation of equal inputs must stay
_NEAREST = 1e-9  # how near to 1 other fixed points are looked for
_FROM_ONE = np.geomspace(_NEAREST, 1.0, 37)
_VANISHING = 1e-100
_MOST_STEPS = 60
_ROUNDING = 1e-15
_STEP = 1e-13  # a Newton step after which nothing is left to gain


@dataclass(frozen=True, eq=False)
class CorrelationPoints:
    """Fixed points of the correlation at every scale [scale].

    ``scale``, ``c``, ``slope`` [point]: which scale, where, and chi(c) = d c' / d c there. ``every`` [scale]:
    all correlations are fixed, to rounding. ``c_star``, ``slope_star`` [scale]: the stable point that a
    correlation near 1 moves to; nan where there is none.
    """

    scale: Array
    c: Array
    slope: Array
    every: Array
    c_star: Array
    slope_star: Array


def correlation_points(depth_map: DepthMap, q: Array, scales: Scales) -> CorrelationPoints:
    """The fixed points at variances ``q`` [scale] (finite; 0 is the limit from above) and scales [scale].

    Where ``depth_map.power_series`` says that the map has no negative coefficients, it is convex on [0, 1]:
    one change of sign is looked for there, and none below 0, where no other stable point can lie. Otherwise
    all changes of sign on a grid of [-1, 1] are.
    """
    q = np.maximum(np.asarray(q, dtype=float), _VANISHING)
    arrays = {
        name: np.broadcast_to(np.asarray(value, dtype=float), q.shape) for name, value in scales.items()
    }

    variance_after = depth_map.advance(q[:, None], arrays)[:, 0]
    alive = variance_after > 0  # elsewhere nothing is left of which there could be a correlation
    variance_after = np.where(alive, variance_after, 1.0)

    def excess(c: Array, index: Array) -> Array:
        """c' - c."""
        variance, after = q[index], variance_after[index]
        own = {name: value[index] for name, value in arrays.items()}
        pair = depth_map.advance_pair(
            (c * variance)[..., None], variance[..., None], variance[..., None], own
        )[..., 0]
        return pair / after - c

    def slopes(c: Array, index: Array) -> Array:
        """d c' / d c."""
        own = {name: value[index] for name, value in arrays.items()}
        before = q[index][:, None]
        slope = depth_map.jacobian_pair(c[:, None] * before, before, before, own)[:, 0, 0]
        return slope * q[index] / variance_after[index]

    every_scale = np.arange(len(q))
    at_one = excess(np.ones(len(q)), every_scale)
    fixed = (np.abs(at_one) <= _ONE) & alive
    every = fixed.copy()
    for probe in (0.5, 0.1, 0.9):
        probed = np.flatnonzero(every)
        every[probed] = np.abs(excess(np.full(len(probed), probe), probed)) <= 1e-12
    open_ = np.flatnonzero(~every & alive)
    if getattr(depth_map, "power_series", False):
        slope_one = slopes(np.ones(len(q)), every_scale)
        open_ = open_[~fixed[open_] | (slope_one[open_] > 1 + NEUTRAL)]
        c, which = _from_below(excess, slopes, open_), open_
    else:
        grid = np.concatenate([-1 + np.array([0.0, 0.01, 0.1, 0.3, 0.6, 0.9]), 1 - _FROM_ONE[::-1]])
        c, which = _all_changes(excess, grid, open_)
    ones = np.flatnonzero(fixed)
    c, which = np.concatenate([c, np.ones(len(ones))]), np.concatenate([which, ones])
    slope = slopes(c, which)
    star, slope_star = _stable(c, slope, which, len(q), every)
    return CorrelationPoints(which, c, slope, every, star, slope_star)


def _from_below(excess: Pointwise, slopes: Pointwise, open_: Array) -> Array:
    """The first zero of c' - c from 0 on, for convex maps: Newton's steps never pass it (Fourier)."""
    c = np.zeros(len(open_))
    moving = np.arange(len(open_))
    for _ in range(_MOST_STEPS):
        value = excess(c[moving], open_[moving])
        above = value > _ROUNDING
        moving, value = moving[above], value[above]
        if not len(moving):
            break
        step = value / (1 - slopes(c[moving], open_[moving]))
        c[moving] = np.where(step > 0, np.minimum(c[moving] + step, 1.0), c[moving])
        moving = moving[step > _STEP]
    return c


def _all_changes(excess: Pointwise, grid: Array, open_: Array) -> tuple[Array, Array]:
    """Every change of the sign of c' - c on a grid, polished, and nodes at which it is 0."""
    if not len(open_):
        return np.zeros(0), np.zeros(0, dtype=int)
    values = np.stack([excess(np.full(len(open_), c), open_) for c in grid], axis=1)
    resting = np.abs(values) <= 1e-15
    changes = np.signbit(values[:, :-1]) != np.signbit(values[:, 1:])
    changes &= ~resting[:, :-1] & ~resting[:, 1:]
    row, node = np.nonzero(changes)
    own, rest = np.nonzero(resting)
    c = np.zeros(len(row))
    if len(row):
        c = elementwise.find_root(excess, (grid[node], grid[node + 1]), args=(open_[row],)).x
    return np.concatenate([c, grid[rest]]), np.concatenate([open_[row], open_[own]])


def _stable(c: Array, slope: Array, which: Array, count: int, every: Array) -> tuple[Array, Array]:
    star, slope_star = np.full(count, np.nan), np.full(count, np.nan)
    order = np.argsort(c)  # the largest stable point is written last
    for point in order:
        scale = which[point]
        if abs(slope[point]) <= 1 + NEUTRAL and not every[scale]:
            star[scale], slope_star[scale] = c[point], slope[point]
    return star, slope_star
