"""Values of fields in moments: of which input, of which neuron, at which position; and the symbols they go
by."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import sympy as sp

from ..algebra.laws import LawKind
from ..algebra.terms import Affine, AxisKind, Index, Role, Slot, Term
from .kernel_system import ExpectationAccess, KernelAccess, Meaning
from .mask_field import MASK
from .random_fields import RandomFields

ONE = "0"  # the neuron of a moment over one population
# The symbol, or the number, of a field that is the same for all neurons: (name, replica, slots) ->
# expression.
Constant = Callable[[str, int, tuple[Slot, ...]], sp.Expr]


@dataclass(frozen=True)
class Atom:
    """The value of a random field for input number ``replica`` (0: it does not depend on one).

    ``neuron`` names one of the neurons that a moment averages over ("" for an input or an output), ``slots``
    are those over finite axes.
    """

    field: str
    replica: int
    neuron: str
    slots: tuple[Slot, ...] = ()


def _written(slots: tuple[Slot, ...]) -> str:
    def one(slot: Slot) -> str:
        if isinstance(slot, Index):
            return slot.name
        return "+".join([*(f"{number}*{index.name}" for number, index in slot.parts), str(slot.constant)])

    return ",".join(map(one, slots))


def place_order(slots: tuple[Slot, ...]) -> tuple[int, str]:
    """An order of places in which those without primes come first."""
    text = _written(slots)
    return len(text), text


@dataclass
class Atoms:
    """The symbols of atoms, kernels and expectations: equal ones have equal symbols."""

    fields: RandomFields
    atom_of: dict[sp.Symbol, Atom] = field(default_factory=dict)
    meaning_of: dict[sp.Symbol, Meaning] = field(default_factory=dict)
    _expectations: dict[ExpectationAccess, sp.Symbol] = field(default_factory=dict)
    _fresh: int = 0

    def atom(self, atom: Atom) -> sp.Symbol:
        """The symbol of an atom."""
        symbol = sp.Symbol(f"{atom.field}|{atom.replica}|{atom.neuron}|{_written(atom.slots)}")
        self.atom_of[symbol] = atom
        return symbol

    def kernel(self, access: KernelAccess) -> sp.Symbol:
        """The symbol of a kernel entry."""
        replicas = ",".join(map(str, access.replicas))
        symbol = sp.Symbol(f"K|{access.kernel}|{replicas}|{_written(access.slots)}")
        self.meaning_of[symbol] = access
        return symbol

    def expectation(self, access: ExpectationAccess) -> sp.Symbol:
        """The symbol of an expectation."""
        if access not in self._expectations:
            symbol = sp.Symbol(f"E|{len(self._expectations) + 1}")
            self._expectations[access] = symbol
            self.meaning_of[symbol] = access
        return self._expectations[access]

    def fresh(self, index: Index) -> Index:
        """An index over the same axis with a name that nothing else has."""
        self._fresh += 1
        return Index(f"{index.axis}~{self._fresh}", index.axis)

    def random(self, expression: sp.Expr) -> list[sp.Symbol]:
        """The atoms in an expression, in a fixed order."""
        found = [s for s in expression.free_symbols if s in self.atom_of]
        return sorted(found, key=lambda s: (self.fields.order[self.atom_of[s].field], s.name))

    def lifted(
        self,
        term: Term,
        replica: int,
        neurons: Mapping[Index, str],
        indices: Mapping[Index, Slot],
        constant: Constant,
    ) -> sp.Expr:
        """The expression of a term with atoms (and constants) in the place of what it reads."""
        table = {}
        chosen = {}
        for symbol, access in term.accesses:
            own = self.fields.fields[access.field]
            if access.field in self.fields.maxima:
                chosen[symbol] = own
                continue
            depends = own.role is Role.INPUT or any(
                self.fields.system.axis[a].kind is AxisKind.DATA for a in own.axes
            )
            number = replica if depends else 0
            slots = tuple(self.moved(s, indices) for s in access.slots if self.is_finite_slot(s))
            if self.fields.is_random(access.field) or own.part == MASK:
                neuron = next((neurons[s] for s in access.slots if isinstance(s, Index) and s in neurons), "")
                table[symbol] = self.parameter_value(access.field, Atom(access.field, number, neuron, slots))
            else:
                table[symbol] = constant(access.field, number, slots)
        result = term.expression.xreplace(table)
        # A maximum of values that vanish is multiplied by them: which of them is chosen does not matter then.
        for symbol in result.free_symbols & set(chosen):
            raise self.fields.refusal(
                chosen[symbol],
                "takes a maximum of random values (max-pooling, or a softmax of them)",
                "an average, or scores that vanish as layers grow wide",
            )
        return result

    def parameter_value(self, name: str, atom: Atom) -> sp.Expr:
        """The atom's symbol, or the number of a parameter that starts at one."""
        variable = self.fields.system.variable.get(name)
        fixed = variable is not None and variable.law.kind == LawKind.CONSTANT and not variable.law.references
        if variable is not None and fixed and name not in self.fields.biases:
            return sp.sympify(variable.law.arguments[0])
        return self.atom(atom)

    def is_finite_slot(self, slot: Slot) -> bool:
        """Whether a slot is over a finite axis."""
        return isinstance(slot, Affine) or self.fields.is_finite(slot)

    def moved(self, slot: Slot, indices: Mapping[Index, Slot]) -> Slot:
        """A slot with its indices renamed; an index may become a slot of its own only where it stands
        alone."""
        if isinstance(slot, Index):
            return indices.get(slot, slot)
        parts = []
        for number, index in slot.parts:
            new = indices.get(index, index)
            if not isinstance(new, Index):
                raise self.fields.nested(slot)
            parts.append((number, new))
        return Affine(tuple(parts), slot.constant)
