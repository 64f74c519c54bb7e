"""The grid of times: where it ends, and what it refuses at once."""

import time

import numpy as np
import pytest
import sympy as sp

from mfderive.errors import MfError
from mfderive.network.network import DataSpec, Loss, Network, Output, Training
from mfderive.network.solve_options import SolveOptions
from mfderive.solution.grid import make_clock

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
    start = time.perf_counter()
    with pytest.raises(MfError, match=message):
        clock(CONSTANT, **options)
    assert time.perf_counter() - start < 1
