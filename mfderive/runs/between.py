"""States between the stored ones: the steps that the run made are made again, from the checkpoint before.

At a time of the run's own grid the state is the one that the run had there. Between two such times it is that
of one shorter step of the same method on the same samples, from the grid's time before: its error is of the
method's order, and it runs without a jump from one state of the run to the next. A method that chooses its
own steps has the stored states as its grid, and between them what it observed there
(:mod:`mfderive.solution.flow_again`).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np

from ..errors import StateError
from ..state.draw import WEIGHTS

Array = Any
Arrays = dict[str, Any]
Record = Mapping[str, Any]

# The key of a trajectory's notes under which its legs stand.
NOTE = "legs"
# Where a leg's record says at which time it begins; the rest belongs to who made it.
BEGINS = "begins"
# States that are kept for the next question.
KEPT = 3
# Times are sums of learning rates, and what a person types may miss one by rounding.
ROUNDING = 1e-9


class Steps(Protocol):
    """The steps of a run: its grid of times, float64 [step + 1], and SGD's steps done by then, int64."""

    @property
    def times(self) -> Array:
        """The times t_0 <= t_1 <= ... before and after every step."""

    @property
    def sgd_steps(self) -> Array:
        """After how many steps of SGD a network is at each of these times."""

    def advance(self, state: Arrays, first: int, last: int) -> Arrays:
        """The run's steps from time number ``first`` to ``last``; ``state`` may be changed."""

    def part(self, state: Arrays, first: int, t: float) -> Arrays:
        """A shorter step from time number ``first`` to ``t``; ``state`` may be changed."""


@runtime_checkable
class TimedSteps(Steps, Protocol):
    """Steps that may be long: they know SGD's steps at any time between two of theirs."""

    def sgd_step(self, t: float) -> int:
        """After how many steps of SGD a network is at time ``t``."""


def legs_of(begins: float, record: Record, before: Sequence[Record] = ()) -> dict[str, Any]:
    """The entry of a trajectory's notes for a run with this record, which went on from runs ``before``."""
    return {NOTE: [*before, {BEGINS: begins, **record}]}


class Between:
    """Makes the steps of a trajectory again, one leg (a run, or the run that went on from it) at a time."""

    def __init__(self, legs: Sequence[Record], make: Callable[[Record], Steps]) -> None:
        self.legs, self.make = legs, make
        self.steps: dict[int, Steps] = {}
        self.known: OrderedDict[tuple[int, int], Arrays] = OrderedDict()

    def state(self, time: float, stored: Mapping[str, Any], t: float) -> tuple[float, int, Arrays]:
        """Time, SGD step and state at ``t``, made from the state that was stored at ``time`` before it.

        The time is the grid's where ``t`` is one of its times. Raises StateError where it is not known how
        the run was made there.
        """
        leg = self._leg(time)
        if leg not in self.steps:
            self.steps[leg] = self.make(self.legs[leg])
        steps = self.steps[leg]
        first, last = (_number(steps.times, each) for each in (time, t))
        with np.errstate(all="ignore"):
            state = self._on_grid(leg, first, last, stored)
            if is_same(float(steps.times[last]), t):
                return float(steps.times[last]), int(steps.sgd_steps[last]), state
            done = steps.sgd_step(t) if isinstance(steps, TimedSteps) else int(steps.sgd_steps[last])
            return t, done, steps.part(state, last, t)

    def _leg(self, time: float) -> int:
        begun = [k for k, leg in enumerate(self.legs) if leg[BEGINS] <= time + ROUNDING * abs(time)]
        if not begun:
            raise StateError("it is not known how this run was made there")
        return begun[-1]

    def _on_grid(self, leg: int, first: int, last: int, stored: Mapping[str, Any]) -> Arrays:
        """The state of the run at time number ``last``, from the nearest known one before it; new arrays."""
        near = [number for known, number in self.known if known == leg and first <= number <= last]
        start = max(near, default=first)
        state = copy_state(self.known[leg, start] if near else stored)
        if start < last:
            state = self.steps[leg].advance(state, start, last)
            self.known[leg, last] = copy_state(state)
        elif near:
            self.known.move_to_end((leg, start))
        while len(self.known) > KEPT:
            self.known.popitem(last=False)
        return state


def is_same(time: float, t: float) -> bool:
    """Whether two times are one but for rounding."""
    return abs(time - t) <= ROUNDING * max(abs(time), abs(t))


def copy_state(state: Mapping[str, Any]) -> Arrays:
    """A state of its own arrays."""
    copied: Arrays = {name: value.copy() for name, value in state.items() if name != WEIGHTS}
    copied[WEIGHTS] = {name: weights.copy() for name, weights in state[WEIGHTS].items()}
    return copied


def _number(times: Array, t: float) -> int:
    """The number of the last time of a grid that is not beyond ``t``."""
    return int(np.searchsorted(times, t + ROUNDING * abs(t), side="right")) - 1
