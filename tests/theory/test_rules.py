"""Learning rules with closed forms (theory B), on the smallest network: yhat = Mean[w], one data point.

Its loss is (yhat - y)^2, so every w has G = -2 (m - y) with m the mean of w: under a linear rule m follows a
linear equation by itself.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.integrate import solve_ivp

import mfderive as mf
from mfderive.solution import coarser, refinement
from tests.exact.comparison import plain_solver

from .common import document, fitted_order

TARGET = 1.5
MEAN_OF_W = document(
    [{"name": "h1", "from": "x", "weight": "normal(0, 1)", "activation": "h"}],
    {"from": "h1", "weight": {"law": "1", "rate": "0"}},
)
START = np.array([-0.5, 0.4, 1.0, 2.2])
STATE = {"h1.weight": START[:, None], "output.weight": np.ones((1, 4)), "p": {"h1": np.full(4, 0.25)}}


def network(rate: float, steps: int, **training: Any) -> Any:
    loaded = mf.load(MEAN_OF_W, data=(np.array([[1.0]]), np.array([TARGET])))
    return replace(loaded, training=replace(loaded.training, learning_rate=rate, steps=steps, **training))


def weights_at(horizon: float, steps: int, **training: Any) -> np.ndarray:
    """w after equal steps to the horizon."""
    net = network(horizon / steps, steps, **training)
    path = mf.solve(net, system=mf.derive(net), initial=STATE, evaluation=1)
    return np.asarray(path.at()["h1.weight"])[:, 0]


def order(horizon: float, expected: np.ndarray, counts: tuple[int, ...], **training: Any) -> float:
    """The fitted order in the learning rate of w at the horizon."""
    errors = [np.max(np.abs(weights_at(horizon, n, **training) - expected)) for n in counts]
    return fitted_order(counts, errors)


def test_momentum_is_the_flow_in_a_faster_time() -> None:
    """Fixed mu, alpha -> 0 (B.4): SGD's flow at t/(1 - mu); first order, fitted within 0.1."""
    mu, horizon = 0.8, 0.2
    mean = START.mean()
    moved = (TARGET - mean) * (1 - np.exp(-2 * horizon / (1 - mu)))
    found = order(horizon, START + moved, (800, 1600, 3200), optimizer="momentum", constants=(("mu", mu),))
    assert found == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("gamma", [0.5, 6.0], ids=["oscillating", "overdamped"])
def test_heavy_ball_against_its_closed_equation(gamma: float) -> None:
    """m'' = -gamma m' - 2 (m - y), the velocity 0 at the start; first order, fitted within 0.1."""
    horizon, mean = 2.0, START.mean()
    roots = np.roots([1.0, gamma, 2.0]).astype(complex)
    first = roots[1] / (roots[1] - roots[0])  # coefficients with value 1 and velocity 0 at the start
    shape = first * np.exp(roots[0] * horizon) + (1 - first) * np.exp(roots[1] * horizon)
    moved = (TARGET - mean) * (1 - shape.real)
    found = order(
        horizon, START + moved, (200, 400, 800), optimizer="heavy-ball", constants=(("gamma", gamma),)
    )
    assert found == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("decoupled", [False, True])
def test_decay_pulls_to_the_penalised_mean(decoupled: bool) -> None:
    """m' = -2 (m - y) - lambda m, and deviations from m shrink as e^(-lambda t) (B.2); first order.

    Under SGD both ways of decay are the same step.
    """
    decay, horizon, mean = 0.7, 1.1, START.mean()
    goal = 2 * TARGET / (2 + decay)
    middle = goal + (mean - goal) * np.exp(-(2 + decay) * horizon)
    expected = middle + (START - mean) * np.exp(-decay * horizon)
    found = order(horizon, expected, (100, 200, 400), weight_decay=(("", decay),), decoupled=decoupled)
    assert found == pytest.approx(1, abs=0.1)


def test_balancedness_falls_with_decay() -> None:
    """Two linear layers: E[v^2] - E[w^2] falls by exactly (1 - alpha lambda)^2 per step, up to alpha^2 G^2.

    v^2 - w^2 changes by alpha^2 (G_v^2 - G_w^2) beside the decay in a step: the rate is right at first order.
    """
    decay, horizon = 0.6, 1.0
    spec = document(
        [{"name": "h1", "from": "x", "weight": "normal(0, 1)", "activation": "h"}],
        {"from": "h1", "weight": "normal(0, 1)"},
    )
    loaded = mf.load(spec, data=(np.array([[1.0]]), np.array([TARGET])))
    w, v = np.array([0.3, -0.6, 1.1]), np.array([[1.4, 0.9, -0.8]])
    state = {"h1.weight": w[:, None], "output.weight": v, "p": {"h1": np.full(3, 1 / 3)}}
    counts, errors = (100, 200, 400), []
    for count in counts:
        training = replace(
            loaded.training, learning_rate=horizon / count, steps=count, weight_decay=(("", decay),)
        )
        net = replace(loaded, training=training)
        end = mf.solve(net, system=mf.derive(net), initial=state, evaluation=1).at()
        balance = np.asarray(end["output.weight"])[0] ** 2 - np.asarray(end["h1.weight"])[:, 0] ** 2
        errors.append(np.max(np.abs(balance - np.exp(-2 * decay * horizon) * (v[0] ** 2 - w**2))))
    assert fitted_order(counts, errors) == pytest.approx(1, abs=0.1)


