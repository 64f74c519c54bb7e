"""The witness against networks written by hand: outputs, losses and scaled gradients, to rounding."""

import tomllib
from functools import cache

import numpy as np
import pytest

from mfderive.finite.finite_network import FiniteNetwork
from mfderive.finite.namespace import NUMPY, precision
from mfderive.finite.network_fields import network_fields
from mfderive.finite.velocity import finite_velocity
from mfderive.format.reader import parse_document
from mfderive.forward.equations import forward_system
from mfderive.samples.resolve import resolve

from . import oracles
from .systems import random_state

HEAD = """
format = 1
title = "{title}"
[data]
kind = "arrays"
file = "given.npz"
[training]
learning_rate = 0.01
batch_size = 10
steps = 10
[loss]
{loss}
"""

LAYERS = {
    "three_layer": """
[[layers]]
name = "h1"
from = "x"
weight = "normal(0, 1)"
bias = "0"
activation = "tanh"
[[layers]]
name = "h2"
from = "h1"
weight = "normal(0, 1)"
bias = "0"
activation = "tanh"
[output]
from = "h2"
weight = "normal(0, 1)"
bias = "0"
""",
    "five_layer_parameters": """
[[layers]]
name = "h1"
from = "x"
weight = "normal(0, 1)"
activation = "gain * tanh(h + shift)"
parameters.gain = "normal(0, 1)"
parameters.shift = "normal(0, 1)"
[[layers]]
name = "h2"
activation = "gain * tanh(h)"
parameters.gain = "normal(0, 1)"
[[layers.connections]]
from = "h1"
operation = "tanh(w * u)"
weight = "normal(0, 1)"
[[layers]]
name = "h3"
activation = "gelu(gain * h)"
parameters.gain = "normal(0, 1)"
[[layers.connections]]
from = "h2"
operation = "w * sin(u) * target.gain + w**2 * source.gain"
weight = "normal(0, 1)"
[[layers]]
name = "h4"
from = "h3"
weight = "normal(0, 1)"
activation = "silu(h) + exp(-h**2) / (1 + h**2)"
[output]
from = "h4"
weight = "normal(0, 1)"
""",
    "layer_norm": """
[[layers]]
name = "h1"
from = "x"
weight = "normal(0, 1)"
activation = "tanh(gain * (h - mean(h)) / sqrt(mean((h - mean(h))**2) + 0.001) + shift)"
parameters.gain = "normal(0, 1)"
parameters.shift = "normal(0, 1)"
[[layers]]
name = "h2"
from = "h1"
weight = "normal(0, 1)"
bias = "0"
activation = "softplus"
[output]
from = "h2"
weight = "normal(0, 1)"
bias = "0"
""",
    "residual": """
[[layers]]
name = "h0"
from = "x"
weight = "normal(0, 1)"
bias = "0"
activation = "tanh"
[[layers]]
name = "r1"
neurons = "h0"
activation = "h * sigmoid(g)"
parameters.gate = "normal(0, 1)"
[[layers.connections]]
from = "h0"
kind = "skip"
operation = "target.gate * u"
[[layers.connections]]
from = "h0"
weight = { name = "U", law = "normal(0, 1)" }
[[layers.connections]]
from = "h0"
into = "g"
weight = { name = "V", law = "normal(0, 1)" }
[[layers]]
name = "inner"
from = "r1"
weight = "normal(0, 1)"
activation = "tanh"
[[layers]]
name = "r2"
neurons = "h0"
activation = "tanh"
[[layers.connections]]
from = "r1"
kind = "skip"
[[layers.connections]]
from = "inner"
weight = "normal(0, 1)"
[output]
from = "r2"
weight = "normal(0, 1)"
""",
    "autoencoder_tied": """
[[layers]]
name = "h1"
from = "x"
weight = { name = "W1", law = "normal(0, 1)" }
activation = "tanh"
[[layers]]
name = "h2"
from = "h1"
weight = { name = "W2", law = "normal(0, 1)" }
activation = "tanh"
[[layers]]
name = "h3"
neurons = "h1"
from = "h2"
weight = { name = "W2", transpose = true }
bias = "0"
activation = "tanh"
[output]
from = "h3"
weight = { name = "W1", transpose = true }
""",
    "convolution": """
[[layers]]
name = "c1"
bias = "0"
activation = "softplus"
[[layers.connections]]
from = "x"
kind = "convolution"
kernel = [3]
stride = [2]
padding = [[1, 1]]
weight = "normal(0, 1)"
[[layers]]
name = "c2"
bias = "0"
activation = "tanh"
[[layers.connections]]
from = "c1"
kind = "convolution"
kernel = [3]
padding = "same"
average = ["taps"]
weight = "normal(0, 1)"
[[layers]]
name = "h3"
from = "c2"
weight = "normal(0, 1)"
activation = "leaky_relu"
[output]
from = "h3"
weight = "normal(0, 1)"
""",
}

