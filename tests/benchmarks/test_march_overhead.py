"""A step of the compiled march, its batch included, against its arithmetic alone.

Run by ``pytest -m benchmark -s tests/benchmarks/test_march_overhead.py``. Everything is processor time of one
thread in one process, turn by turn.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

import mfderive as mf
from mfderive.network.solve_options import SolveOptions
from mfderive.solution.feed import make_feed
from mfderive.solution.grid import grid_clock
from mfderive.solution.stepping import Problem, Stepper

SPEC = Path(__file__).resolve().parents[2] / "specs" / "five_layer_gaussians.toml"
NODES, STEPS, REPETITIONS = 256, 500, 8
AIM = 2.0

pytestmark = pytest.mark.benchmark


def least_processor_times(*functions: Callable[[], Any]) -> list[float]:
    """Least seconds of processor time of each function, over alternating repetitions."""
    best = [float("inf")] * len(functions)
    for _ in range(REPETITIONS):
        for number, function in enumerate(functions):
            start = time.process_time()
            function()
            best[number] = min(best[number], time.process_time() - start)
    return best


def arithmetic_of(module: Any, state: dict[str, Any], move: Any) -> Callable[[], None]:
    """The products and compiled loops of one step alone, on arrays of their own, and a draw of its batch."""
    own = {name: value.copy() for name, value in state.items() if name != "p"} | {"p": state["p"]}
    plans: list[Any] = []
    make_plan = module.Plan
    module.Plan = lambda *arguments: plans.append(make_plan(*arguments)) or plans[-1]
    try:
        module.march(own, [move])
    finally:
        module.Plan = make_plan
    (plan,) = plans
    plan.scale.update(dict.fromkeys(plan.scale, 0.0))  # the same work, but values stay what they are
    rng, shape = np.random.default_rng(0), move[0].shape

    def alone() -> None:
        for _ in range(STEPS):
            rng.standard_normal(shape)
            for run in (*plan.calls, *plan.updates):
                run()

    return alone


def test_a_step_costs_at_most_twice_its_arithmetic() -> None:
    """Prints microseconds of a step in the march, of its batch and of the arithmetic; asserts the ratio."""
    network = mf.load(SPEC)
    reduced = mf.reduce(mf.derive(network))
    module = mf.generate(reduced)
    feed = make_feed(network, reduced, "batches")
    stepper = Stepper(
        Problem(network, reduced, module, SolveOptions()), grid_clock(network, "euler", STEPS, None), feed
    )
    state = module.sample(NODES)
    with threadpool_limits(1), np.errstate(all="ignore"):
        alone = arithmetic_of(module, state, stepper.move(0))
        march, batches, arithmetic = least_processor_times(
            lambda: stepper.advance(state, 0, STEPS), lambda: [*map(stepper.move, range(STEPS))], alone
        )
    print(f"\n{NODES} nodes, batch {feed.samples}; microseconds of a step, least of {REPETITIONS}")
    for name, seconds in (("march", march), ("batch", batches), ("arithmetic", arithmetic)):
        print(f"{name:>12}{seconds / STEPS * 1e6:9.1f}")
    print(f"ratio {march / arithmetic:.2f}")
    assert march <= AIM * arithmetic
