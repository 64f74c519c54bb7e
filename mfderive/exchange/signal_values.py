"""What the values of an imported model are: arrays with the places of their entries, signals of neurons."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

import numpy as np
import sympy as sp

Array = Any


@dataclass(frozen=True)
class Fixed:
    """An array that does not depend on the input.

    ``index``: which entry of the array ``parameter`` of the model each entry is; None where it was computed.
    """

    array: Array
    parameter: str | None = None
    index: Array | None = None

    @classmethod
    def of(cls, name: str, array: Array) -> Fixed:
        """A whole array of the model."""
        array = np.asarray(array)
        return cls(array, name, np.arange(array.size).reshape(array.shape))

    def moved(self, move: Callable[[Array], Array]) -> Fixed:
        """The array with its entries elsewhere (reshaped, transposed, cut): ``move`` only moves entries."""
        index = None if self.index is None else move(self.index)
        return Fixed(move(self.array), self.parameter, index)


class LegKind(Enum):
    """What an axis, or a part of one that was flattened, runs over."""

    BATCH = "samples"
    STEP = "steps"
    NEURONS = "neurons"
    POSITION = "positions"
    HEAD = "heads"


@dataclass(frozen=True)
class Leg:
    """One factor of an axis. ``number``: which population (of neurons), or which position axis."""

    kind: LegKind
    size: int
    number: int = 0


Axis = tuple[Leg, ...]  # the product of its legs, the last one fastest; () has size 1


@dataclass(frozen=True)
class Space:
    """Where the values of a signal live: a population, positions, and steps (0: none)."""

    neurons: int
    positions: tuple[int, ...] = ()
    steps: int = 0


@dataclass(frozen=True)
class Signal:
    """A value of every sample: ``expression`` in symbols of what its layer reads and has.

    ``axes`` are those of the model's own array.
    """

    axes: tuple[Axis, ...]
    expression: sp.Expr
    space: Space

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the model's array; samples count as 1."""
        return tuple(axis_size(axis) for axis in self.axes)

    def with_axes(self, axes: Iterable[Axis]) -> Signal:
        """The same values in an array with other axes."""
        return replace(self, axes=tuple(axes))


@dataclass(frozen=True)
class Scores:
    """Scalar products of two signals at two positions, times ``scale``; ``shared``: after a softmax.

    ``axes`` are those of the model's own array: the last is over the positions of the keys.
    """

    axes: tuple[Axis, ...]
    queries: Signal
    keys: Signal
    scale: float = 1.0
    shared: bool = False


def axis_size(axis: Axis) -> int:
    """How many entries an axis has (the batch: 1)."""
    size = 1
    for leg in axis:
        size *= 1 if leg.kind is LegKind.BATCH else leg.size
    return size


@dataclass(frozen=True)
class Reads:
    """What a symbol stands for: a connection from a layer (or x).

    ``averaged``: the model divides what it brings by the number of the source's neurons.
    """

    source: str
    kind: str
    weight: Fixed | None = None  # [target, source neurons, rest...]
    options: tuple[tuple[str, Any], ...] = ()
    origin: str = ""
    averaged: bool = False


@dataclass(frozen=True)
class Owns:
    """What a symbol stands for: a number of each neuron of the layer. ``name`` is a hint."""

    values: Fixed
    name: str
    origin: str = ""


Atom = Reads | Owns


class Populations:
    """Which axes of neurons are one population: numbers that are joined wherever neurons meet one by one."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self._parent: list[int] = []

    def new(self, size: int) -> int:
        """A population of its own."""
        self.sizes.append(size)
        self._parent.append(len(self._parent))
        return len(self._parent) - 1

    def root(self, number: int) -> int:
        """The number that stands for all that were joined with this one."""
        while self._parent[number] != number:
            number = self._parent[number]
        return number

    def join(self, one: int, other: int) -> int:
        """Make two populations one; the earlier number stands for both."""
        first, last = sorted((self.root(one), self.root(other)))
        self._parent[last] = first
        return first
