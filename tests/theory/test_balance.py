"""Conserved quantities of positively homogeneous activations (theory.md E5).

For every neuron c of layer l: (E[w_l(C, c)^2] + b_l(c)^2) / xi_l - E[w_(l+1)(c, C)^2] / xi_(l+1) is constant
along the flow. Averages are over the weighted nodes, sums over inputs and outputs.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest

from .common import Limit, State, document, fitted_order, limit_of, random_weights

XI = (0.5, 2.0, 1.5)  # of the first layer, the second, the output
HORIZON = 0.3
LINEAR = "linear"


@cache
def network(activation: str, biased: bool = True) -> Limit:
    """Two hidden layers, two outputs, unequal rates; positive inputs."""
    layers: list[dict[str, Any]] = [
        {"name": "h1", "from": "x", "weight": {"law": "normal(0, 1)", "rate": XI[0]}},
        {"name": "h2", "from": "h1", "weight": {"law": "normal(0, 1)", "rate": XI[1]}},
    ]
    for layer, rate in zip(layers, XI, strict=False):
        if activation != LINEAR:
            layer["activation"] = activation
        if biased:
            layer["bias"] = {"law": "normal(0, 0.5)", "rate": rate}
    output = {"from": "h2", "weight": {"law": "normal(0, 1)", "rate": XI[2]}, "bias": "0"}
    rng = np.random.default_rng(40)
    x = rng.uniform(0.2, 1.0, (10, 3))
    return limit_of(document(layers, output), x, np.column_stack([x[:, 0] - x[:, 1], 0.5 + x[:, 2] ** 2]))


def start(activation: str, biased: bool = True) -> State:
    """A weighted ensemble of 6 and 5 nodes."""
    state: State = network(activation, biased).solver.sample(widths={"h1": 6, "h2": 5}, seed=4)
    rng = np.random.default_rng(41)
    return {**state, "p": {name: random_weights(rng, len(p)) for name, p in state["p"].items()}}


def one_signed_start(activation: str) -> State:
    """Neurons whose pre-activations keep their sign, some of them negative: no crossing on the way."""
    state = start(activation)
    sign1, sign2 = np.array([1, 1, 1, -1, -1, -1]), np.array([1, 1, 1, -1, -1])
    return {
        **state,
        "h1.weight": (0.5 + np.abs(state["h1.weight"])) * sign1[:, None],
        "h1.bias": np.abs(state["h1.bias"]) * sign1,
        # A source's output has the sign of its neuron, so every product gets the sign of the target.
        "h2.weight": np.abs(state["h2.weight"]) * sign2[:, None] * sign1,
        "h2.bias": (1.0 + np.abs(state["h2.bias"])) * sign2,
        "output.weight": 0.3 * state["output.weight"],
    }


def balances(state: State) -> np.ndarray:
    """The conserved quantity of every neuron of h1, then of h2."""
    p1, p2 = state["p"]["h1"], state["p"]["h2"]
    w1, w2, beta = state["h1.weight"], state["h2.weight"], state["output.weight"]
    first = ((w1**2).sum(axis=1) + state["h1.bias"] ** 2) / XI[0] - p2 @ w2**2 / XI[1]
    second = (w2**2 @ p1 + state["h2.bias"] ** 2) / XI[1] - (beta**2).sum(axis=0) / XI[2]
    return np.concatenate([first, second])


def drift(activation: str, state: State, steps: int, method: str = "rk4") -> float:
    """The largest change of a balance over the horizon."""
    end = network(activation).end(state, HORIZON, steps, method)
    assert np.max(np.abs(end["h2.weight"] - state["h2.weight"])) > 0.1  # it did move
    return float(np.max(np.abs(balances(end) - balances(state))))


def sign_patterns(activation: str, state: State, steps: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """The signs of both layers' pre-activations (bias included) at every step of RK4."""
    limit = network(activation)
    patterns = []
    for point in limit.path(state, HORIZON, steps, checkpoints=steps + 1).checkpoints:
        fields = limit.solver.forward(point.state, limit.x)
        h1, h2 = (np.sign(fields[name] + point.state[f"{name}.bias"]) for name in ("h1", "h2"))
        patterns.append((h1, h2))
    return patterns


