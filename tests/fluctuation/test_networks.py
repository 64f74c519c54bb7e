"""Predicted n Var against trained networks: many of them, at several widths, times and inputs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import mfderive as mf

from .material import document, layer

COUNT = 400
AT_ONCE = 50  # so that all fit into a few gigabytes
WIDTHS = (50, 100, 200)
MILD = "normal(0.5, 0.3)"
OUT = "normal(0.5, 1)"
CASES: dict[str, dict[str, Any]] = {
    "three tanh layers": document(
        [
            layer("h1", "x", "normal(0, 1)", bias="normal(0, 0.5)"),
            layer("h2", "h1", MILD, bias="0"),
            layer("h3", "h2", MILD, bias="normal(0, 0.3)"),
        ],
        {"from": "h3", "weight": OUT, "bias": "0"},
        batch_size=50,
    ),
    "relu": document(
        [
            layer("h1", "x", "normal(0, 1)", "relu", bias="normal(0, 0.5)"),
            layer("h2", "h1", MILD, "relu", bias="normal(0, 0.5)"),
        ],
        {"from": "h2", "weight": OUT, "bias": "0"},
        batch_size=50,
    ),
    "convolution": document(
        [
            {"name": "c1", "from": "x", "kind": "convolution", "kernel": [3], "weight": "normal(0, 0.7)"}
            | {"bias": "normal(0, 0.3)", "activation": "tanh"},
            {"name": "c2", "from": "c1", "kind": "convolution", "kernel": [3], "weight": MILD, "bias": "0"}
            | {"activation": "tanh"},
        ],
        {"from": "c2", "weight": OUT, "bias": "0"},
        {"kind": "teacher", "dimension": 6, "shape": [1, 6], "target": "sin(x1) + x2*x3/2 - x5"},
        batch_size=50,
    ),
}
CASES["tied weights"] = document(
    [
        layer("h1", "x", "normal(0, 1)", bias="normal(0, 0.5)"),
        {
            "name": "h2",
            "from": "h1",
            "weight": {"name": "W2", "law": MILD},
            "bias": "0",
            "activation": "tanh",
        },
        {"name": "r1", "neurons": "h1", "from": "h2", "weight": {"name": "W2", "transpose": True}}
        | {"bias": "0", "activation": "tanh"},
    ],
    {"from": "r1", "weight": OUT},
    batch_size=50,
)
SHIPPED = {"residual stream": "residual"}


def networks(network: mf.Network, width: int, times: list[float], x: Any) -> Any:
    """Outputs of trained networks [time, network, point, output]."""
    found = []
    for t in times:
        ends: dict[str, Any] = {"steps": 1} if t == 0 else {"horizon": t}
        outputs = []
        for first in range(7000, 7000 + COUNT, AT_ONCE):
            seeds = range(first, first + AT_ONCE)
            paths = mf.simulate(network, width, seeds, evaluation=4, checkpoints=2, **ends)
            outputs += [path.predict(x, 0.0 if t == 0 else None) for path in paths]
        found.append(outputs)
    return np.array(found, float)


def errors(outputs: Any) -> Any:
    """The standard deviation of sample variances, relative, by the kurtosis of each [time, point, output]."""
    away = outputs - outputs.mean(1, keepdims=True)
    kurtosis = (away**4).mean(1) / (away**2).mean(1) ** 2
    return np.sqrt((kurtosis - 1) / outputs.shape[1])


def deviates(measured: Any, predicted: Any) -> Any:
    """(measured - predicted) n Var in standard deviations of a sample variance of this kurtosis."""
    return (measured.var(1, ddof=1) / predicted - 1) / errors(measured)


def extrapolated(measured: list[Any], predicted: Any) -> Any:
    """The same for what a line in 1/n through n Var of all widths has at 1/n = 0, by least squares."""
    inverse = np.array([1 / width for width in WIDTHS])
    line = np.linalg.pinv(np.stack([np.ones_like(inverse), inverse], axis=1))[0]
    relative = np.array([w * m.var(1, ddof=1) for w, m in zip(WIDTHS, measured, strict=True)]) / predicted
    own = np.array([errors(m) for m in measured])
    return (np.tensordot(line, relative, 1) - 1) / np.sqrt(np.tensordot(line**2, own**2, 1))


@pytest.mark.study
@pytest.mark.parametrize("name", [*CASES, *SHIPPED])
def test_n_variance_of_trained_networks(name: str) -> None:
    """Three times, five inputs, widths 50, 100, 200: z scores of n Var.

    The prediction leaves out corrections of order 1/n, which at width 50 may be a sixth of n Var (of tied
    weights: a third) and then exceed the interval of 400 networks, 7 %. So it is held against what a line in
    1/n through the three widths has at infinite width, whose standard deviation is 1.2 times that of one
    width; at width 200 it must hold as it is. Scores share networks, so they are as good as a few
    independent ones: their root mean square over times and inputs stays below 2 (of three independent scores,
    in 99 % of cases).
    """
    network = mf.load(CASES[name]) if name in CASES else mf.load(f"specs/{SHIPPED[name]}.toml")
    end = 20 * float(network.training.learning_rate)
    times = [0.0, end / 2, end]
    x = network.source.evaluation(64)[0][:5]
    predicted = mf.fluctuations(network, times, x).n_variance
    measured = [networks(network, width, times, x) for width in WIDTHS]
    for found, width in zip(measured, WIDTHS, strict=True):
        print(name, width, "z", np.sqrt(np.mean(deviates(found, predicted / width) ** 2)))
    at_infinity = extrapolated(measured, predicted)
    print(name, "extrapolated z", np.sqrt(np.mean(at_infinity**2)))
    assert np.sqrt(np.mean(at_infinity**2)) < 2, at_infinity
    last = deviates(measured[-1], predicted / WIDTHS[-1])
    assert np.sqrt(np.mean(last**2)) < 2, last


@pytest.mark.study
def test_variance_falls_along_training() -> None:
    """Three tanh layers on one target (theory G t7): training damps the fluctuations of the start."""
    network = mf.load(
        CASES["three tanh layers"] | {"data": {"kind": "teacher", "dimension": 1, "target": "1"}}
    )
    found = mf.fluctuations(network, [0.0, 0.5, 1.0], np.array([[0.3], [0.8]]))
    assert (np.diff(found.n_variance.mean((1, 2))) < 0).all()


def trained_by_hand(network: mf.Network, width: int, count: int, steps: int, x: Any) -> Any:
    """yhat of ``count`` networks mean_j beta_j tanh(w_j x + b_j), trained in plain numpy [network, point]."""
    rng = np.random.default_rng(3)
    w, b = rng.standard_normal((count, width, 3)), 0.5 * rng.standard_normal((count, width))
    beta = 0.5 + rng.standard_normal((count, width))
    rate = float(network.training.learning_rate)
    for k in range(1, steps + 1):
        inputs, targets = network.source.batch(k, network.training.batch_size)
        u = np.tanh(np.einsum("sd,cnd->csn", inputs, w) + b[:, None])
        residual = 2 * (np.einsum("csn,cn->cs", u, beta) / width - targets[:, 0]) / len(inputs)
        slope = residual[:, :, None] * (1 - u**2) * beta[:, None]
        beta = beta - rate * np.einsum("cs,csn->cn", residual, u)
        w, b = w - rate * np.einsum("csn,sd->cnd", slope, inputs), b - rate * slope.sum(1)
    u = np.tanh(np.einsum("sd,cnd->csn", x, w) + b[:, None])
    return np.einsum("csn,cn->cs", u, beta) / width


def test_two_layers_trained_by_hand() -> None:
    """400 networks of width 60 after 5 steps at three inputs, written in numpy: z scores within 3.

    The nodes are few, so that their own error of some per cent is below that of 400 networks, 7 %.
    """
    network = mf.load(
        document(
            [layer("h1", "x", "normal(0, 1)", bias="normal(0, 0.5)")],
            {"from": "h1", "weight": OUT},
            learning_rate=0.1,
        )
    )
    x = np.array([[1.0, 0.0, 0.5], [0.0, 1.0, -1.0], [1.0, 1.0, 1.0]])
    found = mf.fluctuations(network, 0.5, x, nodes=512, evaluation=2)
    outputs = trained_by_hand(network, 60, COUNT, 5, x)[None, :, :, None]
    scores = deviates(outputs, found.n_variance / 60)
    assert np.abs(scores).max() < 3
