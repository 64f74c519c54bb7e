"""The bands in which losses of networks are predicted to lie in training, on few nodes and long steps."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from ..algebra.findings import Finding
from ..algebra.system import LimitSystem
from ..errors import DivergenceError, MfError
from ..limit.derive import derive
from ..limit.masses import loss_curvature
from ..network.network import Network
from ..reduction.cost import cost
from ..reduction.reduce import reduce as reduce_system
from ..runs.evaluation import evaluate_loss_error
from ..runs.schedule import times as training_times
from ..runs.trajectory import Trajectory
from ..state.ensembles import plan_ensembles
from .deviations import Deviations
from .fluctuations import Fluctuations, predicted
from .rule_transpose import RuleTranspose

Array = Any

# Why there is no prediction: the facts are a message, the operations that it takes, or two losses.
REFUSED, DEAR, STILL, APART = "not-linearised", "too-dear", "no-labels", "other-solution"
# Nodes of a population at most, and steps that a training is put together to, the best first: with five
# layers, halving nodes moves the loss more than halving steps.
SIZES = ((256, 200), (256, 100), (128, 200), (128, 100), (64, 200), (64, 100), (32, 100), (32, 50))
# The moments, as fractions of the steps.
_MOMENTS = (0.0, 0.01, 0.03, 0.1, 0.3, 0.65, 1.0)
POINTS, OUTPUTS = 5, 10  # points of the evaluation sample, and outputs at all of them together, at most
EVALUATION = 256
# Operations that a prediction may take (a few seconds), and those that calling a solver once is as long as.
WORK, CALL = 2e10, 2e6
# Largest distance of its loss from that of the limit, beside the limit's largest loss.
_APART = 0.05


@dataclass(frozen=True)
class Band:
    """What is predicted of the losses of networks along a training.

    ``found``: the fluctuations at some times of it, on ``nodes`` nodes, with ``merged`` steps of SGD put
    together to one of the same length in time; ``y`` [point, output] the targets of its points. ``limit``
    [time] is the loss around which networks lie, that of the solution itself.
    """

    found: Fluctuations
    y: Array
    limit: Array
    merged: int
    nodes: Mapping[str, int]

    def interval(self, width: int) -> tuple[Array, Array]:
        """Between which losses [time] 95 % of networks of a base width lie.

        Quantiles of the linear part of the deviation together with its part of order 1/n, E[L'' (dev yhat)^2]
        / 2, which raises the mean. The bias of outputs, of the same order, is not in it.
        """
        drawn = [law.loss(width) for law in self.laws]
        low, high = np.quantile(np.array(drawn), (0.025, 0.975), axis=1)
        return self.limit + low, self.limit + high

    @cached_property
    def laws(self) -> tuple[Deviations, ...]:
        """The law of deviations, time by time."""
        return tuple(Deviations(self.found.moment(number), self.y) for number in range(len(self.found.times)))


def predicted_band(network: Network, limit: Trajectory) -> Band | Finding:
    """The band around a solution of the limit, or why there is none (kinds: see the head of this file).

    What is drawn need not be known to many digits: populations have few nodes, and steps of SGD are put
    together to longer ones, on as many of the batches (:data:`SIZES`), where the learning rule remembers
    nothing. tests/fluctuation/test_band.py holds it against SGD's own steps on more nodes.
    """
    try:
        system = reduce_system(derive(network)).system
        plan = _planned(network, system, int(limit.steps[-1]))
        if isinstance(plan, Finding):
            return plan
        return _band(network, limit, plan)
    except DivergenceError:
        return Finding.of(APART, loss=math.inf, limit=float(limit.loss[-1]))
    except MfError as error:
        return Finding.of(REFUSED, message=str(error))


@dataclass(frozen=True)
class _Plan:
    """What a prediction is computed on."""

    points: int
    merged: int
    steps: Array
    nodes: Mapping[str, int] = field(default_factory=dict)


def _planned(network: Network, system: LimitSystem, steps: int) -> _Plan | Finding:
    """The best nodes and steps that do not take too long."""
    keeps_steps = not RuleTranspose(system).is_plain
    curvature, plans = loss_curvature(system), plan_ensembles(system)
    points = max(1, min(POINTS, OUTPUTS // (network.outputs or 1)))
    least = math.inf
    for most, count in SIZES:
        merged = 1 if keeps_steps else max(1, math.ceil(steps / count))
        numbers = np.unique(np.round(np.array(_MOMENTS) * (steps // merged)).astype(int))
        calls = int(numbers.sum()) * (points * (network.outputs or 1) + 1)
        nodes = {name: min(plan.nodes, most) for name, plan in plans.items()}
        operations = calls * (CALL + cost(curvature, nodes).work * _samples(network))
        least = min(least, operations)
        if operations <= WORK:
            return _Plan(points, merged, numbers * merged, nodes)
    return Finding.of(DEAR, operations=float(least), allowed=WORK)


def _samples(network: Network) -> int:
    batch = network.training.batch_size
    return (network.source.rows or 1) if isinstance(batch, str) else int(batch)


def _band(network: Network, limit: Trajectory, plan: _Plan) -> Band | Finding:
    x, y = network.source.evaluation(plan.points)
    times = training_times(network.training, int(limit.steps[-1]))[plan.steps]
    # What belongs to no neuron is that of the limit, as it is in the networks beside it.
    options = {"nodes": dict(plan.nodes), "evaluation": EVALUATION, "seed": limit.seed}
    found = predicted(network, times, x, options, loss=True, merged=plan.merged)
    if not (found.n_variance > 0).any():
        return Finding.of(STILL)
    apart = _apart(network, limit, found)
    if apart is not None:
        return apart
    own = np.asarray(np.interp(found.times, limit.times, limit.loss))
    return Band(found, y, own, plan.merged, plan.nodes)


def _apart(network: Network, limit: Trajectory, found: Fluctuations) -> Finding | None:
    """Whether the quick solution is another one: its losses at both ends, on the same samples as its own."""
    x, y = network.source.evaluation(EVALUATION)
    assert found.loss is not None
    largest = float(np.abs(limit.loss).max())
    for number in (0, -1):
        yhat = limit.fields(x, float(limit.times[number]))["yhat"]
        own, quick = evaluate_loss_error(network, yhat, y)[0], float(found.loss[number])
        if not abs(quick - own) <= _APART * largest:
            return Finding.of(APART, loss=quick, limit=own)
    return None