METHODS = [("euler", (100, 200, 400), 0.75, 1.25), ("rk4", (16, 32, 64), 3.5, 5.5)]


@pytest.mark.parametrize("activation", [LINEAR, "leaky_relu"])
@pytest.mark.parametrize(("method", "steps", "low", "high"), METHODS)
def test_conserved_without_crossings(
    activation: str, method: str, steps: tuple[int, ...], low: float, high: float
) -> None:
    """The drift is the method's own: order 1 for Euler (fitted within 0.25), at least 4 for RK4.

    RK4 may do better by one on a quadratic invariant of a nearly linear flow: 3.5 to 5.5.
    """
    state = start(LINEAR) if activation == LINEAR else one_signed_start(activation)
    assert low < fitted_order(steps, [drift(activation, state, n, method) for n in steps]) < high


def test_the_leaky_start_crosses_no_kink() -> None:
    """What the test above relies on: no pre-activation changes its sign, and both signs occur."""
    patterns = sign_patterns("leaky_relu", one_signed_start("leaky_relu"), 32)
    for first, second in patterns:
        assert (first == patterns[0][0]).all() and (second == patterns[0][1]).all()
    assert set(np.unique(patterns[0][0])) == set(np.unique(patterns[0][1])) == {-1.0, 1.0}


def test_relu_up_to_kinks() -> None:
    """ReLU with crossings: the identity holds at every state, so a crossing costs O(step^2) once.

    Each stage's velocity balances at its own state, which is O(step) from the step's start, and a kink
    only changes the velocity by O(1) within the step. Fitted over a factor 16 of steps (where kinks fall
    in a step is chance): order between 1.5 and 4.5, and the finest drift below 1e-5.
    """
    state = start("relu")
    patterns = sign_patterns("relu", state, 64)
    assert any(
        (first != patterns[0][0]).any() or (second != patterns[0][1]).any() for first, second in patterns
    )
    steps = (16, 32, 64, 128, 256)
    errors = [drift("relu", state, n) for n in steps]
    assert 1.5 < fitted_order(steps, errors) < 4.5
    assert errors[-1] < 1e-5


def test_tanh_violates_it() -> None:
    """Control: tanh is not homogeneous, its drift converges to a constant > 0.05 (0.5 % over a factor 4)."""
    state = start("tanh")
    coarse, fine = drift("tanh", state, 16), drift("tanh", state, 64)
    assert fine > 0.05
    assert coarse == pytest.approx(fine, rel=5e-3)


def test_whole_kernels_of_linear_networks() -> None:
    """Without biases E[w_2(C, c) w_2(C, c')]/xi_2 and its neighbours balance for all c, c'; order 4."""
    limit, state = network(LINEAR, biased=False), start(LINEAR, biased=False)

    def kernels(at: State) -> np.ndarray:
        p1, p2 = at["p"]["h1"], at["p"]["h2"]
        w1, w2, beta = at["h1.weight"], at["h2.weight"], at["output.weight"]
        first = w1 @ w1.T / XI[0] - (w2.T * p2) @ w2 / XI[1]
        second = (w2 * p1) @ w2.T / XI[1] - beta.T @ beta / XI[2]
        return np.concatenate([np.ravel(first), np.ravel(second)])

    steps = (16, 32, 64)
    ends = [limit.end({**state, "output.bias": np.zeros(2)}, HORIZON, n) for n in steps]
    errors = [float(np.max(np.abs(kernels(end) - kernels(state)))) for end in ends]
    assert 3.5 < fitted_order(steps, errors) < 5.5
