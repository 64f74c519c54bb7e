"""Coefficients, the test of a vector and fitted slopes, on numbers whose truth is known."""

import numpy as np
import pytest

from mfderive.verdict.estimates import contrast_coefficients, deviation, fit_slope, intercept_coefficients
from mfderive.verdict.wording import rate_lines

WIDTHS = (50, 100, 200, 400)


@pytest.mark.parametrize("order", [1, 2])
def test_an_intercept_is_exact_for_polynomials_in_one_over_n(order):
    """Sum c_n f(n) = f(infinity) for every polynomial of the order, to rounding."""
    coefficients = intercept_coefficients(WIDTHS, [n**2 for n in WIDTHS], order)
    nodes = 1 / np.array(WIDTHS)
    for power in range(order + 1):
        assert np.isclose(coefficients @ nodes**power, float(power == 0), atol=1e-10)


def test_a_contrast_sees_the_next_power_alone():
    contrast = contrast_coefficients(WIDTHS, 2)
    nodes = np.array(WIDTHS[:1]) / np.array(WIDTHS)
    assert np.allclose([contrast @ nodes**k for k in range(3)], 0, atol=1e-12)
    assert abs(contrast @ nodes**3) > 1e-3
    assert contrast_coefficients(WIDTHS[:3], 2) is None


@pytest.mark.parametrize("modes", [1, 3, 40])
def test_the_false_alarms_of_a_deviation(modes):
    """Normal groups of 8 rows with ``modes`` directions: 2000 tests at 5 % reject in 5 % of the cases.

    The binomial deviation is 0.5 %; Box's approximation may be off by about as much, so 3 to 7 % pass.
    """
    rng = np.random.default_rng(0)
    shape = rng.standard_normal((modes, 60)) * 2.0 ** -np.arange(modes)[:, None]
    rejected = 0
    for _ in range(2000):
        groups = [rng.standard_normal((8, modes)) @ shape * factor for factor in (1.0, 0.5)]
        found = deviation(groups, [2.0, -1.0], 0.05)
        assert (found.lower > 0) == (found.p < 0.05)
        rejected += found.p < 0.05
    assert 0.03 <= rejected / 2000 <= 0.07


def test_a_deviation_is_found_and_measured():
    """A shift of ten standard errors is rejected, and its size is between the bounds."""
    rng = np.random.default_rng(1)
    shift = 10 / np.sqrt(50)
    found = deviation([rng.standard_normal((50, 6)) + shift], [1.0], 0.001)
    assert 0 < found.lower < shift < found.upper and found.p < 1e-9


def test_groups_of_one_row_are_exact():
    found = deviation([np.array([[1.0, 2.0]]), np.array([[1.0, 2.5]])], [1.0, -1.0], 0.01)
    assert np.isclose(found.size, np.sqrt(0.125)) and found.threshold == 0


@pytest.mark.parametrize(("slope", "floor"), [(0.5, 0.0), (1.0, 0.0), (0.5, 1e-4)])
def test_a_slope_is_recovered_with_its_interval(slope, floor):
    """d^2 = n^(-2s) chi^2_20 / 20 + b: of 40 fits at least 34 intervals (95 %) hold s, and none is far."""
    rng = np.random.default_rng(2)
    held = 0
    for number in range(40):
        squares = [n ** (-2 * slope) * rng.chisquare(20, 16) / 20 + floor for n in WIDTHS]
        found = fit_slope("outputs", WIDTHS, squares, floor, slope, seed=number)
        held += found.low <= slope <= found.high
        # The standard error is sqrt(2/20/16) / 2 / (2 * 0.775) = 0.026 without a floor.
        assert abs(found.slope - slope) < 0.2
    assert held >= 34


def test_a_slope_that_is_not_told_is_not_as_expected():
    """Distances that are noise alone: the interval is wide, and no slope is claimed; clear ones are told."""
    rng = np.random.default_rng(3)
    noise = [1e-3 + 1e-3 * rng.standard_normal(4) for _ in WIDTHS]
    lost = fit_slope(
        "mean loss", WIDTHS, noise, 1e-6, 1.0, lambda rows, axis: np.square(rows.mean(axis) - 1e-3)
    )
    assert lost.high - lost.low > 1 and not lost.is_told and lost.as_expected is None
    clear = fit_slope("outputs", WIDTHS, [n**-1.0 * rng.chisquare(20, 16) / 20 for n in WIDTHS], 0.0, 0.5)
    assert clear.is_told and clear.as_expected is not None


def test_words_of_a_slope_that_is_not_told():
    rate = {"name": "mean loss", "slope": 0.5, "low": -3.0, "high": 0.5, "expected": -1.0}
    lines = rate_lines({"rates": [{**rate, "told": False, "as_expected": None}]})
    assert lines == ["mean loss: cannot be told from these networks (95 % from -3.00 to 0.50; expected -1)"]
    told = rate_lines({"rates": [{**rate, "slope": -1.1, "told": True, "as_expected": True}]})
    assert "n^-1.10" in told[0] and "as expected" in told[0]
