"""How far SGD's steps at their finite rate lead from the flow: estimated beside the flow, to first order.

Steps of Euler at the rate alpha follow, to first order in alpha, the flow of f - (alpha / 2) (f_t + f' f).
Its difference d from the flow of f obeys d' = f'(d - (alpha / 2) f) - (alpha / 2) f_t, which one more
velocity gives: f(t - alpha / 2, y + d - (alpha / 2) f) - f(t, y). What batches of finite size add is left
out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import sqrt
from typing import Any

import numpy as np
from tqdm import tqdm

from ..analysis.bends import has_kinks
from ..reduction.cost import cost
from ..runs.flow_sentences import AGAINST_STEPS
from ..runs.trajectory import Trajectory
from ..state.draw import WEIGHTS
from .flow import FlowRun
from .flow_space import FlowSpace
from .grid import Clock
from .integrators import Field, flow_solver
from .methods import integrator_of, steps_are_euler

Array = Any
Arrays = dict[str, Any]

# An estimate needs few digits: of the flow itself, and of the difference from it.
_RTOL, _PART = 1e-2, 0.05
# It may cost such a part of the velocities of the flow itself, and a few in any case: so many, or as many of
# large systems as take so many operations (a second or two).
_BUDGET, _MOST, _LEAST, _OPERATIONS = 0.5, 100, 20, 4e9
_LOOKS = 12  # times at which losses are compared


def with_steps_beside(path: Trajectory, run: FlowRun, state: Mapping[str, Any], begins: float) -> Trajectory:
    """A flow with the note of what SGD's steps make of its loss, from a state at a time.

    What leads along SGD's steps stays as it is.
    """
    if run.follows_steps:
        return path
    estimate = flow_against_steps(run, state, begins, path.times)
    return replace(path, notes={**path.notes, AGAINST_STEPS: estimate})


def flow_against_steps(run: FlowRun, state: Mapping[str, Any], begins: float, times: Array) -> dict[str, Any]:
    """What SGD's steps make of the loss beside the flow, from a state until the flow ended, as plain data.

    ``times``: losses are compared at some of these. Keys: "largest" (the difference of the losses that is
    largest, with its sign: steps minus flow), "time" (when), "end" (the difference at the end), "until" (how
    far the estimate went), "evaluations" (velocities that it took); or "why" there is no estimate.
    """
    system = run.problem.system
    if not steps_are_euler(system):
        return {"why": f"a step of {system.learning.rule} is not Euler's step of its flow"}
    until = float(run.ended[1])
    pair = Pair.at(run, state, run.clock, begins)
    found = [(begins, 0.0)]
    budget = max(_BUDGET * run.evaluations, _few(run, state))
    name = integrator_of(system, replace(run.options, method="flow" if has_kinks(system) else "stiff"))
    solver = flow_solver(name, pair, begins, pair.start(state), until, None) if until > begins else None
    wanted = np.asarray(times)[np.asarray(times) > begins]
    wanted = wanted[np.unique(np.linspace(0, len(wanted) - 1, _LOOKS).astype(int))] if len(wanted) else wanted
    bar = tqdm(total=int(budget), desc="SGD's steps", disable=not run.progress, delay=2, leave=False)
    with bar, run.stepper.threads(state), np.errstate(all="ignore"):
        while solver is not None and solver.status == "running" and 2 * solver.nfev < budget:
            before, spent = solver.t, solver.nfev
            solver.step()
            bar.update(2 * (solver.nfev - spent))
            passed = wanted[(wanted > before) & (wanted <= solver.t)].tolist()
            extension = solver.dense_output() if passed else None
            for t in passed:
                found.append((t, pair.difference(extension(t), run)))  # type: ignore[misc]
    return _summary(found, 2 * solver.nfev if solver else 0)


def _few(run: FlowRun, state: Mapping[str, Any]) -> float:
    """How many velocities are few, whatever the flow took."""
    sizes = {name: len(weights) for name, weights in state[WEIGHTS].items()}
    work = cost(run.problem.system, sizes).work * run.feed.samples
    return min(_MOST, max(_LEAST, _OPERATIONS / max(work, 1)))


def _summary(found: list[tuple[float, float]], evaluations: int) -> dict[str, Any]:
    seen = [each for each in found if np.isfinite(each[1])]
    time, largest = max(seen, key=lambda each: abs(each[1]))
    end, last = seen[-1]
    return {"largest": largest, "time": time, "end": last, "until": end, "evaluations": evaluations}


@dataclass
class Pair:
    """The flow and, ``finer`` times larger, its difference from SGD's steps, as one flow."""

    field: Field
    space: FlowSpace
    clock: Clock
    finer: float

    @staticmethod
    def at(run: FlowRun, state: Mapping[str, Any], clock: Clock, begins: float) -> Pair:
        """Both around a state; the unit of the difference is a part of alpha times the first velocity."""
        space = FlowSpace(run.problem, state, _RTOL, _RTOL / 10)
        field = Field(run.problem, run.samples, space)
        pair = Pair(field, space, clock, 1.0)
        first = field(begins, space.vector(state))
        moved = pair.alpha(begins) * float(np.linalg.norm(first)) / sqrt(len(first))
        pair.finer = 1 / (_PART * max(moved, _PART))
        return pair

    def start(self, state: Mapping[str, Any]) -> Array:
        """No difference yet."""
        vector = self.space.vector(state)
        return np.concatenate([vector, np.zeros_like(vector)])

    def alpha(self, t: float) -> float:
        """SGD's rate at a time."""
        times = self.clock.times
        number = min(max(int(np.searchsorted(times, t, "right")), 1), len(times) - 1)
        return float(times[number] - times[number - 1])

    def __call__(self, t: float, both: Array) -> Array:
        """The velocity of both."""
        vector, difference = np.split(both, 2)
        half = self.alpha(t) / 2
        rate = self.field(t, vector)
        beside = self.field(max(0.0, t - half), vector + difference / self.finer - half * rate)
        return np.concatenate([rate, self.finer * (beside - rate)])

    def difference(self, both: Array, run: FlowRun) -> float:
        """The loss after SGD's steps minus that of the flow."""
        vector, difference = np.split(both, 2)
        flow = run.loss(self.space.state(vector))
        return run.loss(self.space.state(vector + difference / self.finer)) - flow
