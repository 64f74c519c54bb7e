"""Critical points: scales with chi_1 = 1 at a fixed point, where gradients neither grow nor fade.

At a given variance q the scale sigma_w2 for which q is a fixed point, or for which chi_1 = 1, is found first
(both grow with sigma_w2); what is left is one equation in q.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import elementwise

from ..errors import MfError
from .depth_map import DepthMap
from .variance_points import NEUTRAL

Array = Any
_LEAST, _MOST = 1e-8, 1e8  # between which sigma_w2 is looked for
_DECADES = (12.0, 6.0, 3.0, 1.5, 0.5)
_LOWEST, _PER_DECADE = -12.0, 8
# How near to sigma_b2, relatively, variances are looked for (a power of 10): bounded activations rest there.
_NEAREST = -8.0
_VANISHING = 1e-100
_ROUNDING = 1e-12


@dataclass(frozen=True)
class CriticalPoint:
    """A point with chi_1 = 1: the scales, the variance, and d q' / d q there.

    ``q_star`` is nan where every variance is a fixed point, and a tuple of the kernels that a block hands on
    where these are several.
    """

    sigma_w2: float
    sigma_b2: float
    q_star: Any
    slope: float


def critical_line(depth_map: DepthMap, q: Any) -> tuple[Array, Array]:
    """sigma_w2 and sigma_b2 [...] at which ``q`` [...] are fixed points with chi_1 = 1; nan where none.

    A negative sigma_b2 is none. (Parametric form of the critical line, theory F.)
    """
    q = np.asarray(q, dtype=float)
    flat = np.maximum(q.ravel(), _VANISHING)

    def factor(sigma_w2: Array, at: Array) -> Array:
        return depth_map.gradient_factor(at[..., None], {"sigma_w2": sigma_w2, "sigma_b2": 0.0})

    sigma_w2 = _scale_for(lambda w, at: factor(w, at) - 1, flat)
    known = np.isfinite(sigma_w2)
    sigma_b2 = np.full(flat.shape, np.nan)

    def left(sigma_b2: Array, sigma_w2: Array, at: Array) -> Array:
        scales = {"sigma_w2": sigma_w2, "sigma_b2": sigma_b2}
        return at - depth_map.advance(at[..., None], scales)[..., 0]

    if known.any():
        first = left(np.zeros(known.sum()), sigma_w2[known], flat[known])
        sigma_b2[known] = _bias_for(left, first, sigma_w2[known], flat[known])
    sigma_w2 = np.where(np.isfinite(sigma_b2), sigma_w2, np.nan)
    return sigma_w2.reshape(q.shape), sigma_b2.reshape(q.shape)


def _bias_for(left: Callable[..., Array], first: Array, sigma_w2: Array, q: Array) -> Array:
    """sigma_b2 with no variance left over: the whole rest where the map adds it, else by root finding."""
    tiny = 1e-14 * q
    rest = np.where(np.abs(first) <= tiny, 0.0, first)
    result = np.where(rest >= 0, rest, np.nan)
    open_ = np.flatnonzero(rest > 0)
    if len(open_):
        over = left(rest[open_], sigma_w2[open_], q[open_])
        open_ = open_[np.abs(over) > 1e-12 * q[open_]]
    if len(open_):
        found = elementwise.find_root(
            left, (np.zeros(len(open_)), rest[open_]), args=(sigma_w2[open_], q[open_])
        )
        result[open_] = np.where(found.success, found.x, np.nan)
    return result


def _scale_for(residual: Callable[[Array, Array], Array], q: Array) -> Array:
    """The sigma_w2 at which a residual that grows with it is 0, for every q; nan where there is none."""
    result = np.full(q.shape, np.nan)
    low = residual(np.full(q.shape, _LEAST), q)
    high = residual(np.full(q.shape, _MOST), q)
    found = np.flatnonzero((low < 0) & (high > 0))
    if len(found):
        # Most maps are affine in sigma_w2: then two values say where it is.
        slope = (high[found] - low[found]) / (_MOST - _LEAST)
        guess = _LEAST - low[found] / slope
        guess = np.clip(guess, _LEAST, _MOST)
        affine = np.abs(residual(guess, q[found])) <= 1e-14 * np.maximum(np.abs(low[found]), q[found])
        result[found] = guess
        rest = found[~affine]
        if len(rest):
            ends = np.full(len(rest), np.log(_LEAST)), np.full(len(rest), np.log(_MOST))
            solved = elementwise.find_root(
                lambda log_w, at: residual(np.exp(log_w), at), ends, args=(q[rest],)
            )
            result[rest] = np.exp(solved.x)
    return result


def critical_points(depth_map: DepthMap, sigma_b2: float) -> tuple[CriticalPoint, ...]:
    """Every critical point with this sigma_b2, stable fixed points of the variance first.

    Raises MfError where there is none, with what chi_1 is instead, and where all scales are.
    """

    def weight_at(q: Array) -> Array:
        def grown(sigma_w2: Array, at: Array) -> Array:
            scales = {"sigma_w2": sigma_w2, "sigma_b2": sigma_b2}
            return depth_map.advance(at[..., None], scales)[..., 0] - at

        return _scale_for(grown, q)

    def excess(log_q: Array) -> Array:
        q = np.exp(log_q)
        scales = {"sigma_w2": weight_at(q), "sigma_b2": np.full(q.shape, sigma_b2)}
        known = np.isfinite(scales["sigma_w2"])
        result = np.full(q.shape, np.nan)
        if known.any():
            own = {name: value[known] for name, value in scales.items()}
            result[known] = depth_map.gradient_factor(q[known][..., None], own) - 1
        return result

    logs, values = _on_grid(excess, sigma_b2)
    flat = np.abs(values) <= 1e-11
    if 2 * flat.sum() > np.isfinite(values).sum():
        weights = weight_at(np.exp(logs[flat]))
        if np.ptp(weights) > 1e-9 * weights.max():
            raise MfError(
                f"chi_1 = 1 whatever sigma_w2 is, from {weights.min():.3g} to {weights.max():.3g} at least "
                f"(sigma_b2 = {sigma_b2:g}): nothing has to be chosen"
            )
        return (CriticalPoint(float(np.median(weights)), sigma_b2, float("nan"), 1.0),)
    # Signs of rounding say nothing: a root at a variance of the grid is found between its neighbours.
    told = ~(np.abs(values) <= _ROUNDING)
    logs_told, values_told = logs[told], values[told]
    with np.errstate(invalid="ignore"):
        changes = np.flatnonzero(values_told[:-1] * values_told[1:] < 0)
    q = np.zeros(0)
    if len(changes):
        q = np.exp(elementwise.find_root(excess, (logs_told[changes], logs_told[changes + 1])).x)
    if sigma_b2 == 0 and abs(float(excess(np.log(np.array([_VANISHING])))[0])) <= NEUTRAL:
        q = np.concatenate([[_VANISHING], q])
    if not len(q):
        raise _none(sigma_b2, logs, values)
    weight = weight_at(q)
    scales = {"sigma_w2": weight, "sigma_b2": np.full(q.shape, sigma_b2)}
    slopes = np.asarray(depth_map.jacobian(q[:, None], scales))[:, 0, 0]
    points = [
        CriticalPoint(float(w), sigma_b2, 0.0 if at == _VANISHING else float(at), float(slope))
        for w, at, slope in zip(weight, q, slopes, strict=True)
    ]
    return tuple(sorted(points, key=lambda point: (abs(point.slope) > 1 + NEUTRAL, point.q_star)))


def _on_grid(excess: Callable[[Array], Array], above: float = 0.0) -> tuple[Array, Array]:
    """Logarithms of variances and chi_1 - 1 there, as far up as the map has values.

    ``above``: a variance just above which they are close together.
    """
    near = np.linspace(_NEAREST, 0.0, int(-_NEAREST * _PER_DECADE) + 1)
    beside = np.log10(above) + np.log1p(10**near) / np.log(10) if above > 0 else np.zeros(0)
    for highest in _DECADES:
        logs = np.linspace(_LOWEST, highest, int((highest - _LOWEST) * _PER_DECADE) + 1) + 0.0123
        logs = np.union1d(logs, beside[beside <= highest])
        try:
            return logs * np.log(10), excess(logs * np.log(10))
        except MfError:
            if highest == _DECADES[-1]:
                raise
    raise MfError("the map has no finite values, even for small variances")


def _none(sigma_b2: float, logs: Array, values: Array) -> MfError:
    known = np.isfinite(values)
    if not known.any() and np.any(values == np.inf):
        return MfError(
            "chi_1 is infinite at every sigma_w2: the activation jumps, and no gradient passes a jump. "
            "Take a continuous activation, tanh(10 * h) in place of sign(h) for example"
        )
    if not known.any():
        return MfError(
            f"no sigma_w2 makes any variance a fixed point at sigma_b2 = {sigma_b2:g}, so that nothing is "
            "critical there. Give a smaller sigma_b2; where streams only add, variances rest at none, and "
            "gradients by depth say more: mfderive.signal(net).by_depth(x1, x2)"
        )
    if known.sum() > 1 and np.ptp(values[known]) <= 1e-9:
        return MfError(
            f"chi_1 = {1 + float(np.median(values[known])):.6g} whatever the scales are (sigma_b2 = "
            f"{sigma_b2:g}): no sigma_w2 is critical. Change the activation or the graph; skips bring chi_1 "
            "nearer to 1"
        )
    most = int(np.nanargmin(np.abs(values)))
    side = "below" if values[most] < 0 else "above"
    return MfError(
        f"no critical sigma_w2 at sigma_b2 = {sigma_b2:g}: chi_1 stays {side} 1 at every fixed point of the "
        f"variance (nearest: 1 {'-' if values[most] < 0 else '+'} {abs(values[most]):.3g} at q = "
        f"{np.exp(logs[most]):.3g}). Give another sigma_b2"
    )


def half_stable_points(depth_map: DepthMap) -> tuple[CriticalPoint, ...]:
    """Points at which chi_1 = 1 and d q' / d q = 1 together (Roberts, Yaida and Hanin 2022, chapter 5)."""

    def excess(log_q: Array) -> Array:
        q = np.exp(log_q)
        sigma_w2, sigma_b2 = critical_line(depth_map, q)
        known = np.isfinite(sigma_w2)
        result = np.full(q.shape, np.nan)
        if known.any():
            scales = {"sigma_w2": sigma_w2[known], "sigma_b2": sigma_b2[known]}
            result[known] = np.asarray(depth_map.jacobian(q[known][..., None], scales))[..., 0, 0] - 1
        return result

    logs, values = _on_grid(excess)
    with np.errstate(invalid="ignore"):
        changes = np.flatnonzero(values[:-1] * values[1:] < 0)
    # Where slopes are 1 all along, or become so at an end, rounding alone changes signs.
    sized = np.minimum(np.abs(values[changes]), np.abs(values[changes + 1])) > 1e-9
    changes = changes[sized]
    if not len(changes):
        return ()
    q = np.exp(elementwise.find_root(excess, (logs[changes], logs[changes + 1])).x)
    sigma_w2, sigma_b2 = critical_line(depth_map, q)
    return tuple(
        CriticalPoint(float(w), float(b), float(at), 1.0)
        for w, b, at in zip(sigma_w2, sigma_b2, q, strict=True)
    )
