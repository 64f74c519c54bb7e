"""The fields of a random network: sums over fresh weights are Gaussian roots, the rest is pointwise in them.

A weight is recognised by the shape of its access: it has an index of the field that is computed, and one that
is summed. The sum over it becomes a root, a field of its own; what is left of an equation reads the values of
one neuron. In the forward equations roots are jointly Gaussian in the limit of infinite width. In the
backward ones the transposed weights are taken for fresh ones (gradient independence).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import isinf, prod

import sympy as sp

from ..algebra.laws import LawKind
from ..algebra.system import ForwardSystem
from ..algebra.terms import (
    Access,
    AxisKind,
    Equation,
    Field,
    Index,
    Role,
    Slot,
    Term,
    canonical_indices,
    slot_indices,
)
from ..errors import MfError
from .batch import Batch
from .linear_places import linear_form
from .mask_field import MASK

# What a field depends on: weights in the direction in which they are read, parameters of neurons, masks, x.
Source = tuple[str, str]


class UnderivableError(MfError):
    """A field whose moments do not close, with what would be needed."""


def _is_added_to(expression: sp.Expr, bias: sp.Symbol, fields: list[sp.Symbol], alike: bool = False) -> bool:
    """Whether a symbol is read nowhere but in sums of numbers times it and times a field.

    Slopes do not show it: those of sign(2 h + b) are all 0. ``alike``: the numbers are the same, and the
    field is read nowhere else either.
    """
    sums = {}
    for each in expression.atoms(sp.Add):
        parts = [part.as_independent(bias, *fields, as_Add=False) for part in each.args]
        numbers = {rest: number for number, rest in parts if number.is_number}
        held = [numbers[f] for f in fields if f in numbers]
        if bias in numbers and held and (not alike or set(held) == {numbers[bias]}):
            sums[each] = sp.Dummy("sum")
    left = expression.xreplace(sums)
    return bool(sums) and not left.has(bias) and not (alike and left.has(*fields))


@dataclass(frozen=True)
class Root:
    """A sum over the entries of one weight: ``term`` without the weight, whose slots are ``weight_slots``."""

    field: Field
    weight: str
    source: Source
    term: Term
    weight_slots: tuple[Slot, ...]


@dataclass
class RandomFields:
    """Every field of a system of forward (and backward) equations as pointwise terms of roots.

    ``definition`` holds the terms of every computed field, ``roots`` the roots that they read, ``maxima`` the
    fields that choose a maximum; ``entries`` the number of entries of a weight that one neuron of its source
    has in a sum (taps, positions), which its variance is divided by beside the width; ``batch`` what is
    known of values that a batch normalises.
    """

    system: ForwardSystem
    batch: Batch | None = None
    fields: dict[str, Field] = field(default_factory=dict)
    definition: dict[str, tuple[Term, ...]] = field(default_factory=dict)
    target: dict[str, tuple[Index, ...]] = field(default_factory=dict)
    roots: dict[str, Root] = field(default_factory=dict)
    entries: dict[str, int] = field(default_factory=dict)
    maxima: set[str] = field(default_factory=set)
    # Fields with their biases, by the names of those that these are added to: kernels are called after them.
    shown_as: dict[str, str] = field(default_factory=dict)
    # Those that are written out where they are read: nothing but their sum with a bias is.
    written: set[str] = field(default_factory=set)
    order: dict[str, int] = field(default_factory=dict)
    _sources: dict[str, frozenset[Source]] = field(default_factory=dict)
    _gaussian: dict[str, bool] = field(default_factory=dict)
    _reversed: dict[str, tuple[bool, ...]] = field(default_factory=dict)
    _count: int = 0

    @cached_property
    def biases(self) -> frozenset[str]:
        """The parameters of neurons (or outputs) that are added to a field wherever they are read."""
        read: dict[str, bool] = {}
        for equation in self.system.forward:
            for term in equation.terms:
                for symbol, access in term.accesses:
                    if self.fields[access.field].role is Role.PARAMETER and not self.is_weight(access, term):
                        read[access.field] = read.get(access.field, True) and self._is_shift(term, symbol)
        return frozenset(name for name, always in read.items() if always)

    def _is_shift(self, term: Term, symbol: sp.Symbol) -> bool:
        fields = [s for s, access in term.accesses if self.fields[access.field].role is Role.FORWARD]
        return term.expression == symbol or _is_added_to(term.expression, symbol, fields)

    def is_added(self, term: Term, bias: str, name: str) -> bool:
        """Whether a term reads a field in a sum with a bias."""
        symbols = [s for s, a in term.accesses if a.field == bias]
        others = [s for s, a in term.accesses if a.field == name]
        return bool(symbols) and all(
            _is_added_to(term.expression, symbols[0], [other], alike=True) for other in others
        )

    def nested(self, slot: Slot) -> UnderivableError:
        """The error of a window over positions that are themselves counted by a window."""
        return UnderivableError(
            f"positions {slot} of positions are read in one function; read them one layer after the other"
        )

    @classmethod
    def of(cls, system: ForwardSystem, batch: Batch | None = None) -> RandomFields:
        """The fields of a system whose equations stand in the order of evaluation. Raises
        UnderivableError."""
        made = cls(system, batch)
        for each in system.fields:
            made.declare(each)
        for equation in system.equations:
            made.read(equation)
        return made

    # ------------------------------------------------------------------ reading equations

    def declare(self, each: Field) -> None:
        """Give a field its place in the order in which fields are made of each other."""
        self.fields[each.name] = each
        self.order[each.name] = self._count = self._count + 1

    def read(self, equation: Equation) -> None:
        """Enter the definition of a computed field."""
        own = self.fields[equation.field]
        if equation.selector:
            self.maxima.add(own.name)
            self.define(own, equation.target, ())
            return
        terms = []
        for term in equation.terms:
            weights = [symbol for symbol, access in term.accesses if self.is_weight(access, term)]
            if len(weights) > 1:
                raise self.refusal(own, "multiplies two weights", "a sum over each weight alone")
            terms.append(self.with_root(own, equation.target, term, weights[0]) if weights else term)
        self.define(own, equation.target, tuple(terms))

    def define(self, own: Field, target: tuple[Index, ...], terms: tuple[Term, ...]) -> None:
        """Enter a field with its terms; it stands behind everything that was entered before."""
        self.declare(own)
        self.definition[own.name] = terms
        self.target[own.name] = target

    def is_weight(self, access: Access, term: Term) -> bool:
        """Whether a parameter is a weight where it is read: some of its indices are summed and some are
        not."""
        if self.fields[access.field].role is not Role.PARAMETER:
            return False
        own = set(access.indices)
        return bool(own & set(term.reduced)) and bool(own & set(slot_indices(term.target)))

    def with_root(self, own: Field, target: tuple[Index, ...], term: Term, symbol: sp.Symbol) -> Term:
        """A term that is linear in a weight: what stands in front at the target, times a root."""
        access = term.access_of[symbol]
        form = linear_form(term.expression, (symbol,))
        if form is None or form[1] != 0:
            raise self.refusal(
                own, f"is not linear in the weight '{access.field}'", "a sum of weights times functions"
            )
        front, behind = self.parted(own, term, form[0][0])
        number = sum(root.field.of == own.name for root in self.roots.values()) + 1
        name = f"root {number} of {own.name}"
        source = self.direction(own, access, term)
        slots = tuple(s for s in access.slots if not self.is_noise(s))
        root_field = replace(own, name=name, of=own.name, hidden=True)
        reduced = tuple(i for i in term.reduced if not self.is_noise(i))
        kept = tuple((s, a) for s, a in term.accesses if behind.has(s))
        self.roots[name] = Root(
            root_field, access.field, source, Term(term.target, reduced, behind, kept), slots
        )
        self.declare(root_field)
        here = sp.Symbol(name)
        change = dict(zip(term.target, target, strict=True))
        read = tuple(
            (s, Access(a.field, tuple(change.get(slot, slot) for slot in a.slots)))
            for s, a in term.accesses
            if front.has(s)
        )
        return Term(target, (), front * here, ((here, Access(name, target)), *read))

    def parted(self, own: Field, term: Term, slope: sp.Expr) -> tuple[sp.Expr, sp.Expr]:
        """The factors of a slope that belong to the neuron of the target, and those that are summed."""
        neurons = {i for i in slot_indices(term.target) if self.is_population(i)}
        front, behind = sp.Integer(1), sp.Integer(1)
        for factor in sp.Mul.make_args(slope):
            read = [access for symbol, access in term.accesses if factor.has(symbol)]
            here = {i for access in read for i in access.indices if self.is_population(i)}
            if here and here <= neurons:
                front *= factor
            elif here & neurons:
                raise self.refusal(
                    own,
                    "multiplies a weight by a function of both of its ends",
                    "a product of functions of each",
                )
            else:
                behind *= factor
        return front, behind

    def direction(self, own: Field, access: Access, term: Term) -> Source:
        """The weight as a source of randomness: read as in the forward equations, or transposed."""
        summed = tuple(
            bool(set(slot_indices((s,))) & set(term.reduced)) for s in access.slots if not self.is_noise(s)
        )
        if own.role is Role.ADJOINT or own.role is Role.VELOCITY:
            return ("transposed", access.field)
        known = self._reversed.setdefault(access.field, summed)
        if known != summed:
            raise self.refusal(
                own,
                f"reads the weight '{access.field}' transposed, which other fields read as it is",
                "a weight of its own: values that went through a weight are not independent of its transpose",
            )
        sizes = [
            self.size(i)
            for s in access.slots
            for i in slot_indices((s,))
            if i in term.reduced and self.is_finite(i)
        ]
        self.entries.setdefault(access.field, prod(sizes))
        return ("weight", access.field)

    # ------------------------------------------------------------------ what is true of fields

    def sources(self, name: str) -> frozenset[Source]:
        """The weights, parameters, masks and inputs that a field depends on."""
        if name not in self._sources:
            self._sources[name] = frozenset(self._found_sources(name))
        return self._sources[name]

    def _found_sources(self, name: str) -> Iterator[Source]:
        own = self.fields[name]
        if name in self.roots:
            yield self.roots[name].source
        elif own.role is Role.PARAMETER or own.role is Role.INPUT or own.part == MASK:
            yield (own.role.value, name)
        elif self.is_random(name):
            for term in self.definition.get(name, ()):
                for _, access in term.accesses:
                    yield from self.sources(access.field)

    def is_random(self, name: str) -> bool:
        """Whether a field has values of its own in every neuron (or is an output, which weights make
        random)."""
        own = self.fields[name]
        return (
            name in self.roots
            or own.role in (Role.PARAMETER, Role.INPUT)
            or any(self.system.axis[a].kind is AxisKind.POPULATION for a in own.axes)
            or self.is_head(name)
        )

    def is_head(self, name: str) -> bool:
        """Whether a field without neurons is a sum over weights: an output, or a finite layer."""
        terms = self.definition.get(name, ())
        return any(a.field in self.roots for term in terms for _, a in term.accesses) and not any(
            self.system.axis[a].kind is AxisKind.POPULATION for a in self.fields[name].axes
        )

    def is_gaussian(self, name: str) -> bool:
        """Whether a field is a linear combination of Gaussian roots and parameters, with fixed
        coefficients."""
        if name not in self._gaussian:
            self._gaussian[name] = self._is_linear(name)
        return self._gaussian[name]

    def _is_linear(self, name: str) -> bool:
        if name in self.roots:
            return True
        if self.batch is not None and name in self.batch.source:
            return isinf(self.batch.size)
        if self.fields[name].role is Role.PARAMETER:
            law = self.system.variable[name].law
            return name in self.biases or (law.kind == LawKind.NORMAL and not law.references)
        if name not in self.definition or not self.definition[name] or not self.is_random(name):
            return False
        for term in self.definition[name]:
            random = [s for s, a in term.accesses if self.is_random(a.field)]
            if random and linear_form(term.expression, random) is None:
                return False
            if not all(self.is_gaussian(term.access_of[s].field) for s in random):
                return False
        return True

    def is_open(self, name: str) -> bool:
        """Whether a field is a plain sum of functions of its own neuron at its own positions."""
        return all(term.is_pointwise for term in self.definition.get(name, ())) and bool(
            self.definition.get(name)
        )

    def is_root_alone(self, term: Term) -> bool:
        """Whether a term is one sum over weights, with nothing in front of it."""
        return term.expression.is_Symbol and term.accesses[0][1].field in self.roots

    def is_parameter_alone(self, term: Term) -> bool:
        """Whether a term is one parameter."""
        return term.expression.is_Symbol and self.fields[term.accesses[0][1].field].role is Role.PARAMETER

    def is_shown_adjoint(self, name: str) -> bool:
        """Whether a field is the adjoint of a pre-activation, whose second moment is of interest itself."""
        own = self.fields[name]
        return own.role is Role.ADJOINT and self.is_shown(own.of)

    def is_shown(self, name: str) -> bool:
        """Whether moments of a forward field are of interest themselves: of pre-activations, with their
        biases."""
        return name in self.shown_as or not (self.fields[name].hidden or name in self.written)

    def is_alias(self, name: str) -> bool:
        """Whether a field is another name for the value that its equation reads: nothing shows it."""
        own = self.fields[name]
        shown = self.is_shown(own.of if own.role is Role.ADJOINT else name)
        terms = self.definition.get(name, ())
        return not shown and len(terms) == 1 and terms[0].expression.is_Symbol

    # ------------------------------------------------------------------ axes

    def is_population(self, index: Index) -> bool:
        """Whether an index runs over neurons."""
        return self.system.axis[index.axis].kind is AxisKind.POPULATION

    def is_finite(self, index: Index) -> bool:
        """Whether an index runs over a finite axis."""
        return self.system.axis[index.axis].kind is AxisKind.FINITE

    def is_noise(self, slot: Slot) -> bool:
        """Whether a slot runs over the noise of a weight."""
        return isinstance(slot, Index) and self.system.axis[slot.axis].kind is AxisKind.NOISE

    def size(self, index: Index) -> int:
        """The size of a finite axis. Raises UnderivableError where it is not known."""
        size = self.system.axis[index.axis].size
        if size is None:
            raise UnderivableError(f"the size of '{index.axis}' is not known")
        return size

    def finite_axes(self, name: str) -> tuple[str, ...]:
        """The finite axes of a field."""
        return tuple(a for a in self.fields[name].axes if self.system.axis[a].kind is AxisKind.FINITE)

    def finite_target(self, name: str) -> tuple[Index, ...]:
        """The indices over the finite axes of a field, as its equation names them."""
        target = self.target.get(name) or canonical_indices(self.fields[name].axes)
        return tuple(index for index in target if self.is_finite(index))

    def refusal(self, own: Field, what: str, needed: str) -> UnderivableError:
        """The error of a field whose moments cannot be derived."""
        return UnderivableError(
            f"signal propagation of '{own.name}' (layer '{own.owner}') is not derived: it {what}. Needed "
            f"is {needed}"
        )
