"""The grid of times: where it ends, and what it refuses at once."""

import numpy as np
import pytest
import sympy as sp

from mfderive.algebra.parser import Names, parse_expression
from mfderive.errors import MfError
from mfderive.network.network import DataSpec, Loss, Network, Output, Training
from mfderive.network.solve_options import SolveOptions
from mfderive.solution.grid import make_clock
from tests.effort import calls

CONSTANT = Training(0.1, 5)
DECAYING = Training(0.1, 5, schedule=sp.Symbol("k") ** sp.Rational(-1, 2))


def clock(training, **options):
    return make_clock(
        Network("t", DataSpec("digits"), Loss("squared"), (), Output(()), training), SolveOptions(**options)
    )


@pytest.mark.parametrize("training", [CONSTANT, DECAYING])
@pytest.mark.parametrize("horizon", [0.05, 0.3, 0.5, 7.0])
def test_the_grid_ends_at_the_first_time_that_reaches_the_horizon(training, horizon):
    grid = clock(training, horizon=horizon)
    assert grid.times[0] == 0
    assert grid.times[-2] < horizon * (1 - 1e-9) <= grid.times[-1]
    rates = 0.1 * np.array([float(training.schedule.subs("k", k)) for k in range(1, 4)])
    assert np.allclose(np.diff(grid.times)[:3], rates[: grid.steps], rtol=1e-14)
    assert np.array_equal(grid.sgd_steps, np.arange(grid.steps + 1))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"horizon": 1e12}, "not reached"),
        ({"horizon": 1e300}, "not reached"),
        ({"method": "rk4", "step": 1e-12}, "rk4 would make"),
    ],
)
def test_a_horizon_too_far_away_is_refused_at_once(options, message):
    def refused() -> None:
        with pytest.raises(MfError, match=message):
            clock(CONSTANT, **options)

    assert calls(refused) < 100_000


@pytest.mark.parametrize(
    ("schedule", "moving"),
    [
        ("1", 600),
        ("min(k / 300, 1)", 600),
        ("k ** (-1/2)", 600),
        ("exp(-k / 20)", 600),
        ("heaviside(k - 200.5) * heaviside(400.5 - k)", 200),
    ],
)
def test_rk4_makes_a_step_for_ten_of_sgd_whatever_their_sizes_are(schedule, moving):
    """By default; steps of rate 0 do not count. A warm-up that begins at alpha / 300 costs no more."""
    training = Training(0.1, 600, schedule=parse_expression(schedule, Names(frozenset({"k"}))))
    for horizon in (None, 0.9 * float(clock(training).times[-1])):
        grid, sgd = clock(training, method="rk4", horizon=horizon), clock(training, horizon=horizon)
        steps = np.count_nonzero(np.diff(sgd.times))
        assert steps == moving or horizon is not None
        assert abs(grid.steps - steps / 10) <= 1
        assert np.allclose(np.diff(grid.times), (horizon or sgd.times[-1]) / grid.steps, rtol=1e-9)
