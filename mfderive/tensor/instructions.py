"""The few kinds of instructions of which every plan consists, and which every backend executes.

Arrays are named: a field by its name, a temporary by a name of its own, the weights of the nodes of a
measure axis by :func:`weights_of`. A name inside :class:`Each` may stand for one slice of an array.
"""

from __future__ import annotations

from dataclasses import dataclass

import sympy as sp

from ..algebra.terms import Equation, Index, Term


def weights_of(axis: str) -> str:
    """The name of the array of weights of a measure axis."""
    return f"p {axis}"


@dataclass(frozen=True)
class Allocate:
    """A temporary array; ``axes`` has one entry per dimension.

    ``memory``: what its memory is called, if not like itself; temporaries of one shape may share it.
    """

    name: str
    axes: tuple[str, ...]
    memory: str = ""

    @property
    def memory_name(self) -> str:
        """What its memory is called."""
        return self.memory or self.name


@dataclass(frozen=True)
class Fill:
    """Fill an array with a number (0, or a constant right side)."""

    out: str
    value: sp.Expr = sp.Integer(0)


@dataclass(frozen=True)
class Loop:
    """``out(target) = or += sum over reduced of expression``, one compiled loop nest.

    The term's accesses name arrays; the weights of measures are factors of its expression.
    """

    out: str
    term: Term
    add: bool


@dataclass(frozen=True)
class View:
    """An array as a matrix: the first ``split`` axes are its rows; ``transposed`` swaps rows and columns."""

    array: str
    split: int
    dimensions: int
    transposed: bool


@dataclass(frozen=True)
class Gemm:
    """``out = or += coefficient * left @ right`` where the shared axes are weighted by their nodes."""

    out: View
    left: View
    right: View
    coefficient: sp.Expr
    shared: tuple[str, ...]
    add: bool


@dataclass(frozen=True)
class Select:
    """Replace the values of an array by the indicator of their first maximum over trailing axes."""

    out: str
    trailing: int
    dimensions: int


@dataclass(frozen=True)
class Each:
    """Repeat ``body`` for every value of an index; ``slices`` are (local name, array) pairs.

    ``scratch``: temporaries of the body, which nothing else reads. ``weighted``: the index is reduced by
    Mean, so the products in the body carry its node's weight. ``first`` and ``last`` are done once, before
    and after all values: sums that products make in ``scratch`` begin with 0 and are added where they belong.
    """

    index: Index
    weighted: bool
    slices: tuple[tuple[str, str], ...]
    body: tuple[Instruction, ...]
    scratch: tuple[Allocate, ...] = ()
    first: tuple[Instruction, ...] = ()
    last: tuple[Instruction, ...] = ()

    @property
    def is_independent(self) -> bool:
        """Whether nothing that one value of the index writes is written by another."""
        own = {local for local, _ in self.slices} | {array.name for array in self.scratch}
        written = {
            s.out.array if isinstance(s, Gemm) else s.out
            for s in (*self.body, *self.last)
            if not isinstance(s, Allocate | Each)
        }
        return written <= own


Instruction = Allocate | Fill | Loop | Gemm | Select | Each


@dataclass(frozen=True)
class Planned:
    """An equation with the instructions that compute its field."""

    equation: Equation
    instructions: tuple[Instruction, ...]
