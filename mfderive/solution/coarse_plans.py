"""The nodes at which a refinement begins, and what it can refine of them, by name."""

from __future__ import annotations

from dataclasses import replace

from ..algebra.system import LimitSystem
from ..state.ensemble_plan import Ensemble
from ..state.ensembles import number_kinds, plan_ensembles
from .feed import make_feed
from .grid import make_clock
from .node_choice import chosen_nodes, is_open
from .stepping import Problem

# Nodes of each number of a tensor, and points of a sample, where nothing else is said.
COARSE_GAUSS, COARSE_SAMPLED = 8, 256


def coarse_plans(problem: Problem) -> dict[str, Ensemble]:
    """The plans at which refinement begins: as given or chosen, else coarse ones by the same rules."""
    options = problem.options
    if not options.reduce:
        return {}
    chosen = plan_ensembles(problem.system, options.nodes, options.rule)
    nodes = {}
    for name, plan in chosen.items():
        stated = options.nodes.get(name) if isinstance(options.nodes, dict) else options.nodes
        if stated is not None or not plan.dimension:
            nodes[name] = plan.nodes
        elif plan.is_sampled:
            nodes[name] = COARSE_SAMPLED
        else:
            exact = sum(plan.exact)
            nodes[name] = min(plan.nodes, COARSE_GAUSS ** (plan.dimension - exact) * 2**exact)
    rules = {name: plan.rule for name, plan in chosen.items() if name not in problem.tensors}
    return plan_ensembles(problem.system, nodes | dict(problem.tensors), rules)


def with_few_nodes(problem: Problem) -> Problem:
    """A problem with tensors in place of sampled points, where a coarse solution says that few nodes do.

    For populations and for the data, as far as nobody asked for any.
    """
    options = problem.options
    feed = make_feed(problem.network, problem.reduced, options.data or "batches", options.data_nodes)
    plans = problem.plans if options.reduce else {}
    sampled = [axis for axis, plan in plans.items() if plan.is_sampled and is_open(problem, plan)]
    is_sampled = feed.rule == "sobol" and problem.data_is_open
    if not (sampled or is_sampled):
        return problem
    found = chosen_nodes(problem, make_clock(problem.network, options), feed)
    tensors = {axis: sizes for axis, sizes in found.nodes.items() if axis in sampled}
    if found.data is not None and is_sampled:
        options = replace(options, data="quadrature", data_nodes=found.data)
    return replace(problem, tensors=tensors, options=options)


def numbers_by_name(system: LimitSystem, plan: Ensemble) -> dict[str, tuple[int, ...]]:
    """The resolutions of a tensor of nodes by name: which of its numbers each of them has.

    One for each label, called after it, or one called after the axis where a single label needs nodes.
    """
    found: dict[str, tuple[int, ...]] = {}
    start = 0
    for label in plan.labels:
        end = start + len(number_kinds(system, (label,)))
        numbers = tuple(k for k in range(start, end) if not plan.exact[k])
        if numbers:
            found[label] = numbers
        start = end
    return found if len(found) != 1 else {plan.axis: found.popitem()[1]}
