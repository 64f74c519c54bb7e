"""What the collapse of equal neurons found, in words: by what they differ, and what is left of weights."""

from __future__ import annotations

from collections.abc import Iterable

from ..algebra.findings import Finding, FindingKind
from ..algebra.system import LimitSystem
from ..algebra.terms import AxisKind
from ..analysis.dependencies import Reason, field_words, reason
from .pass_words import Sentences, listed


def _labels(system: LimitSystem, finding: Finding) -> str:
    names, labels = finding.subjects, finding.facts["labels"]
    parts = [f"{label} ({numbers} number{'s' * (numbers != 1)})" for label, numbers, _ in labels]
    reasons = _merged(reason(system, chain) for _, _, chain in labels)
    unit = _unit(system, names[0])
    same = f" (states of the same {unit}s)" if len(names) > 1 else ""
    return (
        f"{', '.join(names)}{same}: the {unit}s differ by the initial values of {listed(parts)}: "
        f"{'; '.join(reasons)}"
    )


def _adjoint_labels(system: LimitSystem, finding: Finding) -> str:
    (adjoint,), labels = finding.subjects, finding.facts["labels"]
    why = "; ".join(_merged(reason(system, chain) for _, chain in labels))
    names = listed([label for label, _ in labels])
    return f"{field_words(system, adjoint)} differs by {names} too: {why}"


def _one_type(system: LimitSystem, finding: Finding) -> str:
    names, averaged = finding.subjects, finding.facts["averaged"]
    parts = [f"{name} starts at {value} everywhere" for name, value in finding.facts["starts"]]
    if averaged:
        verb = f"enter{'s' * (len(averaged) == 1)}"
        parts.append(f"{listed(list(averaged))} {verb} only averaged over neurons")
    return (
        f"{', '.join(names)}: every {_unit(system, names[0])} is the same: 1 type, because "
        f"{listed([*parts, 'nothing random reaches it'])}"
    )


def _unit(system: LimitSystem, name: str) -> str:
    """What an element of a layer's population is called: a channel where the layer has positions."""
    kinds = [system.axis[axis].kind for axis in system.field[name].axes]
    return "channel" if AxisKind.FINITE in kinds else "neuron"


def _merged(reasons: Iterable[Reason]) -> list[str]:
    """Reasons in words; those that differ in the field at their end only, said once."""
    merged: dict[str, list[str]] = {}
    for each in reasons:
        merged.setdefault(each.start, []).append(each.end)
    return [" ".join(filter(None, (start, listed(ends)))) for start, ends in merged.items()]


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


COLLAPSE_SENTENCES: Sentences = {
    FindingKind.LABELS: _labels,
    FindingKind.ADJOINT_LABELS: _adjoint_labels,
    FindingKind.ONE_TYPE: _one_type,
    FindingKind.REDUCED_WEIGHT: _reduced_weight,
}
