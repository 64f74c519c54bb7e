"""One data point (theory.md E4): training follows the gradient-ascent curve of yhat, at its own pace.

s' = -dL/dyhat, Y(s) = yhat on the curve, Y'(s) = |grad yhat|^2 in L2 of the ensemble.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from .common import (
    CLOCK,
    Limit,
    State,
    distance,
    document,
    fitted_order,
    limit_of,
    parameter_axes,
    random_weights,
)

POINT, TARGET = np.array([[0.6, -0.8, 0.5]]), 1.2
EXPONENTIAL = document(
    [{"name": "h1", "from": "x", "weight": "normal(0, 1)", "activation": "exp"}], {"from": "h1"}
)
BILINEAR = document(
    [{"name": "h1", "from": "x", "weight": "normal(0, 1)"}], {"from": "h1", "weight": "normal(0, 1)"}
)


def pace(curve, horizon: float, target: float) -> float:
    """The solution of s' = -(Y(s) - target) at a time of the closed forms."""
    run = solve_ivp(
        lambda _, s: target - curve(s), (0, CLOCK * horizon), [0.0], method="DOP853", rtol=1e-13, atol=1e-14
    )
    return float(run.y[0, -1])


@pytest.mark.parametrize(
    ("method", "steps", "order"), [("euler", (100, 200, 400), 1), ("rk4", (8, 16, 32), 4)]
)
def test_exponential_units(method: str, steps: tuple[int, ...], order: int) -> None:
    """sigma = exp(theta): every neuron has exp(-theta) = exp(-theta0) - s, Y(s) = E[1/(exp(-theta0) - s)].

    Orders fitted within 0.25 against the closed form (s itself solved to 1e-12).
    """
    limit = limit_of(EXPONENTIAL, [[1.0]], [TARGET])
    theta, p = np.array([-1.5, -0.4, 0.1, -0.9]), np.array([0.3, 0.3, 0.1, 0.3])
    horizon = 0.4
    s = pace(lambda s: p @ (1 / (np.exp(-theta) - s)), horizon, TARGET)
    expected = -np.log(np.exp(-theta) - s)
    state = {"h1.weight": theta[:, None], "p": {"h1": p}}
    errors = [
        float(np.max(np.abs(limit.end(state, horizon, n, method)["h1.weight"][:, 0] - expected)))
        for n in steps
    ]
    assert fitted_order(steps, errors) == pytest.approx(order, abs=0.25)
    assert errors[-1] < {"euler": 1e-2, "rk4": 1e-6}[method]


@pytest.mark.parametrize(
    ("method", "steps", "order"), [("euler", (100, 200, 400), 1), ("rk4", (8, 16, 32), 4)]
)
def test_bilinear_units(method: str, steps: tuple[int, ...], order: int) -> None:
    """sigma = beta w: Y(s) = (A exp(2s) - B exp(-2s)) / 4, beta +- w grow like exp(+-s); orders fitted."""
    limit = limit_of(BILINEAR, [[1.0]], [TARGET])
    rng = np.random.default_rng(30)
    w, beta, p = rng.standard_normal(5), rng.standard_normal(5), random_weights(rng, 5)
    plus, minus = p @ (beta + w) ** 2, p @ (beta - w) ** 2
    horizon = 0.4
    s = pace(lambda s: (plus * np.exp(2 * s) - minus * np.exp(-2 * s)) / 4, horizon, TARGET)
    state = {"h1.weight": w[:, None], "output.weight": beta[None], "p": {"h1": p}}
    errors = []
    for n in steps:
        end = limit.end(state, horizon, n, method)
        found = np.array([end["output.weight"][0] + sign * end["h1.weight"][:, 0] for sign in (1, -1)])
        errors.append(float(np.max(np.abs(found - [(beta + w) * np.exp(s), (beta - w) * np.exp(-s)]))))
    assert fitted_order(steps, errors) == pytest.approx(order, abs=0.25)
    assert errors[-1] < {"euler": 1e-2, "rk4": 1e-6}[method]


# --- any architecture -------------------------------------------------------------------------------------


def three_layers(loss: dict) -> dict:
    layers = [
        {"name": "h1", "from": "x", "weight": "normal(0, 1)", "bias": "0.1", "activation": "tanh"},
        {"name": "h2", "from": "h1", "weight": "normal(1, 1)", "activation": "sigmoid"},
    ]
    return document(layers, {"from": "h2", "weight": "normal(0.5, 1)", "bias": "0"}, loss)


