"""Loss curves of limits that are written by hand, on spaced and Legendre nodes, with gradients by JAX.

They share nothing with the path that is judged but the batches of data: a limit is a network whose neurons
have weights, so that the rate of a parameter is minus the gradient of the loss divided by the weight of its
neuron, or of both of its neurons. Equally spaced nodes of a normal number reach from -7 to 7 (beyond lies
3e-12) and have errors exp(-2 pi d / h) for functions whose nearest pole has the distance d from the real
line: tanh(w x) with |x| < 4 has d = pi / 8, so that the distances h here leave less than 1e-5.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from scipy.interpolate import CubicSpline

Array = Any
# Steps of the fourth-order Runge-Kutta method in one step of SGD (0.02), where a flow is followed.
FINER = 1


@dataclass(frozen=True)
class Hand:
    """Initial arrays, the weights that each belongs to (same shape, or broadcast), and yhat [sample, output].

    ``forward(arrays, x)``; ``loss(yhat, y)`` [sample].
    """

    start: Mapping[str, Array]
    masses: Mapping[str, Array]
    forward: Callable[[Mapping[str, Array], Array], Array]
    loss: Callable[[Array, Array], Array] = lambda yhat, y: ((yhat - y) ** 2).sum(axis=1)


def normal(count: int, mean: float = 0.0, deviation: float = 1.0) -> tuple[Array, Array]:
    """Equally spaced nodes of a normal number; an even number of them has none in the centre."""
    nodes = (np.arange(count) + 0.5) * (14 / count) - 7
    weights = np.exp(-(nodes**2) / 2)
    return mean + deviation * nodes, weights / weights.sum()


def gauss(count: int, mean: float = 0.0, deviation: float = 1.0) -> tuple[Array, Array]:
    """Gauss nodes of a normal number, for those in which everything is close to a polynomial."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(count)
    return mean + deviation * nodes, weights / weights.sum()


def uniform(count: int, low: float, high: float) -> tuple[Array, Array]:
    """Legendre nodes of a uniform number."""
    nodes, weights = np.polynomial.legendre.leggauss(count)
    return low + (high - low) * (nodes + 1) / 2, weights / 2


def tensor(*rules: tuple[Array, Array]) -> tuple[list[Array], Array]:
    """The nodes of several independent numbers, each [node], and their weights."""
    values = [each.ravel() for each in np.meshgrid(*(nodes for nodes, _ in rules), indexing="ij")]
    weights = np.ones(1)
    for _, own in rules:
        weights = np.outer(weights, own).ravel()
    return values, weights


def loss_curve(hand: Hand, network: Any, law: tuple[Array, Array, Array], times: Array, flow: bool) -> Array:
    """The loss over the law (x, y, weights) at some times, by SGD's steps on its batches or by its flow."""
    rate, batch = network.training.learning_rate, network.training.batch_size
    with jax.enable_x64(True):
        x, y, weights = (jnp.asarray(each) for each in law)

        def loss(arrays: Any, x: Array, y: Array, weights: Array) -> Array:
            return weights @ hand.loss(hand.forward(arrays, x), y)

        @jax.jit
        def velocity(arrays: Any, x: Array, y: Array, weights: Array) -> Any:
            slopes = jax.grad(loss)(arrays, x, y, weights)
            return {name: -slope / hand.masses[name] for name, slope in slopes.items()}

        def moved(arrays: Any, slope: Any, width: float) -> Any:
            return {name: value + width * slope[name] for name, value in arrays.items()}

        measure = jax.jit(loss)
        arrays = {name: jnp.asarray(value, jnp.float64) for name, value in hand.start.items()}
        found, equal = [float(measure(arrays, x, y, weights))], np.full(batch, 1 / batch)
        for step in range(1, round(times[-1] / rate) + 1):
            if not flow:
                arrays = moved(arrays, velocity(arrays, *network.source.batch(step, batch), equal), rate)
            for _ in range(FINER if flow else 0):
                width = rate / FINER
                first = velocity(arrays, x, y, weights)
                second = velocity(moved(arrays, first, width / 2), x, y, weights)
                third = velocity(moved(arrays, second, width / 2), x, y, weights)
                fourth = velocity(moved(arrays, third, width), x, y, weights)
                for slope, part in ((first, 6), (second, 3), (third, 3), (fourth, 6)):
                    arrays = moved(arrays, slope, width / part)
            found.append(float(measure(arrays, x, y, weights)))
    if flow:  # whose values between steps are known to the fourth order as well
        return np.asarray(CubicSpline(rate * np.arange(len(found)), found)(times))
    return np.array(found)[np.rint(times / rate).astype(int)]


