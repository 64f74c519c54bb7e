"""The five-layer ReLU flow to t = 100: velocities and seconds of the flow's methods beside Euler's steps.

Run by ``pytest -m benchmark -s tests/benchmarks/test_flow_cost.py``; takes some minutes. All methods see the
same samples and nodes. Euler's steps at alpha = 0.001 are timed on parts of the way, before and after the
flows, and their time is that of one step times their number; so are SGD's on the spec's batches of 100.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.integrate import BDF, LSODA

import mfderive as mf
from mfderive.network.solve_options import SolveOptions
from mfderive.samples.quadrature import data_nodes
from mfderive.solution.flow_space import FlowSpace
from mfderive.solution.integrators import Field
from mfderive.solution.stepping import Problem

SPEC = Path(__file__).resolve().parents[2] / "specs" / "five_layer_gaussians.toml"
END, TIMED_STEPS = 100.0, 300
OPTIONS: dict[str, Any] = {"nodes": {"h1": 128}, "data": "sobol", "data_nodes": 256}
# What is compared: method and rtol; the last is the reference of the loss curve.
WAYS = (("flow", 1e-3), ("flow", 1e-4), ("stiff", 1e-2), ("stiff", 1e-3), ("flow", 1e-5))
AIM, PART = 1e-3, 0.1

pytestmark = pytest.mark.benchmark


def seconds_of_a_step(net: Any, **options: Any) -> float:
    """Seconds of one of Euler's steps, from a short run that is compiled."""
    mf.solve(net, steps=2, **options)
    start = time.perf_counter()
    mf.solve(net, steps=TIMED_STEPS, observations=2, checkpoints=2, **options)
    return (time.perf_counter() - start) / TIMED_STEPS


def test_a_flow_to_a_late_time_costs_a_tenth_of_its_steps() -> None:
    """The default tolerances keep the loss curve to 1e-3, with at most a tenth of Euler's velocities."""
    net = mf.load(SPEC)
    alpha = net.training.learning_rate
    steps = round(END / alpha)
    before = seconds_of_a_step(net, **OPTIONS)
    found: dict[tuple[str, float], Any] = {}
    seconds: dict[tuple[str, float], float] = {}
    for way in WAYS:
        start = time.perf_counter()
        found[way] = mf.solve(net, END, method=way[0], rtol=way[1], observations=60, **OPTIONS)
        seconds[way] = time.perf_counter() - start
    each = (before + seconds_of_a_step(net, **OPTIONS)) / 2
    own = seconds_of_a_step(net, nodes=OPTIONS["nodes"])
    print(f"\nEuler: {steps} velocities, {each * steps:.0f} s; on the spec's batches {own * steps:.0f} s")
    reference = found[WAYS[-1]].loss
    for way, path in found.items():
        note, error = path.notes["flow"], np.abs(path.loss - reference).max()
        estimate = path.notes["flow_against_steps"]
        took, spent = seconds[way], estimate["evaluations"]
        print(
            f"{way[0]} rtol {way[1]:g}: {note['integrator']}, {note['evaluations']} velocities (1/"
            f"{steps / note['evaluations']:.0f}), {note['steps']} steps, {note['rejected']} rejected, "
            f"{took:.0f} s (1/{each * steps / took:.0f}) with the estimate ({spent} velocities to t = "
            f"{estimate['until']:.3g}: {estimate['largest']:+.1e}), loss within {error:.1e}"
        )
    for way in (("flow", 1e-4), ("stiff", 1e-3)):
        assert found[way].notes["flow"]["evaluations"] < PART * steps
        assert np.abs(found[way].loss - reference).max() < AIM


def test_implicit_solvers_need_a_matrix() -> None:
    """Two layers of 32 nodes (705 numbers) to t = 20: scipy's solvers for stiff equations beside ours.

    In the same coordinates, to the same tolerance. They spend a velocity on each number of the state whenever
    they need its linearisation, so that ten times our velocities do not take them to the end.
    """
    net, end, rtol = mf.load(SPEC.with_name("two_layer.toml")), 20.0, 1e-3
    options: dict[str, Any] = {"nodes": 32, "data": "sobol", "data_nodes": 128, "observations": 20}
    path = mf.solve(net, end, method="stiff", rtol=rtol, **options)
    most = 10 * path.notes["flow"]["evaluations"]
    print(f"\nRKC: {most // 10} velocities")
    settings = SolveOptions(method="stiff", rtol=rtol, atol=rtol / 10, seed=path.seed)
    problem = Problem(net, path.reduced, mf.generate(path.reduced), settings)
    nodes = data_nodes(net, "sobol", 128)
    for kind in (BDF, LSODA):
        space = FlowSpace(problem, path.at(0.0), rtol, rtol / 10)
        counted = [0]
        field = Field(problem, (nodes.x, nodes.y, nodes.weights), space)

        def rate(t: float, z: Any, field: Any = field, counted: list[int] = counted) -> Any:
            counted[0] += 1
            return field(t, z)

        stepping = kind(rate, 0.0, space.vector(path.at(0.0)), end, rtol=2.3e-14, atol=1.0)
        while stepping.status == "running" and counted[0] < most:
            stepping.step()
        print(f"{kind.__name__}: t = {stepping.t:.3g} after {counted[0]} velocities")
        assert stepping.t < end
