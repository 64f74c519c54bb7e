"""Deep linear limits equal narrow linear networks, exactly (theory.md E3); constant initial values."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
from scipy.integrate import quad

from .common import (
    CLOCK,
    EPSILON,
    Limit,
    State,
    document,
    fitted_order,
    limit_of,
    random_weights,
    rounding_bound,
)

MEANS = {2: 0.8, 3: -0.7, 4: 0.9}  # of the entries of h2.weight, h3.weight, ...
BIASES = {1: 0.2, 2: -0.1, 3: 0.3, 4: 0.1}
OUTPUT_BIAS = -0.2
RATE, STEPS = 0.02, 50
# Roundings of a velocity: sums over 12 samples, 7 nodes and 3 inputs in up to 5 layers, both ways.
TERMS = 60


def deep_spec(depth: int, biased: bool) -> dict[str, Any]:
    """``depth`` hidden layers, all linear."""
    layers: list[dict[str, Any]] = [{"name": "h1", "from": "x", "weight": "normal(0.3, 1)"}]
    for number in range(2, depth + 1):
        law = f"normal({MEANS[number]}, 0.5)"
        layers.append({"name": f"h{number}", "from": f"h{number - 1}", "weight": law})
    output: dict[str, Any] = {"from": f"h{depth}", "weight": "normal(1, 0.6)"}
    if biased:
        for number, layer in enumerate(layers, start=1):
            layer["bias"] = str(BIASES[number])
        output["bias"] = str(OUTPUT_BIAS)
    return document(layers, output)


@cache
def deep_limit(depth: int, biased: bool, reduced: bool = False) -> Limit:
    rng = np.random.default_rng(20)
    x = rng.standard_normal((12, 3))
    return limit_of(deep_spec(depth, biased), x, x @ np.array([0.5, -1.0, 0.3]) + 0.4, reduced)


def weighted_draw(limit: Limit, seed: int = 1) -> State:
    """Nodes drawn from the laws, hidden weights at their means, unequal weights p."""
    state: State = limit.solver.sample(widths=7, seed=seed, edges="mean")
    rng = np.random.default_rng(21)
    return {**state, "p": {name: random_weights(rng, len(p)) for name, p in state["p"].items()}}


class NarrowNetwork:
    """A linear network of widths (d + 1, 1, ..., 1, 2), trained by plain gradient descent in numpy."""

    def __init__(
        self, weights: list[np.ndarray], biases: list[np.ndarray] | None, output_bias: float
    ) -> None:
        self.weights, self.biases, self.output_bias = weights, biases, output_bias

    def outputs(self, x: np.ndarray) -> list[np.ndarray]:
        """The values of all layers [sample, unit], the prediction [sample, 1] last."""
        values = [x]
        for number, weight in enumerate(self.weights):
            last = number + 1 == len(self.weights)
            shift = self.output_bias if last else 0.0 if self.biases is None else self.biases[number]
            values.append(values[-1] @ weight.T + shift)
        return values

    def step(self, x: np.ndarray, y: np.ndarray, rate: float) -> None:
        """One step of gradient descent on the mean of (yhat - y)^2."""
        values = self.outputs(x)
        error = 2 * (values[-1] - y)
        if self.biases is not None:
            self.output_bias -= rate * float(error.mean())
        for number in reversed(range(len(self.weights))):
            gradient = error.T @ values[number] / len(x)
            if self.biases is not None and number + 1 < len(self.weights):
                self.biases[number] = self.biases[number] - rate * error.mean(axis=0)
            error = error @ self.weights[number]
            self.weights[number] = self.weights[number] - rate * gradient


def narrow(state: State, depth: int, biased: bool) -> NarrowNetwork:
    """theory.md E3: coordinates on span{1, standardised w_1}, {1}, ..., {1, standardised beta} of L2(p).

    W_1 = [mean^T; covariance^(1/2)], W_l = mean * E_11, beta = (E beta, sd beta), all of the weighted nodes
    themselves, so the equality is exact for every ensemble.
    """
    w, p = state["h1.weight"], state["p"]["h1"]
    beta, q = state["output.weight"][0], state["p"][f"h{depth}"]
    mean = p @ w
    values, vectors = np.linalg.eigh((w - mean).T @ ((w - mean) * p[:, None]))
    weights = [np.vstack([mean, (vectors * np.sqrt(values)) @ vectors.T])]
    sizes = [w.shape[1] + 1, *([1] * (depth - 2)), 2]
    for number in range(2, depth + 1):
        weight = np.zeros((sizes[number - 1], sizes[number - 2]))
        weight[0, 0] = MEANS[number]
        weights.append(weight)
    weights.append(np.array([[q @ beta, np.sqrt(q @ (beta - q @ beta) ** 2)]]))
    biases = [np.eye(1, size)[0] * BIASES[number] for number, size in enumerate(sizes, 1)] if biased else None
    return NarrowNetwork(weights, biases, OUTPUT_BIAS if biased else 0.0)


def path(limit: Limit, state: State) -> list[State]:
    """The states of 50 Euler steps of the solver, the first included."""
    states = [state]
    for _ in range(STEPS):
        states.append(limit.solver.step(states[-1], limit.x, limit.y, 0.0, RATE))
    return states


def predictions(limit: Limit, state: State) -> np.ndarray:
    """The predictions [step, sample] along the path."""
    return np.array([limit.prediction(point)[:, 0] for point in path(limit, state)])


@pytest.mark.parametrize("reduced", [False, True])
@pytest.mark.parametrize("biased", [False, True])
@pytest.mark.parametrize("depth", [2, 3, 4])
def test_narrow_network(depth: int, biased: bool, reduced: bool) -> None:
    """E3: 50 steps of the limit and of the narrow network give the same predictions to rounding.

    The reduced limit, in which all but the outer layers are one type, on the same ensemble too.
    Tolerance: the roundings of all steps x the measured growth of a shift (``rounding_bound``). The control
    shows that it is tight: a hidden weight that is larger by 1e-11 of itself leaves it.
    """
    limit = deep_limit(depth, biased, reduced)
    state = weighted_draw(limit)
    net = narrow(state, depth, biased)
    expected = []
    for _ in range(STEPS + 1):
        expected.append(net.outputs(limit.x)[-1][:, 0])
        net.step(limit.x, limit.y, RATE)
    found = predictions(limit, state)
    bound = rounding_bound(lambda start: path(limit, start), state, TERMS, limit.prediction)
    assert bound < 1e-11
    assert np.ptp(found[-1] - found[0]) > 0.1  # something was learnt
    np.testing.assert_allclose(found, np.array(expected), rtol=0, atol=bound)
    moved = {**state, "h2.weight": state["h2.weight"] * (1 + 1e-11)}
    assert np.max(np.abs(predictions(limit, moved) - np.array(expected))) > bound


def _invisible(noise: np.ndarray, basis: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Noise [target, source] whose weighted average over the source against every basis function is 0."""
    dual = np.linalg.solve((basis.T * weights) @ basis, basis.T)
    return noise - (noise * weights) @ basis @ dual


