"""What takes moments, as those see it that are asked for single parts of an expectation."""

from __future__ import annotations

from typing import Protocol

import sympy as sp

from .atoms import Atom, Atoms
from .kernel_system import Kernel
from .random_fields import RandomFields


class MomentSource(Protocol):
    """Gives the moments of values, and knows all fields, symbols and kernels."""

    fields: RandomFields
    atoms: Atoms
    kernels: dict[str, Kernel]

    def first(self, atom: Atom) -> sp.Expr:
        """E[value], as the symbol of a kernel or a number."""

    def second(self, a: Atom, b: Atom) -> sp.Expr:
        """E[a b], as the symbol of a kernel or a number."""

    def age(self, symbol: sp.Symbol) -> tuple[int, str, str]:
        """An order of symbols that does not depend on what layers are called."""
