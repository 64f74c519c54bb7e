"""The normal form of every equation: terms, accesses, slots and axes.

An equation is ``F(I) = sum over terms of Reduce_J [ e ]``: ``e`` is a pointwise scalar sympy expression in
plain symbols, and each symbol stands for an access ``field(slots)``. Measures (populations, the data, edge
noise) are reduced by Mean, finite axes by Sum. Mean and Sum never stand inside a sympy tree.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

import sympy as sp

from .showing import Shown, names


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
    ``drawn`` once for each pair of nodes, unless a reduction gives it weighted nodes of its own. ``part``
    says what a finite axis counts ("inputs", "positions", "taps", ...) and ``number`` which of several
    such axes it is, counted from 1 (0: there is one only). ``images``: for how many neurons a node of a
    population stands by symmetry, itself among them.
    """

    name: str
    kind: AxisKind
    size: int | None = None
    width: float = 1.0
    drawn: bool = True
    part: str = ""
    number: int = 0
    images: int = 1

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
# What a rewriter does with one slot: another slot, or None where the slot goes.
SlotMap = Callable[[Slot], Slot | None]


def map_each(slots: Iterable[Slot], change: SlotMap) -> tuple[Slot, ...]:
    """The slots as ``change`` makes them, without those that it drops."""
    return tuple(new for new in map(change, slots) if new is not None)


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
    """One index variable per axis, named after it, with primes where the name is already taken."""
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

    def map_slots(self, change: SlotMap) -> Access:
        """The access with every slot as ``change`` makes it."""
        return Access(self.field, map_each(self.slots, change))


@dataclass(frozen=True, repr=False)
class Term(Shown):
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

    def map_slots(self, change: SlotMap) -> Term:
        """The term with every slot, and every reduced index, as ``change`` makes it.

        Reduced indices that become one index, or an index of the target, are reduced once or not at all.
        """
        target = map_each(self.target, change)
        reduced = dict.fromkeys(new for new in map_each(self.reduced, change) if isinstance(new, Index))
        kept = set(slot_indices(target))
        accesses = tuple((symbol, access.map_slots(change)) for symbol, access in self.accesses)
        return Term(target, tuple(i for i in reduced if i not in kept), self.expression, accesses)

    def map_accesses(self, field: str, change: Callable[[Access], Access]) -> Term:
        """The term of an equation of ``field`` with its target and every access as ``change`` makes them.

        Reduced indices stay; see :meth:`map_slots` where slots change whatever field they stand at.
        """
        accesses = tuple((symbol, change(access)) for symbol, access in self.accesses)
        return replace(self, target=change(Access(field, self.target)).slots, accesses=accesses)

    def with_expression(self, expression: sp.Expr) -> Term:
        """The term with another expression in the same symbols."""
        return Term(self.target, self.reduced, expression, self.accesses)


@dataclass(frozen=True, repr=False)
class Equation(Shown):
    """``field(target) = sum of terms``; no term means 0.

    ``selector`` (0: an ordinary equation) is a number of trailing target indices: instead of the sum the
    field is then the indicator of its first maximum over them in row-major order, with a frozen derivative.
    """

    field: str
    target: tuple[Index, ...]
    terms: tuple[Term, ...]
    selector: int = 0

    @property
    def reads(self) -> frozenset[str]:
        """The fields that the equation reads."""
        return frozenset(access.field for term in self.terms for _, access in term.accesses)

    def _summary(self) -> Iterator[str]:
        target = ", ".join(index.name for index in self.target)
        yield f"Equation {self.field}({target}), {len(self.terms)} term{'s' * (len(self.terms) != 1)}"
        if self.terms:
            yield f"  reads {names(sorted(self.reads)) or 'nothing'}"

    def without(self, left_out: Collection[tuple[str, int]]) -> Equation:
        """The equation without some terms, each given by the field of its equation and its position there."""
        terms = (term for position, term in enumerate(self.terms) if (self.field, position) not in left_out)
        return replace(self, terms=tuple(terms))

    def map_terms(self, change: Callable[[Term], Term]) -> Equation:
        """The equation with every term as ``change`` makes it; the target stays."""
        return replace(self, terms=tuple(map(change, self.terms)))

    def map_slots(self, change: SlotMap) -> Equation:
        """The equation with every slot of target and terms as ``change`` makes it."""
        target = tuple(new for new in map_each(self.target, change) if isinstance(new, Index))
        return replace(self, target=target, terms=tuple(term.map_slots(change) for term in self.terms))


