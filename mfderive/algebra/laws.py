"""Descriptions of the laws of initial values: what they are, their mean, deviation and support.

A law belongs to one entry of a parameter at t = 0, given the labels of the neurons at its ends. What each
kind of law is stands in the table of :mod:`mfderive.algebra.law_kinds`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import sympy as sp

from .law_kinds import LAWS, LawKind, LawRow
from .showing import Shown

__all__ = ["TIME", "End", "Law", "LawKind", "Reference", "Variable", "VariableKind"]

TIME = sp.Symbol("t")


class End(StrEnum):
    """The end of a connection (or the neuron itself) that an expression names."""

    SOURCE = "source"
    TARGET = "target"


@dataclass(frozen=True)
class Reference:
    """``source.X``, ``target.X`` or ``source.w[1]``: a value at one end of a connection.

    ``parameter`` is the full name of a parameter in the system's table (``h1.gain``, ``h1.weight``);
    ``component`` picks entries along the parameter's trailing (finite) axes, one number per axis.
    """

    end: End
    parameter: str
    component: tuple[int, ...] = ()


@dataclass(frozen=True, repr=False)
class Law(Shown):
    """The law of one entry of a parameter at t = 0.

    ``arguments`` are expressions in numbers and in the symbols of ``references`` (initial values of
    other parameters at the entry's ends). ``fan_in`` and ``d`` are numbers by the time a Law exists.
    ``kind`` is the name of a row of the table of laws.
    """

    kind: str
    arguments: tuple[sp.Expr, ...]
    references: tuple[tuple[sp.Symbol, Reference], ...] = ()
    text: str = ""

    @property
    def row(self) -> LawRow:
        """What the kind of law is."""
        return LAWS[self.kind]

    @property
    def mean(self) -> sp.Expr:
        """The conditional mean of an entry given its ends (the state of the closed system)."""
        return self.row.mean(self.arguments)

    @property
    def is_deterministic(self) -> bool:
        """Whether the entry is a constant once the labels of its ends are given."""
        return self.row.is_deterministic(self.arguments)

    @property
    def is_symmetric(self) -> bool:
        """Whether the law is unchanged when every entry changes its sign."""
        return self.row.is_symmetric(self.arguments)


class VariableKind(StrEnum):
    """What a variable of a state is."""

    TRAINED = "trained"
    FROZEN = "frozen"  # its rate is identically 0
    MEMORY = "memory"  # what a learning rule remembers of a parameter


@dataclass(frozen=True, repr=False)
class Variable(Shown):
    """A family of values that a state holds: a trained or frozen parameter, or a rule's memory of one.

    ``axes`` is the layout of its array: [target, source, positions or taps...]; parameters of one neuron
    have [neuron, ...]. ``noise`` names the noise axis of a weight between two populations, else None.
    A parameter with at most one population slot is a label of its neuron: its initial values are drawn or
    integrated over, never replaced by their mean. ``dropped`` (after reduction) are the positions in the
    original layout on which the values do not depend, so that ``axes`` lacks them. ``crosswise`` (after
    reduction): the weight shares the noise of a pair with one that has its two ends the other way round.
    ``of`` names the parameter that a memory belongs to ("" for parameters).
    """

    name: str
    axes: tuple[str, ...]
    law: Law
    rate: sp.Expr
    noise: str | None = None
    dropped: tuple[int, ...] = ()
    of: str = ""
    crosswise: bool = False

    @property
    def kind(self) -> VariableKind:
        """Trained, frozen, or a memory."""
        if self.of:
            return VariableKind.MEMORY
        return VariableKind.FROZEN if self.rate == 0 else VariableKind.TRAINED

    @property
    def is_frozen(self) -> bool:
        """Whether the rate is identically 0."""
        return self.kind is VariableKind.FROZEN