@pytest.mark.parametrize("depth", [2, 3])
def test_frozen_noise_is_invisible(depth: int) -> None:
    """Theory C.1 in its exact form: noise orthogonal to what its ends carry stays frozen and moves nothing.

    The ends carry 1 and the initial labels (w_1 below, beta above), for linear layers nothing else ever.
    The weights are then (frozen noise) + (trajectory without noise). Tolerance: rounding x growth.
    """
    limit = deep_limit(depth, True)
    state = weighted_draw(limit)
    rng = np.random.default_rng(22)
    labels = {"h1": state["h1.weight"], f"h{depth}": state["output.weight"].T}
    noises = {}
    for number in range(2, depth + 1):
        source, target = f"h{number - 1}", f"h{number}"
        bases = {
            end: np.column_stack([np.ones(7), labels[end]]) if end in labels else np.ones((7, 1))
            for end in (source, target)
        }
        noise = _invisible(rng.standard_normal((7, 7)), bases[source], state["p"][source])
        noises[f"{target}.weight"] = _invisible(noise.T, bases[target], state["p"][target]).T
    noisy = {**state, **{name: state[name] + noise for name, noise in noises.items()}}
    assert all(np.abs(noise).max() > 0.1 for noise in noises.values())
    bound = rounding_bound(lambda start: path(limit, start), noisy, TERMS, limit.prediction)
    np.testing.assert_allclose(predictions(limit, noisy), predictions(limit, state), rtol=0, atol=bound)
    plain = limit.end(state, RATE * STEPS, STEPS, "euler")
    shifted = limit.end(noisy, RATE * STEPS, STEPS, "euler")
    bound = rounding_bound(lambda start: path(limit, start), noisy, TERMS)
    for name, noise in noises.items():
        np.testing.assert_allclose(shifted[name] - noise, plain[name], rtol=0, atol=bound)


