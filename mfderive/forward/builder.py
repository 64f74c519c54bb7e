"""What builds forward equations, as the parts of a layer see it: declared axes, fields and equations."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import sympy as sp

from ..algebra.terms import Access, Axis, Field, Index, Slot, Term
from ..errors import SpecError
from ..network.network import Connection, Layer

STEPS = "steps"
POSITIONS = "positions"
GROUPS = "groups"


@dataclass(frozen=True)
class Shape:
    """Where the values of a layer live: the axis of its neurons and those of its positions.

    ``steps`` is T for a layer with ``steps = T``: its values live once for each step. ``groups`` is the axis
    of a layer whose neurons come in groups (at most one): neuron c of group k is the value at (c, k).
    """

    neurons: str
    positions: tuple[str, ...] = ()
    steps: int = 0
    groups: tuple[str, ...] = ()

    @property
    def axes(self) -> tuple[str, ...]:
        """Axes of a field of the layer: data, neurons, groups, positions."""
        return ("data", *self.neuron_axes, *self.positions)

    @property
    def neuron_axes(self) -> tuple[str, ...]:
        """Axes of one number per neuron: neurons, groups."""
        return (self.neurons, *self.groups)


class Builder(Protocol):
    """The walk through the layers that states their equations; layer kinds and statistics write into it."""

    axes: dict[str, Axis]
    fields: dict[str, Field]
    shapes: dict[str, Shape]

    def size(self, axis: str) -> int:
        """The size of a finite axis."""

    def finite(self, name: str, size: int, part: str = "", number: int = 0) -> str:
        """Declare a finite axis and return its name."""

    def finite_axes(self, owner: str, part: str, sizes: tuple[int, ...]) -> tuple[str, ...]:
        """Declare finite axes of a layer, numbered where there are several."""

    def equation(
        self,
        name: str,
        target: tuple[Index, ...],
        terms: tuple[Term, ...],
        *,
        owner: str,
        part: str,
        step: int = 0,
        hidden: bool = False,
        frozen: bool = False,
        selector: int = 0,
    ) -> Access:
        """Declare a computed field with its equation."""

    def helper(
        self,
        layer: str,
        step: int,
        name: str,
        target: tuple[Index, ...],
        reduced: tuple[Index, ...],
        expression: sp.Expr,
        known: Mapping[str, Access],
        frozen: bool = False,
        selector: int = 0,
        unknown: Callable[[str], Exception] | None = None,
    ) -> Access:
        """Declare a field of a layer that helps to state an equation."""

    def value_access(self, source: str, slots: tuple[Slot, ...], step: int) -> Access:
        """The output of a layer at slots, at a step."""

    def steps(self, layer: Layer) -> tuple[int, ...]:
        """The recurrent steps of a layer."""

    def located(self, problem: str, table: str, key: str | None, remedy: str | None) -> SpecError:
        """An error with its place in the file."""

    def error(
        self, connection: Connection, problem: str, key: str | None = None, remedy: str | None = None
    ) -> SpecError:
        """An error at a connection."""

    def unknown(self, table: str, name: str, known: dict[str, Access]) -> SpecError:
        """The error of an expression that names what is not there."""
