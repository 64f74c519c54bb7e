"""The words of the reduction's log, made of what passes found and of what systems cost."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ..algebra.findings import Finding, FindingKind
from ..algebra.reduced import LogEntry, Reduced
from ..algebra.system import LimitSystem
from ..algebra.terms import AxisKind
from ..analysis.dependencies import field_words, reason
from ..state.ensembles import plan_ensembles
from .cost import NODES, Cost, compared_sizes, cost

ENSEMBLES = "ensembles"


def log_of(reduced: Reduced) -> tuple[LogEntry, ...]:
    """The log of a reduction: what every pass found and what it saved, and the ensembles of the result.

    Costs are compared at 1000 nodes per population, and stated last on the nodes that ``solve`` takes unless
    ``[solver]``, arguments or flags say otherwise.
    """
    entries = []
    system, before = reduced.full, _cost(reduced.full)
    for name, result in reduced.passes:
        entries += [LogEntry(name, sentence(system, finding)) for finding in result.findings]
        after = _cost(result.system)
        entries.append(LogEntry(name, _change(before, after)))
        system, before = result.system, after
    return (*entries, *(LogEntry(ENSEMBLES, text) for text in _ensembles(reduced.system)))


def sentence(system: LimitSystem, finding: Finding) -> str:
    """What a pass found in words; ``system`` is the one before the pass."""
    return _SENTENCES[finding.kind](system, finding)


def _cost(system: LimitSystem) -> Cost:
    return cost(system, compared_sizes(system, plan_ensembles(system)))


def _change(before: Cost, after: Cost) -> str:
    where = f"with {NODES} nodes per population"
    if before == after:
        return f"{where} as before {after}"
    return f"{where} {before} before, {after} after"


def _ensembles(system: LimitSystem) -> list[str]:
    plans = plan_ensembles(system)
    total = cost(system, {name: plan.nodes for name, plan in plans.items()})
    return [*(f"by default {plan}" for plan in plans.values()), f"on these nodes {total}"]


# ---------------------------------------------------------------------------------------- closure


def _closed(system: LimitSystem, finding: Finding) -> str:
    return (
        f"{', '.join(finding.subjects)}: random entries are replaced by their mean given their two neurons, "
        f"{finding.facts['mean']}, because every equation is affine in them; their deviation does not matter "
        "in the limit"
    )


def _constant(system: LimitSystem, finding: Finding) -> str:
    return f"{', '.join(finding.subjects)}: constant given the two neurons, so there is no noise to average"


def _kept_noise(system: LimitSystem, finding: Finding) -> str:
    facts, (weight,) = finding.facts, finding.subjects
    others = facts["others"]
    where = f"is multiplied with {others[0]} on the same pair" if others else "does not enter affinely"
    return (
        f"{weight}: its entries keep their own noise, as a quadrature axis, because it {where} in "
        f"the equation of {field_words(system, facts['equation'])}: {facts['expression']}"
    )


# ---------------------------------------------------------------------------------------- neurons


def _labels(system: LimitSystem, finding: Finding) -> str:
    names, labels = finding.subjects, finding.facts["labels"]
    parts = [f"{label} ({numbers} number{'s' * (numbers != 1)})" for label, numbers, _ in labels]
    reasons = _merged(reason(system, chain) for _, _, chain in labels)
    unit = _unit(system, names[0])
    same = f" (states of the same {unit}s)" if len(names) > 1 else ""
    return (
        f"{', '.join(names)}{same}: the {unit}s differ by the initial values of {_listed(parts)}: "
        f"{'; '.join(reasons)}"
    )


def _adjoint_labels(system: LimitSystem, finding: Finding) -> str:
    (adjoint,), labels = finding.subjects, finding.facts["labels"]
    why = "; ".join(_merged(reason(system, chain) for _, chain in labels))
    names = _listed([label for label, _ in labels])
    return f"{field_words(system, adjoint)} differs by {names} too: {why}"


def _one_type(system: LimitSystem, finding: Finding) -> str:
    names, averaged = finding.subjects, finding.facts["averaged"]
    parts = [f"{name} starts at {value} everywhere" for name, value in finding.facts["starts"]]
    if averaged:
        verb = f"enter{'s' * (len(averaged) == 1)}"
        parts.append(f"{_listed(list(averaged))} {verb} only averaged over neurons")
    return (
        f"{', '.join(names)}: every {_unit(system, names[0])} is the same: 1 type, because "
        f"{_listed([*parts, 'nothing random reaches it'])}"
    )


def _unit(system: LimitSystem, name: str) -> str:
    """What an element of a layer's population is called: a channel where the layer has positions."""
    kinds = [system.axis[axis].kind for axis in system.field[name].axes]
    return "channel" if AxisKind.FINITE in kinds else "neuron"


def _merged(reasons: Iterable[str]) -> list[str]:
    """Reasons that differ in their last word only, said once."""
    merged: dict[str, list[str]] = {}
    for text in reasons:
        start, _, end = text.rpartition(" ")
        merged.setdefault(start, []).append(end)
    return [f"{start} {_listed(ends)}" for start, ends in merged.items()]


# ---------------------------------------------------------------------------------------- weights


def _reduced_weight(system: LimitSystem, finding: Finding) -> str:
    facts = finding.facts
    values = f"{facts['values']} value{'s' * (facts['values'] != 1)}"
    frozen = ", frozen" if facts["frozen"] else ""
    count = facts["noise_nodes"]
    noise = f"each of the {count} noise nodes (by default)" if count else ""
    if facts["end"]:
        place = f"for each {facts['end']} neuron in '{facts['axis']}'"
        text = f"{values} {place}{f' and {noise}' * bool(noise)}{frozen}"
    elif noise:
        text = f"{values} for {noise}, the same for all pairs{frozen}"
    else:
        text = f"{values} for all pairs{frozen or ', moving together'}"
    return f"{', '.join(finding.subjects)}: {text}"


def _listed(parts: list[str]) -> str:
    if len(parts) < 2:
        return "".join(parts)
    return f"{', '.join(parts[:-1])} and {parts[-1]}"


_SENTENCES: dict[FindingKind, Callable[[LimitSystem, Finding], str]] = {
    FindingKind.CLOSED: _closed,
    FindingKind.CONSTANT: _constant,
    FindingKind.KEPT_NOISE: _kept_noise,
    FindingKind.LABELS: _labels,
    FindingKind.ADJOINT_LABELS: _adjoint_labels,
    FindingKind.ONE_TYPE: _one_type,
    FindingKind.REDUCED_WEIGHT: _reduced_weight,
}
