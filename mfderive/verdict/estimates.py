"""The statistics of a check: extrapolation to infinite width, tests of vectors, slopes with intervals.

Data are groups: group g has S_g independent rows (seeds) of m numbers (the values of one observable). A
combination sum_g c_g mean(group g) of them is tested for being 0; its covariance is estimated from the rows.
Only Gram matrices of rows are formed, so m may be large.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = Any

# Slopes that a fit may find, and how finely: distance ~ n^-s.
_SLOPES = np.linspace(-0.5, 3.0, 701)
BOOTSTRAPS = 999
# A group with less than this part of the variance does not limit what is known of it. (With more than ten
# groups all might have less: then the largest counts.)
_TENTH = 0.1
SLOPE_LEVEL = 0.95
# An interval wider than this holds slopes as different as "does not fall" and "falls as 1/n".
WIDEST_INTERVAL = 1.0

# The kinds of tests of an observable: networks against the limit on their own labels, the limit on drawn
# labels against the limit, and networks against the limit.
PAIRS, LABELS, DIRECT = "own labels", "labels", "direct"


def intercept_coefficients(widths: Sequence[float], precisions: Sequence[float], order: int) -> Array:
    """Weights c_n of sum_n c_n mean_n, the estimate of b in means b + B_1/n + ... + B_order/n^order.

    Weighted least squares with the given ``precisions`` (inverse variances up to a factor), float64 [width].
    The result is exact for every polynomial of that order in 1/n: sum c_n = 1, sum c_n n^-k = 0.
    """
    nodes = np.min(widths) / np.asarray(widths, dtype=np.float64)
    design = nodes[:, None] ** np.arange(order + 1)
    root = np.sqrt(np.asarray(precisions, dtype=np.float64))[:, None]
    coefficients: Array = np.linalg.pinv(root * design)[0] * root[:, 0]
    return coefficients


def contrast_coefficients(widths: Sequence[float], order: int) -> Array:
    """Weights of a combination of widths that is 0 for every polynomial of ``order`` in 1/n, and not above.

    It shows whether means follow the expansion; None where there are too few widths. Scaled so that its
    largest entry is 1.
    """
    if len(widths) < order + 2:
        return None
    nodes = np.min(widths) / np.asarray(widths, dtype=np.float64)
    chosen = nodes[-(order + 2) :]
    design = chosen[:, None] ** np.arange(order + 1)
    null = np.linalg.svd(design.T)[2][-1]
    found = np.zeros(len(nodes))
    found[-(order + 2) :] = null / np.abs(null).max()
    return found


@dataclass(frozen=True)
class Deviation:
    """How far a combination of means is from 0.

    ``size`` root mean square over the m numbers; ``noise`` the same expected from the seeds alone;
    ``threshold`` what noise exceeds with the probability of the test only; ``p`` the probability of a size
    at least as great if the truth is 0.
    """

    size: float
    noise: float
    threshold: float
    p: float

    @property
    def lower(self) -> float:
        """A lower bound of the true size."""
        return max(0.0, self.size - self.threshold)

    @property
    def upper(self) -> float:
        """An upper bound of the true size."""
        return self.size + self.threshold


def deviation(groups: Sequence[Array], coefficients: Sequence[float], level: float) -> Deviation:
    """Test that sum_g c_g mean(group g) is 0, at probability ``level`` of a false alarm.

    The statistic is the squared norm over its estimated mean, held against F(nu, nu_0) with Box's
    degrees of freedom nu = tr(C)^2 / tr(C^2) of the combination's covariance C, and nu_0 those with which
    tr(C) is known, both lowered for few rows. Groups of one row are taken as exact.
    """
    from scipy.stats import f as f_law

    used = [(np.asarray(g, np.float64), float(c)) for g, c in zip(groups, coefficients, strict=True) if c]
    numbers = used[0][0].shape[1]
    total = np.sum([c * rows.mean(axis=0) for rows, c in used], axis=0)
    square = float(total @ total)
    moments = _covariance_moments(used)
    if moments is None:
        root = float(np.sqrt(square / numbers))
        return Deviation(root, 0.0, 0.0, float(square == 0.0))
    trace, trace_of_square, spread, fewest = moments
    nu = float(np.clip(trace**2 / trace_of_square, 1.0, numbers))
    # Estimated from few rows, both degrees of freedom come out too large at times, and that is felt far out
    # in the tail: without these two cautions, tests at 5e-4 with 8 rows per group reject 5 times too often.
    below = min(trace**2 / spread, fewest * nu)
    nu = max(1.0, nu * (1 - 2 / fewest)) if fewest > 2 else 1.0
    critical = trace * float(f_law.isf(level, nu, below))
    p = float(f_law.sf(square / trace, nu, below))
    size, noise, threshold = (float(np.sqrt(value / numbers)) for value in (square, trace, critical))
    return Deviation(size, noise, threshold, p)


def _covariance_moments(used: Sequence[tuple[Array, float]]) -> tuple[float, float, float, int] | None:
    """tr C, tr C^2, half the variance of the estimate of tr C, for C = sum_g c_g^2 V_g / S_g.

    Last the fewest degrees of freedom of a group that makes at least a tenth of tr C.
    """
    parts = [
        (rows - rows.mean(axis=0), c * c / len(rows), len(rows) - 1) for rows, c in used if len(rows) > 1
    ]
    traces = [factor * float((rows**2).sum()) / free for rows, factor, free in parts]
    trace = float(np.sum(traces))
    if not trace > 0:
        return None
    trace_of_square, spread = 0.0, 0.0
    for position, (rows, factor, free) in enumerate(parts):
        own = factor**2 * _square_trace(rows, free)
        # tr(V)^2 / tr(V^2) is at least 1, and one direction is the safest guess with few seeds.
        own = min(max(own, 0.0), traces[position] ** 2)
        trace_of_square += own
        spread += own / free
        for other, other_factor, other_free in parts[:position]:
            crossed = float(((rows @ other.T) ** 2).sum()) / (free * other_free)
            trace_of_square += 2 * factor * other_factor * crossed
    floor = trace**2 * 1e-12
    fewest = min(
        free
        for (_, _, free), own in zip(parts, traces, strict=True)
        if own >= min(_TENTH * trace, max(traces))
    )
    return trace, max(trace_of_square, floor), max(spread, floor), fewest


def _square_trace(rows: Array, free: int) -> float:
    """The unbiased estimate of tr(V^2) (normal law) from centred rows; with one degree of freedom tr(V)^2."""
    trace = float((rows**2).sum()) / free
    if free < 2:
        return trace**2
    gram = rows @ rows.T
    of_square = float((gram**2).sum()) / free**2
    return free**2 / ((free - 1) * (free + 2)) * (of_square - trace**2 / free)


@dataclass(frozen=True)
class Slope:
    """A fitted law distance^2 = a n^(-2s) + b with known b: s, its interval, a and b, and the expected s.

    ``distances`` are the root mean square distances at the widths, with b still in them.
    """

    name: str
    widths: tuple[int, ...]
    distances: tuple[float, ...]
    slope: float
    low: float
    high: float
    amplitude: float
    floor: float
    expected: float | None

    @property
    def half_width(self) -> float:
        """Half of the interval's length."""
        return (self.high - self.low) / 2

    @property
    def is_told(self) -> bool:
        """Whether the networks tell the slope: its interval is at most 1 wide, and within the search."""
        inside = _SLOPES[0] < self.low and self.high < _SLOPES[-1]
        return bool(inside and self.high - self.low <= WIDEST_INTERVAL)

    @property
    def as_expected(self) -> bool | None:
        """Whether the interval holds the expected slope; None where none is expected, or none is told."""
        if self.expected is None or not self.is_told:
            return None
        return self.low <= self.expected <= self.high


