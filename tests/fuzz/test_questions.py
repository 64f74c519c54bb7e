"""Whatever is asked of a legal spec is answered or refused: random networks, data, rules and questions."""

from __future__ import annotations

import random
import re
import warnings
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

import mfderive as mf

INPUTS = ("normal(0, 1)", "uniform(-1, 1)", "rademacher(1)", "sphere(1)", "normal(0.3, 1)")
TARGETS = ("x1", "abs(x1)", "sin(x1)", "x1**2", "sign(x1)", "1.0", "x1 - x1", "x1*x2", "tanh(x1 + x2)")
FIRST = ("normal(0, 1)", "uniform(-1, 1)", "rademacher(1)", "sphere(1)", "normal(0.3, 1)")
LATER = ("normal(1, 0.2)", "normal(0, 1)", "normal(0.5, 0.5)", "1")
OUTPUT = ("normal(0, 1)", "normal(0.5, 0.3)", "rademacher(1)", "uniform(-1, 1)", "1")
SMOOTH = ("tanh", "relu", "erf", "sin", "softplus", "gelu")
EXPRESSIONS = ("h**2", "abs(h)", "h + h**2", "h*exp(-h**2)")
BIASES = ("0", "normal(0, 0.5)", "0.3", {"law": "0.2", "rate": 0}, "rademacher(1)")
OPTIMIZERS = ("sgd", "sgd", "adam", {"kind": "momentum", "mu": 0.9}, "adamw", "sign-sgd")
OPTIONS: tuple[dict[str, Any], ...] = (
    {},
    {"method": "flow"},
    {"method": "rk4", "data": "sobol", "data_nodes": 64},
    {"data": "quadrature"},
    {"rule": "monte-carlo", "nodes": 20},
    {"nodes": 1},
    {"tolerance": 0.1, "method": "flow"},
    {"symmetry": False},
    {"reduce": False, "widths": 12},
)
FEW: dict[str, Any] = {"nodes": 12, "evaluation": 16}


def legal(draw: random.Random) -> dict[str, Any]:
    """A spec of one to three layers; it may ask for what does not go together."""
    layers: list[dict[str, Any]] = []
    for number in range(draw.choice((1, 1, 2, 2, 3))):
        layer: dict[str, Any] = {"name": f"h{number + 1}", "from": f"h{number}" if number else "x"}
        layer["weight"] = draw.choice(LATER if number else FIRST)
        layer["activation"] = draw.choice(SMOOTH if draw.random() < 0.7 else EXPRESSIONS)
        if draw.random() < 0.15:
            layer["weight"] = {"law": layer["weight"], "rate": 0}
        if layer["activation"] in SMOOTH and draw.random() < 0.5:
            layer["bias"] = draw.choice(BIASES)
        layers.append(layer)
    if len(layers) == 3 and draw.random() < 0.5:
        layers[2]["skip"] = "h1"
    data: dict[str, Any] = {"kind": "teacher", "dimension": draw.choice((2, 2, 3, 6))}
    data |= {"target": draw.choice(TARGETS), "inputs": draw.choice(INPUTS)}
    if draw.random() < 0.3:
        data["samples"] = draw.choice((1, 2, 7, 60))
    training: dict[str, Any] = {"learning_rate": 0.05, "batch_size": 20, "steps": 6}
    training["optimizer"] = draw.choice(OPTIMIZERS)
    if draw.random() < 0.2:
        training["weight_decay"] = 0.1
    output = {"from": layers[-1]["name"], "weight": draw.choice(OUTPUT)}
    return {
        "format": 1,
        "data": data,
        "loss": {"kind": draw.choice(("squared", "squared", "huber"))},
        "layers": layers,
        "output": output
        | ({"bias": draw.choice(("0", "0.2", "normal(0, 1)"))} if draw.random() < 0.3 else {}),
        "training": training,
    }


def followed(network: mf.Network, draw: random.Random) -> None:
    """A solution, what is asked of it, and further steps."""
    options = draw.choice(OPTIONS)
    path = mf.solve(network, **options)
    x, _ = network.source.evaluation(5)
    path.predict(x, path.times[-1])
    path.sample(6, t=path.times[-1])
    assert str(path)
    chosen = ("nodes", "rule", "widths", "tolerance", "reduce")
    onward = {name: value for name, value in options.items() if name not in chosen}
    mf.solve(network, resume=path, horizon=1.5 * path.times[-1], **onward)


QUESTIONS: dict[str, Callable[[mf.Network, random.Random], object]] = {
    "solve": followed,
    "scalings": lambda network, draw: mf.scalings(network).text,
    "signal": lambda network, draw: str(mf.signal(network, sigma_w2=draw.choice((0.5, 2.0)), sigma_b2=0.1)),
    "fluctuations": lambda network, draw: repr(mf.fluctuations(network, times=[0.0, 0.1], **FEW)),
    "width": lambda network, draw: mf.width_for(network, 0.3, **FEW).text,
    "coords": lambda network, draw: str(mf.coordinate_check(network, widths=[8, 16, 32], steps=2)),
    "conditions": lambda network, draw: str(mf.conditions(network)),
    "linearise": lambda network, draw: str(mf.linearise(mf.derive(network))),
}


@pytest.mark.parametrize(
    ("first", "count"),
    [
        pytest.param(0, 10, id="0"),
        *(pytest.param(1000 + 250 * k, 250, id=f"study-{k}", marks=pytest.mark.study) for k in range(4)),
    ],
)
def test_questions_are_answered_or_refused(first: int, count: int) -> None:
    """No other exception than MfError; most questions are answered."""
    seen: Counter[str] = Counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for seed in range(first, first + count):
            draw = random.Random(seed)
            document = legal(draw)
            for name in draw.sample(sorted(QUESTIONS), 2):
                try:
                    QUESTIONS[name](mf.load(document), draw)
                    seen["answered"] += 1
                except mf.MfError as error:
                    assert str(error)
                    seen["refused"] += 1
                except Exception as fault:
                    text = re.sub(r"\s+", " ", str(fault))[:300]
                    raise AssertionError(f"{name} of spec {seed}: {type(fault).__name__}: {text}") from fault
    print(f"{count} specs from {first}: {dict(seen)}")
    assert seen["answered"] > seen["refused"]
