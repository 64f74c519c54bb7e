"""Sparse grids: what they integrate exactly, their points, and what their pairs say of errors."""

from itertools import product
from math import prod

import numpy as np
import pytest

from mfderive.samples.points import tensor_points
from mfderive.samples.sparse_rules import has_sparse_rules, sparse_level, sparse_pair, sparse_points
from mfderive.samples.standard_law import StandardLaw

# E z^k for standard normal numbers, E u^k for uniform ones, of a sign cut at 1/2: its nodes are 1/4 and 3/4.
MOMENTS = {
    "normal": (1, 0, 1, 0, 3, 0, 15, 0, 105),
    "uniform": tuple(1 / (k + 1) for k in range(9)),
    "rademacher": tuple((0.25**k + 0.75**k) / 2 for k in range(9)),
}


def law_of(kinds, odds=(1.0,)):
    return StandardLaw(kinds, odds, lambda j, standard: (standard, np.full((len(standard), 1), float(j))))


KINDS = [("normal",) * 3, ("uniform", "normal"), ("normal", "rademacher", "normal")]


@pytest.mark.parametrize("kinds", KINDS)
@pytest.mark.parametrize("level", [1, 2, 3])
def test_polynomials_are_exact_up_to_their_total_degree(kinds, level):
    """All monomials of total degree 2 q + 1 in the smooth numbers, to rounding of the terms."""
    points, weights = sparse_points(kinds, level)
    for powers in product(range(2 * level + 2), repeat=len(kinds)):
        smooth = sum(k for k, kind in zip(powers, kinds, strict=True) if kind != "rademacher")
        if smooth > 2 * level + 1 or max(powers) > 8:
            continue
        values = np.prod(points ** np.array(powers), axis=1)
        expected = prod(MOMENTS[kind][k] for kind, k in zip(kinds, powers, strict=True))
        assert weights @ values == pytest.approx(expected, abs=1e-13 * (np.abs(weights) @ np.abs(values)))


@pytest.mark.parametrize("d", [2, 5, 10])
def test_a_grid_has_each_point_once(d):
    """Level 2: the centre, 2 of three nodes and 4 of five in each number, 4 in each pair of numbers."""
    points, weights = sparse_points(("normal",) * d, 2)
    assert len(points) == 1 + 6 * d + 2 * d * (d - 1)
    assert len(points) == len(np.unique(np.round(points, 9), axis=0))
    assert weights.sum() == pytest.approx(1, abs=1e-12)


def test_the_level_that_fits():
    """The finest pair of grids within so many points of all components, if there is one."""
    law = law_of(("normal",) * 5, (0.5, 0.5))
    level = sparse_level(law, 1000)
    assert level == 3  # 2 (71 + 341) points; level 4 has 2 (341 + 1341)
    assert len(sparse_pair(law, level)[0]) == 824
    assert sparse_level(law, 2 * (11 + 71)) == 2 and sparse_level(law, 2 * (11 + 71) - 1) is None
    assert has_sparse_rules(law) and not has_sparse_rules(law_of(("sphere",) * 3))
    assert not has_sparse_rules(law_of(("rademacher",) * 3))  # all points are there


@pytest.mark.parametrize("d", [1, 2, 4, 6])
def test_pairs_know_their_error(d):
    """Means of smooth functions of one to six numbers, against tensors of 24 or 12 nodes, at every level.

    The estimate of a level is four times its distance from the one below, so it covers the error wherever a
    level brings a digit or more; the error of levels 2 to 4 falls by a factor of 30 at least.
    """
    law = law_of(("normal",) * d)
    rng = np.random.default_rng(d)
    a, b = rng.normal(size=d) * 0.5 / np.sqrt(d), rng.normal(size=d) * 0.5 / np.sqrt(d)

    def function(x):
        return (np.tanh(x @ a + 0.3) + np.sin(x @ b) * (x @ a)) ** 2

    points, weights = tensor_points(("normal",) * d, ({1: 60, 2: 24, 4: 12, 6: 8}[d],) * d)
    exact = weights @ function(points)
    errors = []
    for level in (2, 3, 4):
        x, _, pair = sparse_pair(law, level)
        values = function(x)
        errors.append(abs(pair.mean(values) - exact))
        assert errors[-1] <= pair.half_width(values) + 1e-9
    assert errors[-1] < errors[0] / 30
