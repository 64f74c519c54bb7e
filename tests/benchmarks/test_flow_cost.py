"""The five-layer ReLU flow to t = 100: velocities and seconds of the flow's methods beside Euler's steps.

Run by ``pytest -m benchmark -s tests/benchmarks/test_flow_cost.py``; takes about a quarter of an hour. All
methods see the same samples and nodes. Euler's steps at alpha = 0.001 are timed on a part of the way, and
their time is that of one step times their number.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mfderive as mf

SPEC = Path(__file__).resolve().parents[2] / "specs" / "five_layer_gaussians.toml"
END, TIMED_STEPS = 100.0, 300
OPTIONS: dict[str, Any] = {"nodes": {"h1": 256}, "data": "sobol", "data_nodes": 1024}
# What is compared: method and rtol; the last is the reference of the loss curve.
WAYS = (("flow", 1e-3), ("flow", 1e-4), ("stiff", 1e-2), ("stiff", 1e-3), ("flow", 1e-5))
AIM, PART = 1e-3, 0.1

pytestmark = pytest.mark.benchmark


def test_a_flow_to_a_late_time_costs_a_tenth_of_its_steps() -> None:
    """The default tolerances keep the loss curve to 1e-3, with at most a tenth of Euler's velocities."""
    net = mf.load(SPEC)
    alpha = net.training.learning_rate
    mf.solve(net, steps=2, **OPTIONS)  # compiled
    start = time.perf_counter()
    mf.solve(net, steps=TIMED_STEPS, observations=2, checkpoints=2, **OPTIONS)
    each = (time.perf_counter() - start) / TIMED_STEPS
    steps = round(END / alpha)
    print(f"\nEuler: {steps} velocities, {each * steps:.0f} s (from {TIMED_STEPS} steps)")
    found: dict[tuple[str, float], Any] = {}
    seconds: dict[tuple[str, float], float] = {}
    for way in WAYS:
        start = time.perf_counter()
        found[way] = mf.solve(net, END, method=way[0], rtol=way[1], observations=60, **OPTIONS)
        seconds[way] = time.perf_counter() - start
    reference = found[WAYS[-1]].loss
    for way, path in found.items():
        note, error = path.notes["flow"], np.abs(path.loss - reference).max()
        estimate = path.notes["flow_against_steps"]
        print(
            f"{way[0]} rtol {way[1]:g}: {note['integrator']}, {note['evaluations']} velocities (1/"
            f"{steps / note['evaluations']:.0f}), {note['steps']} steps, {note['rejected']} rejected, "
            f"{seconds[way]:.0f} s with the estimate ({estimate['evaluations']} velocities to t = "
            f"{estimate['until']:.3g}: {estimate['largest']:+.1e}), loss within {error:.1e}"
        )
    for way in (("flow", 1e-4), ("stiff", 1e-3)):
        assert found[way].notes["flow"]["evaluations"] < PART * steps
        assert np.abs(found[way].loss - reference).max() < AIM
