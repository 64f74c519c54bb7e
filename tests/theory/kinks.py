"""On which side of every kink of a network a state is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import sympy as sp

from mfderive.algebra.evaluate import evaluate_expression
from mfderive.algebra.functions import ClosedFunction, call
from mfderive.algebra.system import ForwardSystem, draw_noise
from mfderive.algebra.terms import Access, Index, Role, Term

Array = Any

# What changes its sign where a function is not smooth, from the function's arguments.
KINKS = {
    "relu": lambda h: h,
    "leaky_relu": lambda h: h,
    "elu": lambda h: h,
    "selu": lambda h: h,
    "abs": lambda h: h,
    "sign": lambda h: h,
    "heaviside": lambda h: h,
    "max": lambda a, b: a - b,
    "min": lambda a, b: a - b,
    "huber": lambda r, delta: call("abs", r) - delta,
}


def has_kinks(system: ForwardSystem) -> bool:
    """Whether a function with a kink, or a maximum over an axis, stands in the forward equations."""
    return any(equation.selector for equation in system.forward) or any(
        type(node).__name__ in KINKS
        for equation in system.forward
        for term in equation.terms
        for node in term.expression.atoms(ClosedFunction)
    )


def sides(system: ForwardSystem, values: Mapping[str, Array]) -> Iterator[tuple[tuple[str, ...], Array]]:
    """For every kink: the axes of its indices, and the signs of what crosses it, laid out over them.

    ``values``: parameters, x, y and the forward fields.
    """
    for equation in draw_noise(system).forward:
        if equation.selector:  # which of several values is the largest
            yield tuple(index.axis for index in equation.target), np.asarray(values[equation.field])
        if system.field[equation.field].role is Role.FROZEN:
            continue  # nothing is differentiated through it
        for term in equation.terms:
            for node in sorted(term.expression.atoms(ClosedFunction), key=sp.default_sort_key):
                if type(node).__name__ in KINKS:
                    crossing = KINKS[type(node).__name__](*node.args)
                    table = {symbol: _laid_out(term, access, values) for symbol, access in term.accesses}
                    signs = np.sign(evaluate_expression(crossing, table))
                    yield tuple(index.axis for index in term.indices), signs


def _laid_out(term: Term, access: Access, values: Mapping[str, Array]) -> Array:
    """What an access reads, over all indices of the term (size 1 where it does not depend on one)."""
    array = np.asarray(values[access.field])
    places = []
    for place, slot in enumerate(access.slots):
        if not isinstance(slot, Index):
            raise AssertionError(f"no kink of a shipped spec reads {access.field} at an affine slot")
        shape = [-1 if index == slot else 1 for index in term.indices]
        places.append(np.arange(array.shape[place]).reshape(shape))
    return array[tuple(np.broadcast_arrays(*places))] if places else array