# --- laws of the data: x, y, weights ------------------------------------------------------------------------


def line(target: Callable[[Array], Array], count: int = 200) -> tuple[Array, Array, Array]:
    """A standard normal input."""
    x, weights = normal(count)
    return x[:, None], target(x)[:, None], weights


def cube(dimension: int, target: Callable[[Any], Array], each: int) -> tuple[Array, Array, Array]:
    """Inputs that are uniform on (-1, 1)."""
    values, weights = tensor(*[uniform(each, -1.0, 1.0)] * dimension)
    return np.stack(values, axis=1), target(values)[:, None], weights


def plane(target: Callable[[Any], Array], each: int) -> tuple[Array, Array, Array]:
    """Two standard normal inputs."""
    values, weights = tensor(normal(each), normal(each))
    return np.stack(values, axis=1), target(values)[:, None], weights


def mixture(means: Any, deviations: Any, odds: Any, count: int = 64) -> tuple[Array, Array, Array]:
    """One input, normal in each class."""
    nodes, weights = normal(count)
    x = np.concatenate([m + s * nodes for m, s in zip(means, deviations, strict=True)])
    return x[:, None], np.repeat(np.eye(len(means)), count, axis=0), np.outer(odds, weights).ravel()


# --- networks --------------------------------------------------------------------------------------------

tanh = jnp.tanh


def two_layers() -> Hand:
    """tanh(w x) with normal w, tanh of a mean over it, a head that is normal."""
    (w, p), (beta, q) = normal(256), normal(24, 0.5, 1.0)

    def forward(a: Any, x: Array) -> Array:
        first = tanh(x @ a["w"])
        second = tanh((first * p) @ a["m"])
        return (second @ (q * a["b"]))[:, None]

    start = {"w": w[None], "m": np.ones((256, 24)), "b": beta}
    return Hand(start, {"w": p, "m": np.outer(p, q), "b": q}, forward)


def deep(dimension: int, each: int, layers: int) -> Hand:
    """Two or three layers of tanh: w uniform on (-2, 2) in all inputs, one type between, the head uniform.

    The second of three layers has a bias that starts at 0.2.
    """
    values, p = tensor(*[uniform(each, -2.0, 2.0)] * dimension)
    beta, q = uniform(12, -1.0, 2.0)

    def forward(a: Any, x: Array) -> Array:
        below = (tanh(x @ a["w"]) * p) @ a["m"]
        if layers == 3:
            below = tanh(below + a["c"]) @ a["n"]
        return (tanh(below) @ (q * a["b"]))[:, None] + a["d"]

    start = {"w": np.stack(values), "b": beta, "d": np.zeros(1)}
    masses: dict[str, Array] = {"w": p, "b": q, "d": np.ones(1)}
    if layers == 3:
        start |= {"m": np.ones((len(p), 1)), "c": np.full(1, 0.2), "n": np.ones((1, 12))}
        masses |= {"m": p[:, None], "c": np.ones(1), "n": q[None]}
    else:
        start, masses = start | {"m": np.ones((len(p), 12))}, masses | {"m": np.outer(p, q)}
    return Hand(start, masses, forward)


