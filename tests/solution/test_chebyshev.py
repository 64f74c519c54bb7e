"""Stabilised steps: their order, how far they are stable, and what they spare where pairs are held back."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import RK23

from mfderive.solution.chebyshev import Chebyshev, coefficients


def fixed_steps(stages, steps, fun, y, end):
    """The end of so many equal steps, through the coefficients alone."""
    h, t = end / steps, 0.0
    first, rows = coefficients(stages)
    for _ in range(steps):
        f0, older = fun(t, y), y
        newer = y + first * h * f0
        for mu, nu, slopes, start, time in rows:
            after = (1 - mu - nu) * y + mu * newer + nu * older
            older, newer = newer, after + slopes * h * fun(t + time * h, newer) + start * h * f0
        y, t = newer, t + h
    return y


@pytest.mark.parametrize("stages", [2, 3, 7, 40])
def test_steps_are_of_second_order(stages):
    """y' = -y^2 + cos t - 2 y: error against steps 32 times finer, fitted; the next order adds below 0.2."""

    def fun(t, y):
        return -(y**2) + np.cos(t) - 2 * y

    start = np.array([1.5])
    exact = fixed_steps(stages, 1280, fun, start, 1.0)
    steps = (20, 40, 80)
    errors = [abs(fixed_steps(stages, n, fun, start, 1.0) - exact)[0] for n in steps]
    assert -np.polyfit(np.log(steps), np.log(errors), 1)[0] == pytest.approx(2, abs=0.2)


@pytest.mark.parametrize("stages", [2, 5, 20, 100, 200])
def test_steps_are_stable_as_far_as_they_are_said_to_be(stages):
    """|P(z)| <= 1 for every z from -((s - 1)^2 - 1) / 1.54 to 0, which is where s stages are taken."""
    z = -np.linspace(0, ((stages - 1) ** 2 - 1) / 1.54, 2001)
    values = fixed_steps(stages, 1, lambda _, y: z * y, np.ones_like(z), 1.0)
    assert np.abs(values).max() <= 1 + 1e-12
    # A third further they are not.
    far = np.array([-0.66 * stages**2 * 4 / 3])
    assert abs(fixed_steps(stages, 1, lambda _, y: far * y, np.ones(1), 1.0)[0]) > 1


def test_few_velocities_where_a_pair_is_held_back_by_stability():
    """Decays of rates 1 to 1000 to t = 20, error 1e-4: a pair needs 20 * 1000 / 2.5 * 3 velocities.

    A stabilised step of length 1 needs sqrt(1.54 * 1200) = 43; with the short ones of the first decays they
    are fewer than a tenth. Errors stay below 20 tolerances, also of the dense values between two steps.
    """
    rates = np.geomspace(1, 1000, 12)
    target = np.cos(np.arange(12))

    def fun(t, y):
        return -1e4 * rates * (y / 1e4 - target * np.exp(-t / 3)) - 1e4 * target * np.exp(-t / 3) / 3

    start = 1e4 * (target + 1)
    exact = lambda t: 1e4 * (target * np.exp(-t / 3) + np.exp(-rates * t))  # noqa: E731
    ours = Chebyshev(fun, 0.0, start, 20.0)
    worst = 0.0
    while ours.status == "running":
        ours.step()
        middle = (ours.t_old + ours.t) / 2
        worst = max(worst, *(np.abs(values - exact(t)).max() for values, t in
                             ((ours.y, ours.t), (ours.dense_output()(middle), middle))))  # fmt: skip
    pair = RK23(fun, 0.0, start, 20.0, rtol=2.3e-14, atol=1.0)
    while pair.status == "running":
        pair.step()
    assert ours.t == 20.0 and worst < 20
    assert ours.nfev < pair.nfev / 10 and pair.nfev > 20 * 1000 / 2.6 * 3


@pytest.mark.parametrize("units", [1, 5, 10, 100])
def test_a_step_that_ends_just_before_the_bound_ends_there(units):
    """Nothing is left that would be too short for a step; where more is left, another one is made."""
    bound = 0.013652645811583436
    first = bound - units * np.spacing(bound)
    solver = Chebyshev(lambda t, y: 0 * y, 0.0, np.ones(3), bound, first_step=first)
    solver.step()
    while solver.status == "running":
        solver.step()
    assert solver.status == "finished" and solver.t == bound
