"""Kinks and ties by the conventions of the design, in solver, interpreter, complex steps and JAX alike.

Every value is a short binary fraction, so pre-activations are exactly 0 and maxima tie exactly. The loss is
the output itself, so the velocity of a weight that reads x = 1 is minus the slope of its activation.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

import mfderive as mf
from mfderive.state.draw import initial_state

from .comparison import Case, interpreted

E = float(np.exp(-1.0))
POINTS = np.array([-1.0, 0.0, 0.0, 1.0])
# Activation: its slopes at h = -1, 0, 0, 1.
SLOPES: dict[str, tuple[float, ...]] = {
    "relu(h)": (0, 0, 0, 1),
    "leaky_relu(h)": (0.01, 0.01, 0.01, 1),
    "elu(h)": (E, 1, 1, 1),
    "selu(h)": (1.7580993408473768 * E, 1.7580993408473768, 1.7580993408473768, 1.0507009873554805),
    "abs(h)": (-1, 0, 0, 1),
    "sign(h)": (0, 0, 0, 0),
    "heaviside(h)": (0, 0, 0, 0),
    "max(h, 0)": (0, 1, 1, 1),
    "max(0, h)": (0, 0, 0, 1),
    "min(h, 0)": (1, 1, 1, 0),
    "min(0, h)": (1, 0, 0, 0),
    "max(h, -h)": (-1, 1, 1, 1),
    "huber(h, 1)": (-1, 0, 0, 1),
    "relu(abs(h))": (-1, 0, 0, 1),
    # The tie must not be broken by the square of the complex step.
    "max(h + h**2, 0)": (-1, 1, 1, 3),
    "relu(h) * heaviside(h)": (0, 0, 0, 1),
}
# Of h and g = 0: slopes with respect to h, and to g.
TWO: dict[str, tuple[tuple[float, ...], tuple[float, ...]]] = {
    "max(h, g)": ((0, 1, 1, 1), (1, 0, 0, 0)),
    "max(g, h)": ((0, 0, 0, 1), (1, 1, 1, 0)),
    "min(h, g)": ((1, 1, 1, 0), (0, 0, 0, 1)),
    "huber(h, g + 1)": ((-1, 0, 0, 1), (0, 0, 0, 0)),
}
WAYS = ["solver", "compiled", "interpreter", "complex-step", "jax"]


def document(layers: list[dict[str, Any]], shape: list[int] | None = None) -> dict[str, Any]:
    """A network whose output is the sum of the averages of its layers, and whose loss is its output."""
    return {
        "format": 1,
        "title": "kinks",
        "data": {"kind": "arrays", **({"shape": shape} if shape else {})},
        "loss": {"kind": "expression", "expression": "yhat - y"},
        "layers": layers,
        "output": {"connections": [{"from": layer["name"]} for layer in layers if not layer.get("inner")]},
        "training": {"learning_rate": 0.1, "steps": 1},
    }


def kinks() -> Case:
    """One layer for each activation, all reading x = 1."""
    layers: list[dict[str, Any]] = []
    values: dict[str, np.ndarray] = {}
    for number, activation in enumerate(SLOPES):
        layers.append({"name": f"one{number}", "from": "x", "weight": "0", "activation": activation})
        values[f"one{number}.weight"] = POINTS[:, None]
    for number, activation in enumerate(TWO):
        connections = [{"from": "x", "weight": "0"}, {"from": "x", "weight": "0", "into": "g"}]
        layers.append({"name": f"two{number}", "activation": activation, "connections": connections})
        values[f"two{number}.weight.x"] = POINTS[:, None]
        values[f"two{number}.weight.x.g"] = np.zeros((4, 1))
    return case_of(document(layers), np.ones((2, 1)), values, 4)


def pooling() -> Case:
    """max over positions with a tie between the first and the last: h = (1, 0, 1) from x = (1, 0, 0, 1)."""
    convolution = {"from": "x", "kind": "convolution", "kernel": [2], "weight": "0"}
    layers = [
        {"name": "c", "connections": [convolution], "activation": "max(h, positions)"},
        {"name": "e", "connections": [dict(convolution)], "activation": "max(relu(h), positions)"},
    ]
    x = np.array([[[1.0, 0.0, 0.0, 1.0]], [[0.0, 0.0, 0.0, 0.0]]])
    values = {"c.weight": np.ones((2, 1, 2)), "e.weight": -np.ones((2, 1, 2))}
    return case_of(document(layers, [1, 4]), x, values, 2)


def case_of(spec: dict[str, Any], x: np.ndarray, values: Mapping[str, np.ndarray], width: int) -> Case:
    """A network with the given parameters."""
    network = mf.load(spec, data=(x, np.zeros((len(x), 1))))
    system = mf.forward_system(network)
    state = initial_state(system, width, 0)
    assert set(values) == set(state) - {"p"}
    return Case(network, system, mf.derive(network), {**state, **values}, x, np.zeros((len(x), 1)), 0.5)


def velocity(case: Case, way: str, plain) -> Mapping[str, np.ndarray]:
    """The velocity, computed in one of the five ways."""
    arguments = (case.state, case.x, case.y, case.t)
    if way == "solver":
        return plain(case.limit).velocity(*arguments)
    if way == "compiled":
        return mf.generate(case.limit).velocity(*arguments)
    if way == "interpreter":
        return interpreted(case)[0]
    return mf.finite_velocity(case.network, *arguments, method=way)


@pytest.mark.parametrize("way", WAYS)
def test_slopes_at_kinks_and_ties(way: str, plain) -> None:
    """To rounding: only elu, selu and leaky_relu are not exact."""
    found = velocity(kinks(), way, plain)
    for number, (activation, slopes) in enumerate(SLOPES.items()):
        values = found[f"one{number}.weight"][:, 0]
        np.testing.assert_allclose(values, -np.array(slopes), rtol=1e-14, atol=0, err_msg=activation)
    for number, (activation, (first, second)) in enumerate(TWO.items()):
        for name, slopes in (("x", first), ("x.g", second)):
            values = found[f"two{number}.weight.{name}"][:, 0]
            np.testing.assert_array_equal(values, -np.array(slopes), err_msg=f"{activation}: {name}")


@pytest.mark.parametrize("way", WAYS)
def test_a_tied_pool_takes_the_first_maximum(way: str, plain) -> None:
    """The first position reads (x0, x1) = (1, 0), the last (x2, x3) = (0, 1); half of the batch is 0.

    The layer's output, which is the maximum at each of three positions, is summed over them.
    """
    found = velocity(pooling(), way, plain)
    expected = -0.5 * 3 * np.array([[[1.0, 0.0]], [[1.0, 0.0]]])
    np.testing.assert_array_equal(found["c.weight"], expected)
    np.testing.assert_array_equal(found["e.weight"], np.zeros((2, 1, 2)))
