"""A solution on its way as the arrays of a checkpoint, and back; and the facts that make it what it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Protocol

import numpy as np

from ..codegen.digest import digest
from ..runs.between import copy_state
from ..runs.keeping import Kept
from ..runs.problem_facts import digest_of
from ..runs.trajectory import Checkpoint
from ..state.state import State
from .feed import Feed
from .grid import Clock
from .observed_rows import Row, numbers, rows_of
from .stepping import Problem

Arrays = dict[str, Any]

# What the arrays of a checkpoint are called.
_STATE, _ROWS, _POINTS, _TIMES = "state", "rows", "points", "times of points"


class Marching(Protocol):
    """What is needed of a solution on its way (:class:`mfderive.solution.march.Run`)."""

    problem: Problem
    clock: Clock
    feed: Feed
    observed: Any
    kept: set[int]
    rows: list[Row]
    points: list[Checkpoint]


def facts_of(run: Marching, state: Mapping[str, Any]) -> dict[str, Any]:
    """What makes a solution what it is, beside its network: options, equations, samples, start and times."""
    feed = run.feed
    nodes = {} if feed.nodes is None else {"x": feed.nodes.x, "y": feed.nodes.y}
    return {
        "options": asdict(run.problem.options),
        "equations": f"sha256:{digest(run.problem.system)}",
        "samples": {"rule": feed.rule, "asked": feed.asked, "offset": feed.offset, "nodes": digest_of(nodes)},
        "start": digest_of(state),
        "times": digest_of({"times": run.clock.times, "observed": run.observed, "kept": sorted(run.kept)}),
    }


def content_of(run: Marching, state: Mapping[str, Any], done: bool = False) -> Arrays:
    """What a solution goes on from; where it is ``done`` its state is the last of its points."""
    points = {str(number): point.state.arrays for number, point in enumerate(run.points)}
    found: Arrays = {
        _ROWS: numbers(run.rows),
        _TIMES: np.array([(point.time, point.step) for point in run.points], np.float64).reshape(-1, 2),
        _POINTS: points,
    }
    return found if done and points else {_STATE: state, **found}


def taken_up(run: Marching, kept: Kept) -> Arrays:
    """Put what was observed back into a run; the state from which it goes on."""
    run.rows = rows_of(kept.tree[_ROWS])
    states = [kept.tree[_POINTS][str(number)] for number in range(len(kept.tree[_TIMES]))]
    run.points = [
        Checkpoint(time, int(step), State(state, run.problem.reduced))
        for (time, step), state in zip(kept.tree[_TIMES].tolist(), states, strict=True)
    ]
    state: Arrays = kept.tree[_STATE] if _STATE in kept.tree else copy_state(states[-1])
    return state