class Role(StrEnum):
    """What a field is in a system."""

    INPUT = "input"  # x and y: given
    PARAMETER = "parameter"  # trained or frozen values, the state
    FORWARD = "forward"  # pre-activations, outputs, statistics, yhat, loss
    FROZEN = "frozen"  # a forward field that the reverse pass does not differentiate
    ADJOINT = "adjoint"  # D: derivative of the sample's loss
    VELOCITY = "velocity"  # G: minus the functional gradient
    MEMORY = "memory"  # what a learning rule remembers of a parameter, part of the state
    CLOCK = "clock"  # given at every step: its size alpha, its number k, the time t, the rate of a parameter
    DRAW = "draw"  # standard normal numbers, drawn at every step for each entry of a parameter
    MOTION = "motion"  # what a learning rule computes of all gradients: the factor of clipping
    NEXT = "next"  # a parameter or a memory after a step
    FLOW = "flow"  # the derivative of a parameter or a memory in time


# How the names of derived fields begin; everything else asks ``Field.of`` and ``Field.role``.
_DERIVED_NAMES = {
    Role.ADJOINT: "adj",
    Role.VELOCITY: "d",
    Role.NEXT: "next",
    Role.FLOW: "flow",
    Role.DRAW: "draw",
    Role.CLOCK: "rate",
}


class Block(StrEnum):
    """A part of vectors that a reduction writes in two."""

    ALONG = "along"  # their entries along a few directions
    ACROSS = "across"  # those across them


# What an axis of edge noise counts where its nodes are angles between samples and the vectors of neurons.
ANGLES = "angles"

# Parts of a layer that the program itself names (a person names the others).
PREACTIVATION = "h"  # what connections add to unless `into` names another pre-activation
OUTPUT_PART = "out"  # the activation's value
WEIGHT_PART = "weight"
BIAS_PART = "bias"
COSINE_PART = "cos"  # of the angle between a sample and the vector of a neuron


@dataclass(frozen=True)
class Field:
    """A function on axes. The order of ``axes`` is the layout of its array.

    ``of`` names the field that this one is the adjoint, the velocity, the memory, the next value, ... of (""
    for any other).
    ``owner`` is the layer that it belongs to ("x", "output" and "loss" are owners too), ``part`` what it is
    there: a pre-activation ("h" or a name of its own), "out", a helper such as "mean1", "weight", "bias" or
    the name of a parameter. ``given`` is the name that a spec gave a weight. ``step`` counts the recurrent
    steps of a layer from 1 (0: the layer has none). ``deviation`` names the field whose first-order deviation
    this one is in a linearised system ("" for any other). ``block``: which part of a vector this one is,
    where a reduction wrote that vector in two (None for any other).
    """

    name: str
    axes: tuple[str, ...]
    role: Role
    # Display only: a hidden field is written out wherever it is read (activations, helper statistics).
    hidden: bool = False
    of: str = ""
    owner: str = ""
    part: str = ""
    given: str = ""
    step: int = 0
    deviation: str = ""
    block: Block | None = None

    def derived(self, role: Role) -> Field:
        """The adjoint, velocity, next value, ... of this field: the same axes, owner, part and step."""
        name = f"{_DERIVED_NAMES[role]} {self.name}"
        return replace(self, name=name, role=role, hidden=False, of=self.name, deviation="")
