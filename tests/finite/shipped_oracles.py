"""The shipped specs as networks written by hand in JAX; nothing here knows mfderive.

``SHIPPED[name]`` is (network(p, x) -> yhat, loss, number of population slots of each parameter, rates at
t = 0.25 where they are not 1). Widths are all n, so a gradient is scaled by n ** slots.
"""

import math

import jax
import jax.numpy as jnp

from .graph_oracles import GRAPHS
from .oracles import cross_entropy, squared


def dense(depth, activation):
    """A chain of dense layers with the biases that the parameters have."""

    def network(p, x):
        u = x @ p["h1.weight"].T
        for layer in range(1, depth + 1):
            if layer > 1:
                u = u @ p[f"h{layer}.weight"].T / u.shape[1]
            shift = p.get(f"h{layer}.bias", p.get(f"h{layer}.b", 0.0))
            u = activation(u + shift)
        return u @ p["output.weight"].T / u.shape[1] + p.get("output.bias", 0.0)

    return network


def five_layer_parameters(p, x):
    u = p["h1.gain"] * jnp.tanh(x @ p["h1.weight"].T + p["h1.b"])
    h2 = jnp.tanh(p["h2.weight"][None] * u[:, None, :]).mean(axis=2)
    u = p["h2.gain"] * jnp.tanh(h2 + p["h2.b"])
    h3 = u @ p["h3.weight"].T / u.shape[1]
    u = jnp.tanh(h3) + p["h3.slope"] * h3
    u = jnp.tanh(u @ p["h4.weight"].T / u.shape[1] + p["h4.bias"])
    return u @ p["output.weight"].T / u.shape[1] + p["output.bias"]


def layer_norm(p, x):
    h = x @ p["h1.weight"].T
    centred = h - h.mean(axis=1, keepdims=True)
    scale = jnp.sqrt((centred**2).mean(axis=1, keepdims=True) + 0.001)
    u = jnp.tanh(p["h1.gain"] * centred / scale + p["h1.shift"])
    u = jnp.tanh(u @ p["h2.weight"].T / u.shape[1] + p["h2.bias"])
    return u @ p["output.weight"].T / u.shape[1] + p["output.bias"]


def residual(p, x):
    u = jnp.tanh(x @ p["s0.weight"].T)
    n = u.shape[1]
    u = jnp.tanh(p["s1.gate"] * u + u @ p["s1.weight"].T / n + p["s1.b"])
    u = jnp.tanh(u + u @ p["s2.weight"].T / n)
    return u @ p["output.weight"].T / n + p["output.bias"]


def autoencoder_tied(p, x):
    u = jnp.tanh(x @ p["W1"].T + p["h1.bias"])
    u = jnp.tanh(u @ p["W2"].T / u.shape[1] + p["h2.b"])
    u = jnp.tanh(u @ p["W2"] / u.shape[1] + p["r1.bias"])
    return u @ p["W1"] / u.shape[1] + p["output.bias"]


def cnn_small(p, x):
    def layer(u, weight, padding):
        return jax.lax.conv_general_dilated(
            u, weight, (2,), padding, dimension_numbers=("NCH", "OIH", "NCH"), precision="highest"
        )

    u = jnp.tanh(layer(x, p["c1.weight"], [(1, 1)]) + p["c1.bias"][:, None])
    u = jnp.tanh(layer(u, p["c2.weight"], "SAME") / (3 * u.shape[1]) + p["c2.bias"][:, None])
    return jnp.einsum("zcp,kcp->zk", u, p["output.weight"]) / u.shape[1] + p["output.bias"]


def chain_slots(depth, biases):
    slots = {"h1.weight": 1, "output.weight": 1}
    slots |= {f"h{layer}.weight": 2 for layer in range(2, depth + 1)}
    if biases:
        slots |= {f"h{layer}.bias": 1 for layer in range(1, depth + 1)} | {"output.bias": 0}
    return slots


RELU_CHAIN = (dense(4, jax.nn.relu), squared, chain_slots(4, True), {})

SHIPPED = GRAPHS | {
    "five_layer_gaussians": RELU_CHAIN,
    "five_layer_gaussians_wide_init": RELU_CHAIN,
    "five_layer_tanh": (dense(4, jnp.tanh), squared, chain_slots(4, True), {}),
    "three_layer": (dense(2, jax.nn.softplus), squared, chain_slots(2, False), {}),
    "two_layer": (dense(1, jax.nn.relu), squared, chain_slots(1, True), {}),
    "digits": (dense(3, jax.nn.relu), cross_entropy, chain_slots(3, True), {}),
    "correlated_init": (
        dense(2, jnp.tanh),
        squared,
        {
            "h1.weight": 1,
            "h1.bias": 1,
            "h2.gain": 1,
            "h2.b": 1,
            "h2.weight": 2,
            "output.weight": 1,
            "output.bias": 0,
        },
        {"h2.gain": 0.0},
    ),
    "five_layer_parameters": (
        five_layer_parameters,
        squared,
        {
            "h1.weight": 1,
            "h1.gain": 1,
            "h1.b": 1,
            "h2.weight": 2,
            "h2.gain": 1,
            "h2.b": 1,
            "h3.weight": 2,
            "h3.slope": 1,
            "h4.weight": 2,
            "h4.bias": 1,
            "output.weight": 1,
            "output.bias": 0,
        },
        {"h2.weight": 0.8, "h2.b": math.exp(-0.25), "h3.weight": 0.5, "output.bias": 0.5},
    ),
    "layer_norm": (
        layer_norm,
        squared,
        {
            "h1.weight": 1,
            "h1.gain": 1,
            "h1.shift": 1,
            "h2.weight": 2,
            "h2.bias": 1,
            "output.weight": 1,
            "output.bias": 0,
        },
        {},
    ),
    "residual": (
        residual,
        squared,
        {
            "s0.weight": 1,
            "s1.gate": 1,
            "s1.b": 1,
            "s1.weight": 2,
            "s2.weight": 2,
            "output.weight": 1,
            "output.bias": 0,
        },
        {},
    ),
    "autoencoder_tied": (
        autoencoder_tied,
        squared,
        {"W1": 1, "W2": 2, "h1.bias": 1, "h2.b": 1, "r1.bias": 1, "output.bias": 0},
        {},
    ),
    "cnn_small": (
        cnn_small,
        squared,
        {
            "c1.weight": 1,
            "c1.bias": 1,
            "c2.weight": 2,
            "c2.bias": 1,
            "output.weight": 1,
            "output.bias": 0,
        },
        {},
    ),
}
