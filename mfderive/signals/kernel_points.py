"""Fixed points of maps of several kernel entries: those that iteration from several starts reaches, polished.

Nothing is known of fixed points that iteration does not come near; results say so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import MfError
from .depth_map import DepthMap

Array = Any
_STARTS = (1.0, 0.1, 10.0, 1e-3)
_CORRELATIONS = (1.0, 0.999, 0.5, 0.0)
_STEPS, _NEWTON = 400, 20
_TOO_LARGE = 1e12
_CONVERGED = 1e-10
_SAME = 1e-7

Point = tuple[tuple[float, ...], float]  # where, and the eigenvalue of largest modulus


@dataclass(frozen=True)
class KernelPoints:
    """Fixed points of the kernels of one input and of correlations; whether some start ran to infinity."""

    variances: tuple[Point, ...]
    correlations: tuple[Point, ...]
    unbounded: bool


def kernel_points(depth_map: DepthMap, scales: Mapping[str, float]) -> KernelPoints:
    """The fixed points that are reached from a few starts; correlations at the first of them."""
    m = len(depth_map.names)
    variances: list[Point] = []
    unbounded = False
    for start in _STARTS:
        reached = _settle(
            np.full(m, start),
            lambda q: depth_map.advance(q, scales),
            lambda q: depth_map.jacobian(q, scales),
        )
        unbounded = unbounded or (reached is None)
        if reached is not None:
            _add(variances, reached, lambda q: depth_map.jacobian(q, scales))
    if not variances:
        return KernelPoints((), (), unbounded)
    q = np.array(variances[0][0])
    correlations: list[Point] = []
    for c in _CORRELATIONS:
        reached = _settle(
            c * q,
            lambda k: depth_map.advance_pair(k, q, q, scales),
            lambda k: depth_map.jacobian_pair(k, q, q, scales),
        )
        if reached is not None:
            _add(correlations, reached, lambda k: depth_map.jacobian_pair(k, q, q, scales))
    with np.errstate(divide="ignore", invalid="ignore"):
        scaled = [
            (tuple(np.where(q == 0, 1.0, np.array(k) / q).tolist()), slope) for k, slope in correlations
        ]
    return KernelPoints(tuple(variances), tuple(scaled), unbounded)


def _add(points: list[Point], reached: Array, jacobian: Callable[[Array], Array]) -> None:
    """A new point, if it is one, with its eigenvalue of largest modulus (real, or the modulus)."""
    if any(np.allclose(reached, at, rtol=_SAME, atol=1e-12) for at, _ in points):
        return
    eigenvalues = np.linalg.eigvals(jacobian(reached))
    largest = eigenvalues[np.argmax(np.abs(eigenvalues))]
    slope = float(largest.real) if abs(largest.imag) <= 1e-12 else float(abs(largest))
    points.append((tuple(reached.tolist()), slope))


def _settle(
    start: Array, advance: Callable[[Array], Array], jacobian: Callable[[Array], Array]
) -> Array | None:
    """Where iteration leads, polished by Newton's method; None where it runs away or does not settle."""
    value = start
    for _ in range(_STEPS):
        try:
            after = np.asarray(advance(value))
        except MfError:
            return None
        if not np.isfinite(after).all() or np.abs(after).max() > _TOO_LARGE:
            return None
        still = np.allclose(after, value, rtol=1e-9, atol=1e-300)
        value = after
        if still:
            break
    for _ in range(_NEWTON):
        residual = np.asarray(advance(value)) - value
        if np.abs(residual).max() <= 1e-15 * np.abs(value).max():
            break
        step = np.linalg.lstsq(np.eye(len(value)) - jacobian(value), residual, rcond=None)[0]
        trial = value + step
        better = np.abs(np.asarray(advance(trial)) - trial).max() < np.abs(residual).max()
        if not better:
            break
        value = trial
    residual = np.abs(np.asarray(advance(value)) - value).max()
    return value if residual <= _CONVERGED * max(np.abs(value).max(), 1e-300) else None