# --- constant initial values: one type a layer ------------------------------------------------------------

TARGET, START = 1.3, 0.5
# Horizons by hidden layers. Euler's leading error is step / 2 * log(speed at the end / speed at the start)
# in one dimension: at these it does not vanish.
HORIZONS = {1: 0.6, 2: 0.3, 3: 0.6}


@cache
def constant_limit(hidden: int) -> Limit:
    """All weights 0.5, x = 1 (d = 1), y = 1.3: yhat = v^D with D = hidden + 1 factors."""
    layers = [{"name": "h1", "from": "x", "weight": str(START)}]
    layers += [{"name": f"h{k}", "from": f"h{k - 1}", "weight": str(START)} for k in range(2, hidden + 1)]
    return limit_of(document(layers, {"from": f"h{hidden}", "weight": str(START)}), [[1.0]], [TARGET])


def constant_prediction(hidden: int, steps: int, method: str) -> float:
    limit = constant_limit(hidden)
    state = limit.solver.sample(widths=3, seed=0)
    state["p"] = {name: np.array([0.5, 0.3, 0.2]) for name in state["p"]}
    end = limit.end(state, HORIZONS[hidden], steps, method)
    for name, value in end.items():
        if name != "p":  # one type: every entry moves alike, up to the rounding of the weights p
            assert np.ptp(value) < 1e3 * EPSILON
    return float(limit.prediction(end)[0, 0])


@pytest.mark.parametrize("hidden", [1, 2, 3])
def test_constant_initial_values(hidden: int) -> None:
    """E3, balanced: u' = D u^(2 - 2/D) (a - u), so t(u) is an integral; orders fitted within 0.25.

    The time at which the equation passes the found u, by quadrature to 1e-12, against the horizon.
    """
    factors = hidden + 1

    def time_error(steps: int, method: str) -> float:
        reached = constant_prediction(hidden, steps, method)
        time = quad(
            lambda u: 1 / (factors * u ** (2 - 2 / factors) * (TARGET - u)),
            START**factors,
            reached,
            epsabs=1e-13,
            epsrel=1e-13,
        )[0]
        return abs(time / CLOCK - HORIZONS[hidden])

    for method, steps, order in (("euler", (50, 100, 200), 1), ("rk4", (8, 16, 32), 4)):
        errors = [time_error(n, method) for n in steps]
        assert fitted_order(steps, errors) == pytest.approx(order, abs=0.25)


def test_two_factors_grow_logistically() -> None:
    """E3, D = 2: u = a / (1 + (a/u0 - 1) exp(-2 a t)); RK4 of step 0.0075 has error below 1e-8 (order 4)."""
    u0 = START**2
    expected = TARGET / (1 + (TARGET / u0 - 1) * np.exp(-2 * TARGET * CLOCK * HORIZONS[1]))
    assert constant_prediction(1, 80, "rk4") == pytest.approx(expected, abs=1e-8)
