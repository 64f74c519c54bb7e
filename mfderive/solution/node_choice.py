"""How many nodes labels and data need: measured on the states of a coarse solution, not assumed.

A coarse flow is solved first. How far it has moved what belongs to a neuron is a function of the numbers that
tell neurons apart; as a polynomial in them it is known on any nodes
(:mod:`mfderive.solution.label_polynomials`), and so are the outputs and velocities of its states there. Those
on few nodes are held against those on the nodes by default: first with fewer for one number at a time, which
says how many each of them needs (two where everything is linear in it), then with these together. What
moves as no polynomial does (kinks), and averages that few nodes miss, keep the nodes by default. The nodes
of a law of data are chosen in the same way, by the velocities that they give; those of a law of many numbers
where few Gauss nodes do in place of the points of a sample.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import inf, prod
from typing import Any

import numpy as np

from ..algebra.law_kinds import LAWS, smooth_numbers
from ..algebra.terms import AxisKind
from ..analysis.bends import has_kinks
from ..errors import MfError
from ..network.solve_options import ADAPTIVE, ATOL_OF_RTOL
from ..runs.trajectory import Trajectory
from ..samples.quadrature import DataNodes, coarser_count, fewer_gauss, node_count
from ..samples.standard_law import StandardLaw
from ..state.ensemble_plan import Ensemble
from ..state.ensembles import LARGEST_TENSOR, number_kinds, plan_ensembles
from .feed import Feed, integrated_source, law_of, make_feed
from .flow import FlowRun
from .grid import Clock, make_clock
from .methods import memories_moved, steps_are_euler
from .node_ladders import BASE, LADDER, OFF, SINGLE, TOP, fewest, rungs_of, shared
from .start import reduced_state
from .stepping import Problem
from .transplant import Pilot, off

Array = Any
Arrays = dict[str, Any]
Sizes = tuple[int, ...]

# The keys of a trajectory's notes: axis -> nodes of each number, and nodes of the data.
CHOSEN, CHOSEN_DATA = "chosen_nodes", "chosen_data_nodes"
# Nodes of each number of the coarse solution, by how many numbers there are.
PILOT = {1: 8, 2: 8, 3: 6}
# So many times less is allowed for every number, if together they are off by more than that.
_TRIES = 3
# The tensor that stands for all nodes in place of points of a sample is off by so many times less.
_FINER = 20
# The coarse solution: error of its steps, states that are looked at, sampled nodes, samples of the data that
# are no Gauss nodes, points of its loss.
_RTOL, _LOOKS, _SAMPLED, _DRAWN, _EVALUATION = 1e-2, 5, 256, 64, 64
# A coarse solution has at least so many evaluations, and may cost this part of steps on batches.
_EVALUATIONS, _SHARE = 60, 0.2
# The part of the numbers of all fields that few nodes of an axis have to save.
_COUNTS = 0.1
# Numbers of all fields below which the nodes of the data hardly count in the time of an evaluation.
_WORTH = 2**15


@dataclass(frozen=True)
class Choice:
    """Nodes of each number by axis, and how many Gauss nodes of the data (None: what there is)."""

    nodes: Mapping[str, Sizes] = field(default_factory=dict)
    data: int | None = None

    @property
    def notes(self) -> dict[str, Any]:
        """What a trajectory's notes say of it."""
        found: dict[str, Any] = {CHOSEN: {name: list(own) for name, own in self.nodes.items()}}
        return {key: value for key, value in (found | {CHOSEN_DATA: self.data}).items() if value}


NOTHING = Choice()


def chosen_nodes(problem: Problem, clock: Clock, feed: Feed, resume: Trajectory | None = None) -> Choice:
    """Nodes for axes and data for which nobody asked for any, where fewer than by default suffice.

    Nothing where a coarse solution costs as much as the solution itself, and for steps that no flow is close
    to. Nodes of the data are Gauss nodes, whatever the rule of the ``feed`` is. What goes on from ``resume``
    has those that were chosen for it.
    """
    options = problem.options
    if resume is not None:
        keeps = problem.data_is_open and feed.asked is None and feed.rule in ("quadrature", "sobol")
        return Choice(data=resume.notes.get(CHOSEN_DATA) if keeps else None)
    adaptive = options.method in ADAPTIVE
    if not options.reduce:
        return NOTHING
    if not adaptive and not steps_are_euler(problem.system):
        return NOTHING
    plans = problem.plans
    axes = [
        name
        for name, plan in plans.items()
        if is_open(problem, plan) and _matters(problem, plans, plan, feed.samples)
    ]
    coarse = {name: _coarse(plan, name in axes) for name, plan in plans.items()}
    law = _open_law(problem, feed)
    if not axes and (law is None or _numbers(problem, plans, feed.samples) < _WORTH):
        return NOTHING
    samples = _pilot_feed(problem, feed, law)
    allowed = inf
    if feed.nodes is None and not adaptive:
        whole = clock.steps * _numbers(problem, plans, feed.samples)
        allowed = _SHARE * whole / _numbers(problem, coarse, samples.samples)
        if allowed < _EVALUATIONS:
            return NOTHING
    try:
        pilot = _pilot(problem, clock, samples, coarse, allowed)
        found = _tensors(pilot, [plans[name] for name in axes])
        data = None if law is None else _data_count(pilot, law, feed)
    except MfError:
        return NOTHING  # the coarse solution cannot be followed, so that it says nothing
    return Choice(found, data)


