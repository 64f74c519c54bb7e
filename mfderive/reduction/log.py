"""The words of the reduction's log: what collapsed, on what the rest depends, and why."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ..algebra.laws import Variable
from ..algebra.system import LimitSystem
from ..algebra.terms import AxisKind, Field, Index, Role
from ..analysis.dependencies import Dependencies, field_words, reason
from ..state.ensembles import plan_ensembles


def collapse_lines(system: LimitSystem, found: Dependencies) -> list[str]:
    """A line for the neurons of every layer (those with the same labels together), then the weights."""
    groups: dict[tuple[str, frozenset[str]], list[str]] = {}
    for field in system.fields:
        for position, axis in _population_places(system, field):
            if field.role is Role.FORWARD and not field.hidden and _is_state(system, field.name):
                groups.setdefault((axis, found.labels[field.name, position]), []).append(field.name)
    lines = []
    for (axis, labels), names in groups.items():
        lines.append(
            _differing(system, found, axis, names, labels)
            if labels
            else f"{', '.join(names)}: every {_unit(system, names[0])} is the same: 1 type, because "
            f"{_sameness(system, names)}"
        )
        lines += _sensitive_adjoints(system, found, names, labels)
    return [*lines, *_weight_lines(system, found)]


def _is_state(system: LimitSystem, name: str) -> bool:
    """Whether a field is a layer's own (a pre-activation, which reads parameters), no statistic."""
    if "." not in name:
        return True
    equation = next(e for e in system.forward if e.field == name)
    return any(access.field in system.parameter for term in equation.terms for _, access in term.accesses)


def _population_places(system: LimitSystem, field: Field) -> list[tuple[int, str]]:
    return [
        (place, axis)
        for place, axis in enumerate(field.axes)
        if system.axis[axis].kind is AxisKind.POPULATION
    ]


def _unit(system: LimitSystem, name: str) -> str:
    """What an element of a layer's population is called: a channel where the layer has positions."""
    kinds = [system.axis[axis].kind for axis in system.field[name].axes]
    return "channel" if AxisKind.FINITE in kinds else "neuron"


def _place(system: LimitSystem, name: str, axis: str) -> int:
    return system.field[name].axes.index(axis)


# ---------------------------------------------------------------------------------------- labels


def _differing(
    system: LimitSystem, found: Dependencies, axis: str, names: list[str], labels: frozenset[str]
) -> str:
    order = [p.name for p in system.parameters if p.name in labels]
    reasons = _merged(_shortest(system, found, axis, names, label) for label in order)
    parts = [f"{label} ({_numbers(system, label)})" for label in order]
    unit = _unit(system, names[0])
    same = f" (states of the same {unit}s)" if len(names) > 1 else ""
    return (
        f"{', '.join(names)}{same}: the {unit}s differ by the initial values of {_listed(parts)}: "
        f"{'; '.join(reasons)}"
    )


def _merged(reasons: Iterable[str]) -> list[str]:
    """Reasons that differ in their last word only, said once."""
    merged: dict[str, list[str]] = {}
    for text in reasons:
        start, _, end = text.rpartition(" ")
        merged.setdefault(start, []).append(end)
    return [f"{start} {_listed(ends)}" for start, ends in merged.items()]


def _shortest(system: LimitSystem, found: Dependencies, axis: str, names: list[str], label: str) -> str:
    chains = [found.chain((name, _place(system, name, axis)), label) for name in names]
    return reason(system, min(chains, key=len))


def _numbers(system: LimitSystem, name: str) -> str:
    count = label_dimension(system, name)
    return f"{count} number{'s' * (count != 1)}"


def label_dimension(system: LimitSystem, name: str) -> int:
    """How many numbers a label has: the product of its parameter's finite axes."""
    total = 1
    for axis in system.parameter[name].axes:
        total *= system.axis[axis].size or 1
    return total


