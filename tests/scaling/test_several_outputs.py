"""A coordinate check of networks with several outputs, written in plain numpy."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest

import mfderive as mf

SPEC: dict[str, Any] = {
    "format": 1,
    "data": {"kind": "teacher", "dimension": 3, "target": ["sin(x1)", "x2*x3/2"]},
    "loss": {"kind": "squared"},
    "layers": [{"name": "h1", "from": "x", "weight": "normal(0, 1)", "activation": "tanh"}],
    "output": {"from": "h1", "weight": "normal(0.5, 1)"},
    "training": {"learning_rate": 0.05, "steps": 5, "batch_size": 20},
}
OPTIONS: dict[str, Any] = {"widths": (32, 64, 128), "seeds": 2, "steps": 2}


def trained(width: int, seed: int, steps: int, power: float = 0.0) -> dict[str, Any]:
    """A network of two outputs; the rate of its output weights is off by a power of the width."""
    rng, data = np.random.default_rng([seed, width]), np.random.default_rng(5)
    x = data.standard_normal((32, 3))
    y = np.stack([np.sin(x[:, 0]), x[:, 1] * x[:, 2] / 2], 1)
    first, last = rng.standard_normal((width, 3)), 0.5 + rng.standard_normal((2, width))
    for _ in range(steps):
        u = np.tanh(x @ first.T)
        slope = 2 * (u @ last.T / width - y) / len(x)
        back = ((slope @ last) * (1 - u**2)).T @ x
        last, first = last - 0.05 * width**power * slope.T @ u, first - 0.05 * back
    h = x @ first.T
    own = {"h1.weight": first, "output.weight": last, "h1": h, "yhat": np.tanh(h) @ last.T / width}
    return own | {"x": x, "y": y}


@pytest.fixture(scope="module")
def network() -> mf.Network:
    """The spec of these networks."""
    return mf.load(SPEC)


def test_right_networks_of_two_outputs_have_no_fault(network: mf.Network) -> None:
    """Terms and first steps are those of the spec's own equations: ratios of 1, to rounding."""
    found = mf.coordinate_check(network, trained, **OPTIONS)
    assert not found.faults and not found.undecided


def test_a_wrong_rate_of_two_outputs_is_named(network: mf.Network) -> None:
    """The exponent is that of the ratio of the steps, exact but for rounding."""
    found = mf.coordinate_check(network, partial(trained, power=-0.5), **OPTIONS)
    assert found.named == ("output.weight",)
    assert found.faults[0].facts["slope"] == pytest.approx(-0.5, abs=1e-6)


def test_dropout_is_said_to_be_left_out(network: mf.Network) -> None:
    """Networks are trained without the dropout of the spec, and the answer says it."""
    dropped = mf.coordinate_check(network.replace(training={"dropout": 0.5}), **OPTIONS)
    assert "dropout of the spec is left out" in dropped.text and dropped.undropped
    assert "dropout" not in mf.coordinate_check(network, **OPTIONS).text


def test_axes_in_another_order_are_refused_with_the_order(network: mf.Network) -> None:
    """Weights of outputs that stand the other way round: the message says how they are to stand."""

    def turned(*given: Any) -> dict[str, Any]:
        own = trained(*given)
        return own | {"output.weight": own["output.weight"].T}

    with pytest.raises(mf.ArgumentError, match=r"output\.weight \[outputs, h1\]"):
        mf.coordinate_check(network, turned, **OPTIONS)