def test_clipping_is_a_change_of_time() -> None:
    """|G| = 2 |m - y|: m moves at speed C until |G| = C and exponentially afterwards (B.7); first order."""
    largest, horizon, mean = 0.5, 2.0, START.mean()
    until = (abs(TARGET - mean) - largest / 2) / largest
    assert 0 < until < horizon
    end = TARGET - np.sign(TARGET - mean) * largest / 2 * np.exp(-2 * (horizon - until))
    found = order(horizon, START + (end - mean), (100, 200, 400), clip=largest)
    assert found == pytest.approx(1, abs=0.1)


def test_adam_against_a_scalar_reference() -> None:
    """Full batch: every w moves as Adam moves one number by its gradient; 60 steps, to rounding."""
    beta1, beta2, eps, alpha, steps = 0.9, 0.99, 1e-3, 0.05, 60
    constants = (("beta1", beta1), ("beta2", beta2), ("eps", eps))
    found = weights_at(alpha * steps, steps, optimizer="adam", constants=constants)
    mean, m, v = START.mean(), 0.0, 0.0
    for k in range(1, steps + 1):
        g = 2 * (mean - TARGET)
        m, v = beta1 * m + (1 - beta1) * g, beta2 * v + (1 - beta2) * g * g
        mean -= alpha * (m / (1 - beta1**k)) / (np.sqrt(v / (1 - beta2**k)) + eps)
    np.testing.assert_allclose(found, START + (mean - START.mean()), atol=1e-12)


def test_adam_full_batch_flows_by_the_sign_of_its_gradient() -> None:
    """alpha -> 0 at fixed constants (B.9): m' = -g/(|g| + eps), solved to 1e-10; first order within 0.15."""
    eps, horizon = 0.5, 0.4
    constants = (("beta1", 0.5), ("beta2", 0.6), ("eps", eps))
    flow = solve_ivp(
        lambda _, m: -2 * (m - TARGET) / (np.abs(2 * (m - TARGET)) + eps),
        (0, horizon),
        [START.mean()],
        rtol=1e-10,
        atol=1e-12,
    )
    moved = flow.y[0, -1] - START.mean()
    found = order(horizon, START + moved, (200, 400, 800), optimizer="adam", constants=constants)
    assert found == pytest.approx(1, abs=0.15)


def test_noise_has_the_gibbs_law() -> None:
    """dw = -(2 (m - y) + lambda w) dt + sqrt(2T) dB (B.3): mean 2y/(2 + lambda), variance T/lambda.

    At step alpha the stationary variance is T/(lambda (1 - alpha lambda/2)), and the mean of N nodes scatters
    by sqrt(T/((2 + lambda) N)). Sample variances of N independent numbers scatter by sqrt(2/N) of themselves.
    Four standard errors; after 15 times the longest relaxation time 1/lambda the start is forgotten.
    """
    decay, temperature, alpha, nodes = 0.8, 0.3, 0.05, 4096
    steps = int(15 / decay / alpha)
    net = network(alpha, steps, weight_decay=(("", decay),), noise=(("h1.weight", temperature),))
    path = mf.solve(net, nodes=nodes, evaluation=1)
    weights = np.asarray(path.at()["h1.weight"]).ravel()
    assert len(weights) == nodes
    expected = temperature / (decay * (1 - alpha * decay / 2))
    assert abs(weights.var() / expected - 1) < 4 * np.sqrt(2 / nodes)
    scatter = np.sqrt(temperature / ((2 + decay) * nodes))
    assert abs(weights.mean() - 2 * TARGET / (2 + decay)) < 4 * scatter


def test_outputs_of_noisy_networks_scatter_by_their_width() -> None:
    """n Var(yhat) = T/(2 + lambda) (1 + O(alpha)) at every n: the slope of the variance in n is -1.

    ``seeds`` networks give each variance to sqrt(2/seeds) of itself: the slope over a factor of 32 in n is
    good to sqrt(2) sqrt(2/seeds)/log(32), three of which are allowed; the prefactor to four standard errors.
    """
    decay, temperature, alpha, seeds = 0.8, 0.3, 0.05, 200
    net = network(alpha, 80, weight_decay=(("", decay),), noise=(("h1.weight", temperature),))
    widths, variances = (4, 128), []
    for width in widths:
        outputs = [p.predict(np.array([[1.0]]))[0, 0] for p in mf.simulate(net, width, seeds, evaluation=1)]
        variances.append(np.var(outputs, ddof=1))
    slope = np.log(variances[1] / variances[0]) / np.log(widths[1] / widths[0])
    assert abs(slope + 1) < 3 * np.sqrt(2) * np.sqrt(2 / seeds) / np.log(widths[1] / widths[0])
    pull = 2 + decay
    expected = temperature / (pull * (1 - alpha * pull / 2))
    assert abs(widths[1] * variances[1] / expected - 1) < 4 * np.sqrt(2 / seeds)


def test_solutions_within_a_tolerance_draw_noise_of_their_own(monkeypatch, tmp_path) -> None:
    """Fresh noise on nodes is sampled: what it leaves to chance must show in the scatter of scrambles."""
    seeds, make_run = [], refinement.make_run

    def spy(problem: Any, *rest: Any, **named: Any) -> Any:
        seeds.append(problem.options.seed)
        return make_run(problem, *rest, **named)

    monkeypatch.setattr(refinement, "make_run", spy)
    monkeypatch.setattr(coarser, "make_run", spy)
    net = network(0.05, 4, noise=(("h1.weight", 0.1),))
    solver = plain_solver(mf.reduce(mf.derive(net)).system, tmp_path)
    path = mf.solve(net, tolerance=0.9, nodes=64, evaluation=16, solver=solver)
    assert path.notes["tolerance"]["estimate"] > 0 and path.seed == 0
    assert len(set(seeds)) == 1 + refinement.SCRAMBLES
