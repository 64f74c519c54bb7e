"""A perceptron in plain JAX, without mfderive: three layers of weights with biases, trained by SGD.

Its factors stand where a person would write them: 1/n in front of sums, products of widths on learning rates.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

SPEC = {
    "format": 1,
    "title": "perceptron",
    "data": {"kind": "teacher", "dimension": 3, "target": "tanh(x1 + x2) + 0.5 * x3"},
    "loss": {"kind": "squared"},
    "layers": [
        {
            "name": "h1",
            "from": "x",
            "weight": "normal(0, 1)",
            "bias": "normal(0.5, 0.5)",
            "activation": "tanh",
        },
        {
            "name": "h2",
            "from": "h1",
            "weight": "normal(1, 0.5)",
            "bias": "normal(0, 0.3)",
            "activation": "tanh",
        },
    ],
    "output": {"from": "h2", "weight": "normal(0.5, 0.5)", "bias": "0"},
    "training": {"learning_rate": 0.02, "steps": 5, "batch_size": 64},
}
PARAMETERS = ("h1.weight", "h1.bias", "h2.weight", "h2.bias", "output.weight", "output.bias")
RATE = 0.02

# What stands in a network for a factor of 1: by parameter, of its rate, of its deviation, of its sum.
Factors = Mapping[tuple[str, str], float]


def initial(width: int, seed: int, exponents: Factors) -> dict[str, Any]:
    """Initial values from the laws of the spec, deviations times their factors."""
    rng = np.random.default_rng([seed, 77])
    laws = {
        "h1.weight": (0.0, 1.0, (width, 3)),
        "h1.bias": (0.5, 0.5, (width,)),
        "h2.weight": (1.0, 0.5, (width, width)),
        "h2.bias": (0.0, 0.3, (width,)),
        "output.weight": (0.5, 0.5, (1, width)),
        "output.bias": (0.0, 0.0, (1,)),
    }
    return {
        name: mean + deviation * width ** exponents.get((name, "deviation"), 0.0) * rng.standard_normal(shape)
        for name, (mean, deviation, shape) in laws.items()
    }


@jax.jit
def forward(p: Mapping[str, Any], x: Any, sums: Mapping[str, Any]) -> tuple[Any, Any, Any]:
    """Pre-activations h1, h2 and the output; ``sums``: what multiplies the sum of each weight."""
    width = p["h1.bias"].shape[0]
    h1 = sums["h1.weight"] * x @ p["h1.weight"].T
    h2 = sums["h2.weight"] * jnp.tanh(h1 + p["h1.bias"]) @ p["h2.weight"].T / width
    y = sums["output.weight"] * jnp.tanh(h2 + p["h2.bias"]) @ p["output.weight"].T / width + p["output.bias"]
    return h1, h2, y


@jax.jit
def step(p: Any, x: Any, y: Any, rates: Any, sums: Any) -> Any:
    """One step of SGD on the mean loss, with a rate for each parameter."""
    gradient = jax.grad(lambda q: jnp.mean(jnp.sum((forward(q, x, sums)[2] - y) ** 2, axis=1)))(p)
    return {name: p[name] - rates[name] * gradient[name] for name in p}


def data(seed: int, samples: int = 64) -> tuple[Any, Any]:
    """A batch of the same law as the spec's, drawn here."""
    x = np.random.default_rng([seed, 5]).standard_normal((samples, 3))
    return x, (np.tanh(x[:, 0] + x[:, 1]) + 0.5 * x[:, 2])[:, None]


def trained(exponents: Factors, width: int, seed: int, steps: int, batch: bool = True) -> dict[str, Any]:
    """What a coordinate check asks for: parameters, pre-activations and the batch after so many steps."""
    entries = {"h1.weight": width, "h1.bias": width, "h2.weight": width * width, "h2.bias": width}
    entries |= {"output.weight": width, "output.bias": 1}
    rates = {n: RATE * entries[n] * width ** exponents.get((n, "rate"), 0.0) for n in PARAMETERS}
    sums = {n: float(width) ** exponents.get((n, "forward"), 0.0) for n in PARAMETERS if n.endswith("weight")}
    p = {name: jnp.asarray(value, jnp.float32) for name, value in initial(width, seed, exponents).items()}
    for number in range(steps):
        p = step(p, *data(1000 + number), rates, sums)
    x, target = data(1000)
    h1, h2, y = forward(p, x, sums)
    found = {**p, "h1": h1, "h2": h2, "yhat": y}
    return {**found, "x": x, "y": target} if batch else found


def network(exponents: Factors | None = None, batch: bool = True) -> Any:
    """The callable of a coordinate check, with wrong factors ``n**exponent`` by (parameter, what of it)."""
    return partial(trained, exponents or {}, batch=batch)
