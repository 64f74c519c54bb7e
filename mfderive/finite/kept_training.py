"""Networks in training as the arrays of a checkpoint, and back; and the facts that make them these."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

from ..runs.keeping import Kept
from ..runs.problem_facts import digest_of
from ..runs.trajectory import Checkpoint, Ground
from ..state.state import State

Arrays = dict[str, Any]

# What the arrays of a checkpoint are called.
_MOVING, _STEPS, _CURVES, _POINTS, _KEPT = "moving", "steps", "curves", "points", "steps of points"


class Training(Protocol):
    """What is needed of networks in training (those of :func:`mfderive.finite.simulate.simulate`)."""

    states: list[Arrays]
    seeds: list[int]
    width: int
    dtype: str
    ground: Ground
    x: Any
    times: Any
    observed: Any
    kept: set[int]
    rows: list[tuple[int, list[tuple[float, float]]]]
    points: list[list[Checkpoint]]


def facts_of(run: Training) -> dict[str, Any]:
    """What makes networks these, beside their spec: seeds, start, times, what is observed and when."""
    starts = {str(position): state for position, state in enumerate(run.states)}
    return {
        "seeds": run.seeds,
        "width": run.width,
        "precision": run.dtype,
        "evaluation": len(run.x),
        "start": digest_of(starts),
        "times": digest_of({"times": run.times, "observed": run.observed, "kept": sorted(run.kept)}),
    }


def content_of(run: Training, moving: Mapping[str, Any], done: bool = False) -> Arrays:
    """What a training goes on from; where it is ``done`` nothing moves any more."""
    found: Arrays = {
        _STEPS: np.array([step for step, _ in run.rows], np.int64),
        _CURVES: np.array([curves for _, curves in run.rows], np.float64).reshape(len(run.rows), -1, 2),
        _KEPT: np.array([point.step for point in run.points[0]], np.int64),
        _POINTS: {
            str(position): {str(number): point.state.arrays for number, point in enumerate(points)}
            for position, points in enumerate(run.points)
        },
    }
    return found if done else {_MOVING: moving, **found}


def taken_up(run: Training, kept: Kept) -> Arrays:
    """Put what was observed back into a run; the arrays that were moving."""
    steps, curves = kept.tree[_STEPS].tolist(), kept.tree[_CURVES].tolist()
    run.rows = [
        (step, [(loss, error) for loss, error in row]) for step, row in zip(steps, curves, strict=True)
    ]
    numbers = kept.tree[_KEPT].tolist()
    for position, points in enumerate(run.points):
        states = kept.tree[_POINTS][str(position)]
        points[:] = [
            Checkpoint(float(run.times[step]), step, State(states[str(number)], run.ground.layout))
            for number, step in enumerate(numbers)
        ]
    moving: Arrays = kept.tree.get(_MOVING, {})
    return moving
