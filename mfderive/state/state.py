"""A state with the system that it is a state of."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from typing import Any

import numpy as np

from ..algebra.arguments import found, instance
from ..algebra.reduced import Reduced, names_of
from ..algebra.showing import Shown, brief, names, words
from ..algebra.system import ForwardSystem
from ..errors import ArgumentError, StateError
from .draw import check_state

Array = Any
Arrays = dict[str, Any]

# What a state lives on: a reduced limit (which may be the whole one), or the equations of a finite network.
StateLayout = Reduced | ForwardSystem
_LISTED = 6  # arrays that a repr names


class State(Shown, Mapping[str, Any]):
    """Values of all parameters, the weights of the nodes, and the system that they belong to.

    Reads like a dictionary: ``state["h1.weight"]`` is an array in the layout of the parameter, and
    ``state["m h1.weight"]`` one of what a learning rule remembers of it under the name m.
    ``state["p"]["h1"]`` are the weights of the nodes of a population, which sum to 1. ``arrays`` is the plain
    dictionary behind it, which solvers take and move in place. ``layout`` is the reduced limit on which the
    state lives, or the forward equations of a finite network; given as a function it is made when first asked
    for.


    Raises ArgumentError for what is no mapping or no layout, and StateError for arrays that do not fit it; on
    a layout that is made when first asked for the arrays are taken as they are.
    """

    def __init__(self, arrays: Mapping[str, Any], layout: StateLayout | Callable[[], StateLayout]) -> None:
        instance(arrays, Mapping, "a state (a dictionary of arrays)")
        self.arrays: Arrays = arrays if isinstance(arrays, dict) else dict(arrays)
        self._layout: StateLayout | None = None
        self._make: Callable[[], StateLayout] | None = None
        if isinstance(layout, Reduced | ForwardSystem):
            check_state(system_of_layout(layout), self.arrays)
            self._layout = layout
        elif callable(layout):
            self._make = layout
        else:
            raise ArgumentError(
                f"the layout of a state is {found(layout)}; it must be a reduced limit (the whole one is "
                "Reduced.identity(limit)) or the forward equations of a network"
            )

    @classmethod
    def made(cls, arrays: Arrays, layout: StateLayout) -> State:
        """The state that a solver made of one on this layout: its arrays fit."""
        found = cls.__new__(cls)
        found.arrays, found._layout, found._make = arrays, layout, None
        return found

    # A state changes in place: it is equal to itself alone. (That of mappings would compare arrays.)
    __eq__ = object.__eq__
    __hash__ = object.__hash__

    @property
    def layout(self) -> StateLayout:
        """What the state lives on."""
        if self._layout is None:
            assert self._make is not None
            self._layout = self._make()
        return self._layout

    @property
    def has_own_layout(self) -> bool:
        """Whether the layout was given, and not a function that makes it."""
        return self._make is None

    def __reduce__(self) -> tuple[Any, ...]:
        """What pickle keeps: the arrays and the layout, which is made for it where it was not yet."""
        return State, (self.arrays, self.layout)

    def __deepcopy__(self, memo: Any) -> State:
        """A state of its own arrays on the same layout, which never changes."""
        return State(deepcopy(self.arrays, memo), self._make or self.layout)

    def __getitem__(self, name: str) -> Any:
        """The array of a parameter or of a memory, or under "p" the weights of the nodes by population."""
        return self.arrays[name]

    def __iter__(self) -> Iterator[str]:
        """The names of the arrays, and "p"."""
        return iter(self.arrays)

    def __len__(self) -> int:
        """The number of arrays, and 1 for "p"."""
        return len(self.arrays)

    def _summary(self) -> Iterator[str]:
        weights = self.arrays.get("p", {})
        nodes = names(f"{name}: {len(own)}" for name, own in weights.items())
        values = {name: array for name, array in self.arrays.items() if name != "p"}
        yield f"State of {len(values)} arrays; nodes {nodes or 'none'}"
        for name, array in list(values.items())[:_LISTED]:
            yield f"  {words(name)}: {brief(np.asarray(array))}"
        if len(values) > _LISTED:
            yield f"  and {len(values) - _LISTED} more"


def system_of_layout(layout: StateLayout) -> ForwardSystem:
    """The system whose variables a state of this layout has."""
    return layout.system if isinstance(layout, Reduced) else layout


def describe_layout(layout: StateLayout) -> str:
    """What a layout is, in words."""
    names = names_of(layout)
    return f"the limit reduced by {' and '.join(names)}" if names else "the whole network"


def arrays_on(given: Mapping[str, Any], layout: StateLayout) -> Arrays:
    """The arrays of a state that is to live on ``layout``, checked (:func:`mfderive.state.draw.check_state`).

    ``given``: a State, whose own layout must have gone through the same passes, or a dictionary, which is
    taken for a state of ``layout``; the memories of a learning rule may be missing, and then have the values
    that they start with. Raises StateError that says what was expected.
    """
    if isinstance(given, State) and tuple(names_of(given.layout)) != tuple(names_of(layout)):
        raise StateError(
            f"this is a state of {describe_layout(given.layout)}, but one of {describe_layout(layout)} is "
            "needed. A trajectory's sample(n) draws a network from a state of the limit, and "
            "reduce(limit).restrict(state) makes a state of the reduced limit of one of the whole"
        )
    if isinstance(given, State):
        return check_state(system_of_layout(layout), given.arrays)
    try:
        return check_state(system_of_layout(layout), given)
    except StateError as error:
        raise StateError(
            f"{error}. This was taken for a state of {describe_layout(layout)}; where it is one of another "
            "system, say so with system="
        ) from error
