"""What a learning rule costs: its fused step against that of SGD, in one run, on the same networks.

Run by ``pytest -m benchmark -s tests/benchmarks/test_rule_steps.py`` on an idle machine.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mfderive as mf

from .timing import least_times

SPEC = Path(__file__).resolve().parents[2] / "specs" / "five_layer_gaussians.toml"
WIDTH, BATCH, REPETITIONS = 800, 100, 30
ADAM = (("beta1", 0.9), ("beta2", 0.999), ("eps", 1e-8))
# What a step costs at most, in steps of SGD. Decay is a factor inside of the product; momentum makes one pass
# over weight and memory, Adam one over four arrays with a root and a quotient for each entry.
CASES: dict[str, tuple[dict[str, Any], float]] = {
    "decay": ({"weight_decay": (("", 0.1),)}, 1.1),
    "momentum": ({"optimizer": "momentum", "constants": (("mu", 0.9),)}, 1.4),
    "adam": ({"optimizer": "adam", "constants": ADAM}, 2.0),
}

pytestmark = pytest.mark.benchmark


@pytest.mark.parametrize("dtype", [np.float64, np.float32], ids=["float64", "float32"])
def test_steps_of_rules_cost_little_more_than_those_of_sgd(dtype: Any) -> None:
    """At width 800 and batch 100, where products are short and passes over weights weigh most."""
    network = mf.load(SPEC)
    x, y = (array.astype(dtype) for array in network.source.batch(1, BATCH))
    steps = []
    for training in ({}, *(training for training, _ in CASES.values())):
        ruled = replace(network, training=replace(network.training, **training))
        solver = mf.generate(mf.derive(ruled))
        state = solver.sample(WIDTH, seed=0, dtype=dtype)

        def step(solver: Any = solver, state: Any = state) -> None:
            solver.step(state, x, y, 0.0, 1e-9, out=state)

        step()
        steps.append(step)
    plain, *others = least_times(REPETITIONS, *steps)
    for (name, (_, aim)), seconds in zip(CASES.items(), others, strict=True):
        print(f"{np.dtype(dtype).name} {name}: {seconds / plain:.2f} steps of SGD ({1e3 * plain:.1f} ms)")
        assert seconds < aim * plain, name
