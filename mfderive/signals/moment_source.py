"""What takes moments, as those see it that are asked for single parts of an expectation."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

import sympy as sp

from ..algebra.terms import Index, Slot
from .atoms import Atom, Atoms
from .kernel_system import Kernel, KernelEquation, KernelTerm
from .random_fields import RandomFields


class Piece(NamedTuple):
    """``Sum_reduced expression``, an expression in kernels, expectations and scales."""

    reduced: tuple[Index, ...]
    expression: sp.Expr


Pieces = list[Piece]


class MomentSource(Protocol):
    """Gives the moments of values, and knows all fields, symbols and kernels."""

    fields: RandomFields
    atoms: Atoms
    kernels: dict[str, Kernel]
    zero: set[str]

    def first(self, atom: Atom) -> sp.Expr:
        """E[value], as the symbol of a kernel or a number."""

    def second(self, a: Atom, b: Atom) -> sp.Expr:
        """E[a b], as the symbol of a kernel or a number."""

    def age(self, symbol: sp.Symbol) -> tuple[int, str, str]:
        """An order of symbols that does not depend on what layers are called."""

    def opened(self, expression: sp.Expr) -> sp.Expr:
        """The expression with every field that is one function of its neuron written out."""

    def expect(self, expression: sp.Expr) -> Pieces:
        """The expectation over the randomness of all neurons."""

    def term(self, target: tuple[Slot, ...], reduced: tuple[Index, ...], expression: sp.Expr) -> KernelTerm:
        """A term with the meanings of its symbols."""

    def once(self, name: str, derive: Callable[[], None]) -> None:
        """Derive a kernel the first time that it is asked for."""

    def enter(self, kernel: Kernel, equations: list[KernelEquation]) -> None:
        """Enter a kernel with its equations, or remember that it is 0."""

    def tells_of(self, name: str) -> str:
        """The forward field that a moment of a field tells of."""

    def is_helper(self, name: str) -> bool:
        """Whether a field is shown by another one."""
