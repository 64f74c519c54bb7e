"""Everything about one depth map at one choice of scales: fixed points, stability, slow rates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from .correlation_points import correlation_points
from .depth_map import DepthMap
from .kernel_points import kernel_points
from .variance_points import NEUTRAL, variance_points

Array = Any
_VANISHING = 1e-100
_LARGE = (1e8, 1e10)
_SAME = 1e-6
# Distances from a fixed point at which the leading power of a slow approach is read off.
_DISTANCES = (1e-3, 1e-4)


@dataclass(frozen=True)
class FixedPoint:
    """A fixed point: where it is (a number for each entry), and the slope of the map there.

    ``slope``: d q' / d q or d c' / d c; of several entries, the eigenvalue of largest modulus.
    """

    at: tuple[float, ...]
    slope: float

    @property
    def stable(self) -> bool:
        """Whether small deviations become smaller, as far as the slope alone says."""
        return abs(self.slope) < 1 - NEUTRAL

    @property
    def neutral(self) -> bool:
        """Whether the slope is 1 (or -1) and says nothing."""
        return abs(abs(self.slope) - 1) <= NEUTRAL


@dataclass(frozen=True)
class SlowRate:
    """An approach that is no exponential: l^``power`` times the distance after l blocks -> ``constant``."""

    power: float
    constant: float


@dataclass(frozen=True)
class FixedPoints:
    """What is known of a map at one choice of scales.

    ``variances``, ``correlations``: all fixed points that were found; ``variance``, ``correlation``: those to
    which a variance of 1, and a correlation near 1, move (None: there is none). ``every_variance``,
    ``every_correlation``: all values are fixed. ``unbounded``: large variances grow for ever. ``chi_1``: the
    growth of second moments of gradients per block at the variance (or in the limit of large ones, nan where
    there is none). ``slow_variance``, ``slow_correlation``: rates that are not exponential. ``complete``: one
    entry was searched everywhere; of several entries only points that iteration reaches are known.
    """

    variances: tuple[FixedPoint, ...]
    variance: FixedPoint | None
    every_variance: bool
    unbounded: bool
    correlations: tuple[FixedPoint, ...]
    correlation: FixedPoint | None
    every_correlation: bool
    chi_1: float
    slow_variance: SlowRate | None
    slow_correlation: SlowRate | None
    complete: bool


def fixed_points(depth_map: DepthMap, scales: Mapping[str, float]) -> FixedPoints:
    """The fixed points of a map at scales (numbers by name)."""
    if len(depth_map.names) > 1:
        return _of_several(depth_map, scales)
    found = variance_points(depth_map, scales)
    points = tuple(
        FixedPoint((float(q),), float(slope)) for q, slope in zip(found.q, found.slope, strict=True)
    )
    every, unbounded = bool(found.every[0]), bool(found.unbounded[0])
    q = 1.0 if every else float(found.q_star[0])
    variance = FixedPoint((q,), float(found.slope_star[0])) if np.isfinite(q) and not every else None
    if every:
        variance = FixedPoint((1.0,), 1.0)
    if variance is None:
        chi = _chi_of_large(depth_map, scales)
        return FixedPoints(points, None, False, unbounded, (), None, False, chi, None, None, True)
    correlations = correlation_points(depth_map, np.array([q]), scales)
    own = tuple(
        FixedPoint((float(c),), float(slope))
        for c, slope in sorted(zip(correlations.c, correlations.slope, strict=True))
    )
    every_c = bool(correlations.every[0])
    star = float(correlations.c_star[0])
    correlation = None if np.isnan(star) else FixedPoint((star,), float(correlations.slope_star[0]))
    slow_q = None if every or not variance.neutral else _slow_variance(depth_map, scales, q)
    slow_c = None
    if correlation is not None and star == 1.0 and correlation.neutral and not every_c:
        slow_c = _slow_correlation(depth_map, scales, max(q, _VANISHING))
    chi = float(np.ravel(depth_map.gradient_factor(np.array([q]), scales))[0])
    return FixedPoints(
        points, variance, every, unbounded, own, correlation, every_c, chi, slow_q, slow_c, True
    )


def _of_several(depth_map: DepthMap, scales: Mapping[str, float]) -> FixedPoints:
    found = kernel_points(depth_map, scales)
    variances = tuple(FixedPoint(at, slope) for at, slope in found.variances)
    variance = variances[0] if variances else None
    correlations = tuple(FixedPoint(at, slope) for at, slope in found.correlations)
    stable = [each for each in correlations if abs(each.slope) <= 1 + NEUTRAL]
    chi = np.nan
    if variance is not None:
        chi = float(np.ravel(depth_map.gradient_factor(np.array(variance.at), scales))[0])
    return FixedPoints(
        variances,
        variance,
        False,
        found.unbounded,
        correlations,
        max(stable, key=lambda each: each.at) if stable else None,
        False,
        chi,
        None,
        None,
        False,
    )


def _chi_of_large(depth_map: DepthMap, scales: Mapping[str, float]) -> float:
    """The growth of gradients for very large variances, nan where it does not settle."""
    near, far = (float(np.ravel(depth_map.gradient_factor(np.array([q]), scales))[0]) for q in _LARGE)
    return far if abs(far - near) <= _SAME * abs(far) else np.nan


def _slow_correlation(depth_map: DepthMap, scales: Mapping[str, float], q: float) -> SlowRate | None:
    """The rate at which correlations approach 1 where the slope there is 1."""
    variance = np.array([q])
    after = float(depth_map.advance(variance, scales)[0])

    def closer(distance: float) -> float:
        pair = depth_map.advance_pair((1 - distance) * variance, variance, variance, scales)
        return float(pair[0]) / after - (1 - distance)

    return _slow(closer)


def _slow_variance(depth_map: DepthMap, scales: Mapping[str, float], q: float) -> SlowRate | None:
    """The rate at which variances approach a fixed point from above where the slope there is 1."""

    def closer(distance: float) -> float:
        return q + distance - float(depth_map.advance(np.array([q + distance]), scales)[0])

    return _slow(closer)


def _slow(closer: Any) -> SlowRate | None:
    """The rate of e' = e - a e^p, ((p - 1) a l)^(-1/(p - 1)), from the steps a e^p at two distances e.

    None where no multiple of 1/2 fits the power, or deviations grow.
    """
    far, near = (closer(distance) for distance in _DISTANCES)
    if far <= 0 or near <= 0:
        return None
    ratio = _DISTANCES[0] / _DISTANCES[1]
    power = np.round(2 * np.log(far / near) / np.log(ratio)) / 2
    if power <= 1 or abs(np.log(far / near) / np.log(ratio) - power) > 0.02:
        return None
    # The next power is half of one to one higher: taken off by the two distances.
    first, second = far / _DISTANCES[0] ** power, near / _DISTANCES[1] ** power
    leading = second + (second - first) / (ratio - 1)
    return SlowRate(float(1 / (power - 1)), float((leading * (power - 1)) ** (-1 / (power - 1))))
