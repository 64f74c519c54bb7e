"""Predicted fluctuations against networks whose law is known: statics (E7) and two-layer dynamics (E1)."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp

import mfderive as mf
from mfderive.fluctuation.bias import extrapolated

from .material import document, layer

# yhat = E[a w] / gamma on one sample x = y = 1, rate eta gamma^2 for (y - yhat)^2 / 2: half of it for ours.
ETA, GAMMA = 0.003, 0.25
RATE = ETA * GAMMA**2 / 2
ROW_16 = document(
    [layer("h1", "x", "normal(0, 1)", "h")],
    {"connections": [{"from": "h1", "weight": "normal(0, 1)", "operation": f"w * u / {GAMMA}"}]},
    {"kind": "arrays"},
    learning_rate=RATE,
    batch_size="all",
    steps=299,
)


@pytest.fixture(scope="module")
def row_16() -> mf.Network:
    """The network on its one sample."""
    return mf.load(ROW_16, data=(np.ones((1, 1)), np.ones((1, 1))))


@pytest.mark.parametrize("activation", ["tanh", "relu", "h"])
def test_two_layers_at_the_start_are_exact_at_every_width(activation: str) -> None:
    """E (y - yhat_n)^2 = E (y - yhat)^2 + (1/n) E_x Var(sigma(x; theta)) (theory E7): n Var is that variance.

    The labels of a single neuron are integrated by Gauss nodes, the reference by its own fine grid.
    """
    network = mf.load(
        document(
            [layer("h1", "x", "normal(0, 1)", activation)],
            {"from": "h1", "weight": "normal(0.5, 1)"},
            {"kind": "teacher", "dimension": 1, "target": "x1"},
        )
    )
    x = np.array([[0.5], [1.3]])
    found = mf.fluctuations(network, 0.0, x, nodes=900)
    nodes, weights = np.polynomial.hermite_e.hermegauss(200)
    values = {"tanh": np.tanh, "relu": lambda h: np.maximum(h, 0), "h": lambda h: h}[activation](x * nodes)
    first, second = values @ weights / weights.sum(), values**2 @ weights / weights.sum()
    expected = (1 + 0.25) * second - 0.25 * first**2  # beta has mean 1/2 and variance 1
    # 30 Gauss nodes sum a polynomial exactly, tanh up to its poles at +-i pi/2, a kink to 1/nodes^1.5.
    rtol = {"h": 1e-10, "tanh": 1e-3, "relu": 1e-2}[activation]
    np.testing.assert_allclose(found.n_variance[0, :, 0], expected, rtol=rtol)


def moments_after(steps: int, start: np.ndarray) -> float:
    """yhat after steps of E1 from (E a^2, E a w, E w^2): a finite network obeys it exactly."""
    second = np.array([[start[0], start[1]], [start[1], start[2]]])
    for _ in range(steps):
        error = 1 - second[0, 1] / GAMMA
        turn = np.eye(2) + ETA * GAMMA * error * np.array([[0.0, 1.0], [1.0, 0.0]])
        second = turn @ second @ turn
    return second[0, 1] / GAMMA


def predicted_by_moments(steps: int) -> float:
    """n Var from the derivatives of E1 by the three moments of independent standard normal a and w."""
    limit, h = np.array([1.0, 0.0, 1.0]), 1e-5
    slopes = np.array(
        [(moments_after(steps, limit + d) - moments_after(steps, limit - d)) / (2 * h) for d in h * np.eye(3)]
    )
    return float(slopes**2 @ [2.0, 1.0, 2.0])  # Var a^2, Var a w, Var w^2: uncorrelated


def test_the_two_layer_linear_problem(row_16) -> None:
    """E1 with the moments of the labels: n Var after 0, 40 and 80 steps (Gauss nodes are exact here)."""
    times = [k * RATE for k in (0, 40, 80)]
    found = mf.fluctuations(row_16, times, np.ones((1, 1)), nodes=64)
    expected = [predicted_by_moments(k) for k in (0, 40, 80)]
    assert expected[0] == pytest.approx(1 / GAMMA**2)
    np.testing.assert_allclose(found.n_variance[:, 0, 0], expected, rtol=1e-8)
    assert (np.diff(found.n_variance[:, 0, 0]) < 0).all()  # training damps fluctuations


def test_ten_networks_of_a_thousand_neurons(row_16) -> None:
    """The sum of squares of ten deviations over their predicted variance is chi squared with 10 degrees.

    The networks obey E1 exactly with the moments of their own neurons. 3.2 and 20.5 hold 95 %, and the seed
    is fixed.
    """
    steps, n = 80, 1000
    found = mf.fluctuations(row_16, steps * RATE, np.ones((1, 1)), nodes=64)
    rng = np.random.default_rng(16)
    limit = moments_after(steps, np.array([1.0, 0.0, 1.0]))
    total = 0.0
    for _ in range(10):
        a, w = rng.standard_normal((2, n))
        mean = np.array([np.mean(a * a), np.mean(a * w), np.mean(w * w)])
        total += (moments_after(steps, mean) - limit) ** 2 / (found.n_variance[0, 0, 0] / n)
    assert 3.2 < total < 20.5


def test_the_limit_itself_is_the_published_one(row_16) -> None:
    """D' = -2 eta sqrt(1 + gamma^2 (1 - D)^2) D by Euler: .547019 after 100 steps, to the error of a step."""
    stated = {100: 0.547019, 200: 0.297700}
    solution = solve_ivp(
        lambda _, d: -2 * ETA * np.sqrt(1 + GAMMA**2 * (1 - d) ** 2) * d, (0, 200), [1.0], t_eval=[100, 200]
    )
    for (steps, value), flow in zip(stated.items(), solution.y[0], strict=True):
        ours = 1 - moments_after(steps, np.array([1.0, 0.0, 1.0]))
        assert abs(ours - value) < 1e-5
        assert abs(flow - value) < 2e-3


def test_the_extrapolation_of_a_bias() -> None:
    """b + c/n at n and 2n gives b; its variance is 4 times that of the wider networks plus the other."""
    b, c = np.array([0.3, -1.0]), np.array([2.0, 5.0])
    value, error = extrapolated([b + c / 32, b + c / 64], [np.full(2, 0.09), np.full(2, 0.04)])
    np.testing.assert_allclose(value, b, rtol=1e-13)
    np.testing.assert_allclose(error, 0.5, rtol=1e-13)


@pytest.mark.study
def test_the_bias_of_the_two_layer_linear_problem(row_16) -> None:
    """Half the second derivatives of E1 by the moments, times their variances, within 3 standard errors."""
    steps, h, limit = 80, 1e-3, np.array([1.0, 0.0, 1.0])
    found = mf.fluctuations(row_16, steps * RATE, np.ones((1, 1)), nodes=64, bias=4000)
    middle = moments_after(steps, limit)
    curves = [
        (moments_after(steps, limit + d) + moments_after(steps, limit - d) - 2 * middle) / h**2
        for d in h * np.eye(3)
    ]
    expected = 0.5 * np.array(curves) @ [2.0, 1.0, 2.0]
    assert found.bias is not None
    assert abs(found.bias.value[0, 0, 0] - expected) < 3 * found.bias.error[0, 0, 0]