# ---------------------------------------------------------------------------------------- what is open


def is_open(problem: Problem, plan: Ensemble) -> bool:
    """Whether fewer Gauss nodes could do for an axis, and nobody asked for what there is."""
    for given, matters in ((problem.options.nodes, True), (problem.options.rule, plan.is_sampled)):
        if matters and given is not None and (not isinstance(given, Mapping) or plan.axis in given):
            return False
    if plan.driven or not plan.dimension:
        return False
    if plan.is_sampled:
        kinds = number_kinds(problem.system, plan.labels)
        return all(LAWS[kind].has_gauss_nodes for kind in kinds) and 2 ** len(kinds) < plan.nodes
    return any(size > _pilot_size(plan) > 0 for size in plan.tensor)


def _pilot_size(plan: Ensemble) -> int:
    """Nodes of each number of a tensor in the coarse solution."""
    return PILOT.get(len(plan.exact) - sum(plan.exact), 0)


def _coarse(plan: Ensemble, is_open: bool) -> Ensemble:
    """The plan of an axis in the coarse solution."""
    if plan.is_sampled:
        return replace(plan, nodes=min(plan.nodes, _SAMPLED)) if plan.dimension else plan
    return plan.resized(lambda size: min(size, _pilot_size(plan))) if is_open else plan


def _open_law(problem: Problem, feed: Feed) -> StandardLaw | None:
    """The law of the data where Gauss nodes can integrate it and nobody said how; none where fields bend."""
    if feed.nodes is None or feed.rule not in ("quadrature", "sobol") or feed.asked is not None:
        return None
    if has_kinks(problem.system):
        return None
    law = law_of(integrated_source(problem.network, problem.reduced))
    # Numbers of two values have two nodes, whatever else there is.
    if law is None or not smooth_numbers(law.kinds) or not all(LAWS[k].has_gauss_nodes for k in law.kinds):
        return None
    if feed.rule == "quadrature":
        return law
    fits = len(law.odds) * node_count(law, SINGLE) < feed.samples
    return law if fits and problem.data_is_open else None


def _numbers(problem: Problem, plans: Mapping[str, Ensemble], samples: int) -> int:
    """How many numbers the forward fields of a step are together."""
    known = {name: plan.nodes for name, plan in plans.items()}
    for axis in problem.system.axes:
        if axis.kind is AxisKind.DATA:
            known[axis.name] = samples
        elif axis.kind is AxisKind.FINITE:
            known[axis.name] = axis.size or 1
    fields = (problem.system.field[equation.field] for equation in problem.system.forward)
    return sum(prod(known.get(axis, 1) for axis in each.axes) for each in fields)


def _matters(problem: Problem, plans: Mapping[str, Ensemble], plan: Ensemble, samples: int) -> bool:
    """Whether the nodes of an axis count in the time of an evaluation."""
    least = {**plans, plan.axis: replace(plan, nodes=SINGLE)}
    whole = _numbers(problem, plans, samples)
    return whole - _numbers(problem, least, samples) > _COUNTS * whole


# ---------------------------------------------------------------------------------------- a coarse solution