def _sensitive_adjoints(
    system: LimitSystem, found: Dependencies, names: list[str], labels: frozenset[str]
) -> Iterator[str]:
    """Where D differs by labels that the layer's own values do not depend on."""
    for name in names:
        adjoint = system.adjoint_of.get(name)
        if adjoint is None:
            continue
        for place, _ in _population_places(system, system.field[adjoint]):
            more = found.labels[adjoint, place] - labels
            order = [p.name for p in system.parameters if p.name in more]
            if order:
                chains = [found.chain((adjoint, place), label) for label in order]
                why = "; ".join(_merged(reason(system, chain) for chain in chains))
                yield f"{field_words(system, adjoint)} differs by {_listed(order)} too: {why}"


# ---------------------------------------------------------------------------------------- one type


def _sameness(system: LimitSystem, names: list[str]) -> str:
    """Why nothing tells the neurons of layers apart: how what they own starts, and that no more comes."""
    starts, averaged = [], []
    for parameter in _read_parameters(system, names):
        ends = [axis for axis in parameter.axes if system.axis[axis].kind is AxisKind.POPULATION]
        if len(ends) == 1 and parameter.law.is_deterministic:
            starts.append(parameter)
        elif len(ends) == 2:
            averaged.append(parameter.name)
    parts = [f"{p.name} starts {_start(p)}" for p in starts]
    if averaged:
        parts.append(f"{_listed(averaged)} enter{'s' * (len(averaged) == 1)} only averaged over neurons")
    return _listed([*parts, "nothing random reaches it"])


def _start(parameter: Variable) -> str:
    value = parameter.law.mean
    return f"at {parameter.law.text if value.free_symbols else value} everywhere"


def _read_parameters(system: LimitSystem, names: list[str]) -> list[Variable]:
    """The parameters that are read at the neurons of layers, by themselves or inside hidden fields."""
    owners = {system.field[name].owner for name in names}
    found: dict[str, None] = {}
    for equation in system.forward:
        if system.field[equation.field].owner not in owners:
            continue
        target = {i for i in equation.target if isinstance(i, Index) and system.axis[i.axis].is_measure}
        for term in equation.terms:
            for _, access in term.accesses:
                if access.field in system.parameter and target & set(access.indices):
                    found[access.field] = None
    return [system.parameter[name] for name in found]


# ---------------------------------------------------------------------------------------- weights


def _weight_lines(system: LimitSystem, found: Dependencies) -> Iterator[str]:
    """What is left of the weights between populations."""
    words: dict[str, list[str]] = {}
    for parameter in system.parameters:
        field = system.field[parameter.name]
        places = _population_places(system, field)
        lost = [k for k, (place, _) in enumerate(places) if not found.labels[parameter.name, place]]
        if len(places) != 2 or not lost:
            continue
        count = label_dimension(system, parameter.name)
        values = f"{count} value{'s' * (count != 1)}"
        noise = _noise_nodes(system, parameter)
        frozen = ", frozen" if parameter.is_frozen else ""
        if len(lost) == 1:
            axis = places[1 - lost[0]][1]
            end = "target" if lost[0] else "source"
            text = f"{values} for each {end} neuron in '{axis}'{f' and {noise}' * bool(noise)}{frozen}"
        elif noise:
            text = f"{values} for {noise}, the same for all pairs{frozen}"
        else:
            text = f"{values} for all pairs{frozen or ', moving together'}"
        words.setdefault(text, []).append(parameter.name)
    for text, names in words.items():
        yield f"{', '.join(names)}: {text}"


def _noise_nodes(system: LimitSystem, parameter: Variable) -> str:
    """The nodes of the noise that a weight keeps, empty where it has none."""
    if parameter.noise is None:
        return ""
    return f"each of the {plan_ensembles(system)[parameter.noise].nodes} noise nodes (by default)"


def _listed(parts: list[str]) -> str:
    if len(parts) < 2:
        return "".join(parts)
    return f"{', '.join(parts[:-1])} and {parts[-1]}"
