"""Sampled labels that suit the inputs: still of their law, and better where inputs have large directions."""

import numpy as np
import pytest

import mfderive as mf
from mfderive.samples.principal_directions import principal_directions
from mfderive.state.ensembles import ensemble_state, plan_ensembles

DIMENSION, ROWS, SCRAMBLES = 60, 1200, 16


def inputs(large: int, size: float = 4.0):
    """Rows with some directions (none along an axis) of ``size`` times the deviation of the others."""
    rng = np.random.default_rng(7)
    frame = np.linalg.qr(rng.standard_normal((DIMENSION, DIMENSION)))[0]
    deviations = np.where(np.arange(DIMENSION) < large, size, 1.0)
    return rng.standard_normal((ROWS, DIMENSION)) * deviations @ frame.T, frame[:, :large]


def network(x, law="normal(0, 1)"):
    """Two layers on given rows."""
    return mf.load(
        {
            "format": 1,
            "data": {"kind": "arrays"},
            "loss": {"kind": "squared"},
            "layers": [{"name": "h1", "from": "x", "weight": law, "bias": "0", "activation": "relu"}],
            "output": {"from": "h1", "weight": "uniform(-1, 1)", "bias": "0"},
            "training": {"learning_rate": 0.01, "batch_size": 10, "steps": 2},
        },
        data=(x, x[:, 0]),
    )


def weights(net, nodes, scramble, source, rule="sobol"):
    system = mf.reduce(mf.derive(net)).system
    plans = plan_ensembles(system, nodes, rule)
    return ensemble_state(system, plans, 0, scramble=scramble, source=source)["h1.weight"]


def kernel_error(net, x, nodes, directed):
    """Error of E relu(w.x) relu(w.x') over scrambles, relative to its closed form (Cho and Saul 2009)."""
    sizes = np.linalg.norm(x, axis=1)
    angles = np.arccos(np.clip(x @ x.T / np.outer(sizes, sizes), -1, 1))
    exact = np.outer(sizes, sizes) * (np.sin(angles) + (np.pi - angles) * np.cos(angles)) / (2 * np.pi)
    squares = []
    for scramble in range(SCRAMBLES):
        values = np.maximum(weights(net, nodes, scramble, net.source if directed else None) @ x.T, 0)
        squares.append(np.mean((values.T @ values / nodes - exact) ** 2))
    return np.sqrt(np.mean(squares) / np.mean(exact**2))


def test_directions_are_those_in_which_inputs_are_large() -> None:
    """The planted ones, in number and in span: off by at most 2 sqrt(d / m) / size each (perturbation)."""
    x, planted = inputs(3)
    found = principal_directions(network(x).source)
    assert found.shape == (DIMENSION, 3)
    np.testing.assert_allclose(found.T @ found, np.eye(3), atol=1e-12)
    away = planted - found @ (found.T @ planted)
    assert np.linalg.norm(away, 2) < 2 * np.sqrt(DIMENSION / 1024) / 4.0


def test_directed_points_have_the_law_of_the_labels() -> None:
    """Mean and covariance of normal(0.5, 2): within 6 deviations of independent draws, as many as entries."""
    x, _ = inputs(3)
    net = network(x, "normal(0.5, 2)")
    count = 4096
    found = (weights(net, count, 1, net.source) - 0.5) / 2
    assert np.abs(found.mean(axis=0)).max() < 6 / np.sqrt(count)
    assert np.abs(found.T @ found / count - np.eye(DIMENSION)).max() < 6 * np.sqrt(2 / count)
    # Kurtosis 3, whose estimate by independent draws has the deviation sqrt(96 / count).
    assert np.abs((found**4).mean(axis=0) - 3).max() < 6 * np.sqrt(96 / count)


def test_directed_points_are_more_exact_where_few_directions_are_large() -> None:
    """With 93 % of the inputs' square along three directions: below 2/3 of plain points' error, no slower.

    An error over 16 scrambles is known to 1 / sqrt(2 * 16) = 18 % at worst, a slope of three of them to 0.09.
    The ratios are 0.46, 0.39 and 0.38: with a true ratio of 1 all three would be below 2/3 by chance in less
    than 1 of 400 choices of the seed.
    """
    x, _ = inputs(3, size=16.0)
    net, some = network(x), x[:40]
    counts = (64, 256, 1024)
    plain, directed = (np.array([kernel_error(net, some, n, own) for n in counts]) for own in (False, True))
    assert (directed < 2 / 3 * plain).all()
    slopes = [np.polyfit(np.log(counts), np.log(errors), 1)[0] for errors in (plain, directed)]
    assert slopes[1] < slopes[0] + 3 * 0.09 * np.sqrt(2)


@pytest.mark.parametrize(("large", "rule"), [(0, "sobol"), (3, "monte-carlo")])
def test_other_points_stay_as_they_are(large, rule) -> None:
    """Without a large direction, and by a rule without order, the data changes nothing."""
    net = network(inputs(large)[0])
    np.testing.assert_array_equal(weights(net, 64, 1, None, rule), weights(net, 64, 1, net.source, rule))


def test_a_solution_starts_on_them() -> None:
    """Solve takes points that suit its own data."""
    net = network(inputs(3)[0])
    path = mf.solve(net, nodes=64, rule="sobol", stated_error=False)
    start = path.checkpoints[0].state["h1.weight"]
    np.testing.assert_allclose(start, weights(net, 64, 0, net.source), rtol=1e-12)
    assert np.abs(start - weights(net, 64, 0, None)).max() > 0.1
