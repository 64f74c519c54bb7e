"""What the collapse of a system finds: equal neurons, neurons that differ, weights that are left."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..algebra.findings import Finding, FindingKind
from ..algebra.laws import Variable
from ..algebra.system import LimitSystem
from ..algebra.terms import PREACTIVATION, AxisKind, Field, Index, Role
from ..analysis.dependencies import Dependencies
from ..state.ensembles import plan_ensembles


def collapse_findings(system: LimitSystem, found: Dependencies) -> Iterator[Finding]:
    """Findings about the neurons of every layer (those with the same labels together), then the weights.

    ``ONE_TYPE``: ``starts``, pairs of a parameter and how it starts, and ``averaged``, the weights that the
    neurons feel averaged only. ``LABELS``: the ``axis`` and ``labels``, triples of a label, how many numbers
    it has, and the fields through which it reaches one of the layers soonest. ``ADJOINT_LABELS``: ``labels``,
    pairs of a label and such a chain. ``REDUCED_WEIGHT``: ``values`` for each ``end`` ("" where for all
    pairs) in ``axis``, ``noise_nodes`` (0: no noise) and ``frozen``.
    """
    groups: dict[tuple[str, frozenset[str]], list[str]] = {}
    for field in system.fields:
        for position, axis in population_positions(system, field):
            if field.role is Role.FORWARD and not field.hidden and _is_state(system, field):
                groups.setdefault((axis, found.labels[field.name, position]), []).append(field.name)
    for (axis, labels), names in groups.items():
        yield _differing(system, found, axis, names, labels) if labels else _equal(system, names)
        yield from _sensitive_adjoints(system, found, names, labels)
    yield from _weights(system, found)


def _is_state(system: LimitSystem, field: Field) -> bool:
    """Whether a field is a layer's own (a pre-activation, which reads parameters), no statistic."""
    reads = system.equation_of[field.name].reads
    return field.part == PREACTIVATION or any(name in system.parameter for name in reads)


def population_positions(system: LimitSystem, field: Field) -> list[tuple[int, str]]:
    """The positions of a field's population slots, each with its axis."""
    return [
        (position, axis)
        for position, axis in enumerate(field.axes)
        if system.axis[axis].kind is AxisKind.POPULATION
    ]


def label_dimension(system: LimitSystem, name: str) -> int:
    """How many numbers a label has: the product of its parameter's finite axes."""
    total = 1
    for axis in system.parameter[name].axes:
        total *= system.axis[axis].size or 1
    return total


def _ordered(system: LimitSystem, labels: frozenset[str]) -> list[str]:
    return [parameter.name for parameter in system.parameters if parameter.name in labels]


def _differing(
    system: LimitSystem, found: Dependencies, axis: str, names: list[str], labels: frozenset[str]
) -> Finding:
    def shortest(label: str) -> tuple[str, ...]:
        chains = [found.chain((name, system.field[name].axes.index(axis)), label) for name in names]
        return min(chains, key=len)

    facts = tuple(
        (label, label_dimension(system, label), shortest(label)) for label in _ordered(system, labels)
    )
    return Finding.of(FindingKind.LABELS, *names, axis=axis, labels=facts)


def _sensitive_adjoints(
    system: LimitSystem, found: Dependencies, names: list[str], labels: frozenset[str]
) -> Iterator[Finding]:
    """Where D differs by labels that the layer's own values do not depend on."""
    for name in names:
        adjoint = system.adjoint_of.get(name)
        if adjoint is None:
            continue
        for position, _ in population_positions(system, system.field[adjoint]):
            more = _ordered(system, found.labels[adjoint, position] - labels)
            if more:
                facts = tuple((label, found.chain((adjoint, position), label)) for label in more)
                yield Finding.of(FindingKind.ADJOINT_LABELS, adjoint, labels=facts)


def _equal(system: LimitSystem, names: list[str]) -> Finding:
    """Why nothing tells the neurons of layers apart: how what they own starts, and that no more comes."""
    starts, averaged = [], []
    for parameter in _read_parameters(system, names):
        ends = population_positions(system, system.field[parameter.name])
        if len(ends) == 1 and parameter.law.is_deterministic:
            value = parameter.law.mean
            starts.append((parameter.name, parameter.law.text if value.free_symbols else str(value)))
        elif len(ends) == 2:
            averaged.append(parameter.name)
    return Finding.of(FindingKind.ONE_TYPE, *names, starts=tuple(starts), averaged=tuple(averaged))


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


def _weights(system: LimitSystem, found: Dependencies) -> Iterator[Finding]:
    """What is left of the weights between populations; those of which the same is left together."""
    groups: dict[tuple[tuple[str, Any], ...], list[str]] = {}
    for parameter in system.parameters:
        places = population_positions(system, system.field[parameter.name])
        lost = [k for k, (place, _) in enumerate(places) if not found.labels[parameter.name, place]]
        if len(places) != 2 or not lost:
            continue
        noise = parameter.noise
        facts: dict[str, Any] = {
            "values": label_dimension(system, parameter.name),
            "end": "" if len(lost) == 2 else "target" if lost[0] else "source",
            "axis": "" if len(lost) == 2 else places[1 - lost[0]][1],
            "noise_nodes": 0 if noise is None else plan_ensembles(system)[noise].nodes,
            "frozen": parameter.is_frozen,
        }
        groups.setdefault(tuple(facts.items()), []).append(parameter.name)
    for evidence, names in groups.items():
        yield Finding(FindingKind.REDUCED_WEIGHT, tuple(names), evidence)