def kinks() -> Hand:
    """relu(w x): kinks between nodes leave h^2 / 12 of the change of slope, below 1e-4."""
    (w, beta), p = tensor(normal(320), normal(24, 0.5, 1.0))

    def forward(a: Any, x: Array) -> Array:
        return (jnp.maximum(x @ a["w"], 0) @ (p * a["b"]))[:, None]

    return Hand({"w": w[None], "b": beta}, {"w": p, "b": p}, forward)


def stream() -> Hand:
    """The neurons of a stream, read by a skip and by weights between all of them."""
    (w, beta), p = tensor(normal(160), gauss(12, 1.0, 0.5))

    def forward(a: Any, x: Array) -> Array:
        first = tanh(x @ a["w"])
        return (tanh(first + (first * p) @ a["m"]) @ (p * a["b"]))[:, None]

    start = {"w": w[None], "m": np.full((len(p), len(p)), 0.5), "b": beta}
    return Hand(start, {"w": p, "m": np.outer(p, p), "b": p}, forward)


def kernel(noise: int = 64) -> Hand:
    """tanh(w u) of a weight with its own noise, between four pairs of signs and one type."""
    signs = np.array([[1.0, 1.0, -1.0, -1.0], [1.0, -1.0, 1.0, -1.0]])
    w, q = uniform(noise, -1.5, 3.0)

    def forward(a: Any, x: Array) -> Array:
        first = tanh(x @ a["w"] + a["c"])
        below = (tanh(first[:, :, None] * a["m"]) * (q / 4)).sum(axis=(1, 2))
        return tanh(below + a["d"])[:, None] * a["b"]

    start = {"w": signs, "c": np.full(4, 0.5), "m": np.tile(w, (4, 1)), "d": np.zeros(1), "b": np.ones(1)}
    masses = {"w": np.full(4, 0.25), "c": np.full(4, 0.25), "m": np.tile(q / 4, (4, 1))}
    return Hand(start, masses | {"d": np.ones(1), "b": np.ones(1)}, forward)


def convolution() -> Hand:
    """Two taps at two positions, then one weight for each of them: three inputs, one output."""
    (left, right), p = tensor(uniform(20, -1.0, 2.0), uniform(20, -1.0, 2.0))
    beta, q = normal(24, 0.5, 0.5)

    def forward(a: Any, x: Array) -> Array:
        x = x.reshape(len(x), 3)
        first = [tanh(x[:, k : k + 2] @ a["w"]) for k in range(2)]
        below = sum((first[k] * p) @ a["m"][k] for k in range(2))
        return (tanh(below + a["c"]) @ (q * a["b"]))[:, None] + a["d"]

    start = {"w": np.stack([left, right]), "m": np.full((2, len(p), 24), 0.5), "b": beta}
    masses = {"w": p, "m": np.outer(p, q), "b": q, "c": q, "d": np.ones(1)}
    return Hand(start | {"c": np.zeros(24), "d": np.zeros(1)}, masses, forward)


def entropy(yhat: Array, y: Array) -> Array:
    """Cross-entropy of a softmax."""
    return -(y * jax.nn.log_softmax(yhat, axis=1)).sum(axis=1)


def classes() -> Hand:
    """Three classes, whose output weights are normal, too: four numbers."""
    (w, *beta), p = tensor(normal(96), *[gauss(8)] * 3)

    def forward(a: Any, x: Array) -> Array:
        return tanh(x @ a["w"]) @ (p[:, None] * a["b"])

    return Hand({"w": w[None], "b": np.stack(beta, axis=1)}, {"w": p, "b": p[:, None]}, forward, entropy)


def ten_classes() -> Hand:
    """Ten classes, whose output weights start at 0; normal weights and biases."""
    (w, c), p = tensor(normal(128), normal(64))

    def forward(a: Any, x: Array) -> Array:
        return tanh(x @ a["w"] + a["c"]) @ (p[:, None] * a["b"]) + a["d"]

    start = {"w": w[None], "c": c, "b": np.zeros((len(p), 10)), "d": np.zeros(10)}
    masses = {"w": p, "c": p, "b": p[:, None], "d": np.ones(10)}
    return Hand(start, masses, forward, entropy)
