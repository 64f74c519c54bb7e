"""Exchangeability: on which labels can each value depend? What depends on none is the same for all neurons.

The least fixed point of theory C.2, on the equations themselves: a value depends, through one of its
population slots, on the labels of what it reads at that same neuron; what is averaged over is forgotten.
A parameter starts with its own label (if its law is random) and with the labels that its law names, and
takes over what its evolution depends on. Nothing here knows what a layer is.
"""

from __future__ import annotations

from dataclasses import replace

from ..algebra.laws import End, Parameter
from ..algebra.system import LimitSystem, velocity
from ..algebra.terms import Access, AxisKind, Equation, Index, Slot, Term

# (field, position of a population slot) -> names of the parameters whose initial values it depends on.
Dependencies = dict[tuple[str, int], frozenset[str]]


def dependencies(system: LimitSystem) -> Dependencies:
    """For every population slot of every field: the labels that the value depends on through it."""
    found: Dependencies = {
        (field.name, position): frozenset()
        for field in system.fields
        for position, axis in enumerate(field.axes)
        if system.axis[axis].kind is AxisKind.POPULATION
    }
    found.update(_initial(system, found))
    trained = {p.name for p in system.parameters if not p.is_frozen}
    changed = True
    while changed:
        before = dict(found)
        for equation in system.equations:
            for position, labels in _read_labels(system, equation, found):
                found[equation.field, position] |= labels
        for (name, position), labels in list(found.items()):
            if name in trained:
                found[name, position] = labels | found.get((velocity(name), position), frozenset())
        changed = found != before
    return found


def _initial(system: LimitSystem, slots: Dependencies) -> Dependencies:
    """Labels of the initial values: a random node parameter's own, and those that laws name."""
    initial: Dependencies = {}

    def visit(parameter: Parameter) -> None:
        populations = [position for name, position in slots if name == parameter.name]
        for position in populations:
            initial.setdefault((parameter.name, position), frozenset())
        if not parameter.law.is_deterministic and len(populations) == 1:
            initial[parameter.name, populations[0]] |= {parameter.name}
        for _, reference in parameter.law.references:
            other = system.parameter[reference.parameter]
            visit(other)
            position = 0 if reference.end is End.TARGET or len(populations) < 2 else 1
            position = position if position in populations else populations[0]
            for (name, _), labels in list(initial.items()):
                if name == other.name:
                    initial[parameter.name, position] |= labels

    for parameter in system.parameters:
        visit(parameter)
    return initial


def _read_labels(
    system: LimitSystem, equation: Equation, found: Dependencies
) -> list[tuple[int, frozenset[str]]]:
    """What one equation's terms read at the neurons of its own target slots."""
    read = []
    for term in equation.terms:
        for place, slot in enumerate(term.target):
            if not isinstance(slot, Index) or system.axis[slot.axis].kind is not AxisKind.POPULATION:
                continue
            for _, access in term.accesses:
                for position, other in enumerate(access.slots):
                    if other == slot:
                        read.append((place, found[access.field, position]))
    return read


def collapse(system: LimitSystem) -> LimitSystem:
    """The system in which every slot that a value does not depend on is gone."""
    found = dependencies(system)
    idle = {key for key, labels in found.items() if not labels}
    log = (*system.log, *_lines(system, found))

    def kept(field: str, slots: tuple[Slot, ...]) -> tuple[Slot, ...]:
        return tuple(slot for position, slot in enumerate(slots) if (field, position) not in idle)

    def collapsed(equation: Equation) -> Equation:
        name = equation.field
        target = tuple(i for position, i in enumerate(equation.target) if (name, position) not in idle)
        terms = []
        for term in equation.terms:
            accesses = tuple((s, Access(a.field, kept(a.field, a.slots))) for s, a in term.accesses)
            read = {index for _, access in accesses for index in access.indices}
            reduced = tuple(i for i in term.reduced if i in read or not system.axis[i.axis].is_measure)
            terms.append(Term(kept(name, term.target), reduced, term.expression, accesses))
        return Equation(name, target, tuple(terms), equation.selector)

    def axes(name: str, given: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(axis for position, axis in enumerate(given) if (name, position) not in idle)

    fields = tuple(replace(field, axes=axes(field.name, field.axes)) for field in system.fields)
    used = {axis for field in fields for axis in field.axes}
    return replace(
        system,
        axes=tuple(a for a in system.axes if a.name in used or a.kind is not AxisKind.POPULATION),
        fields=fields,
        parameters=tuple(
            replace(
                p,
                axes=axes(p.name, p.axes),
                dropped=tuple(k for k in range(len(p.axes)) if (p.name, k) in idle),
            )
            for p in system.parameters
        ),
        forward=tuple(collapsed(equation) for equation in system.forward),
        backward=tuple(collapsed(equation) for equation in system.backward),
        evolution=tuple(collapsed(equation) for equation in system.evolution),
        log=log,
    )


def label_dimension(system: LimitSystem, name: str) -> int:
    """How many numbers a label has: the product of its parameter's finite axes."""
    total = 1
    for axis in system.parameter[name].axes:
        total *= system.axis[axis].size or 1
    return total


def _lines(system: LimitSystem, found: Dependencies) -> list[str]:
    lines = []
    for field in system.fields:
        if field.name in system.parameter or field.hidden or " " in field.name:
            continue
        for position, axis in enumerate(field.axes):
            if (field.name, position) in found:
                lines.append(_line(system, field.name, axis, found[field.name, position]))
    return lines


def _line(system: LimitSystem, name: str, axis: str, labels: frozenset[str]) -> str:
    if not labels:
        return f"{name}: every neuron is the same (nothing random reaches it): 1 type"
    parts = []
    for label in sorted(labels):
        count = label_dimension(system, label)
        parts.append(f"{label} ({count} number{'s' if count != 1 else ''})")
    return f"{name}: the neurons of '{axis}' differ by the initial values of {' and '.join(parts)}"
