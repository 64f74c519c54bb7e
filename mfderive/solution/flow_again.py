"""The states of a flow between the stored ones: its stretches are integrated again, each from its beginning.

A flow that is solved lands on every stored state and begins a stretch there, whose steps are a function of
that state and of the size of the first step. So the states in between are those that the run observed, bit
for bit, and at other times those of the same continuous extension.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..algebra.reduced import Reduced
from ..network.network import Network
from ..network.solve_options import ADAPTIVE, SolveOptions
from ..runs.between import Steps
from .feed import make_feed
from .grid import grid_clock
from .integrators import Stretch
from .stepping import Problem, Stepper, StepsAgain, check_run_memory

Arrays = dict[str, Any]


def steps_again(network: Network, reduced: Reduced, module: Any, record: Mapping[str, Any]) -> Steps:
    """What makes the steps of a solution again by its record."""
    makes = FlowAgain if record["method"] in ADAPTIVE else StepsAgain
    return makes(network, reduced, module, record)


class FlowAgain:
    """The stretches of a flow by its record (:class:`mfderive.runs.between.TimedSteps`)."""

    def __init__(self, network: Network, reduced: Reduced, module: Any, record: Mapping[str, Any]) -> None:
        self.record = record
        options = SolveOptions(method=record["method"], rtol=record["rtol"], atol=record["atol"])
        clock, begins = grid_clock(network, record["method"], 0, record["end"]), record["stretches"][0][0]
        self.clock = clock.with_time(begins, clock.sgd_step(begins))  # where another method may have ended
        feed = make_feed(network, reduced, record["data"], record["data_nodes"])
        self.stepper = Stepper(Problem(network, reduced, module, options), self.clock, feed)
        self.times = np.array([*(begins for begins, *_ in record["stretches"]), record["until"]])
        self.sgd_steps = np.array([self.clock.sgd_step(float(t)) for t in self.times])

    def sgd_step(self, t: float) -> int:
        """After how many steps of SGD a network is at time ``t``."""
        return self.clock.sgd_step(t)

    def advance(self, state: Arrays, first: int, last: int) -> Arrays:
        """The whole stretches from number ``first`` to ``last``."""
        for number in range(first, last):
            state = self.part(state, number, float(self.times[number + 1]))
        return state

    def part(self, state: Arrays, first: int, t: float) -> Arrays:
        """The state at time ``t`` of the stretch that begins at number ``first``."""
        stepper = self.stepper
        check_run_memory(stepper.problem, state, stepper.feed.samples)
        begins, ends, size = self.record["stretches"][first]
        with stepper.threads(state):
            stretch = Stretch(
                stepper.problem,
                stepper.samples,
                state,
                (begins, ends),
                size,
                self.record["integrator"],
                self.clock.times,
            )
            with np.errstate(all="ignore"):
                while stretch.is_running and stretch.solver.t < t:
                    stretch.step()
            return stretch.state_at(t)
