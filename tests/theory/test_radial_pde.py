"""The law of a two-layer network as a density of one number: finite volumes, nodes, particles."""

import dataclasses

import numpy as np
import pytest
from scipy.stats import wasserstein_distance

from tests.test_examples import example

TIMES = np.linspace(0.0, 1.0, 3)


@pytest.fixture(scope="module")
def radial():
    return example("radial_two_layer")


@pytest.mark.study
def test_finite_volumes_approach_the_limit(radial):
    """The loss at t = 1 against the solved limit at 30, 60 and 120 cells: the fitted order lies above 1.5.

    Limited linear profiles are of order 2 where the density has no extremum.
    """
    problem = radial.Radial()
    exact = problem.loss(*radial.characteristics(64, 1.0))
    errors = []
    for cells in (30, 60, 120):
        middles, mass = radial.finite_volumes(problem, cells, TIMES)
        assert mass.sum(axis=1) == pytest.approx(1.0, abs=1e-9)
        losses = [problem.loss(middles, row) for row in mass]
        assert losses[0] > losses[1] > losses[2]
        errors.append(abs(losses[2] - exact))
    order = -np.polyfit(np.log([30, 60, 120]), np.log(errors), 1)[0]
    assert 1.5 < order < 2.6, errors


@pytest.mark.parametrize("noise", [0.0, 0.02])
def test_particles_approach_the_density(radial, noise):
    """Distance W1 of the law of |w| of n particles from the density, mean of 8 seeds: n^(-1/2).

    The fitted exponent's standard error is about 0.06 (the scatter of W1 over seeds is a third of its mean):
    0.2 is three of them.
    """
    problem = radial.Radial(noise=noise)
    middles, mass = radial.finite_volumes(problem, 200, TIMES)
    law = np.maximum(mass[-1], 0.0)  # rounding, where there is none
    counts, distances = (100, 400, 1600), []
    for count in counts:
        each = [np.linalg.norm(radial.particles(problem, count, 60, 1.0, seed), axis=1) for seed in range(8)]
        distances.append(np.mean([wasserstein_distance(r, middles, None, law) for r in each]))
    exponent = np.polyfit(np.log(counts), np.log(distances), 1)[0]
    assert abs(exponent + 0.5) < 0.2, distances


def test_noise_keeps_its_drift(radial):
    """Without the force the length of w at T t = 1/2 is that of N(0, I/d + I): E |w|^2 = 1 + d, to 2 %.

    The density's own mean square, on cells up to 9: the outward drift T (d - 1)/r belongs to diffusion in r.
    """
    problem = dataclasses.replace(radial.Radial(noise=0.5), largest=9.0)
    problem.__dict__["data"] = (np.ones(1), np.ones(1), np.zeros(1))  # no sample has any weight
    middles, mass = radial.finite_volumes(problem, 180, TIMES)
    assert mass[-1] @ middles**2 == pytest.approx(1 + problem.dimension, rel=0.02)
