"""A rule and another of fewer nodes: means over laws, and an estimate that covers the error."""

import numpy as np
import pytest
from scipy.special import ndtr

from mfderive.algebra.laws import LawKind
from mfderive.samples.quadrature import fewer_gauss
from mfderive.samples.rule_pairs import has_rule_pairs, rule_pair
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
