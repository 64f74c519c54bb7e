"""The limit by Euler's steps of half the size, two on every batch: what a step size does to it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np

from ..algebra.system import LimitSystem
from ..network.network import Network
from ..runs.keeping import UNKEPT, Keeping
from ..runs.problem_facts import digest_of
from ..runs.schedule import alphas
from ..solution.threads import fitting_threads, largest_product


def half_steps(
    network: Network,
    system: LimitSystem,
    module: Any,
    start: Mapping[str, Any],
    steps: int,
    keep: Keeping = UNKEPT,
) -> dict[str, Any]:
    """The state after ``steps`` steps from ``start``, each made as two; ``keep``: where it is kept."""
    state: dict[str, Any] = {name: np.array(value) for name, value in start.items() if name != "p"}
    state["p"] = start["p"]
    time, done, size = 0.0, 0, network.training.batch_size
    kept = keep.begin(network, partial(dict, start=digest_of(start), halves=True), 0, steps)
    if kept is not None:
        state, time, done = kept.tree["state"], float(kept.tree["time"]), kept.number
    nodes = {name: len(weights) for name, weights in start["p"].items()}
    rates = alphas(network.training, steps)
    with keep:
        for k in range(done, steps):
            keep.next(k, steps, partial(dict, state=state, time=np.float64(time)))
            x, y = network.source.batch(k + 1, size)
            with fitting_threads(largest_product(system, nodes, len(x))):
                for half in (1, 2):
                    state = module.step(state, x, y, time, rates[k] / 2, out=state, k=2 * k + half)
                    time += rates[k] / 2
        keep.done(partial(dict, state=state, time=np.float64(time)))
    return state
