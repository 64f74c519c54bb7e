"""Exponents of sizes: slopes of log(size) over log(width), with intervals from the scatter of seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = Any

# The probability with which one of all intervals that are looked at together misses its slope.
MISS = 0.01
# Relative errors of sizes from rounding alone: sums of some million numbers in float64. Where nothing else
# scatters (a bias that every network moves alike), this is all that an interval has.
ROUNDING = 1e-10


@dataclass(frozen=True)
class SizeSlope:
    """An exponent that was measured, and the interval in which it lies (``low`` to ``high``).

    ``value`` None: sizes that are 0 or not finite, or too few widths or seeds, have no exponent.
    """

    value: float | None
    low: float = -np.inf
    high: float = np.inf

    def holds(self, expected: float) -> bool:
        """Whether the interval contains an exponent (where nothing was measured it does)."""
        return self.low <= expected <= self.high

    @property
    def text(self) -> str:
        """The exponent with its interval, for people."""
        if self.value is None:
            return "none"
        return f"{self.value:+.2f} [{self.low:+.2f}, {self.high:+.2f}]"


UNKNOWN = SizeSlope(None)


def slope_of(widths: Sequence[int], sizes: Array, together: int, corrected: bool = True) -> SizeSlope:
    """The exponent of sizes [width, seed], one of ``together`` that are looked at at once.

    The mean log over the seeds is fitted as c + s log n, with a term d/n for the finite width where
    ``corrected`` (it needs four widths), by least squares with weights n.
    """
    logs = _logs(sizes)
    return UNKNOWN if logs is None else _slope(widths, [(logs, 1.0)], together, corrected)


def ratio_slope(widths: Sequence[int], sizes: Array, reference: Array, together: int) -> SizeSlope:
    """The exponent of sizes over those of a reference, both [width, seed], which have the same limit.

    Terms of finite width are those of the reference too, so none is fitted.
    """
    own, other = _logs(sizes), _logs(reference)
    if own is None or other is None:
        return UNKNOWN
    return _slope(widths, [(own, 1.0), (other, -1.0)], together, corrected=False)


def _logs(sizes: Array) -> Array | None:
    values = np.asarray(sizes, dtype=np.float64)
    if values.ndim != 2 or values.shape[1] < 2 or not (np.isfinite(values) & (values > 0)).all():
        return None
    return np.log(values)


def _slope(
    widths: Sequence[int], parts: Sequence[tuple[Array, float]], together: int, corrected: bool
) -> SizeSlope:
    """A slope that is linear in mean logs, and its interval.

    One seed has the variance v/n with one v for all widths, estimated from all: where the scatter does not
    shrink (a size that is all fluctuation) this is too large for narrow widths, never too small.
    """
    from scipy.special import stdtrit

    n = np.asarray(widths, dtype=np.float64)
    if len(n) < 2:
        return UNKNOWN
    columns = [np.ones(len(n)), np.log(n)]
    if corrected and len(n) > 3:
        columns.append(n.min() / n)
    root = np.sqrt(n)
    weights = np.linalg.pinv(np.stack(columns, axis=1) * root[:, None])[1] * root
    value, variance, freedom = 0.0, 0.0, 0
    for logs, sign in parts:
        seeds = logs.shape[1]
        value += sign * float(weights @ logs.mean(axis=1))
        scatter = float(np.mean(n * logs.var(axis=1, ddof=1)))
        variance += scatter / seeds * float(np.sum(weights**2 / n))
        freedom += len(n) * (seeds - 1)
    half = float(stdtrit(freedom, 1 - MISS / (2 * together)) * np.sqrt(variance))
    half += ROUNDING * len(parts) * float(np.abs(weights).sum())
    return SizeSlope(value, value - half, value + half)
