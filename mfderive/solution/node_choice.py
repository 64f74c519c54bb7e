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

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import inf, prod
from typing import Any

import numpy as np

from ..algebra.law_kinds import LAWS, smooth_numbers
from ..algebra.terms import AxisKind
from ..analysis.bends import has_kinks
from ..errors import MfError
from ..network.solve_options import ADAPTIVE, ATOL_OF_RTOL
from ..samples.quadrature import DataNodes, coarser_count, fewer_gauss, node_count
from ..samples.standard_law import StandardLaw
from ..state.ensemble_plan import Ensemble
from ..state.ensembles import LARGEST_TENSOR, number_kinds, plan_ensembles
from .feed import Feed, integrated_source, law_of, make_feed
from .flow import FlowRun
from .grid import Clock, make_clock
from .methods import steps_are_euler
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
# Nodes that a number can have (one would not see how wide a law is; a single number has at least three, which
# have two beside them for comparison), and how many it has while another one is looked at, by how many there
# are.
_LADDER, _SINGLE = (2, 3, 4, 5, 6, 8, 12, 16, 20), 3
_BASE = {2: 5, 3: 3, 4: 3}
# The most of one number of many that is looked at, and where the search begins for a single one.
_TOP, _FIRST = 5, 8
# Outputs and velocities may be off by this part of them, by all numbers of an axis together.
_OFF = 3e-4
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


def chosen_nodes(problem: Problem, clock: Clock, feed: Feed) -> Choice:
    """Nodes for axes and data for which nobody asked for any, where fewer than by default suffice.

    Nothing where a coarse solution costs as much as the solution itself, and for steps that no flow is close
    to. Nodes of the data are Gauss nodes, whatever the rule of the ``feed`` is.
    """
    options = problem.options
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
    fits = len(law.odds) * node_count(law, _SINGLE) < feed.samples
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
    least = {**plans, plan.axis: replace(plan, nodes=_SINGLE)}
    whole = _numbers(problem, plans, samples)
    return whole - _numbers(problem, least, samples) > _COUNTS * whole


# ---------------------------------------------------------------------------------------- a coarse solution


def _pilot(
    problem: Problem, clock: Clock, feed: Feed, plans: Mapping[str, Ensemble], allowed: float
) -> Pilot:
    """The coarse solution: a flow to the same time, with loose steps and as many evaluations as are allowed.

    Raises MfError where these do not suffice.
    """
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

    limits = [plan.tensor[k] if plan.tensor else _TOP + 1 for k in range(len(kinds))]
    base = [_BASE.get(len(smooth), 2) if k in smooth else 2 for k in range(len(kinds))]
    alone = pilot.on(plan).measured(plan.axis) if len(smooth) == 1 else None
    rungs = {k: _rungs(measured, base, k, limits[k], alone) for k in smooth}

    def sizes_for(allowed: float) -> Sizes:
        few = _shared(rungs, allowed)
        return tuple(few.get(k, limits[k]) if k in smooth else 2 for k in range(len(kinds)))

    # Points of a sample are off by more themselves than a tensor may be.
    finest = sizes_for(_OFF / _FINER) if plan.is_sampled else plan.tensor
    if prod(finest) > LARGEST_TENSOR:
        return ()
    whole = measured(finest) if alone is None else alone
    for part in range(_TRIES):
        sizes = sizes_for(_OFF / 3**part)
        chosen = _planned(pilot, plan, sizes)
        if chosen.nodes >= plan.nodes or not chosen.other(fewer_gauss).nodes:
            return ()
        if off(measured(sizes), whole) <= _OFF:
            return sizes
    return ()


