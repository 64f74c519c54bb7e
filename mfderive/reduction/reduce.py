"""LimitSystem -> reduced LimitSystem, with a log of what collapsed and why."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from ..algebra.arguments import LIMIT, instance
from ..algebra.system import LimitSystem
from ..state.ensembles import plan_ensembles
from .closure import close_noise
from .cost import NODES, Cost, compared_sizes, cost
from .exchangeability import collapse


@dataclass(frozen=True)
class Pass:
    """One step of the reduction: what it is called in the log, and what it does."""

    name: str
    apply: Callable[[LimitSystem], LimitSystem]


# Noise first: only when weights are their means can the neurons that they feed turn out to be equal.
PASSES = (Pass("closure", close_noise), Pass("exchangeability", collapse))


def reduce(system: LimitSystem) -> LimitSystem:
    """The exact reduction of a limit (theory C.1, C.2, C.5).

    ``log`` says in words, under the name of each pass, what it found and why, and what the system costs
    before and after: at 1000 nodes a population, and last on the nodes that ``solve`` takes unless
    ``[solver]``, arguments or flags say otherwise.
    Raises ArgumentError for anything that is not a limit.
    """
    instance(system, LimitSystem, "a limit", LIMIT)
    before = _cost(system)
    for step in PASSES:
        done = step.apply(system)
        after = _cost(done)
        lines = [f"{step.name}: {line}" for line in done.log[len(system.log) :]]
        lines.append(f"{step.name}: {_change(before, after)}")
        system, before = replace(done, log=(*system.log, *lines)), after
    return replace(system, log=(*system.log, *_ensemble_lines(system)))


def _cost(system: LimitSystem) -> Cost:
    return cost(system, compared_sizes(system, plan_ensembles(system)))


def _change(before: Cost, after: Cost) -> str:
    where = f"with {NODES} nodes a population"
    if before == after:
        return f"{where} as before {after}"
    return f"{where} {before} before, {after} after"


def _ensemble_lines(system: LimitSystem) -> list[str]:
    plans = plan_ensembles(system)
    total = cost(system, {name: plan.nodes for name, plan in plans.items()})
    lines = [f"ensembles: by default {plan}" for plan in plans.values()]
    return [*lines, f"ensembles: on these nodes {total}"]
