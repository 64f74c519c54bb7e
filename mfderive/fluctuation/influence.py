"""Influence functions of a solution: what a little more mass at a label does to an output at a time.

psi_a(c) = d/d epsilon Phi[(1 - epsilon) P_a + epsilon delta_c] for an output Phi = yhat_k(t, x) of the limit
(theory D). Backwards through the steps, lambda being the derivative of Phi by the state in L2(P), ``u`` that
by G (:mod:`mfderive.fluctuation.rule_transpose`) and H[u] the derivative of a gradient along u:

    lambda_before = direct + H_v[u],
    psi_a(j)     += H_{P_a}[u](j) - sum over parameters v of a: Mean_others[u_v G_v](j).

H[u] is the linearised evolution itself: G is a gradient, so its derivative in L2(P) is its own transpose.
The last term takes back what H_{P_a} counts of the direct dependence of G at the node j on the node's own
mass, which the evolution of that node does not have.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from ..algebra.system import LimitSystem, draw_noise
from ..algebra.terms import AxisKind
from ..codegen.generate import generate
from ..limit.linearise import deviation_name
from ..limit.masses import loss_curvature, loss_gradient, mass_name, output_loss_gradient
from ..limit.reverse import LOSS
from ..solution.stepping import Stepper
from ..tensor.clock import Moment
from ..tensor.interpreter import Interpretation
from ..tensor.scheduling import depends_on_y
from .history import History
from .rule_transpose import RuleTranspose

Array = Any
Arrays = dict[str, Any]
Samples = tuple[Any, Any, Any]  # x, y, weights
# Samples that are evaluated at once.
_PIECE = 500
# Samples from which the variance over the law of the data is estimated, where a batch has fewer.
_FEW = 16


@dataclass
class Functional:
    """A number that a state gives, on its way back in time from step ``last``.

    ``sensitivity``: its derivatives by the variables, in L2(P); ``raw``: those by the masses of each
    population [node], not centred; ``batches``: the variance that batches added on the way.
    """

    last: int
    sensitivity: Arrays
    raw: Arrays
    batches: float = 0.0


@dataclass
class Sweep:
    """The way back through the steps of one solution.

    ``history`` has the states; ``count_batches``: also sum the variance that drawing every batch anew would
    add.
    """

    stepper: Stepper
    history: History
    system: LimitSystem
    count_batches: bool = False
    curvature: LimitSystem = field(init=False)

    def __post_init__(self) -> None:
        self.rule = RuleTranspose(self.system)
        self.curvature = draw_noise(loss_curvature(self.system))
        self.solver = generate(self.curvature)
        own = self.curvature.variable
        self.trained = [p.name for p in self.system.parameters if not p.is_frozen]
        self.populations = [
            a.name for a in self.system.populations if deviation_name(mass_name(a.name)) in own
        ]
        self.weights = self.history.state(0)["p"]

    def back(self, functionals: Sequence[Functional]) -> None:
        """Take functionals back to the start, in place."""
        # Threads once for all steps: asking for them takes longer than a step of a few nodes.
        with self.stepper.threads(self.history.state(0)):
            for number in range(max((f.last for f in functionals), default=0), 0, -1):
                active = [f for f in functionals if f.last >= number]
                self.step(active, number - 1)

    def step(self, functionals: Sequence[Functional], number: int) -> None:
        """Take functionals back through the step that begins at t_number."""
        state = self.history.state(number)
        x, y, t, alpha, weights, k = self.stepper.move(number)
        moment = Moment(t, alpha, k)
        speeds: Arrays = {}
        if self.rule.reads_gradients:
            found = self.evaluate(state, {}, (x, y, weights))
            speeds = {name: found[name] for name in self.trained}
        for each in functionals:
            direct, along = self.rule(each.sensitivity, state, speeds, moment)
            found = self.evaluate(state, along, (x, y, weights))
            if self.count_batches:
                each.batches += self.of_batch(state, along, (x, y, weights), k)
            self.take(each, direct, along, found)

    def evaluate(self, state: Arrays, along: Mapping[str, Array], samples: Samples) -> Arrays:
        """G and its derivative along a direction, by the names of the curvature's variables."""
        x, y, weights = samples
        speeds: Arrays = self.solver.velocity(self.directed(state, along), x, y, 0.0, weights)
        return speeds

    def of_loss(self, samples: tuple[Array, Array], last: int) -> Functional:
        """The average loss of samples after step ``last``, with its derivatives by parameters and masses.

        It is the loss of the output, which is what runs show: those of inner layers are no part of it.
        """
        x, y = samples
        state = self.history.state(last)
        total: Arrays = {}
        for first in range(0, len(x), _PIECE):
            part = slice(first, first + _PIECE)
            share = len(x[part]) / len(x)
            for name, speed in self._loss_speeds(state, x[part], y[part]).items():
                total[name] = total.get(name, 0.0) - share * speed
        moving = [v.name for v in self.system.variables if not v.is_frozen]
        return Functional(
            last,
            {name: total[name] if name in self.trained else np.zeros_like(state[name]) for name in moving},
            {population: total[mass_name(population)] for population in self.populations},
        )

    def _loss_speeds(self, state: Arrays, x: Array, y: Array) -> Arrays:
        """Minus the derivatives of the average loss of the output."""
        speeds: Arrays = self._loss_solver.velocity(self.directed(state, {}), x, y, 0.0, None)
        return speeds

    @cached_property
    def _loss_solver(self) -> Any:
        """The solver whose velocity is minus the gradient of the output's loss."""
        alone = output_loss_gradient(self.system)
        return self.solver if alone is loss_gradient(self.system) else generate(draw_noise(alone))

    def directed(self, state: Arrays, along: Mapping[str, Array]) -> Arrays:
        """A state of the curvature: the deviations are a direction, 0 where it has none."""
        given = dict(state)
        for variable in self.curvature.variables:
            origin = self.curvature.field[variable.name].deviation
            if origin in along:
                given[variable.name] = np.array(along[origin], order="C")
            elif origin or variable.name not in given:
                given[variable.name] = np.zeros(self._shape(variable.axes))
        return given

    def of_batch(self, state: Arrays, along: Mapping[str, Array], samples: Samples, k: int) -> float:
        """The variance that another batch of the spec's size adds in step k (counted from 1).

        A step of a batch moves the functional by the mean of -d loss(z)[u] over it, and the samples of a
        batch are independent, so this is the variance of d loss(z)[u] over the law of the data, divided by
        their number: of the step's own batch without bias, of weighted samples that integrate the law, or of
        a few others where a batch has too few.
        """
        size = self.stepper.problem.network.training.batch_size
        if isinstance(size, str):
            return 0.0  # every step takes the whole sample
        x, y, weights = samples
        drawn = self.stepper.feed.nodes is None
        if drawn and len(x) < _FEW:
            # Batches that no step of the solution takes: a step and what it is judged by share no sample.
            others = self.stepper.problem.network.source.batch(self.history.last + k, _FEW)
            x, y = self.stepper.problem.reduced.encode(*others)
        given = self.directed(state, along)
        run = Interpretation(self.curvature, given, np.asarray(x, float), np.asarray(y, float), None)
        run.values |= self.solver.forward(given, x)
        run.magnitudes = {name: np.abs(value) for name, value in run.values.items()}
        compared = depends_on_y(self.curvature)
        for equation in self.curvature.forward:
            if equation.field in compared:
                run.equation(equation)
        moves = run.values.get(deviation_name(LOSS))
        if moves is None:
            return 0.0
        shares = np.full(len(x), 1 / len(x)) if weights is None else np.asarray(weights, float)
        spread = float(shares @ np.square(moves - shares @ moves))
        return spread / size * (len(x) / (len(x) - 1) if drawn else 1.0)

    def _shape(self, axes: Sequence[str]) -> tuple[int, ...]:
        table = self.curvature.axis
        return tuple(len(self.weights[a]) if a in self.weights else int(table[a].size or 0) for a in axes)

    def take(self, each: Functional, direct: Arrays, along: Arrays, found: Arrays) -> None:
        """Put one step into a functional."""
        for name in self.trained:
            direct[name] = direct[name] + found[deviation_name(name)]
        each.sensitivity = direct
        for population in self.populations:
            each.raw[population] = each.raw[population] + found[deviation_name(mass_name(population))]
        for name, direction in along.items():
            for population, own in self.shares(name, direction * found[name]):
                each.raw[population] = each.raw[population] - own

    def shares(self, name: str, product: Array) -> list[tuple[str, Array]]:
        """The averages of an array of a parameter over all of its slots but one over a population, each."""
        axes = self.system.field[name].axes
        result = []
        for place, axis in enumerate(axes):
            if self.system.axis[axis].kind is AxisKind.POPULATION:
                result.append((axis, averaged(self.weights, axes, product, place)))
        return result


def averaged(weights: Mapping[str, Array], axes: Sequence[str], values: Array, kept: int | None) -> Array:
    """Values averaged over axes with weights and summed over finite ones, all but the axis at ``kept``."""
    for place in reversed(range(len(axes))):
        if place == kept:
            continue
        own = weights.get(axes[place])
        values = values.sum(place) if own is None else np.tensordot(values, own, (place, 0))
    return values
