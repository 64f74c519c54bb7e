"""States of a coarse solution on other nodes than its own, and what their averages are there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ..state.draw import WEIGHTS
from ..state.ensemble_plan import Ensemble
from ..state.ensembles import number_kinds, standard_nodes, with_other_nodes
from .feed import Feed
from .label_polynomials import LabelPolynomials
from .repeated_calls import Outputs, Velocities
from .stepping import Problem

Array = Any
Arrays = dict[str, Any]

# What may lie beyond the polynomials that are known of how far something moved: parts of that, and of itself.
# (What bends shows in averages as well.)
_MOVED, _PART = 2e-2, 3e-3
# Samples on which outputs and velocities are looked at; more do not tell more of nodes.
_SAMPLES = 32
# Points of a sampled axis beside another one that is looked at.
_BESIDE = 64
# Velocities of a part of the largest one hardly count.
_SMALL = 1e-2


@dataclass(frozen=True, eq=False)
class Pilot:
    """A coarse solution: its nodes, first state, and later states with their times.

    ``samples``: x, y and weights of some of its samples.
    """

    problem: Problem
    samples: tuple[Array, Array, Array]
    plans: dict[str, Ensemble]
    first: Arrays
    states: list[tuple[float, Arrays]]
    known: dict[str, LabelPolynomials | None] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        problem: Problem,
        feed: Feed,
        plans: Mapping[str, Ensemble],
        first: Arrays,
        states: list[tuple[float, Arrays]],
    ) -> Pilot:
        """That of a problem on the samples of a feed."""
        x, y, weights = _encoded(problem, feed)
        some = np.unique(np.linspace(0, len(x) - 1, _SAMPLES).astype(int))
        samples = x[some], y[some], weights[some] / weights[some].sum()
        return cls(problem, samples, dict(plans), first, states)

    @property
    def looked_at(self) -> list[tuple[float, Arrays]]:
        """The states of which averages are taken: the first, one between, and the last."""
        last = len(self.states) - 1
        return [self.states[number] for number in sorted({0, (last + 1) // 2, last})]

    def is_polynomial(self, axis: str) -> bool:
        """Whether all that an axis tells apart moved as a polynomial of its labels, but for a small part."""
        basis = self._basis(axis)
        if basis is None:
            return False
        for _, state in self.states[1:]:
            for name in self._variables(axis):
                now, first = (self._lines(each[name], name, axis) for each in (state, self.first))
                if basis.left(now - first) > max(_MOVED * basis.size(now - first), _PART * basis.size(now)):
                    return False
        return True

    def _variables(self, axis: str) -> list[str]:
        return [v.name for v in self.problem.system.variables if axis in v.axes]

    def _lines(self, values: Array, name: str, axis: str) -> Array:
        return np.moveaxis(values, self.problem.system.variable[name].axes.index(axis), 0)

    def _points(self, plan: Ensemble) -> Array:
        seed, source = self.problem.options.seed, self.problem.network.source
        return standard_nodes(self.problem.system, plan, seed, source)[0]

    def _basis(self, axis: str) -> LabelPolynomials | None:
        if axis not in self.known:
            plan = self.plans[axis]
            kinds = number_kinds(self.problem.system, plan.labels)
            self.known[axis] = LabelPolynomials.of(kinds, self._points(plan), plan.tensor)
        return self.known[axis]

    def on(self, plan: Ensemble) -> Pilot:
        """The same on other nodes of an axis: its states there at the start, moved as polynomials say."""
        basis, problem, axis = self._basis(plan.axis), self.problem, plan.axis
        assert basis is not None
        plans = self.plans | {axis: plan}
        options, source = problem.options, problem.network.source
        first = with_other_nodes(problem.system, self.first, plan, options.seed, source)
        points, found = self._points(plan), []
        for time, state in self.looked_at:
            moved = state | {WEIGHTS: first[WEIGHTS]}
            for name in self._variables(axis):
                lines = self._lines(state[name] - self.first[name], name, axis)
                position = problem.system.variable[name].axes.index(axis)
                step = np.moveaxis(basis.at(points, lines), 0, position)
                moved[name] = np.asarray(first[name] + step, first[name].dtype, order="C")
            found.append((time, moved))
        # What is known of the other axes does not change.
        known = {name: own for name, own in self.known.items() if name != axis}
        return replace(self, plans=plans, first=first, states=found, known=known)

    def beside(self, axis: str) -> Pilot:
        """The same with the first of the points on other sampled axes: enough to look at one axis beside."""
        found = self
        for name, plan in self.plans.items():
            if name != axis and plan.is_sampled and plan.nodes > _BESIDE:
                states = [(time, found._first(state, name)) for time, state in found.states]
                plans = found.plans | {name: replace(plan, nodes=_BESIDE)}
                found = replace(found, plans=plans, first=found._first(found.first, name), states=states)
        return found

    def _first(self, state: Arrays, axis: str) -> Arrays:
        """A state with the first points of an axis alone."""
        found = dict(state)
        for name in self._variables(axis):
            position = self.problem.system.variable[name].axes.index(axis)
            found[name] = np.take(state[name], range(_BESIDE), position).copy(order="C")
        own = np.full(_BESIDE, 1 / _BESIDE, state[WEIGHTS][axis].dtype)
        return found | {WEIGHTS: state[WEIGHTS] | {axis: own}}

    def measured(self, axis: str) -> list[Arrays]:
        """What the nodes of an axis are for: outputs, and velocities of all that has no index of it."""
        x, y, weights = self.samples
        own, module = set(self._variables(axis)), self.problem.module
        velocities, outputs = Velocities(module, (x, y, weights)), Outputs(module, x)
        found = []
        for time, state in self.looked_at:
            velocity = velocities(time, state)
            shared = {name: velocity[name].copy() for name in velocity if name not in own and name != WEIGHTS}
            found.append({"": outputs(state).copy()} | shared)
        return found

    def velocities(self, feed: Feed) -> list[Arrays]:
        """The velocities of all states on the samples of a feed."""
        velocities = Velocities(self.problem.module, _encoded(self.problem, feed))
        found = (velocities(time, state) for time, state in self.looked_at)
        return [{name: value.copy() for name, value in each.items() if name != WEIGHTS} for each in found]


def _encoded(problem: Problem, feed: Feed) -> tuple[Array, Array, Array]:
    """x, y and weights of the samples of a feed, as the solver takes them."""
    nodes = feed.nodes
    assert nodes is not None
    x, y = problem.reduced.encode(nodes.x, nodes.y)
    precision = problem.options.dtype
    return np.asarray(x, precision), np.asarray(y, precision), np.asarray(nodes.weights, precision)


def off(values: Sequence[Mapping[str, Array]], others: Sequence[Mapping[str, Array]]) -> float:
    """The largest difference of what was measured, relative to its size at the time when that is largest."""
    sizes = {name: max(_size(each[name]) for each in others) for name in others[0]}
    least = _SMALL * max((size for name, size in sizes.items() if name), default=0.0)
    scales = {name: max(size, least) if name else size for name, size in sizes.items()}
    return max(
        (
            _size(own[name] - other[name]) / scales[name]
            for own, other in zip(values, others, strict=True)
            for name in other
            if scales[name] > 0
        ),
        default=0.0,
    )


def _size(values: Array) -> float:
    """The root of the mean square of numbers."""
    return float(np.linalg.norm(values) / np.sqrt(max(values.size, 1)))