# Which loss each network is tested with, its table in the spec, and shapes of a sample's x and y.
CASES = {
    "three_layer": ("squared", 'kind = "squared"', (3,), 1),
    "five_layer_parameters": ("huber", 'kind = "huber"\ndelta = 0.7', (3,), 2),
    "layer_norm": ("logistic", 'kind = "logistic"', (3,), 1),
    "residual": ("cross-entropy", 'kind = "cross-entropy"', (4,), 3),
    "autoencoder_tied": ("squared", 'kind = "squared"', (4,), 4),
    "convolution": ("squared", 'kind = "squared"', (2, 9), 2),
}
SAMPLES = 7


def targets(loss: str, outputs: int, rng: np.random.Generator) -> np.ndarray:
    if loss == "logistic":
        return rng.choice([-1.0, 1.0], (SAMPLES, outputs))
    if loss == "cross-entropy":
        return np.eye(outputs)[rng.permutation(np.arange(SAMPLES) % outputs)]
    return rng.standard_normal((SAMPLES, outputs))


def case(name: str):
    """The resolved network, its system, a state with populations of different widths, and a batch."""
    loss, table, shape, outputs = CASES[name]
    rng = np.random.default_rng(5)
    x = rng.standard_normal((SAMPLES, *shape))
    y = targets(loss, outputs, rng)
    document = tomllib.loads(HEAD.format(title=name, loss=table) + LAYERS[name])
    network = resolve(parse_document(document), (x, y))
    system = forward_system(network)
    widths = {axis.name: 5 + place for place, axis in enumerate(system.populations)}
    return network, system, random_state(system, widths, seed=2), x, y


@cache
def oracle_velocity(name: str) -> dict:
    """Minus the product of widths times the plain gradient of the hand-written network, and its outputs."""
    import jax

    _, _, state, x, y = case(name)
    function, loss = oracles.NETWORKS[name], oracles.LOSSES[CASES[name][0]]
    parameters = {key: value for key, value in state.items() if key != "p"}

    def everything(p):
        gradient = jax.grad(lambda p: loss(function(p, x), y).mean())(p)
        yhat = function(p, x)
        return gradient, yhat, loss(yhat, y)

    with precision(jax, "float64"):
        gradient, yhat, losses = oracles.compiled_quickly(everything)(parameters)
    widths = {population: len(weights) for population, weights in state["p"].items()}
    scaled = {
        key: -np.prod([widths[population] for population in oracles.SCALES[name][key]]) * np.asarray(value)
        for key, value in gradient.items()
    }
    return {"yhat": np.asarray(yhat), "loss": np.asarray(losses), **scaled}


def assert_close(found: np.ndarray, expected: np.ndarray, what: str) -> None:
    """Rounding: the arrays are sums of at most some hundred products of values of order one to ten."""
    atol = 2e-13 * max(1.0, float(np.abs(expected).max()))
    np.testing.assert_allclose(found, expected, rtol=0, atol=atol, err_msg=what)


@pytest.mark.parametrize("name", CASES)
def test_outputs_and_losses_agree_with_the_oracle(name: str) -> None:
    network, system, state, x, y = case(name)
    expected = oracle_velocity(name)
    assert_close(network_fields(network, state, x)["yhat"], expected["yhat"], "yhat")
    finite = FiniteNetwork(system)
    parameters = {key: value for key, value in state.items() if key != "p"}
    sizes = finite.sizes({key: value.shape for key, value in parameters.items()}, len(x))
    values = finite.evaluate({**parameters, "x": x, "y": y}, sizes, NUMPY)
    assert_close(values["loss"], expected["loss"], "loss")


@pytest.mark.parametrize("method", ["complex-step", "jax"])
@pytest.mark.parametrize("name", CASES)
def test_velocity_agrees_with_the_scaled_gradient_of_the_oracle(name: str, method: str) -> None:
    network, _, state, x, y = case(name)
    expected = oracle_velocity(name)
    found = finite_velocity(network, state, x, y, method=method)
    assert found.keys() | {"yhat", "loss"} == expected.keys()
    for key, value in found.items():
        assert_close(value, expected[key], key)
        assert np.abs(value).max() > 1e-6, f"{key}: a velocity of 0 proves nothing"
