"""Exchangeability: what depends on no label is the same for all neurons, and needs one value only.

Under independent initial values most neurons of a deep network stay equal (theory C.1, C.2). Every slot on
which a value does not depend goes, and with it the average over that population where nothing else is read.
"""

from __future__ import annotations

from dataclasses import replace

from ..algebra.laws import Parameter
from ..algebra.system import LimitSystem, velocity
from ..algebra.terms import Access, AxisKind, Equation, Slot, Term
from ..analysis.dependencies import Key, dependencies
from .log import collapse_lines


def collapse(system: LimitSystem) -> LimitSystem:
    """The system in which every slot that a value does not depend on is gone."""
    found = dependencies(system)
    idle = {key for key, labels in found.labels.items() if not labels}
    # A parameter moves where it is: its evolution keeps the parameter's layout, whatever it depends on.
    for parameter in system.parameters:
        for place in range(len(parameter.axes)):
            if (parameter.name, place) not in idle:
                idle.discard((velocity(parameter.name), place))
    fields = tuple(replace(field, axes=_kept(field.name, field.axes, idle)) for field in system.fields)
    used = {axis for field in fields for axis in field.axes}
    parameters = tuple(_collapsed_parameter(parameter, idle) for parameter in system.parameters)

    def equations(given: tuple[Equation, ...]) -> tuple[Equation, ...]:
        return tuple(_collapsed(system, equation, idle) for equation in given)

    return replace(
        system,
        axes=tuple(a for a in system.axes if a.name in used or a.kind is not AxisKind.POPULATION),
        fields=fields,
        parameters=parameters,
        forward=equations(system.forward),
        backward=equations(system.backward),
        evolution=equations(system.evolution),
        log=(*system.log, *collapse_lines(system, found)),
    )


def _kept(name: str, given: tuple[str, ...], idle: set[Key]) -> tuple[str, ...]:
    return tuple(axis for position, axis in enumerate(given) if (name, position) not in idle)


def _collapsed_parameter(parameter: Parameter, idle: set[Key]) -> Parameter:
    """The parameter without its idle axes; ``dropped`` counts positions in the network's own layout."""
    rank = len(parameter.axes) + len(parameter.dropped)
    places = [place for place in range(rank) if place not in parameter.dropped]
    gone = {places[k] for k in range(len(parameter.axes)) if (parameter.name, k) in idle}
    dropped = tuple(sorted(gone | set(parameter.dropped)))
    return replace(parameter, axes=_kept(parameter.name, parameter.axes, idle), dropped=dropped)


def _collapsed(system: LimitSystem, equation: Equation, idle: set[Key]) -> Equation:
    def slots(field: str, given: tuple[Slot, ...]) -> tuple[Slot, ...]:
        return tuple(slot for position, slot in enumerate(given) if (field, position) not in idle)

    name = equation.field
    target = tuple(i for position, i in enumerate(equation.target) if (name, position) not in idle)
    terms = []
    for term in equation.terms:
        accesses = tuple((s, Access(a.field, slots(a.field, a.slots))) for s, a in term.accesses)
        read = {index for _, access in accesses for index in access.indices}
        # Weights sum to 1, so an average over what is no longer read is gone; sums stay, they count.
        reduced = tuple(i for i in term.reduced if i in read or not system.axis[i.axis].is_measure)
        terms.append(Term(slots(name, term.target), reduced, term.expression, accesses))
    return Equation(name, target, tuple(terms), equation.selector)
