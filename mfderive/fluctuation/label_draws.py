"""Solutions of the limit on drawn labels: what a network deviates by, beyond the order at which it is normal.

A network of width n has n_a labels of each population a. The limit solved with the empirical law of so many
drawn labels in place of their law is that network without the noise of single weights, which enters outputs
at the order 1/n only (theory A.7, D). Its deviation from the limit has every order in the labels, while the
influence functions have the first. No network is trained: a solution costs what one of the limit does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ..reduction.cost import cost
from ..runs.between import copy_state
from ..runs.evaluation import evaluate_loss_error
from ..solution.stepping import Stepper
from .fluctuations import Fluctuations, prepared

Array = Any
# Solutions that are drawn, the fewest that say anything of a share of 95 %, and operations for all of
# them (half a minute).
DRAWS, FEWEST, WORK = 100, 20, 1e11
# Operations that the calls of one step are as long as.
_CALL = 1e6
_PIECE = 500


@dataclass(frozen=True)
class LabelDraws:
    """Solutions up to the one time of ``found``, on labels that are drawn of its nodes.

    ``at``: "loss" or "output"; ``changes``: the options with which ``found`` was made.
    """

    found: Fluctuations
    at: str
    changes: Mapping[str, Any]

    @cached_property
    def _problem(self) -> tuple[Stepper, dict[str, Any]]:
        """The limit ready to be stepped, and its start on the nodes."""
        stepper, state, _ = prepared(self.found.network, float(self.found.times[0]), self.changes)
        return stepper, state

    def distances(self, width: int) -> Array | None:
        """How far each solution is from the limit at a base width [draw], sorted as they were drawn.

        Infinite for one that left the finite numbers. None where :data:`FEWEST` of them take more than
        :data:`WORK` operations, and where nodes have negative weights.
        """
        step = int(self.found.steps[0])
        stepper, state = self._problem
        system = stepper.problem.reduced.system
        nodes = {name: len(own) for name, own in state["p"].items()}
        one = max(step, 1) * (_CALL + cost(system, nodes).work * stepper.feed.samples)
        count = min(DRAWS, int(WORK / one))
        weights = {a.name: np.asarray(state["p"][a.name], float) for a in system.populations}
        if count < FEWEST or any((own < 0).any() for own in weights.values()):
            return None
        rng, found = np.random.default_rng(0), []
        with stepper.threads(state):
            for _ in range(count):
                moving = copy_state(state)
                for axis in system.populations:
                    neurons = max(1, round(width * axis.width))
                    own = weights[axis.name]
                    drawn = rng.multinomial(neurons, own / own.sum()) / neurons
                    moving["p"][axis.name] = drawn.astype(moving["p"][axis.name].dtype)
                found.append(self._distance(stepper, stepper.advance(moving, 0, step)))
        distances = np.array(found)
        return np.where(np.isfinite(distances), distances, np.inf)

    def _distance(self, stepper: Stepper, state: Mapping[str, Any]) -> float:
        """The deviation of one solution, in the quantity that is asked for."""
        reduced, module = stepper.problem.reduced, stepper.problem.module
        if self.at == "output":
            yhat = module.predict(state, np.asarray(reduced.encode(self.found.x)[0], float))
            return float(np.sqrt(np.mean(np.square(yhat - self.found.yhat[0]))))
        assert self.found.loss is not None
        x, y = self.found.network.source.evaluation(stepper.problem.options.evaluation)
        x, y = reduced.encode(x, y)
        value = evaluate_loss_error(self.found.network, module.predict(state, x, _PIECE), y)[0]
        return abs(float(value) - float(self.found.loss[0]))
