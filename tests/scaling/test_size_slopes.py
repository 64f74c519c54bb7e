"""Exponents of sizes: right on powers, and intervals that hold as often as they say."""

import numpy as np
import pytest

from mfderive.scaling.size_slopes import MISS, UNKNOWN, ratio_slope, slope_of

WIDTHS = (64, 128, 256, 512, 1024)
N = np.array(WIDTHS, dtype=float)[:, None]


def sizes(exponent: float, scatter: float, seeds: int, rng: np.random.Generator, bias: float = 0.0):
    """Sizes [width, seed] with relative scatter c/sqrt(n), and a term of finite width."""
    return N**exponent * (1 + bias / N) * np.exp(scatter / np.sqrt(N) * rng.standard_normal((5, seeds)))


@pytest.mark.parametrize("exponent", [-1.0, -0.5, 0.0, 0.5])
def test_powers_are_found(exponent: float) -> None:
    """To rounding without scatter; with a term of finite width (up to its second order: 16/64^2)."""
    exact = np.repeat(N**exponent, 3, axis=1)
    assert slope_of(WIDTHS, exact, 1).value == pytest.approx(exponent, abs=1e-12)
    biased = exact * (1 + 4 / N)
    assert slope_of(WIDTHS, biased, 1).value == pytest.approx(exponent, abs=4e-3)
    assert ratio_slope(WIDTHS, biased, exact * (1 + 4 / N), 1).value == pytest.approx(
        exponent - exponent, abs=1e-12
    )


def test_intervals_hold_as_often_as_they_say() -> None:
    """800 slopes with an interval for one of ten: each misses with 1/1000; 6 misses have less than 1/1000."""
    rng = np.random.default_rng(1)
    misses = sum(not slope_of(WIDTHS, sizes(-0.5, 2.0, 4, rng, 3.0), 10).holds(-0.5) for _ in range(800))
    assert MISS / 10 == 0.001 and misses <= 5
    ratios = [ratio_slope(WIDTHS, sizes(0.5, 2.0, 4, rng), sizes(0.0, 2.0, 4, rng), 10) for _ in range(800)]
    assert sum(not ratio.holds(0.5) for ratio in ratios) <= 5


def test_what_has_no_exponent() -> None:
    """Sizes of 0, numbers that are not finite, one seed, one width: nothing is said, and nothing excluded."""
    zero, broken = np.zeros((5, 3)), np.full((5, 3), np.nan)
    for found in (
        slope_of(WIDTHS, zero, 1),
        slope_of(WIDTHS, broken, 1),
        slope_of(WIDTHS, np.ones((5, 1)), 1),
        slope_of((64,), np.ones((1, 3)), 1),
        ratio_slope(WIDTHS, np.ones((5, 3)), zero, 1),
    ):
        assert found == UNKNOWN and found.holds(7.0) and found.text == "none"


def test_sizes_that_differ_by_rounding_alone() -> None:
    """What every network moves alike has the exponent 0 although nothing scatters; 1e-6 is no rounding."""
    widths = (64, 128, 256, 512, 1024)
    sizes = np.full((5, 4), 0.005) * (1 + 1e-15 * np.arange(5)[:, None])
    assert slope_of(widths, sizes, 8).holds(0.0) and slope_of(widths, sizes, 8).value != 0.0
    sizes = np.full((5, 4), 0.005) * (1 + 1e-6 * np.arange(5)[:, None])
    assert not slope_of(widths, sizes, 8).holds(0.0)
