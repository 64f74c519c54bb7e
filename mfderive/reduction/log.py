"""The log of a reduction, made of what passes found, in their own sentences, and of what systems cost."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil

from ..algebra.findings import sentence_of
from ..algebra.reduced import LogEntry, Reduced
from ..algebra.system import LimitSystem
from ..state.ensembles import plan_ensembles
from .cost import NODES, Cost, compared_sizes, cost
from .pass_words import Sentences

ENSEMBLES = "ensembles"


def log_of(reduced: Reduced, words: Mapping[str, Sentences]) -> tuple[LogEntry, ...]:
    """The log of a reduction: what every pass found and what it saved, and the ensembles of the result.

    ``words``: the sentences of every pass, by its name. Costs are compared at 1000 nodes per population, and
    stated last on the nodes that ``solve`` takes unless ``[solver]``, arguments or flags say otherwise.
    Raises MfError for a finding that has no sentence.
    """
    entries = []
    system, before = reduced.full, _cost(reduced.full)
    for name, result in reduced.passes:
        for finding in result.findings:
            said = sentence_of(words[name], finding, f"the row of the pass '{name}' in reduction/reduce.py")
            entries.append(LogEntry(name, said(system, finding)))
        after = _cost(result.system)
        entries.append(LogEntry(name, _change(before, after)))
        system, before = result.system, after
    return (*entries, *(LogEntry(ENSEMBLES, text) for text in _ensembles(reduced.system)))


def _cost(system: LimitSystem) -> Cost:
    return cost(system, compared_sizes(system, plan_ensembles(system)))


def _change(before: Cost, after: Cost) -> str:
    where = f"with {NODES} nodes per population"
    if before == after:
        return f"{where} as before {after}"
    return f"{where} {before} before, {after} after"


def _ensembles(system: LimitSystem) -> list[str]:
    plans = plan_ensembles(system)
    total = cost(system, {name: ceil(plan.nodes / system.axis[name].images) for name, plan in plans.items()})
    return [*(f"by default {plan}" for plan in plans.values()), f"on these nodes {total}"]