def _pilot(
    problem: Problem, clock: Clock, feed: Feed, plans: Mapping[str, Ensemble], allowed: float
) -> Pilot:
    """The coarse solution: a flow to the same time, with loose steps and as many evaluations as are allowed.

    Stabilised steps are fewer at this tolerance, but for kinks and for memories that swing. Raises MfError
    where these evaluations do not suffice.
    """
    is_smooth = not (has_kinks(problem.system) or memories_moved(problem.system))
    options = replace(
        problem.options,
        method="stiff" if is_smooth else "flow",
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
    coarse = replace(problem, options=options)
    state = reduced_state(problem.system, plans, options, problem.network.source)
    run = FlowRun(coarse, make_clock(problem.network, options), feed, _LOOKS)
    run.allowed = allowed
    path = run.trajectory(state, 0, None, False)
    states = [(point.time, dict(point.state.arrays)) for point in path.checkpoints]
    return Pilot.of(coarse, feed, plans, state, states)


def _pilot_feed(problem: Problem, feed: Feed, law: StandardLaw | None) -> Feed:
    """The samples of the coarse solution."""
    network, reduced = problem.network, problem.reduced
    if feed.nodes is None:
        rows = min(feed.samples if network.training.batch_size == "all" else _DRAWN, _DRAWN)
        x, y = network.source.batch(1, rows)
        return Feed(network, DataNodes(x, y, np.full(len(x), 1 / len(x))))
    if law is not None and feed.rule == "quadrature":
        return make_feed(network, reduced, feed.rule, node_count(law, PILOT[len(smooth_numbers(law.kinds))]))
    if feed.rule == "sobol" or (feed.rule == "sample" and network.source.rows is None):
        return make_feed(network, reduced, feed.rule, min(feed.asked or _DRAWN, _DRAWN))
    count = coarser_count(integrated_source(network, reduced), feed.rule, feed.asked)
    return make_feed(network, reduced, feed.rule, count) if count else feed


# ---------------------------------------------------------------------------------------- how many nodes


def _tensors(pilot: Pilot, plans: Sequence[Ensemble]) -> dict[str, Sizes]:
    """Nodes of each number of some axes, where they are fewer than those of their plans."""
    found = {}
    for plan in sorted(plans, key=lambda plan: plan.is_sampled):
        sizes = _tensor(pilot, plan)
        if sizes:  # the other axes are looked at beside these nodes
            found[plan.axis] = sizes
            pilot = pilot.on(_planned(pilot, plan, sizes))
    return found


def _planned(pilot: Pilot, plan: Ensemble, sizes: Sequence[int]) -> Ensemble:
    return plan_ensembles(pilot.problem.system, {plan.axis: tuple(sizes)})[plan.axis]


def _tensor(pilot: Pilot, plan: Ensemble) -> Sizes:
    """Nodes of each number of an axis; none where these are not fewer than those of the plan."""
    kinds = number_kinds(pilot.problem.system, plan.labels)
    smooth = smooth_numbers(kinds)
    if not pilot.is_polynomial(plan.axis):
        return ()
    pilot = pilot.beside(plan.axis)

    known: dict[Sizes, Any] = {}

    def measured(sizes: Sequence[int]) -> Any:
        key = tuple(sizes)
        if key not in known:
            known[key] = pilot.on(_planned(pilot, plan, key)).measured(plan.axis)
        return known[key]

    limits = [plan.tensor[k] if plan.tensor else TOP + 1 for k in range(len(kinds))]
    base = [BASE.get(len(smooth), 2) if k in smooth else 2 for k in range(len(kinds))]
    alone = pilot.on(plan).measured(plan.axis) if len(smooth) == 1 else None
    rungs = {k: rungs_of(measured, base, k, limits[k], alone) for k in smooth}

    def sizes_for(allowed: float) -> Sizes:
        few = shared(rungs, allowed)
        return tuple(few.get(k, limits[k]) if k in smooth else 2 for k in range(len(kinds)))

    # Points of a sample are off by more themselves than a tensor may be.
    finest = sizes_for(OFF / _FINER) if plan.is_sampled else plan.tensor
    if prod(finest) > LARGEST_TENSOR:
        return ()
    whole = measured(finest) if alone is None else alone
    for part in range(_TRIES):
        sizes = sizes_for(OFF / 3**part)
        chosen = _planned(pilot, plan, sizes)
        if chosen.nodes >= plan.nodes or not chosen.other(fewer_gauss).nodes:
            return ()
        if off(measured(sizes), whole) <= OFF:
            return sizes
    return ()


def _data_count(pilot: Pilot, law: StandardLaw, feed: Feed) -> int | None:
    """Nodes of each component of the law of the data; None where they have to be those by default."""
    if feed.rule == "sobol":
        return _tensor_of_data(pilot, law, feed)
    network, reduced = pilot.problem.network, pilot.problem.reduced
    whole = pilot.velocities(feed)
    limit = round((feed.samples / node_count(law, 1)) ** (1 / max(len(smooth_numbers(law.kinds)), 1)))

    def error(each: int) -> float:
        fewer = make_feed(network, reduced, feed.rule, node_count(law, each))
        return off(pilot.velocities(fewer), whole) if fewer.samples < feed.samples else 0.0

    ladder = [n for n in LADDER if SINGLE <= n < limit]
    each = shared({0: fewest(ladder, error)}, OFF).get(0)
    return None if each is None else node_count(law, each)


def _tensor_of_data(pilot: Pilot, law: StandardLaw, feed: Feed) -> int | None:
    """Gauss nodes of a law of many numbers in place of the points of a sample; None where these are fewer.

    Two nodes of a number, or more, are to be off by less than is allowed from the next more of all numbers.
    """
    network, reduced = pilot.problem.network, pilot.problem.reduced

    def velocities(each: int) -> list[Arrays]:
        return pilot.velocities(make_feed(network, reduced, "quadrature", node_count(law, each)))

    ladder = [n for n in LADDER if len(law.odds) * node_count(law, n) < feed.samples]
    fewer = velocities(ladder[0])
    for each in ladder[1:]:
        found = velocities(each)
        if off(fewer, found) <= OFF:
            return node_count(law, each)
        fewer = found
    return None
