"""Exact discretisation (theory.md A.7) for every kind of layer: weighted nodes = a network of copies.

A state with unequal weights p and the network in which every node stands as often as p says, equal weights:
50 Euler steps on common batches, evaluated by the plain interpreter (the shipped specs do the same with
compiled solvers in ``tests/theory``).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from theory.common import distance, rounding_bound, taken

import mfderive as mf
from mfderive.state.draw import initial_state
from mfderive.tensor.interpreter import interpret
from tests.field_names import velocity

from .documents import GRAPHS

BATCH, ALPHA = 4, 0.02
COUNTS = np.array([1, 3, 2])
# Roundings of one step: the longest chain of sums is below a hundred numbers long in these graphs.
TERMS = 100


@pytest.mark.parametrize("steps", [15, pytest.param(50, marks=pytest.mark.study)])
@pytest.mark.parametrize("name", GRAPHS)
def test_copies_stay_copies(name: str, steps: int) -> None:
    """Tolerance: the roundings of all steps times their measured growth (``rounding_bound``)."""
    network = mf.load(GRAPHS[name])
    limit = mf.derive(network)
    batches = [network.source.batch(k, BATCH) for k in range(1, steps + 1)]
    trained = [parameter.name for parameter in limit.parameters if not parameter.is_frozen]

    def path(state: dict[str, Any]) -> list[dict[str, Any]]:
        states = [state]
        for x, y in batches:
            speeds = interpret(limit, states[-1], x, y)[0]
            moved = {key: states[-1][key] + ALPHA * speeds[velocity(key)] for key in trained}
            states.append({**states[-1], **moved})
        return states

    populations = [axis.name for axis in limit.populations]
    start = initial_state(limit, dict.fromkeys(populations, len(COUNTS)), 2)
    start["p"] = dict.fromkeys(populations, COUNTS / COUNTS.sum())
    nodes = np.repeat(np.arange(len(COUNTS)), COUNTS)
    equal = np.full(len(nodes), 1 / len(nodes))

    def copies(state: dict[str, Any]) -> dict[str, Any]:
        return taken(limit, state, dict.fromkeys(populations, nodes), dict.fromkeys(populations, equal))

    end = path(start)[-1]
    bound = rounding_bound(path, start, TERMS)
    assert bound < 1e-10
    assert distance(end, start) > 1e4 * bound
    assert distance(path(copies(start))[-1], copies(end)) <= bound
