"""Identity skips remove the degeneracy of depth; without them inner layers collapse (theory.md C.1, C.2)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import mfderive as mf
from mfderive.state.ensembles import plan_ensembles

DEPTH = 5


def chain(skips: bool) -> dict[str, Any]:
    """Layers on the neurons of the first one, with identity skips or without; biases start at 0."""
    layers: list[dict[str, Any]] = [
        {"name": "h1", "from": "x", "weight": "normal(0, 1)", "bias": "0", "activation": "tanh"}
    ]
    for number in range(2, DEPTH + 1):
        dense = {"from": f"h{number - 1}", "weight": "normal(0.5, 0.5)"}
        skip = [{"from": f"h{number - 1}", "kind": "skip"}] if skips else []
        shared = {"neurons": "h1"} if skips else {}
        layers.append(
            {
                "name": f"h{number}",
                **shared,
                "bias": "0",
                "activation": "tanh",
                "connections": [dense, *skip],
            }
        )
    return {
        "format": 1,
        "data": {"kind": "teacher", "dimension": 3, "target": "x1 * x2"},
        "loss": {"kind": "squared"},
        "layers": layers,
        "output": {"from": f"h{DEPTH}", "weight": "normal(1, 0.5)"},
        "training": {"learning_rate": 0.05, "batch_size": 20, "steps": 20},
    }


@pytest.mark.parametrize("skips", [False, True])
def test_neurons_of_deep_layers(skips: bool) -> None:
    """Spread over the neurons of every layer after training: zero between the ends of a plain chain alone."""
    network = mf.load(chain(skips))
    reduced = mf.reduce(mf.derive(network)).system
    populations = {axis.name for axis in reduced.populations}
    assert populations == ({"h1"} if skips else {"h1", f"h{DEPTH}"})
    for number in range(2, DEPTH):
        has_neurons = bool(populations & set(reduced.field[f"h{number}"].axes))
        assert has_neurons == skips
    path = mf.solve(network, nodes=32)
    x, _ = network.source.batch(1, 5)
    solver = mf.generate(reduced)
    fields = solver.forward(path.at(), x)
    for number in range(2, DEPTH):
        if skips:
            assert np.std(fields[f"h{number}"], axis=1).max() > 0.1
        else:
            assert fields[f"h{number}"].shape == (5,)


def test_a_full_ensemble_of_a_plain_chain_stays_degenerate() -> None:
    """All neurons of an inner layer are equal in the limit (edges at their mean), to rounding of 20 steps."""
    network = mf.load(chain(skips=False))
    limit = mf.derive(network)
    assert plan_ensembles(mf.reduce(limit).system)["h1"].dimension == 3
    path = mf.solve(network, reduce=False, widths=16, edges="mean")
    x, _ = network.source.batch(1, 5)
    fields = mf.generate(limit).forward(path.at(), x)
    for number in range(2, DEPTH):
        assert np.ptp(fields[f"h{number}"], axis=1).max() < 1e-12
    assert np.std(fields[f"h{DEPTH}"], axis=1).max() > 1e-4
