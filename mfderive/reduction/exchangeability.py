"""Exchangeability: what depends on no label is the same for all neurons, and needs one value only.

Under independent initial values most neurons of a deep network stay equal (theory C.1, C.2). Every slot on
which a value does not depend goes, and with it the average over that population where nothing else is read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from ..algebra.laws import Variable
from ..algebra.reduced import DrawnNetwork, PassResult, StateMapping
from ..algebra.system import LimitSystem
from ..algebra.terms import Access, AxisKind, Equation, Term
from ..analysis.dependencies import Key, dependencies
from ..errors import StateError
from .collapse_findings import collapse_findings

# Positions of a parameter's axes, by its name.
Positions = Mapping[str, tuple[int, ...]]


def collapse(system: LimitSystem) -> PassResult:
    """The system in which every slot that a value does not depend on is gone.

    A state restricts where its values do not differ along what goes (to the square root of rounding), and
    StateError says which do. A network lifts by giving every neuron the common value.
    """
    found = dependencies(system)
    idle = {key for key, labels in found.labels.items() if not labels}
    # A variable moves where it is: what moves it keeps the variable's layout, whatever it depends on.
    for variable in system.variables:
        for position in range(len(variable.axes)):
            if (variable.name, position) not in idle:
                idle.difference_update((mover, position) for mover in system.movers_of[variable.name])
    fields = tuple(replace(field, axes=_kept(field.name, field.axes, idle)) for field in system.fields)
    used = {axis for field in fields for axis in field.axes}
    left = replace(
        system.map_equations(lambda equation: _collapsed(system, equation, idle)),
        axes=tuple(a for a in system.axes if a.name in used or a.kind is not AxisKind.POPULATION),
        fields=fields,
        variables=tuple(_collapsed_variable(variable, idle) for variable in system.variables),
    )
    gone = {
        variable.name: tuple(k for k in range(len(variable.axes)) if (variable.name, k) in idle)
        for variable in system.variables
    }
    return PassResult(
        left,
        tuple(collapse_findings(system, found)),
        restrict=partial(_restricted, system, left, gone),
        lift=partial(_lifted, system, gone),
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


# ---------------------------------------------------------------------------------------- there and back


def _restricted(system: LimitSystem, left: LimitSystem, gone: Positions, state: StateMapping) -> StateMapping:
    """A state whose values are the same along the axes that go, without these axes."""
    nodes = {axis.name for axis in left.node_axes}
    found: dict[str, Any] = {}
    for parameter in system.variables:
        values = np.asarray(state[parameter.name])
        for place in sorted(gone[parameter.name], reverse=True):
            first = values.take([0], axis=place)
            scale = float(np.abs(values).max(initial=0.0))
            if np.abs(values - first).max(initial=0.0) > np.sqrt(np.finfo(first.dtype).eps) * scale:
                raise StateError(
                    f"'{parameter.name}' differs along '{parameter.axes[place]}', but the reduced limit has "
                    "one value for all of its neurons. Solve the whole system from this state (no system=)"
                )
            values = first.squeeze(axis=place)
        found[parameter.name] = values
    found["p"] = {name: weights for name, weights in state["p"].items() if name in nodes}
    return found


def _lifted(system: LimitSystem, gone: Positions, network: DrawnNetwork) -> DrawnNetwork:
    """The network that has the common values at every neuron."""

    def spread(name: str, values: Any) -> Any:
        parameter = system.variable[name]
        if parameter.noise in parameter.axes and parameter.noise in drawn:
            return values  # drawn for every pair: it has both of its ends
        for place in gone[name]:
            values = np.expand_dims(values, place)
        lengths = [
            network.sizes[parameter.axes[place]] if place in gone[name] else length
            for place, length in enumerate(values.shape)
        ]
        return np.broadcast_to(values, lengths)

    drawn = {axis.name for axis in system.axes if axis.kind is AxisKind.NOISE and not axis.drawn}
    return replace(
        network,
        state={name: spread(name, values) for name, values in network.state.items()},
        labels={name: spread(name, values) for name, values in network.labels.items()},
    )
