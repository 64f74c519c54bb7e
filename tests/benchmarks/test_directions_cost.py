"""What rotations about a direction save: errors and times of a single-index teacher, with and without them.

Run by ``pytest -m benchmark -s tests/benchmarks/test_directions_cost.py``. Two layers on 20 inputs, of which
the teacher reads one direction; RK4 to t = 2, compiled code warm. Errors are those of predictions at 200
normal inputs, root mean square, relative to their size, against the reduced limit at finer resolutions.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest

import mfderive as mf

DIMENSION = 20
COMMON: dict[str, Any] = {
    "method": "rk4",
    "step": 0.25,
    "stated_error": False,
    "observations": 3,
    "evaluation": 64,
}
# Nodes of each number of a neuron, of the angle, of each number of a sample: the finest is solve's choice.
ROTATED = ((16, 24, 32), (12, 12, 16), (8, 8, 12))
# Sobol points of neurons and of samples: solve's own choice, and a quarter of it.
WHOLE = ((1024, 4096), (256, 1024))

pytestmark = pytest.mark.benchmark


def network(activation: str) -> Any:
    return mf.load(
        {
            "format": 1,
            "data": {"kind": "teacher", "dimension": DIMENSION, "target": "tanh(0.6*x1 + 0.8*x2)"},
            "loss": {"kind": "squared"},
            "layers": [
                {
                    "name": "h1",
                    "from": "x",
                    "weight": f"normal(0, {DIMENSION**-0.5})",
                    "bias": "0",
                    "activation": activation,
                }
            ],
            "output": {"from": "h1", "weight": "0.5", "bias": "0"},
            "training": {"learning_rate": 0.1, "steps": 100, "batch_size": 10},
        }
    )


def rotated(neuron: int, angle: int, sample: int) -> dict[str, Any]:
    return {"data": "quadrature", "data_nodes": sample**2, "nodes": {"h1": neuron**2, "angle h1": angle}}


def timed(net: Any, options: dict[str, Any]) -> tuple[Any, float]:
    """Predictions, and the seconds of a warm solution."""
    mf.solve(net, 0.25, **COMMON, **options)
    begin = time.perf_counter()
    path = mf.solve(net, 2.0, **COMMON, **options)
    seconds = time.perf_counter() - begin
    return path.predict(np.random.default_rng(5).standard_normal((200, DIMENSION))), seconds


@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_few_numbers_are_nearer_in_less_time(activation: str) -> None:
    """144 types and 12 angles are nearer than 1024 Sobol points in all coordinates, in less time."""
    net = network(activation)
    reference, _ = timed(net, rotated(24, 16, 40))
    found: dict[str, list[tuple[float, float]]] = {"rotated": [], "whole": []}
    choices = [("rotated", each, rotated(*each)) for each in ROTATED]
    for each in WHOLE:
        whole = {"data": "sobol", "data_nodes": each[1], "nodes": {"h1": each[0]}, "symmetry": False}
        choices.append(("whole", each, whole))
    for name, nodes, options in choices:
        values, seconds = timed(net, options)
        error = float(np.sqrt(np.mean((values - reference) ** 2) / np.mean(reference**2)))
        found[name].append((error, seconds))
        print(f"\n{activation} {name} {nodes}: off by {error:.1e} in {seconds:.2f} s", end="")
    (error, seconds), (whole_error, whole_seconds) = found["rotated"][1], found["whole"][0]
    assert error < whole_error and seconds < whole_seconds
