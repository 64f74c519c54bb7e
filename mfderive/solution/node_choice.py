"""How many Gauss nodes labels need: measured on a coarse solution, not assumed.

A field is a function of the numbers that tell neurons apart. Where it is close to a polynomial of low degree
in one of them at all times, few nodes integrate it and its products exactly; where it bends, many are needed.
A coarse flow with eight nodes for each number shows which: its states are expanded in the polynomials that
are orthonormal under the law of the number, and what lies beyond a degree is compared with the whole. Numbers
whose expansion does not end within what eight nodes can see keep the nodes that they have by default.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from ..algebra.terms import AxisKind
from ..errors import MfError
from ..network.solve_options import ADAPTIVE, ATOL_OF_RTOL, SolveOptions
from ..samples.points import tensor_points
from ..samples.quadrature import coarser_count
from ..state.ensemble_plan import Ensemble
from ..state.ensembles import number_kinds, plan_ensembles
from .feed import Feed, integrated_source, make_feed
from .flow import make_run
from .grid import Clock, make_clock
from .methods import steps_are_euler
from .start import reduced_state
from .stepping import Problem

Array = Any
Arrays = dict[str, Any]

# The key of a trajectory's notes: axis -> nodes.
CHOSEN = "chosen_nodes"
# Nodes of each number of the coarse solution, and the least that are chosen (fewer have nothing coarser).
PILOT, LEAST = 8, 3
# What part of a field may lie beyond the degree that nodes are chosen for: averages see far less of it.
_PART = 1e-3
# The coarse solution: error of its steps, states that are looked at, samples of them, sampled nodes.
_RTOL, _LOOKS, _SAMPLES, _SAMPLED, _EVALUATION = 1e-2, 10, 32, 256, 64
# Averages are of products of so many fields; n Gauss nodes integrate degrees up to 2 n - 1.
_FACTORS = 3


def chosen_nodes(problem: Problem, clock: Clock, feed: Feed) -> dict[str, int]:
    """Nodes for the axes whose Gauss nodes nobody asked for, where fewer than by default suffice.

    Nothing where a coarse solution costs as much as the solution itself: for batches and for steps that no
    flow is close to.
    """
    options = problem.options
    if feed.nodes is None or not options.reduce or options.tolerance is not None:
        return {}
    if options.method not in ADAPTIVE and not steps_are_euler(problem.system):
        return {}
    plans = plan_ensembles(problem.system, options.nodes, options.rule)
    open_plans = {name: plan for name, plan in plans.items() if _is_open(plan, options)}
    if not open_plans:
        return {}
    coarse = {name: _coarse(plan) if name in open_plans else _fewer(plan) for name, plan in plans.items()}
    try:
        degrees = _degrees(_pilot(problem, clock, feed), problem, coarse, tuple(open_plans))
    except MfError:
        return {}  # the coarse solution cannot be followed, so that it says nothing
    found = {}
    for name, degree in degrees.items():
        nodes = _nodes(open_plans[name], degree)
        if nodes < open_plans[name].nodes:
            found[name] = nodes
    return found


def _is_open(plan: Ensemble, options: SolveOptions) -> bool:
    """Whether a number of an axis has more nodes than the coarse solution, and nobody asked for them."""
    if options.nodes is not None and (not isinstance(options.nodes, Mapping) or plan.axis in options.nodes):
        return False
    return not plan.is_sampled and any(
        size > PILOT for size, exact in zip(plan.tensor, plan.exact, strict=True) if not exact
    )


def _coarse(plan: Ensemble) -> Ensemble:
    return plan.resized(lambda size: min(size, PILOT))


def _fewer(plan: Ensemble) -> Ensemble:
    if not plan.is_sampled or not plan.dimension:
        return plan
    return replace(plan, nodes=min(plan.nodes, _SAMPLED))


def _nodes(plan: Ensemble, degree: int) -> int:
    """Nodes of an axis for fields below a degree in each of its numbers; those of the plan for others."""
    if degree > PILOT - 2:
        return plan.nodes
    each = max(LEAST, -(-(_FACTORS * (degree - 1) + 1) // 2))
    return plan.resized(lambda size: min(size, each)).nodes


# ---------------------------------------------------------------------------------------- a coarse solution


def _pilot(problem: Problem, clock: Clock, feed: Feed) -> tuple[Problem, Clock, Feed]:
    """The problem of the coarse solution: a flow to the same time, with loose steps and fewer samples."""
    options = replace(
        problem.options,
        method="flow",
        rtol=_RTOL,
        atol=ATOL_OF_RTOL * _RTOL,
        observations=_LOOKS,
        evaluation=_EVALUATION,
        until_loss=None,
        until_speed=None,
        step=None,
        steps=None,
        horizon=float(clock.times[-1]),
    )
    source = integrated_source(problem.network, problem.reduced)
    count = coarser_count(source, feed.rule, feed.asked)
    coarse = feed if not count else make_feed(problem.network, problem.reduced, feed.rule, count)
    return replace(problem, options=options), make_clock(problem.network, options), coarse


def _degrees(
    pilot: tuple[Problem, Clock, Feed], problem: Problem, plans: Mapping[str, Ensemble], axes: tuple[str, ...]
) -> dict[str, int]:
    """The degree below which all fields lie in each number of an axis, at all times, by axis."""
    coarse, clock, feed = pilot
    state = reduced_state(coarse.system, plans, coarse.options, coarse.network.source)
    run = make_run(coarse, clock, feed, _LOOKS)
    path = run.trajectory(state, 0, None, False)
    x = run.x[np.unique(np.linspace(0, len(run.x) - 1, _SAMPLES).astype(int))]
    bases = {axis: _bases(problem, plans[axis]) for axis in axes}
    found = dict.fromkeys(axes, 1)
    for point in path.checkpoints:
        for axis in axes:
            for names, values in _fields(problem, plans[axis], point.state.arrays, x):
                if axis in names:
                    degree = _degree(values, names.index(axis), bases[axis])
                    found[axis] = max(found[axis], degree)
    return found


def _fields(
    problem: Problem, plan: Ensemble, state: Arrays, x: Array
) -> Iterator[tuple[tuple[str, ...], Array]]:
    """Axes and values of the forward fields on samples, and of the labels of an axis.

    Whatever other variables do, they do in forward fields, of which they may be a part that hardly counts.
    """
    system = problem.system
    for label in plan.labels:
        yield system.variable[label].axes, state[label]
    for name, values in problem.module.forward(state, x).items():
        yield system.field[name].axes, values


# ---------------------------------------------------------------------------------------- polynomials


def _bases(problem: Problem, plan: Ensemble) -> list[tuple[Array, Array, bool]]:
    """For each number of a plan: its weights, orthonormal polynomials [node, degree], whether it is exact."""
    system = problem.system
    assert system.axis[plan.axis].kind in (AxisKind.POPULATION, AxisKind.NOISE)
    found = []
    for kind, size, exact in zip(number_kinds(system, plan.labels), plan.tensor, plan.exact, strict=True):
        points, weights = tensor_points([kind], (size,))
        root = np.sqrt(weights)[:, None]
        basis, _ = np.linalg.qr(root * np.vander(points[:, 0], size, increasing=True))
        found.append((weights, basis / root, exact))
    return found


def _degree(values: Array, position: int, bases: list[tuple[Array, Array, bool]]) -> int:
    """The least degree m such that a field lies below m, but for a small part, in every number of an axis."""
    sizes = tuple(len(weights) for weights, _, _ in bases)
    tensor = np.moveaxis(np.asarray(values, np.float64), position, 0).reshape(*sizes, -1)
    degree = 1
    for number, (weights, basis, exact) in enumerate(bases):
        if exact:
            continue
        others = np.ones(())
        for k, (own, _, _) in enumerate(bases):
            others = others if k == number else np.multiply.outer(others, own)
        lines = np.moveaxis(tensor, number, 0).reshape(sizes[number], others.size, -1)
        coefficients = np.einsum("id,iot->dot", basis * weights[:, None], lines)
        energies = np.einsum("dot,o->d", coefficients**2, others.ravel())
        whole = energies.sum()
        if whole > 0:
            beyond = np.sqrt(np.cumsum(energies[::-1])[::-1] / whole)
            degree = max(degree, 1 + int(np.flatnonzero(beyond > _PART)[-1]))
    return degree
