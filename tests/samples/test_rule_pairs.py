"""A rule and another of fewer nodes: means over laws, and an estimate that covers the error."""

import numpy as np
import pytest
from scipy.special import ndtr

from mfderive.algebra.laws import LawKind
from mfderive.samples.points import tensor_points
from mfderive.samples.quadrature import fewer_gauss
from mfderive.samples.rule_pairs import gauss_count, has_rule_pairs, pair_points, rule_pair
from mfderive.samples.standard_law import StandardLaw


def law_of(*kinds, odds=(1.0,)):
    """Standard numbers themselves as x; component j is shifted by j."""
    return StandardLaw(kinds, odds, lambda j, standard: (standard + j, np.full((len(standard), 1), float(j))))


NORMAL, UNIFORM, PAIR = LawKind.NORMAL, LawKind.UNIFORM, LawKind.RADEMACHER


def test_means_of_smooth_functions():
    """E cos z = exp(-1/2), E u^2 = 1/3, for two components of odds 1 : 3 and beside two values.

    24 nodes leave 1e-6 in the tails of a normal number (left_out), times values below 2.
    """
    x, y, pair = rule_pair(law_of(NORMAL, UNIFORM, PAIR, odds=(1.0, 3.0)), 24)
    assert len(x) == len(y) == 2 * 2 * (24**2 + fewer_gauss(24) ** 2)
    assert pair.mean(y[:, 0]) == pytest.approx(0.75, abs=1e-12)
    first = np.where(y[:, 0] == 0, np.cos(x[:, 0]) * x[:, 1] ** 2, 0.0)
    assert pair.mean(first) == pytest.approx(0.25 * np.exp(-0.5) / 3, abs=4e-6)
    assert abs(pair.mean(first) - 0.25 * np.exp(-0.5) / 3) <= pair.half_width(first)


def test_kinks_are_covered():
    """Of relu(z - k) at 200 places k and seven numbers of nodes: 17 in 18, as RulePair has it, within 0.03.

    Places that follow each other are not independent: some 300 of all are, of which a share of 1 / 18 has the
    standard deviation 0.013.
    """
    places, held = np.linspace(-1.5, 1.5, 200), []
    for count in (12, 16, 24, 32, 48, 64, 96):
        x, _, pair = rule_pair(law_of(NORMAL), count)
        for place in places:
            values = np.maximum(x[:, 0] - place, 0)
            exact = np.exp(-(place**2) / 2) / np.sqrt(2 * np.pi) - place * ndtr(-place)
            held.append(abs(pair.mean(values) - exact) <= pair.half_width(values))
    assert np.mean(held) >= 17 / 18 - 0.03


def test_comparisons_take_the_rule_of_fewer_nodes():
    """The first nodes are a rule by which other solutions are compared; alone it knows no error."""
    x, _, pair = rule_pair(law_of(NORMAL, NORMAL), 16)
    first = pair.first()
    assert pair.compared == first.compared + len(first.weights) == 11**2
    values = np.cos(x).sum(axis=1)
    assert first.mean(values[: pair.compared]) == pytest.approx(2 * np.exp(-0.5), abs=1e-3)
    assert np.isnan(first.half_width(values[: pair.compared]))


def test_laws_that_have_them():
    """One to three numbers; not two values alone, four numbers, or a vector on a sphere."""
    assert all(has_rule_pairs(law_of(*[NORMAL] * k)) for k in (1, 2, 3))
    assert has_rule_pairs(law_of(PAIR, UNIFORM))
    assert not any(map(has_rule_pairs, (law_of(PAIR), law_of(*[NORMAL] * 4), law_of(LawKind.SPHERE))))


@pytest.mark.parametrize("numbers", [1, 2, 4, 6])
def test_gauss_pairs_of_smooth_functions_know_their_error(numbers):
    """Against tensors of many nodes: the estimate covers the error, which falls by 10 with three more.

    Products of all numbers are seen by two nodes of each already.
    """
    law = law_of(*[NORMAL] * numbers)
    rng = np.random.default_rng(numbers)
    a, b = rng.normal(size=(2, numbers)) * 0.5 / np.sqrt(numbers)

    def function(x):
        return (np.tanh(x @ a + 0.3) + np.sin(x @ b) * (x @ a)) ** 2 + np.prod(x, axis=1) ** 2

    points, weights = tensor_points(law.kinds, ({1: 60, 2: 30, 4: 14, 6: 9}[numbers],) * numbers)
    exact, errors = weights @ function(points), []
    for count in (3, 4, 5, 6):
        x, _, pair = rule_pair(law, count, spaced=False)
        errors.append(abs(pair.mean(function(x)) - exact))
        assert errors[-1] <= pair.half_width(function(x))
    assert errors[-1] < errors[0] / 10


def test_as_many_gauss_nodes_as_fit():
    """Pairs of 4^5 + 3^5 points in five numbers; two values and components multiply them."""
    assert (
        gauss_count(law_of(*[NORMAL] * 5), 2000) == 4 and pair_points(law_of(*[NORMAL] * 5), 4) == 4**5 + 3**5
    )
    assert gauss_count(law_of(*[NORMAL] * 5, odds=(0.5, 0.5)), 2000) == 3
    assert gauss_count(law_of(PAIR, *[NORMAL] * 5), 2 * (3**5 + 2**5)) == 3
    assert gauss_count(law_of(*[NORMAL] * 8), 2000) is None
    assert gauss_count(law_of(PAIR, PAIR), 2000) is None
    assert gauss_count(law_of(*[LawKind.SPHERE] * 3), 2000) is None