QUARTIC = {"kind": "expression", "expression": "(y - yhat) ** 4 / 4"}
SLOPES = {"squared": lambda yhat: 2 * (yhat - TARGET), "quartic": lambda yhat: (yhat - TARGET) ** 3}


@cache
def general(loss: str) -> Limit:
    return limit_of(three_layers({"kind": "squared"} if loss == "squared" else QUARTIC), POINT, [TARGET])


def general_state() -> State:
    state: State = general("squared").solver.sample(widths=5, seed=3)
    rng = np.random.default_rng(31)
    return {**state, "p": {name: random_weights(rng, 5) for name in state["p"]}}


def squared_gradient(limit: Limit, direction: State, p: dict) -> float:
    """E over populations of the squares, summed over parameters and finite axes."""
    total = 0.0
    for name, axes in parameter_axes(limit.system).items():
        square = direction[name] ** 2
        for axis in reversed(axes):  # contract the last axis first: places of the others stay
            square = square @ p[axis] if axis in p else square.sum(axis=-1)
        total += float(square)
    return total


def along_the_curve(loss: str, steps: int, length: float = 0.5) -> tuple[State, float]:
    """RK4 in s: d(state)/ds = velocity / (-dL/dyhat), and Y'(s) at the end from the prediction's ascent."""
    limit, state = general(loss), general_state()
    p, h = state["p"], length / steps

    def ascent(at: State) -> State:
        pull = -SLOPES[loss](float(limit.prediction(at)[0, 0]))
        return {name: value / pull for name, value in limit.velocity(at).items()}

    def moved(at: State, slope: State, by: float) -> State:
        return {"p": p, **{name: at[name] + by * slope[name] for name in slope}}

    for _ in range(steps):
        k1 = ascent(state)
        k2 = ascent(moved(state, k1, h / 2))
        k3 = ascent(moved(state, k2, h / 2))
        k4 = ascent(moved(state, k3, h))
        state = moved(state, {n: (k1[n] + 2 * k2[n] + 2 * k3[n] + k4[n]) / 6 for n in k1}, h)
    return state, squared_gradient(limit, ascent(state), p)


def test_the_curve_does_not_depend_on_the_loss() -> None:
    """Squared and quartic loss move every neuron along one curve s -> state.

    Both solve d(state)/ds = grad yhat with the same RK4 steps, so they agree to rounding: 8 steps x 4
    stages x sums of at most 5 terms in 3 layers, entries of order 1: tolerance 1e-12.
    """
    squared, quartic = along_the_curve("squared", 8)[0], along_the_curve("quartic", 8)[0]
    assert distance(squared, general_state()) > 0.05
    assert distance(squared, quartic) < 1e-12


def test_speed_of_the_prediction() -> None:
    """Y'(s) = |grad yhat|^2: central difference of Y over s at two widths; the error has order 2 (fitted)."""
    limit = general("squared")

    def prediction(length: float) -> float:
        return float(limit.prediction(along_the_curve("squared", 32, length)[0])[0, 0])

    expected = along_the_curve("squared", 32)[1]
    widths = (0.2, 0.1, 0.05)
    errors = [abs((prediction(0.5 + h) - prediction(0.5 - h)) / (2 * h) - expected) for h in widths]
    assert fitted_order([round(1 / h) for h in widths], errors) == pytest.approx(2, abs=0.2)


def test_pace_along_the_curve() -> None:
    """Training to a time t ends on the curve at s(t) = integral of -dL/dyhat, which Simpson's rule gives.

    mf.solve with 64 RK4 steps, all states kept; both errors are of order 4 at step 0.006: tolerance 1e-8.
    """
    limit = general("squared")
    path = limit.path(general_state(), 0.4, 64, checkpoints=65)
    pulls = np.array([-SLOPES["squared"](float(limit.prediction(c.state)[0, 0])) for c in path.checkpoints])
    assert len(pulls) == 65
    s = 0.4 / 64 / 3 * (pulls[0] + 4 * pulls[1:-1:2].sum() + 2 * pulls[2:-1:2].sum() + pulls[-1])
    assert distance(path.at(), along_the_curve("squared", 64, float(s))[0]) < 1e-8
