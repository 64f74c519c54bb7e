"""What a tolerance covers, and what it costs, on networks whose loss over the whole law is known."""

from __future__ import annotations

import time
import warnings
from dataclasses import replace

import numpy as np
import pytest

import mfderive as mf
from solution.test_loss_error import (
    DEEP,
    ENTROPY,
    FINE_FLOW,
    FINE_TWO,
    LINEAR,
    QUADRATIC,
    RELU,
    STREAM,
    THREE,
    TWO,
    deep_loss,
    linear_loss,
    population_loss,
    quadratic_loss,
)

FLOW = {"method": "flow"}
# Sampled nodes reach 1e-3 slowly, and two populations of them need memory of the square.
SOBOL = {"rule": "sobol", "tolerance": 5e-3}
FINE = {"nodes": {"h1": 256, "h3": 16}, "data_nodes": 256, **FINE_FLOW}
# A network, the options of the solution, and a closed form or the options of a far finer solution.
CASES = {
    "linear": (LINEAR, FLOW, linear_loss),
    "linear, Sobol": (LINEAR, {**FLOW, **SOBOL}, linear_loss),
    "linear, Sobol data": (LINEAR, {**FLOW, "data": "sobol"}, linear_loss),
    "deep linear": (DEEP, FLOW, deep_loss),
    "deep linear, Sobol": (DEEP, {**FLOW, **SOBOL}, deep_loss),
    "deep linear, stiff": (DEEP, {"method": "stiff"}, deep_loss),
    "quadratic": (QUADRATIC, FLOW, quadratic_loss),
    "two hidden layers": (TWO, {}, FINE_TWO),
    "two hidden layers, Sobol": (TWO, SOBOL, FINE_TWO),
    "two hidden layers, rk4": (TWO, {"method": "rk4", "data": "quadrature"}, {**FINE_TWO, **FINE_FLOW}),
    "cross-entropy": (ENTROPY, {}, {"nodes": 6561}),
    "cross-entropy, Sobol": (ENTROPY, SOBOL, {"nodes": 6561}),
    "three hidden layers": (THREE, FLOW, FINE),
    "kinks": (RELU, FLOW, {"method": "flow", "nodes": 1024, "data_nodes": 400, "rtol": 1e-6}),
    "residual stream": (STREAM, {}, {"nodes": {"s": 1024}}),
    "residual stream, Sobol": (STREAM, SOBOL, {"nodes": {"s": 1024}}),
}
TOLERANCE, SHARE, TIMES_MORE = 1e-3, 0.9, 5.0


def found(network, options, known):
    """Whether the estimate covers the error at every time, whether it was met, and the ratio of times.

    Steps of SGD are held against a finer solution on the same batches; flows against the law itself.
    """
    more = {"checkpoints": 10, "evaluation": 512, **options}
    begin = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = mf.solve(network, 0.5, **{"tolerance": TOLERANCE, **more})
    whole = time.process_time() - begin
    reached = path.notes["tolerance"]
    single = {"nodes": path.notes["nodes"], "evaluation": path.notes["evaluation"], "stated_error": False}
    if options.get("method", "euler") != "euler":
        single |= {"data": path.notes["data"], "data_nodes": _asked(path)}
    begin = time.process_time()
    mf.solve(network, 0.5, **{**more, **single, "tolerance": None})
    alone = time.process_time() - begin
    if callable(known):
        truth = known(path.times)
    else:
        fine = {"checkpoints": 10, "evaluation": 64, "stated_error": False, **known}
        truth = population_loss(mf.solve(network, 0.5, **fine), path.times)
    covered = bool((np.abs(path.loss - truth) <= path.loss_error).all())
    return covered, reached["met"], whole / alone, float(np.abs(path.loss - truth).max())


def _asked(path):
    """Samples of a step as they are asked for: those of one component of the law."""
    law = path.network.source.law
    return path.notes["samples_per_step"] // len(law.odds)


@pytest.mark.study
def test_a_tolerance_covers_the_error_and_costs_a_few_solutions():
    """1e-3 (5e-3 by sampled nodes): 9 in 10 are covered at all times, by 5 times the time of one solution.

    Ratios are of processor time; the median is asserted, for single ones are of fractions of a second.
    """
    rows = {}
    for name, (network, options, known) in CASES.items():
        rows[name] = found(replace(network), options, known)
        print(f"{name:28} covered {rows[name][0]}, met {rows[name][1]}, {rows[name][2]:.1f} times the time, "
              f"off by {rows[name][3]:.1e}", flush=True)  # fmt: skip
    covered, met, ratios, _ = zip(*rows.values(), strict=True)
    print(f"covered {sum(covered)} of {len(rows)}, met {sum(met)}, median ratio {np.median(ratios):.1f}")
    assert sum(covered) >= SHARE * len(rows) and np.median(ratios) <= TIMES_MORE
