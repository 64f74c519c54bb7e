"""Why the numbers of a trained network left the finite ones: the function that left its domain."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..algebra.departure import Departure, departure_of
from ..algebra.terms import Equation, Field, Index
from .finite_network import FiniteNetwork
from .network_fields import fields_of

Array = Any
_LARGEST_GRID = 2 * 10**7


def network_cause(
    finite: FiniteNetwork, state: Mapping[str, Any], x: Array
) -> tuple[Field, Departure] | None:
    """The first field of a finite state that is not finite on some inputs, and the operation in it.

    Looks at equations whose terms read fields at the same positions (activations, gates, statistics).
    """
    with np.errstate(all="ignore"):
        fields = fields_of(finite, state, x)
    given = {**{name: value for name, value in state.items() if name != "p"}, "x": x, **fields}
    known = {name: np.asarray(value, np.float64) for name, value in given.items()}
    for equation in finite.system.forward:
        value = fields.get(equation.field)
        if value is not None and not np.isfinite(value).all():
            found = _in_equation(equation, known)
            return None if found is None else (finite.system.field[equation.field], found)
    return None


def _in_equation(equation: Equation, known: Mapping[str, Array]) -> Departure | None:
    for term in equation.terms:
        values = {}
        for symbol, access in term.accesses:
            array = known.get(access.field)
            if array is None or not all(isinstance(slot, Index) for slot in access.slots):
                break
            values[symbol] = _laid_out(array, access.slots, term.indices)
        else:
            if math.prod(np.broadcast_shapes(*map(np.shape, values.values()))) > _LARGEST_GRID:
                continue
            found = departure_of(term.expression, values)
            if found is not None:
                return found
    return None


def _laid_out(array: Array, slots: tuple[Any, ...], indices: tuple[Index, ...]) -> Array:
    """An array over its slots as one over all indices of a term, with length 1 where it does not depend."""
    order = sorted(range(len(slots)), key=lambda position: indices.index(slots[position]))
    sizes = {slots[position]: array.shape[position] for position in order}
    return array.transpose(order).reshape([sizes.get(index, 1) for index in indices])
