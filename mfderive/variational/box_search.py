"""All solutions of a few coupled mean-field equations, by dividing the cube and discarding boxes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

Array = Any

# More equations than these would need too many boxes.
MOST_EQUATIONS = 4
_MOST_BOXES = 40_000  # looked at in all
_NARROW = 1e-9  # a box this narrow that is neither discarded nor decided is near a bifurcation
_OUTWARD = 1e-14  # what rounding may move a bound by


@dataclass(frozen=True)
class BoxSearch:
    """Solutions m (rows, k), and whether it was shown that there are no others, up to rounding."""

    solutions: Array
    is_complete: bool


def box_search(couplings: Array, fields: Array, temperature: float) -> BoxSearch:
    """All solutions in [-1, 1]^k of m = tanh((Q m + B)/T), for a few equations.

    A box is replaced by its intersection with its image, whose bounds are exact since tanh is monotone in
    each m_j. It is discarded where that is empty; it is decided where the derivative I - D Q of the equations
    is regular on all of it (|Y| |Delta D| |Q| has norm < 1, Y the inverse at the middle), so that there is at
    most one solution, which Newton's method finds or the edge of the box denies; otherwise it is halved.
    """
    size = len(fields)
    low, high = np.full((1, size), -1.0), np.full((1, size), 1.0)
    found: list[Array] = []
    looked_at, is_complete = 0, True
    while len(low):
        looked_at += len(low)
        if looked_at > _MOST_BOXES:
            return BoxSearch(_distinct(found, size), False)
        low, high = _contracted(low, high, couplings, fields, temperature)
        if not len(low):
            break
        decided, root = _decided(low, high, couplings, fields, temperature)
        found += list(root[decided & np.isfinite(root).all(axis=1)])
        low, high = low[~decided], high[~decided]
        narrow = (high - low).max(axis=1) < _NARROW
        if narrow.any():
            is_complete = False
            found += list((low[narrow] + high[narrow]) / 2)
            low, high = low[~narrow], high[~narrow]
        low, high = _halved(low, high)
    return BoxSearch(_distinct(found, size), is_complete)


def _image(
    low: Array, high: Array, couplings: Array, fields: Array, temperature: float
) -> tuple[Array, Array]:
    """Bounds of (Q m + B)/T over boxes."""
    up, down = np.maximum(couplings, 0).T, np.minimum(couplings, 0).T
    return (low @ up + high @ down + fields) / temperature, (high @ up + low @ down + fields) / temperature


def _contracted(low: Array, high: Array, *equations: Any) -> tuple[Array, Array]:
    """Boxes met with their images a few times; those that do not meet them are gone."""
    for _ in range(4):
        below, above = _image(low, high, *equations)
        low = np.maximum(low, np.tanh(below) - _OUTWARD)
        high = np.minimum(high, np.tanh(above) + _OUTWARD)
        kept = (low <= high).all(axis=1)
        low, high = low[kept], high[kept]
    return low, high


def _decided(
    low: Array, high: Array, couplings: Array, fields: Array, temperature: float
) -> tuple[Array, Array]:
    """Which boxes hold at most one solution, and that solution, nan where there is none."""
    below, above = _image(low, high, couplings, fields, temperature)
    with np.errstate(over="ignore"):  # far out the slope of tanh is 0
        steepest = 1 / np.cosh(np.clip(0.0, below, above)) ** 2  # it is largest nearest to 0
        flattest = 1 / np.cosh(np.maximum(np.abs(below), np.abs(above))) ** 2
    middle = (steepest + flattest) / 2
    derivative = np.eye(len(fields)) - middle[:, :, None] * couplings / temperature
    inverse = np.linalg.pinv(derivative)
    spread = ((steepest - flattest) / 2)[:, :, None] * np.abs(couplings) / temperature
    decided = np.linalg.norm(np.abs(inverse) @ spread, ord=np.inf, axis=(1, 2)) < 0.9
    decided &= np.abs(np.linalg.det(derivative)) > 1e-12
    root = np.full_like(low, np.nan)
    for number in np.flatnonzero(decided):
        point = _newton((low[number] + high[number]) / 2, couplings, fields, temperature)
        inside = (point >= low[number] - 1e-12).all() and (point <= high[number] + 1e-12).all()
        if inside:
            root[number] = point
        elif not np.isfinite(point).all():
            decided[number] = False  # Newton's method left its way: smaller boxes decide
    return decided, root


def _newton(point: Array, couplings: Array, fields: Array, temperature: float) -> Array:
    """Newton's method for m = tanh((Q m + B)/T); nan where it does not converge."""
    for _ in range(60):
        value = np.tanh((couplings @ point + fields) / temperature)
        derivative = np.eye(len(point)) - (1 - value**2)[:, None] * couplings / temperature
        try:
            step = np.linalg.solve(derivative, value - point)
        except np.linalg.LinAlgError:
            break
        point = point + step
        if np.abs(step).max() < 1e-14:
            return point
        if np.abs(point).max() > 10:
            break
    return np.full(len(point), np.nan)


def _halved(low: Array, high: Array) -> tuple[Array, Array]:
    """Every box cut in two across its longest side."""
    rows, side = np.arange(len(low)), (high - low).argmax(axis=1)
    upper_low, lower_high = low.copy(), high.copy()
    # Not in the very middle: solutions that symmetry puts there would lie in both halves.
    cut = low[rows, side] + 0.4873 * (high - low)[rows, side]
    upper_low[rows, side] = lower_high[rows, side] = cut
    return np.concatenate([low, upper_low]), np.concatenate([lower_high, high])


def _distinct(points: list[Array], size: int) -> Array:
    """Points without repetitions (edges belong to two boxes)."""
    kept: list[Array] = []
    for point in points:
        if all(np.abs(point - other).max() > 1e-8 for other in kept):
            kept.append(point)
    return np.array(kept).reshape(-1, size)