def _shared(rungs: Mapping[int, Mapping[int, float]], allowed: float) -> dict[int, int]:
    """The nodes of every number, few where that does little, so that all are off by what is allowed together.

    Those with more than were looked at are left out.
    """
    steps = {
        k: sorted(n for n in own if all(own[m] <= _OFF for m in own if m >= n)) for k, own in rungs.items()
    }
    found = {k: own.pop(0) for k, own in steps.items() if own}
    while found and sum(rungs[k][n] for k, n in found.items()) > allowed:
        largest = max(found, key=lambda k: rungs[k][found[k]])
        del found[largest]
        if steps[largest]:
            found[largest] = steps[largest].pop(0)
    return found


def _rungs(
    measured: Callable[[Sequence[int]], Any], base: Sequence[int], number: int, limit: int, whole: Any
) -> dict[int, float]:
    """Nodes of a number -> what they are off by; from many to few, until that is more than is allowed.

    The other numbers have those of ``base``. ``whole``: what is exact where there are no others.
    """
    if whole is None:
        ladder = [n for n in _LADDER if n < limit and n <= max(_TOP, *base)]
        whole = measured([ladder[-1] if k == number else size for k, size in enumerate(base)])
    else:
        ladder = [n for n in _LADDER if _SINGLE <= n < limit]

    def error(nodes: int) -> float:
        return off(measured([nodes if k == number else size for k, size in enumerate(base)]), whole)

    # Of a single number only the fewest nodes are wanted; several share what is allowed, and need to choose.
    return fewest(ladder, error) if len(base) == 1 else descended(ladder, error)


def fewest(ladder: Sequence[int], error: Callable[[int], float]) -> dict[int, float]:
    """Numbers of nodes -> what they are off by: by halves, from a moderate one, to the fewest allowed.

    Where the moderate one is off by too much, among those above it, if the largest is not.
    """
    found: dict[int, float] = {}
    low, above = ([n for n in ladder if (n <= _FIRST) is few] for few in (True, False))
    for part in (low, above):
        if not part:
            continue
        found[part[-1]] = error(part[-1])
        if found[part[-1]] <= _OFF:
            fails, holds = -1, len(part) - 1
            while holds - fails > 1:
                middle = (holds + fails) // 2
                found[part[middle]] = error(part[middle])
                fails, holds = (fails, middle) if found[part[middle]] <= _OFF else (middle, holds)
            break
    return found


def descended(ladder: Sequence[int], error: Callable[[int], float]) -> dict[int, float]:
    """Numbers of nodes -> what they are off by: from a moderate one down, while that is allowed.

    Where the first is off by too much, one above that is not, if the largest is not.
    """
    found: dict[int, float] = {}
    first = max((n for n in ladder if n <= _FIRST), default=0)
    for nodes in (n for n in reversed(ladder) if n <= first):
        found[nodes] = error(nodes)
        if found[nodes] > _OFF:
            break
    above = [n for n in ladder if n > first]
    if above and found.get(first, 0.0) > _OFF:
        found[above[-1]] = error(above[-1])
        for nodes in above[:-1] if found[above[-1]] <= _OFF else ():
            found[nodes] = error(nodes)
            if found[nodes] <= _OFF:
                break
    return found


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

    ladder = [n for n in _LADDER if _SINGLE <= n < limit]
    each = _shared({0: fewest(ladder, error)}, _OFF).get(0)
    return None if each is None else node_count(law, each)


def _tensor_of_data(pilot: Pilot, law: StandardLaw, feed: Feed) -> int | None:
    """Gauss nodes of a law of many numbers in place of the points of a sample; None where these are fewer.

    Two nodes of a number, or more, are to be off by less than is allowed from the next more of all numbers.
    """
    network, reduced = pilot.problem.network, pilot.problem.reduced

    def velocities(each: int) -> list[Arrays]:
        return pilot.velocities(make_feed(network, reduced, "quadrature", node_count(law, each)))

    ladder = [n for n in _LADDER if len(law.odds) * node_count(law, n) < feed.samples]
    fewer = velocities(ladder[0])
    for each in ladder[1:]:
        found = velocities(each)
        if off(fewer, found) <= _OFF:
            return node_count(law, each)
        fewer = found
    return None
