"""The nodes at which a refinement begins, and the same nodes doubled."""

from __future__ import annotations

from dataclasses import replace

from ..state.ensemble_plan import Ensemble
from ..state.ensembles import plan_ensembles
from .stepping import Problem

# Nodes of each number of a tensor, and points of a sample, where nothing else is said.
COARSE_GAUSS, COARSE_SAMPLED = 8, 256


def coarse_plans(problem: Problem) -> dict[str, Ensemble]:
    """The plans at which refinement begins: as given, else coarse ones by the same rules."""
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
    return plan_ensembles(problem.system, nodes, {name: plan.rule for name, plan in chosen.items()})


def doubled(plan: Ensemble, doublings: int) -> Ensemble:
    """A plan with twice the nodes, so many times; of a tensor twice those of every number."""
    if not doublings or not plan.dimension:
        return plan
    if plan.is_sampled:
        return replace(plan, nodes=plan.nodes * 2**doublings)
    return plan.resized(lambda size: size * 2**doublings)