def fit_slope(
    name: str,
    widths: Sequence[int],
    squares: Sequence[Array],
    floor: float,
    expected: float | None,
    statistic: Any = None,
    seed: int = 0,
) -> Slope:
    """Fit d^2(n) = a n^(-2s) + b to squared distances of every seed, ``squares`` [seed] of every width.

    ``statistic`` makes one squared distance of the rows of a width (default: their mean), for example the
    square of the mean loss minus the limit's. The fit is weighted least squares whose weights are the
    inverse squares of the distances (their relative errors are alike); the interval is the percentile one of
    a bootstrap over seeds. ``floor`` is b.
    """
    statistic = statistic or (lambda rows, axis: rows.mean(axis=axis))
    rng = np.random.default_rng(seed)
    found = np.array([statistic(np.asarray(rows, np.float64), 0) for rows in squares])
    resampled = np.stack(
        [
            statistic(np.asarray(rows, np.float64)[rng.integers(0, len(rows), (len(rows), BOOTSTRAPS))], 0)
            for rows in squares
        ],
        axis=1,
    )
    slope, amplitude = _fit(np.asarray(widths, np.float64), found[None], floor)
    slopes, _ = _fit(np.asarray(widths, np.float64), resampled, floor)
    low, high = np.quantile(slopes, [(1 - SLOPE_LEVEL) / 2, (1 + SLOPE_LEVEL) / 2])
    return Slope(
        name,
        tuple(int(n) for n in widths),
        tuple(float(np.sqrt(max(value, 0.0))) for value in found),
        float(slope[0]),
        float(low),
        float(high),
        float(amplitude[0]),
        float(floor),
        expected,
    )


def _fit(widths: Array, squares: Array, floor: float) -> tuple[Array, Array]:
    """s and a (at the geometric mean width) of every row of ``squares`` [fit, width], by a search over s."""
    scaled = widths / np.exp(np.log(widths).mean())
    basis = scaled[None, :] ** (-2 * _SLOPES[:, None])
    above = np.maximum(squares - floor, 0.02 * squares)
    weights = 1.0 / np.maximum(above, 1e-300) ** 2
    # For each s the best a is closed: minimise sum w (y - a x)^2.
    xy = np.einsum("sn,fn,fn->fs", basis, above, weights)
    xx = np.einsum("sn,sn,fn->fs", basis, basis, weights)
    amplitude = xy / xx
    left = np.einsum("fn,fn,fn->f", above, above, weights)[:, None] - amplitude * xy
    best = left.argmin(axis=1)
    rows = np.arange(len(best))
    return _SLOPES[best], amplitude[rows, best] * np.exp(np.log(widths).mean()) ** (2 * _SLOPES[best])
