"""Specs of networks for tests of signals, as documents; random ones too."""

from __future__ import annotations

import random
from typing import Any

Document = dict[str, Any]


def document(
    layers: list[Document], source: str, *, shape: list[int] | None = None, **tables: Any
) -> Document:
    """A spec with these layers, whose output reads ``source``; ``shape`` [channels, positions]."""
    data: Document = {"kind": "isotropic-gaussians", "dimension": 6, "separation": 0.5}
    if shape is not None:
        data = {"kind": "teacher", "dimension": shape[0] * shape[1], "target": "x1", "shape": shape}
    return {
        "format": 1,
        "data": data,
        "loss": {"kind": "squared"},
        "layers": layers,
        "output": {"from": source, "weight": "normal(0, 1)"},
        "training": {"learning_rate": 0.1, "steps": 1},
        **tables,
    }


def dense(name: str, source: str, activation: str = "tanh", **keys: Any) -> Document:
    """A dense layer with a bias."""
    return {
        "name": name,
        "from": source,
        "weight": "normal(0, 1)",
        "bias": "0",
        "activation": activation,
        **keys,
    }


def connection(source: str, **keys: Any) -> Document:
    """A connection; without a kind it is dense and has a weight."""
    return {"from": source, **({} if "kind" in keys else {"weight": "normal(0, 1)"}), **keys}


def chain(count: int, activation: str = "tanh", **tables: Any) -> Document:
    """Dense layers f_1, ..., f_count."""
    return document([dense("f", "x", activation, repeat=count)], "f", **tables)


def residual(count: int, activation: str, *, full: bool) -> Document:
    """The residual networks of the survey: x + V phi(W x + b), or x + phi(W x + b)."""
    inner = dense("inner", "block", activation)
    if full:
        into = connection("inner")
    else:
        inner |= {"neurons": "block", "kind": "dense"}
        into = connection("inner", kind="skip")
    stream = {
        "name": "stream",
        "neurons": "block",
        "connections": [connection("block", kind="skip"), into],
    }
    first = {"name": "s", "from": "x", "weight": "normal(0, 1)"}
    group = {"name": "block", "repeat": count, "from": "s", "layers": [inner, stream]}
    return document([first, group], "block")


def convolutional(count: int, activation: str, positions: int) -> Document:
    """Convolutions with three taps and zero padding, then the average over positions."""
    layer = dense("c", "x", activation, repeat=count, kind="convolution", kernel=[3], padding="same")
    pooled = {"name": "pooled", "from": "c", "kind": "average-pool", "window": "all"}
    return document([layer, pooled], "pooled", shape=[2, positions])


_ACTIVATIONS = ("tanh", "relu", "erf", "gelu", "sin", "silu", "abs")


def random_graph(seed: int) -> Document:
    """A random graph of three to six layers: chains, skips, streams, gates, norms, several inputs of a
    layer."""
    rng = random.Random(seed)
    layers: list[Document] = [dense("a0", "x", rng.choice(_ACTIVATIONS), width=rng.choice([1, 2]))]
    owner = {"a0": "a0"}  # the layer whose neurons each layer has
    for number in range(1, rng.randint(3, 6)):
        name, known = f"a{number}", list(owner)
        kind = rng.choice(["chain", "skip", "gate", "norm", "merge"])
        source = rng.choice(known[-2:])
        activation = rng.choice(_ACTIVATIONS)
        if kind == "chain":
            layers.append(dense(name, source, activation))
        elif kind == "skip":
            scale = rng.choice(["u", "u / 2"])
            both = [connection(source, kind="skip", operation=scale), connection(rng.choice(known))]
            layers.append({"name": name, "neurons": owner[source], "connections": both})
            if rng.random() < 0.5:
                layers[-1]["bias"] = "0"
        elif kind == "gate":
            both = [connection(source), connection(rng.choice(known), into="g")]
            layers.append({"name": name, "connections": both, "activation": "h * sigmoid(g)"})
        elif kind == "norm":
            keys = {"activation": "tanh(2 * h / sqrt(mean(h**2) + 0.1))"}
            layers.append({"name": name, "connections": [connection(source)], **keys})
        else:
            operation = rng.choice(["w * u", "w * tanh(u)", "w * u**2"])
            both = [connection(source, operation=operation), connection("x")]
            layers.append(
                {"name": name, "connections": both, "activation": f"{rng.choice(['tanh', 'relu'])}"}
            )
        owner[name] = owner[source] if kind == "skip" else name
    return document(layers, f"a{len(layers) - 1}")
