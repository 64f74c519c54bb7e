"""The normal form of every equation: terms, accesses, slots and axes.

An equation is ``F(I) = sum over terms of Reduce_J [ e ]``: ``e`` is a pointwise scalar sympy expression in
plain symbols, and each symbol stands for an access ``field(slots)``. Measures (populations, the data, edge
noise) are reduced by Mean, finite axes by Sum. Mean and Sum never stand inside a sympy tree.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

import sympy as sp


class AxisKind(StrEnum):
    """What an axis is: three measures (reduced by Mean) and one finite kind (reduced by Sum)."""

    POPULATION = "population"
    DATA = "data"
    NOISE = "noise"
    FINITE = "finite"


@dataclass(frozen=True)
class Axis:
    """An axis of fields: a population, the data, the noise of one weight, or a finite set.

    ``size`` is known for finite axes only; ``width`` is the relative width of a population. Edge noise is
    ``drawn`` once for each pair of nodes, unless a reduction gives it weighted nodes of its own.
    """

    name: str
    kind: AxisKind
    size: int | None = None
    width: float = 1.0
    drawn: bool = True

    @property
    def is_measure(self) -> bool:
        """Whether the axis is reduced by Mean (True) or by Sum (False)."""
        return self.kind is not AxisKind.FINITE


@dataclass(frozen=True)
class Index:
    """An index variable that runs over the axis called ``axis``; two may run over one population."""

    name: str
    axis: str


@dataclass(frozen=True)
class Affine:
    """An affine slot over finite indices: ``sum coefficient * index + constant``; out of range reads 0."""

    parts: tuple[tuple[int, Index], ...]
    constant: int = 0


Slot = Index | Affine


def slot_indices(slots: Iterable[Slot]) -> tuple[Index, ...]:
    """The index variables in slots, each once, in order of appearance."""
    found: dict[Index, None] = {}
    for slot in slots:
        if isinstance(slot, Index):
            found[slot] = None
        else:
            for _, index in slot.parts:
                found[index] = None
    return tuple(found)


def canonical_indices(axes: Iterable[str], used: Iterable[Index] = ()) -> tuple[Index, ...]:
    """One index variable an axis, named after it, with primes where the name is already taken."""
    taken = {index.name for index in used}
    result = []
    for axis in axes:
        name = axis
        while name in taken:
            name += "'"
        taken.add(name)
        result.append(Index(name, axis))
    return tuple(result)


@dataclass(frozen=True)
class Access:
    """``field(slots)``: one value of a field at the slots."""

    field: str
    slots: tuple[Slot, ...]

    @property
    def indices(self) -> tuple[Index, ...]:
        """The index variables of the slots, each once."""
        return slot_indices(self.slots)


@dataclass(frozen=True)
class Term:
    """``F(target) += Reduce_reduced [ expression ]``.

    ``accesses`` maps every free symbol of ``expression`` to an access. A target with an affine slot
    scatters: every value of its indices adds to the place it names, and what falls outside is dropped.
    """

    target: tuple[Slot, ...]
    reduced: tuple[Index, ...]
    expression: sp.Expr
    accesses: tuple[tuple[sp.Symbol, Access], ...]

    @property
    def indices(self) -> tuple[Index, ...]:
        """All index variables: those of the target first, then the reduced ones."""
        return tuple(dict.fromkeys((*slot_indices(self.target), *self.reduced)))

    @property
    def access_of(self) -> dict[sp.Symbol, Access]:
        """The table of accesses as a dictionary."""
        return dict(self.accesses)

    @property
    def is_pointwise(self) -> bool:
        """Whether nothing is reduced and nothing scattered."""
        return not self.reduced and all(isinstance(slot, Index) for slot in self.target)


@dataclass(frozen=True)
class Equation:
    """``field(target) = sum of terms``; no term means 0.

    ``selector`` (0: an ordinary equation) is a number of trailing target indices: instead of the sum the
    field is then the indicator of its first maximum over them in row-major order, with a frozen derivative.
    """

    field: str
    target: tuple[Index, ...]
    terms: tuple[Term, ...]
    selector: int = 0


class Role(StrEnum):
    """What a field is in a system."""

    INPUT = "input"  # x and y: given
    PARAMETER = "parameter"  # trained or frozen values, the state
    FORWARD = "forward"  # pre-activations, outputs, statistics, yhat, loss
    FROZEN = "frozen"  # a forward field that the reverse pass does not differentiate
    ADJOINT = "adjoint"  # D: derivative of the sample's loss
    VELOCITY = "velocity"  # G: minus the functional gradient


@dataclass(frozen=True)
class Field:
    """A function on axes. The order of ``axes`` is the layout of its array."""

    name: str
    axes: tuple[str, ...]
    role: Role
    # Display only: a hidden field is written out wherever it is read (activations, helper statistics).
    hidden: bool = False
