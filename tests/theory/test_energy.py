"""The energy identity (theory.md E6): the loss falls at the rate of the squared gradients.

d/dt E_Z L = - sum over parameters of (1 / xi) E |velocity|^2, averages over the weighted nodes of every
population slot, sums over finite axes, velocity = xi * G. The left side uses the forward pass only.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest

from mfderive.algebra.evaluate import evaluate_expression
from mfderive.algebra.laws import TIME

from .common import EPSILON, Limit, State, document, fitted_order, limit_of, parameter_axes, random_weights


def rich_spec() -> dict[str, Any]:
    """A strided convolution, sigma* nonlinear in w, a gate on a skip, a layer norm, unequal rates."""
    c1 = {
        "name": "c1",
        "connections": [
            {"from": "x", "kind": "convolution", "kernel": [3], "stride": [2], "padding": "same",
             "weight": {"law": "normal(0, 0.7)", "rate": 0.5}},
        ],
        "bias": "normal(0, 0.3)",
        "activation": "tanh",
    }  # fmt: skip
    c2 = {
        "name": "c2",
        "connections": [
            {"from": "c1", "kind": "convolution", "kernel": [2], "padding": "same",
             "weight": "normal(0.5, 1)", "operation": "tanh(w * u) + 0.5 * w * u"},
        ],
        "parameters": {"gain": {"law": "normal(1, 0.3)", "rate": 2}},
        "activation": "gain * sigmoid(h)",
    }  # fmt: skip
    gated = {
        "name": "r3",
        "neurons": "c2",
        "connections": [
            {"from": "c2", "kind": "skip", "operation": "target.gate * u"},
            {"from": "c1", "kind": "convolution", "kernel": [1], "weight": "normal(0.5, 1)", "into": "g"},
        ],
        "parameters": {"gate": "normal(1, 0.5)"},
        "activation": "h * sigmoid(g - mean(g))",
    }
    output = {"from": "r3", "weight": {"law": "normal(0.5, 1)", "rate": 1.5}, "bias": "0"}
    return document([c1, c2, gated], output, shape=[2, 5])


PLAIN = document(
    [
        {"name": "h1", "from": "x", "weight": {"law": "normal(0, 0.5)", "rate": 3}, "activation": "tanh"},
        {"name": "h2", "from": "h1", "weight": "normal(1, 1)", "activation": "gelu"},
    ],
    {"from": "h2", "weight": "normal(1, 1)"},
)  # fmt: skip


@cache
def network(kind: str) -> tuple[Limit, State]:
    rng = np.random.default_rng(50)
    x = rng.standard_normal((6, 10))
    limit = limit_of(rich_spec() if kind == "rich" else PLAIN, x, np.sin(x[:, 0]) + 0.3 * x[:, 1])
    state: State = limit.solver.sample(widths=4, seed=5)
    return limit, {**state, "p": {name: random_weights(rng, len(p)) for name, p in state["p"].items()}}


def loss(limit: Limit, state: State) -> float:
    return float(((limit.prediction(state) - limit.y) ** 2).sum(axis=1).mean())


def power(limit: Limit, state: State) -> float:
    """sum over parameters of (1 / xi) E |velocity|^2."""
    total, p = 0.0, state["p"]
    axes, rates = parameter_axes(limit.system), limit.system.parameter
    for name, velocity in limit.velocity(state).items():
        square = velocity**2
        for axis in reversed(axes[name]):
            square = square @ p[axis] if axis in p else square.sum(axis=-1)
        total += float(square) / float(evaluate_expression(rates[name].rate, {TIME: 0.0}))
    return total


# Central differences of order 8: offsets 1..4 and their weights.
EIGHTH = ((1, 4 / 5), (2, -1 / 5), (3, 4 / 105), (4, -1 / 280))


def derivative(limit: Limit, state: State, h: float) -> float:
    """d/dh of the loss at state + h * velocity."""
    velocity = limit.velocity(state)

    def at(h: float) -> float:
        return loss(limit, {**state, **{name: state[name] + h * velocity[name] for name in velocity}})

    return sum(weight * (at(k * h) - at(-k * h)) for k, weight in EIGHTH) / h


@pytest.mark.parametrize("kind", ["rich", "plain"])
def test_loss_falls_at_the_rate_of_the_squared_gradients(kind: str) -> None:
    """E6 at five states of a trajectory.

    Tolerance: truncation of the eighth-order difference, |D(2h) - D(h)| / 255 (its error falls by 2^8), plus
    its rounding, 2 * sum of weights * roundings of a loss (100 terms) / h.
    """
    limit, state = network(kind)
    h = 2.0**-8 / np.sqrt(power(limit, state))
    path = limit.path(state, 0.4, 40, checkpoints=5)
    falls = []
    for point in path.checkpoints:
        exact, found = -power(limit, point.state), derivative(limit, point.state, h)
        truncation = abs(derivative(limit, point.state, 2 * h) - found) / 255
        rounding = 2 * 1.04 * 100 * EPSILON * loss(limit, point.state) / h
        assert rounding + truncation < 1e-6 * abs(exact)
        assert found == pytest.approx(exact, abs=2 * truncation + rounding)
        falls.append(exact)
    assert falls[0] != pytest.approx(falls[-1], rel=0.05)  # five different places


@pytest.mark.parametrize("kind", ["rich", "plain"])
def test_energy_balance_over_a_trajectory(kind: str) -> None:
    """loss(0) - loss(T) = integral of the power; RK4 and Simpson's rule: order 4 (fitted: 3.5 to 6)."""
    limit, state = network(kind)
    horizon, errors, steps = 0.2, [], (16, 32, 64)
    for n in steps:
        points = [c.state for c in limit.path(state, horizon, n, checkpoints=n + 1).checkpoints]
        powers = np.array([power(limit, point) for point in points])
        assert len(powers) == n + 1
        integral = (
            horizon / n / 3 * (powers[0] + 4 * powers[1:-1:2].sum() + 2 * powers[2:-1:2].sum() + powers[-1])
        )
        errors.append(abs(loss(limit, points[0]) - loss(limit, points[-1]) - float(integral)))
    assert 3.5 < fitted_order(steps, errors) < 6
