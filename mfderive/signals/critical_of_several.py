"""Critical scales of blocks that hand on several kernel entries: chi_1 = 1 where iteration from a variance
of 1 rests.

Of several entries no equation in one number is left; fixed points are followed over a grid of sigma_w2, all
at once, and the grid is made finer around every change of sign of chi_1 - 1.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import brentq

from ..errors import MfError
from .critical_lines import CriticalPoint
from .depth_map import DepthMap
from .variance_points import NEUTRAL

Array = np.ndarray
_SCALES = np.geomspace(1e-2, 1e2, 49)
_STEPS = 3000
_COARSE, _AT_REST = 1e-8, 1e-13
_LARGE = 1e9


def critical_of_several(depth_map: DepthMap, sigma_b2: float) -> tuple[CriticalPoint, ...]:
    """Every critical point between sigma_w2 = 0.01 and 100, by sigma_w2; ``q_star`` is a tuple.

    Raises MfError where none is found, with what chi_1 is instead.
    """
    q, chi = _rests(depth_map, _SCALES, sigma_b2, np.ones((len(_SCALES), len(depth_map.names))), _COARSE)
    with np.errstate(invalid="ignore"):
        changes = np.flatnonzero((chi[:-1] - 1) * (chi[1:] - 1) <= 0)
    found = []
    for place in changes:
        if np.abs(chi[place : place + 2] - 1).max() <= _COARSE:
            raise MfError(
                f"chi_1 = 1 whatever sigma_w2 is around {_SCALES[place]:.3g} (sigma_b2 = {sigma_b2:g}): "
                "nothing has to "
                "be chosen"
            )
        point = _between(depth_map, int(place), q, sigma_b2)
        if point is not None:
            found.append(point)
    if found:
        return tuple(sorted(found, key=lambda point: (abs(point.slope) > 1 + NEUTRAL, point.sigma_w2)))
    known = np.isfinite(chi)
    if not known.any():
        raise MfError(
            f"no sigma_w2 from {_SCALES[0]:g} to {_SCALES[-1]:g} lets the kernels of a block "
            f"({', '.join(depth_map.names)})"
            f" come to rest at sigma_b2 = {sigma_b2:g}, so that nothing is critical: streams that only add "
            "grow for ever. "
            "Look at gradients by depth: mfderive.signal(net).by_depth(x1, x2)"
        )
    raise MfError(
        f"no critical sigma_w2 at sigma_b2 = {sigma_b2:g}: where the kernels of a block come to rest, "
        "chi_1 lies between "
        f"{chi[known].min():.4g} and {chi[known].max():.4g}. Give another sigma_b2"
    )


def _rests(
    depth_map: DepthMap, sigma_w2: Array, sigma_b2: float, q: Array, still: float
) -> tuple[Array, Array]:
    """Where kernels ``q`` [scale, entry] move to, and chi_1 [scale] there; nan where steps do not fall below
    ``still``."""
    scales = {"sigma_w2": sigma_w2, "sigma_b2": np.full(sigma_w2.shape, sigma_b2)}
    lost = np.zeros(len(sigma_w2), bool)
    change = np.full(len(sigma_w2), np.inf)
    for _ in range(_STEPS):
        after = np.asarray(depth_map.advance(q, scales), float)
        lost |= ~np.isfinite(after).all(axis=1) | (np.abs(after).max(axis=1) > _LARGE)
        after = np.where(lost[:, None], 1.0, after)
        change = np.abs(after - q).max(axis=1) / np.maximum(np.abs(after).max(axis=1), 1e-300)
        q = after
        if (lost | (change <= still)).all():
            break
    at_rest = ~lost & (change <= 100 * still) & (np.abs(q).max(axis=1) > 1e-200)
    chi = np.asarray(depth_map.gradient_factor(q, scales), float)
    return q, np.where(at_rest, chi, np.nan)


def _between(depth_map: DepthMap, low: int, q: Array, sigma_b2: float) -> CriticalPoint | None:
    """The change of sign between two scales of the grid; None where variances do not rest at it."""
    start = q[low : low + 1]

    def excess(sigma_w2: float) -> float:
        nonlocal start
        own, chi = _rests(depth_map, np.array([sigma_w2]), sigma_b2, start, _AT_REST)
        if not np.isfinite(chi[0]):
            raise _MovesError
        start = own
        return float(chi[0]) - 1

    try:
        scale = float(brentq(excess, _SCALES[low], _SCALES[low + 1], xtol=1e-13, rtol=1e-12))
        excess(scale)
    except _MovesError:
        return None
    at = start[0]
    slopes = np.asarray(depth_map.jacobian(at, {"sigma_w2": scale, "sigma_b2": sigma_b2}))
    slope = float(np.abs(np.linalg.eigvals(slopes)).max())
    return CriticalPoint(scale, sigma_b2, tuple(at.tolist()), slope)


class _MovesError(Exception):
    """Variances do not come to rest at a scale between two at which they do."""
