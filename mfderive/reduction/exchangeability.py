"""Exchangeability: what depends on no label is the same for all neurons, and needs one value only.

Under independent initial values most neurons of a deep network stay equal (theory C.1, C.2). Every slot on
which a value does not depend goes, and with it the average over that population where nothing else is read.
"""

from __future__ import annotations

from dataclasses import replace

from ..algebra.laws import Variable
from ..algebra.system import LimitSystem
from ..algebra.terms import Access, AxisKind, Equation, Term
from ..analysis.dependencies import Key, dependencies
from .log import collapse_lines


def collapse(system: LimitSystem) -> LimitSystem:
    """The system in which every slot that a value does not depend on is gone."""
    found = dependencies(system)
    idle = {key for key, labels in found.labels.items() if not labels}
    # A parameter moves where it is: its evolution keeps the parameter's layout, whatever it depends on.
    for parameter in system.parameters:
        for position in range(len(parameter.axes)):
            if (parameter.name, position) not in idle:
                idle.discard((system.velocity_of.get(parameter.name, ""), position))
    fields = tuple(replace(field, axes=_kept(field.name, field.axes, idle)) for field in system.fields)
    used = {axis for field in fields for axis in field.axes}
    return replace(
        system.map_equations(lambda equation: _collapsed(system, equation, idle)),
        axes=tuple(a for a in system.axes if a.name in used or a.kind is not AxisKind.POPULATION),
        fields=fields,
        variables=tuple(_collapsed_variable(variable, idle) for variable in system.variables),
        log=(*system.log, *collapse_lines(system, found)),
    )


def _kept(name: str, given: tuple[str, ...], idle: set[Key]) -> tuple[str, ...]:
    return tuple(axis for position, axis in enumerate(given) if (name, position) not in idle)


def _collapsed_variable(parameter: Variable, idle: set[Key]) -> Variable:
    """The parameter without its idle axes; ``dropped`` counts positions in the network's own layout."""
    rank = len(parameter.axes) + len(parameter.dropped)
    places = [place for place in range(rank) if place not in parameter.dropped]
    gone = {places[k] for k in range(len(parameter.axes)) if (parameter.name, k) in idle}
    dropped = tuple(sorted(gone | set(parameter.dropped)))
    return replace(parameter, axes=_kept(parameter.name, parameter.axes, idle), dropped=dropped)


def _collapsed(system: LimitSystem, equation: Equation, idle: set[Key]) -> Equation:
    def kept(access: Access) -> Access:
        slots = (s for position, s in enumerate(access.slots) if (access.field, position) not in idle)
        return Access(access.field, tuple(slots))

    def collapsed(term: Term) -> Term:
        new = term.map_accesses(equation.field, kept)
        read = {index for _, access in new.accesses for index in access.indices}
        # Weights sum to 1, so an average over what is no longer read is gone; sums stay, they count.
        reduced = tuple(i for i in new.reduced if i in read or not system.axis[i.axis].is_measure)
        return replace(new, reduced=reduced)

    target = kept(Access(equation.field, equation.target)).indices
    return replace(equation.map_terms(collapsed), target=target)
