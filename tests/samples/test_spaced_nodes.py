"""Equally spaced nodes of one number, and what their parts say about their error."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import gamma, ndtr

from mfderive.samples.points import left_out, spaced_normal, tensor_points
from mfderive.samples.quadrature import isotropic_gaussians_law
from mfderive.samples.radial import radial_law
from mfderive.samples.spaced_nodes import is_spaced, nested_points


def slope(counts, errors):
    return np.polyfit(np.log(counts), np.log(errors), 1)[0]


def test_a_kink_costs_second_order_and_gauss_nodes_first():
    """Fitted over 16 to 256 nodes, mean error of relu(z - k) over 40 kinks k: slopes -2 and -1 within 0.2.

    The range of the nodes grows with log N, which adds less than 0.2 to the slope of -2.
    """
    kinks, counts = np.linspace(-1.5, 1.5, 40), np.array([16, 32, 64, 128, 256])
    exact = np.exp(-(kinks**2) / 2) / np.sqrt(2 * np.pi) - kinks * ndtr(-kinks)
    found = {True: [], False: []}
    for spaced, errors in found.items():
        for count in counts:
            points, weights = tensor_points(["normal"], (int(count),), spaced)
            values = np.maximum(points - kinks, 0)
            errors.append(np.abs(weights @ values - exact).mean())
    assert -2.2 < slope(counts, found[True]) < -1.7
    assert -1.2 < slope(counts, found[False]) < -0.8


def test_a_smooth_function_is_exact_down_to_the_tails():
    """E cos z = exp(-1/2) to the weight of both tails that N = 64 nodes leave out."""
    nodes, weights = spaced_normal(64)
    assert abs(weights @ np.cos(nodes) - np.exp(-0.5)) < left_out(64)
    assert abs(weights.sum() - 1) < 1e-14


@pytest.mark.parametrize("function", [np.sign, np.abs, np.cos], ids=["jump", "kink", "smooth"])
def test_the_parts_cover_the_error(function):
    """Of 200 places of a jump or a kink at each of four numbers of nodes: all errors within the half-width.

    The bound of :class:`NestedRule` holds for one kink or jump where the density is linear over the four
    nodes of a part, so nodes are at least 64.
    """
    law = radial_law(0, 4, isotropic_gaussians_law(4, 0.4))
    for count in (64, 96, 128, 256):
        x, _, rule = nested_points(law, count)
        size = x.shape[0] // 2
        for place in np.linspace(1.0, 3.0, 200):
            values = np.where(np.arange(len(x)) < size, function(x[:, 0] / 1.4 - place), 0.0)
            exact = 0.5 * chi_mean(lambda r, place=place: function(r - place), place)
            error = abs(rule.mean(values) - exact)
            assert error <= rule.half_width(values)


def chi_mean(function, place):
    """The mean over the length of four standard normal numbers."""
    density = lambda r: r**3 * np.exp(-r * r / 2) / (2 * gamma(2))  # noqa: E731
    parts = [quad(lambda r: function(r) * density(r), *ends, epsabs=1e-13)[0] for ends in
             ((0, place), (place, 12))]  # fmt: skip
    return sum(parts)


def test_components_have_their_odds_and_laws_of_more_numbers_have_none():
    """E |x|^2 = d ((1 + s)^2 + (1 - s)^2) / 2 to what tails leave out; a plane has no single number."""
    law = isotropic_gaussians_law(8, 0.4)
    assert not is_spaced(law) and is_spaced(radial_law(0, 8, law))
    x, y, rule = nested_points(radial_law(0, 8, law), 125)
    assert len(x) == 2 * 128 and abs(rule.mean(y[:, 0])) < 1e-14
    assert rule.mean((x**2).sum(axis=1)) == pytest.approx(
        8 * (1.4**2 + 0.6**2) / 2, abs=30 * 0.02 / 128**2 * 8
    )
    assert rule.compared == len(x) and rule.first() is rule
