"""All fixed points of the variance map q -> advance(q) of one kernel entry, at many scales at once.

The relative growth advance(q)/q - 1 is looked at on a logarithmic grid; its changes of sign are polished, its
near misses are searched for pairs of fixed points that lie between two nodes, and both ends are looked at: 0,
and what happens to large variances.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import elementwise

from ..errors import MfError
from .depth_map import DepthMap, Scales

Array = Any
_DECADES = (12.0, 6.0, 3.0, 1.5, 0.5)  # how far up the grid goes; the first where the map has a value
_LOWEST = -12.0
_PER_DECADE = 8
_NEAR_MISS = 0.05
_TOUCHING = 1e-11
NEUTRAL = 1e-9  # slopes that are 1 to this are taken for 1
_VANISHING = 1e-100


@dataclass(frozen=True, eq=False)
class VariancePoints:
    """Fixed points of the variance at every scale [scale].

    ``scale``, ``q``, ``slope`` [point]: which scale a point belongs to, its place and d advance / d q
    there. ``every`` [scale]: all variances are fixed points, to rounding. ``unbounded`` [scale]: large
    variances grow. ``q_star``, ``slope_star`` [scale]: the point to which a variance of 1 moves; infinite
    where there is none.
    """

    scale: Array
    q: Array
    slope: Array
    every: Array
    unbounded: Array
    q_star: Array
    slope_star: Array


def variance_points(depth_map: DepthMap, scales: Scales) -> VariancePoints:
    """The fixed points of a map of one entry at scales [scale] (arrays of one length)."""
    arrays = {name: np.atleast_1d(np.asarray(value, dtype=float)) for name, value in scales.items()}
    count = max((len(value) for value in arrays.values()), default=1)
    arrays = {name: np.broadcast_to(value, (count,)) for name, value in arrays.items()}
    logs, growth = _growth_on_grid(depth_map, arrays)
    every = np.mean(np.abs(growth) <= 1e-12, axis=1) > 0.5

    def growth_at(log_q: Array, index: Array) -> Array:
        q = np.exp(log_q)
        return _growth(depth_map, q, {name: value[index] for name, value in arrays.items()})

    left, right, which = _brackets(logs, growth, growth_at)
    inside = ~every[which]
    left, right, which = left[inside], right[inside], which[inside]
    q = np.exp(left)
    wide = right > left
    if wide.any():
        q[wide] = np.exp(elementwise.find_root(growth_at, (left[wide], right[wide]), args=(which[wide],)).x)
    slope = np.zeros(0)
    if len(which):
        own = {name: value[which] for name, value in arrays.items()}
        slope = depth_map.jacobian(q[:, None], own)[:, 0, 0]
    zero = np.flatnonzero(depth_map.advance(np.zeros((1, 1)), arrays)[:, 0] == 0)
    at_zero = _growth(depth_map, np.full(count, _VANISHING), arrays)[zero] + 1
    which, q = np.concatenate([zero, which]), np.concatenate([np.zeros(len(zero)), q])
    slope = np.concatenate([at_zero, slope])
    unbounded = _grows_in_the_end(growth) & ~every
    star, slope_star = _moves_to(which, q, slope, growth, logs, unbounded)
    return VariancePoints(which, q, slope, every, unbounded, star, slope_star)


def _growth(depth_map: DepthMap, q: Array, scales: Scales) -> Array:
    with np.errstate(over="ignore", invalid="ignore"):
        return depth_map.advance(q[..., None], scales)[..., 0] / q - 1


def _growth_on_grid(depth_map: DepthMap, arrays: dict[str, Array]) -> tuple[Array, Array]:
    """Logarithms of variances [node] and the growth there [scale, node], as far up as the map has values."""
    columns = {name: value[:, None] for name, value in arrays.items()}
    for highest in _DECADES:
        nodes = np.linspace(_LOWEST, highest, int((highest - _LOWEST) * _PER_DECADE) + 1)
        logs = (nodes + 0.0123) * np.log(10)  # off round numbers, where fixed points like to lie
        try:
            growth = _growth(depth_map, np.exp(logs)[None, :], columns)
        except MfError:
            if highest == _DECADES[-1]:
                raise
            continue
        if np.isfinite(growth).all():
            return logs, growth
    raise MfError("the variance map has no finite values, even for small variances")


def _brackets(logs: Array, growth: Array, growth_at: Callable[..., Array]) -> tuple[Array, Array, Array]:
    """Intervals of log q where the growth changes its sign, or points where it touches 0; their scales."""
    scale, node = np.nonzero(np.signbit(growth[:, :-1]) != np.signbit(growth[:, 1:]))
    left, right, which = [logs[node]], [logs[node + 1]], [scale]
    size = np.abs(growth)
    middle = size[:, 1:-1]
    dips = (middle < size[:, :-2]) & (middle < size[:, 2:]) & (middle < _NEAR_MISS) & (middle > 0)
    dips &= (np.signbit(growth[:, :-2]) == np.signbit(growth[:, 1:-1])) & (
        np.signbit(growth[:, 2:]) == np.signbit(growth[:, 1:-1])
    )
    scale, node = np.nonzero(dips)
    if len(scale):
        sign = np.sign(growth[scale, node + 1])
        found = elementwise.find_minimum(
            lambda log_q, index, sign: sign * growth_at(log_q, index),
            (logs[node], logs[node + 1], logs[node + 2]),
            args=(scale, sign),
        )
        crosses = found.f_x < -_TOUCHING
        touches = np.abs(found.f_x) <= _TOUCHING
        left += [logs[node][crosses], found.x[crosses], found.x[touches]]
        right += [found.x[crosses], logs[node + 2][crosses], found.x[touches]]
        which += [scale[crosses], scale[crosses], scale[touches]]
    order = np.lexsort((np.concatenate(left), np.concatenate(which)))
    return np.concatenate(left)[order], np.concatenate(right)[order], np.concatenate(which)[order]


def _grows_in_the_end(growth: Array) -> Array:
    """Whether the last growth that is no rounding is positive [scale]."""
    counts = np.abs(growth) > 1e-12
    last = growth.shape[1] - 1 - np.argmax(counts[:, ::-1], axis=1)
    return counts.any(axis=1) & (growth[np.arange(len(growth)), last] > 0)


def _moves_to(
    which: Array, q: Array, slope: Array, growth: Array, logs: Array, unbounded: Array
) -> tuple[Array, Array]:
    """The fixed point to which a variance of 1 moves at every scale, and its slope."""
    count = len(growth)
    star, slope_star = np.full(count, np.inf), np.full(count, np.nan)
    node = np.argmin(np.abs(logs))
    at_one, one = growth[:, node], np.exp(logs[node])
    for scale in range(count):
        own = np.flatnonzero(which == scale)
        above, below = own[q[own] >= one], own[q[own] < one]
        towards = above if at_one[scale] > 0 else below
        if len(towards):
            chosen = towards[np.argmin(np.abs(q[towards] - 1))]
            star[scale], slope_star[scale] = q[chosen], slope[chosen]
    return star, slope_star
