"""Limit systems for the tests of this room, from short spec documents."""

from __future__ import annotations

import dataclasses
from functools import cache

from mfderive.algebra.system import LimitSystem
from mfderive.format.reader import parse_document
from mfderive.forward.equations import forward_system
from mfderive.limit.derive import derive_system

LAW = "normal(1, 0.1)"


def derived(layers, output, loss="squared", shape=(3,), outputs=1) -> LimitSystem:
    """The limit of a spec given as plain data."""
    document = {
        "format": 1,
        "title": "A network",
        "data": {"kind": "isotropic-gaussians", "dimension": 3, "separation": 0.4},
        "loss": {"kind": loss},
        "layers": layers,
        "output": output,
        "training": {"learning_rate": 0.01, "batch_size": 10, "steps": 10},
    }
    network = dataclasses.replace(parse_document(document), input_shape=shape, outputs=outputs)
    return derive_system(forward_system(network))


def weight(rate="1"):
    return {"law": LAW, "rate": rate}


@cache
def three_layer(rates=("1", "1", "1"), activation="tanh") -> LimitSystem:
    """The paper's section 2: no biases; ``rates`` are those of w1, w2 and beta."""
    first, second, third = rates
    layers = [
        {"name": "h1", "from": "x", "weight": weight(first), "activation": activation},
        {"name": "h2", "from": "h1", "weight": weight(second), "activation": activation},
    ]
    return derived(layers, {"from": "h2", "weight": weight(third)})


@cache
def parametric(depth: int, rate="1", theta_rate="1") -> LimitSystem:
    """The paper's section 3: sigma_l(theta, h) with two parameters a neuron, the last layer averaged."""
    layers = [
        {
            "name": f"h{k}",
            "from": "x" if k == 1 else f"h{k - 1}",
            "weight": weight(rate),
            "activation": "gain * tanh(h + shift)",
            "parameters": {name: {"law": LAW, "rate": theta_rate} for name in ("gain", "shift")},
        }
        for k in range(1, depth + 1)
    ]
    return derived(layers, {"from": f"h{depth}"})


@cache
def with_biases(depth: int) -> LimitSystem:
    """The usual network: biases everywhere, output weights and an output bias."""
    layers = [
        {
            "name": f"h{k}",
            "from": "x" if k == 1 else f"h{k - 1}",
            "weight": LAW,
            "bias": LAW,
            "activation": "relu",
        }
        for k in range(1, depth + 1)
    ]
    return derived(layers, {"from": f"h{depth}", "weight": LAW, "bias": LAW})


@cache
def residual() -> LimitSystem:
    """A stream with a gate and a dense connection inside its population, sigma* nonlinear in w."""
    layers = [
        {"name": "h0", "from": "x", "weight": LAW, "bias": LAW, "activation": "tanh"},
        {
            "name": "h1",
            "neurons": "h0",
            "activation": "sin(h)",
            "parameters": {"gate": LAW},
            "connections": [
                {"from": "h0", "kind": "skip"},
                {"from": "h0", "kind": "skip", "operation": "target.gate * u"},
                {"from": "h0", "operation": "tanh(w * u)", "weight": LAW},
            ],
        },
    ]
    return derived(layers, {"from": "h1", "weight": LAW, "bias": LAW})


@cache
def tied() -> LimitSystem:
    """A transposed tie."""
    layers = [
        {"name": "h1", "from": "x", "weight": LAW, "activation": "tanh"},
        {
            "name": "h2",
            "activation": "tanh",
            "connections": [{"from": "h1", "weight": {"name": "W2", "law": LAW}}],
        },
        {
            "name": "h3",
            "neurons": "h1",
            "activation": "tanh",
            "connections": [{"from": "h2", "weight": {"name": "W2", "transpose": True}}],
        },
    ]
    return derived(layers, {"from": "h3", "weight": LAW})


@cache
def normalised(outputs=3) -> LimitSystem:
    """Layer normalisation, a finite layer, cross-entropy (squared loss for one output)."""
    layers = [
        {
            "name": "h1",
            "from": "x",
            "weight": LAW,
            "activation": "gain * (h - mean(h)) / sqrt(mean(h**2) - mean(h)**2 + 0.5)",
            "parameters": {"gain": LAW},
        },
        {"name": "h2", "from": "h1", "weight": LAW, "bias": LAW, "activation": "gelu"},
        {"name": "narrow", "from": "h2", "size": 2, "weight": LAW, "activation": "tanh"},
    ]
    loss = "cross-entropy" if outputs > 1 else "squared"
    return derived(layers, {"from": "narrow", "weight": LAW, "bias": LAW}, loss, outputs=outputs)


@cache
def convolutional(outputs=1) -> LimitSystem:
    """Strided, padded convolutions with a dense head over positions."""
    layers = [
        {
            "name": "c1",
            "activation": "tanh",
            "bias": LAW,
            "connections": [
                {
                    "from": "x",
                    "kind": "convolution",
                    "kernel": [3],
                    "stride": [2],
                    "padding": [[1, 1]],
                    "weight": LAW,
                }
            ],
        },
        {
            "name": "c2",
            "activation": "tanh",
            "bias": LAW,
            "connections": [
                {
                    "from": "c1",
                    "kind": "convolution",
                    "kernel": [3],
                    "padding": "same",
                    "weight": LAW,
                    "average": ["taps"],
                }
            ],
        },
    ]
    return derived(layers, {"from": "c2", "weight": LAW}, "squared", (2, 7), outputs)


@cache
def positions(activation) -> LimitSystem:
    """A statistic over positions."""
    connection = {"from": "x", "kind": "convolution", "kernel": [2], "weight": LAW}
    layers = [{"name": "c1", "activation": activation, "connections": [connection]}]
    return derived(layers, {"from": "c1", "weight": LAW}, "squared", (2, 4))


@cache
def nonlinear() -> LimitSystem:
    """An operation nonlinear in a random weight between two populations."""
    layers = [
        {"name": "h1", "from": "x", "weight": LAW, "activation": "tanh"},
        {
            "name": "h2",
            "activation": "tanh",
            "connections": [{"from": "h1", "operation": "tanh(w * u)", "weight": LAW}],
        },
    ]
    return derived(layers, {"from": "h2", "weight": LAW})


EVERY = {
    "three_layer": three_layer,
    "with_biases": lambda: with_biases(3),
    "parametric": lambda: parametric(3),
    "residual": residual,
    "tied": tied,
    "normalised": normalised,
    "normalised_one": lambda: normalised(1),
    "convolutional": convolutional,
    "convolutional_three": lambda: convolutional(3),
    "nonlinear": nonlinear,
    "maximum": lambda: positions("h * max(h, positions)"),
    "softmax": lambda: positions("h * softmax(h, positions)"),
}
