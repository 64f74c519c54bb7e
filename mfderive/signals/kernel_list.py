"""The kernels that were derived so far with their equations, and how new ones are entered and called."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import sympy as sp

from ..algebra.terms import Index, Role, Slot, slot_indices
from .atoms import Atoms
from .kernel_system import Kernel, KernelAccess, KernelEquation, KernelTerm, Meaning, Part
from .random_fields import RandomFields, UnderivableError
from .scales import Scales


@dataclass
class KernelList:
    """Kernels by name and ``equations`` in an order in which they can be evaluated; those in ``zero`` vanish.

    ``kept``: the probability with which each field of masks keeps a neuron.
    """

    fields: RandomFields
    scales: Scales
    kept: dict[str, sp.Rational]
    atoms: Atoms = field(init=False)
    kernels: dict[str, Kernel] = field(default_factory=dict)
    equations: list[KernelEquation] = field(default_factory=list)
    zero: set[str] = field(default_factory=set)
    _under_way: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.atoms = Atoms(self.fields)

    # ------------------------------------------------------------------ names

    def named(self, name: str) -> str:
        """What a field is called in the names of kernels: a sum with biases as what they are added to."""
        if name in self.fields.shown_as.values():
            return f"{name} without bias"
        return self.fields.shown_as.get(name, name)

    def tells_of(self, name: str) -> str:
        """The forward field that a moment of a field tells of: what it is the adjoint of, or what biases
        are added to."""
        own = self.fields.fields[name]
        if name in self.fields.roots:
            return self.tells_of(own.of)
        told = own.of if own.role is Role.ADJOINT else name
        return self.fields.shown_as.get(told, told)

    def is_helper(self, name: str) -> bool:
        """Whether a field is shown by another one: a sum over weights, an activation, what it is the
        adjoint of."""
        own = self.fields.fields[name]
        if own.role is Role.ADJOINT and own.of in self.fields.fields:
            return self.is_helper(own.of)
        return name in self.fields.roots or not self.fields.is_shown(name)

    def once(self, name: str, derive: Callable[[], None]) -> None:
        """Derive a kernel the first time that it is asked for."""
        if name in self.kernels or name in self.zero:
            return
        if name in self._under_way:
            raise UnderivableError(f"the moment '{name}' depends on itself")
        self._under_way.add(name)
        derive()
        self._under_way.discard(name)

    def enter(self, kernel: Kernel, equations: list[KernelEquation]) -> None:
        """Enter a kernel with its equations, or remember that it is 0."""
        if not any(equation.terms for equation in equations):
            self.zero.add(kernel.name)
            return
        self.kernels[kernel.name] = kernel
        self.equations += [replace(equation, terms=_collected(equation.terms)) for equation in equations]

    def term(self, target: tuple[Slot, ...], reduced: tuple[Index, ...], expression: sp.Expr) -> KernelTerm:
        """A term with the meanings of its symbols; sums over what it does not read are counted."""
        meanings = self.meanings(expression)
        read = set(slot_indices(target))
        for _, meaning in meanings:
            if isinstance(meaning, KernelAccess):
                read |= set(slot_indices(meaning.slots))
        for index in reduced:
            if index not in read:
                expression = expression * self.fields.size(index)
        return KernelTerm(target, tuple(i for i in dict.fromkeys(reduced) if i in read), expression, meanings)

    def meanings(self, expression: sp.Expr) -> tuple[tuple[sp.Symbol, Meaning], ...]:
        """The meanings of the symbols of an expression, those that others need before these."""
        found: dict[sp.Symbol, Meaning] = {}

        def visit(symbol: sp.Symbol) -> None:
            meaning = self.atoms.meaning_of.get(symbol)
            if meaning is None or symbol in found:
                return
            if not isinstance(meaning, KernelAccess):
                for argument in meaning.arguments:
                    for each in sorted(argument.free_symbols, key=str):
                        visit(each)
            found[symbol] = meaning

        for symbol in sorted(expression.free_symbols, key=str):
            visit(symbol)
        return tuple(found.items())

    def age(self, symbol: sp.Symbol) -> tuple[int, str, str]:
        """An order of symbols that does not depend on what layers are called: kernels as they were
        derived."""
        meaning = self.atoms.meaning_of.get(symbol)
        if isinstance(meaning, KernelAccess):
            return list(self.kernels).index(meaning.kernel), str(meaning.replicas), symbol.name
        return -1, symbol.name, ""

    def primed(self, index: Index, taken: set[str]) -> Index:
        """An index over the same axis whose name is free."""
        name = index.name
        while name in taken:
            name += "'"
        return Index(name, index.axis)

    def part_of(self, name: str) -> Part:
        """The part of a kernel system that the moments of a field belong to."""
        role = self.fields.fields[name].role
        return Part.BACKWARD if role is Role.ADJOINT else Part.FORWARD


def _collected(terms: tuple[KernelTerm, ...]) -> tuple[KernelTerm, ...]:
    """The terms, those that are equal as one."""
    counts: dict[KernelTerm, int] = {}
    for term in terms:
        counts[term] = counts.get(term, 0) + 1
    return tuple(replace(t, expression=count * t.expression) for t, count in counts.items())
