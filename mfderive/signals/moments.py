"""Moments of the fields of a random network, as equations between kernels.

``E[e]`` of a pointwise expression falls into a sum of products of expectations of independent parts: parts that
read different weights, parameters or neurons. A part that is one field, or two, is a kernel; a function of
Gaussian fields is an expectation in their covariance. A field that is neither is written out by its own equation.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import sympy as sp

from ..algebra.terms import Affine, Index, Role, Slot, Term, slot_indices
from .atoms import Atom, Atoms
from .gaussian_forms import FORM, GaussianForms
from .input_kernels import InputKernels
from .kernel_system import SIGMA_B2, Kernel, KernelAccess, KernelEquation, KernelKind, KernelTerm, Part
from .mask_field import MASK
from .random_fields import RandomFields, Source, Underivable
from .scales import Scales

ONE = "0"  # the neuron of a moment over one population
MOST_PIECES = 400


class Piece(NamedTuple):
    """``Sum_reduced expression``, an expression in kernels, expectations and scales."""

    reduced: tuple[Index, ...]
    expression: sp.Expr


Pieces = list[Piece]
UNIT = Piece((), sp.Integer(1))


def times(left: Pieces, right: Pieces) -> Pieces:
    """The product of two sums."""
    return [Piece((*a.reduced, *b.reduced), a.expression * b.expression) for a in left for b in right]


@dataclass
class Moments:
    """Derives kernels on demand; ``equations`` grows in an order in which they can be evaluated."""

    fields: RandomFields
    scales: Scales
    kept: dict[str, float]  # the probability with which a mask keeps a neuron
    atoms: Atoms = field(init=False)
    kernels: dict[str, Kernel] = field(default_factory=dict)
    equations: list[KernelEquation] = field(default_factory=list)
    zero: set[str] = field(default_factory=set)
    _under_way: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.atoms = Atoms(self.fields)
        self.forms = GaussianForms(self)
        self.inputs = InputKernels(self)

    # ------------------------------------------------------------------ expectations of expressions

    def expect(self, expression: sp.Expr) -> Pieces:
        """The expectation over the randomness of all neurons. Raises Underivable where it does not close."""
        expression = self.opened(expression)
        if expression == 0:
            return []
        factors = self.factors(expression)
        for factor in factors:
            written = self.written_out(factor)
            if written is not None:
                others = list(factors)
                others.remove(factor)
                return self.expect_sum(written, sp.Mul(*others))
        result = [UNIT]
        for part in self.independent(factors):
            result = times(result, self.part(part))
            if not result:
                return []
        return [piece for piece in result if piece.expression != 0]

    def expect_sum(self, written: sp.Expr, rest: sp.Expr) -> Pieces:
        """The expectation of a sum times the rest of a product, summand by summand."""
        pieces: Pieces = []
        for summand in sp.Add.make_args(written):
            pieces += self.expect(summand * rest)
            if len(pieces) > MOST_PIECES:
                raise Underivable(f"a moment has more than {MOST_PIECES} terms: too many branches are correlated")
        return pieces

    def opened(self, expression: sp.Expr) -> sp.Expr:
        """The expression with every field that is one function of its neuron written out."""
        while True:
            table = {s: self.own_value(s) for s in self.atoms.random(expression) if self.is_function(s)}
            if not table:
                return expression
            expression = expression.xreplace(table)

    def is_function(self, symbol: sp.Symbol) -> bool:
        """Whether a value is one function of values of its neuron at its own positions, and no unknown itself."""
        atom = self.atoms.atom_of[symbol]
        plain = all(isinstance(slot, Index) or not slot.parts for slot in atom.slots)
        terms = self.fields.definition.get(atom.field, ())
        if atom.field in self.fields.definition and not terms and atom.field not in self.fields.maxima:
            return True  # before the first step: 0
        if atom.field in self.fields.written and self.fields.is_open(atom.field):
            return plain
        if not plain or len(terms) != 1 or not self.fields.is_open(atom.field):
            return False
        if self.fields.is_alias(atom.field):
            return True
        return not self.is_gaussian(symbol) and not self.fields.is_shown_adjoint(atom.field)

    def is_gaussian(self, symbol: sp.Symbol) -> bool:
        """Whether a value is jointly Gaussian with all others that are."""
        atom = self.atoms.atom_of[symbol]
        return self.fields.is_gaussian(atom.field)

    def own_value(self, symbol: sp.Symbol) -> sp.Expr:
        """What the equation of a field says of its value. Raises Underivable for sums over positions."""
        atom = self.atoms.atom_of[symbol]
        name = atom.field
        own = self.fields.fields[name]
        if not self.fields.is_open(name) or any(isinstance(s, Affine) and s.parts for s in atom.slots):
            if own.role is Role.PARAMETER:
                raise self.fields.refusal(
                    own, "stands inside a function and is not normally distributed", "a normal law, or a constant"
                )
            if name in self.fields.maxima:
                raise self.fields.refusal(own, "takes a maximum", "an approximation for it: use an average")
            if name in self.fields.definition and not self.fields.definition[name]:
                return sp.Integer(0)
            raise self.fields.refusal(
                own,
                "is a sum over positions, and another function than a product of two values is taken of it",
                "an expectation over all these positions at once",
            )
        indices = dict(zip(self.fields.finite_target(name), atom.slots, strict=True))
        return sum(
            (self.lifted(term, name, atom.replica, indices, atom.neuron) for term in self.fields.definition[name]),
            sp.Integer(0),
        )

    def lifted(
        self, term: Term, name: str, replica: int, indices: dict[Index, Slot], neuron: str = ONE
    ) -> sp.Expr:
        """The expression of a term of a field, whose neuron is called ``neuron``."""
        own = {i: neuron for i in term.indices if self.fields.is_population(i)}
        return self.atoms.lifted(term, replica, own, indices, self.constant)

    # ------------------------------------------------------------------ factors and independent parts

    def factors(self, expression: sp.Expr) -> list[sp.Expr]:
        """The factors of a product, powers of sums taken apart."""
        found: list[sp.Expr] = []
        for factor in sp.Mul.make_args(expression):
            base, exponent = factor.as_base_exp()
            whole = exponent.is_Integer and exponent > 0 and isinstance(base, sp.Add)
            found += [base] * int(exponent) if whole else [factor]
        return found

    def written_out(self, factor: sp.Expr) -> sp.Expr | None:
        """A factor written as a sum that is to be multiplied out, None where it stays as it is."""
        kept = [s for s in self.atoms.random(factor) if self.is_kept(s)]
        base, exponent = factor.as_base_exp()
        if factor.is_Symbol or (base.is_Symbol and exponent.is_Integer):
            return None
        if isinstance(factor, sp.Add):
            random = [each for each in factor.args if self.atoms.random(each)]
            return factor if kept or len(self.independent(random)) > 1 else None
        if not kept:
            return None
        return factor.xreplace({s: self.own_value(s) for s in kept})

    def is_kept(self, symbol: sp.Symbol) -> bool:
        """Whether a value is no Gaussian one, so that it stands in kernels alone."""
        own = self.fields.fields[self.atoms.atom_of[symbol].field]
        return not self.is_gaussian(symbol) or own.part == MASK or own.role is Role.INPUT

    def sources(self, symbol: sp.Symbol) -> frozenset[tuple[Source, str]]:
        """What a value depends on, with the neuron that it belongs to."""
        atom = self.atoms.atom_of[symbol]
        return frozenset((source, atom.neuron) for source in self.fields.sources(atom.field))

    def independent(self, factors: list[sp.Expr] | tuple[sp.Expr, ...]) -> list[list[sp.Expr]]:
        """Factors in groups that are independent of each other; those that are not random come alone."""
        groups: list[tuple[set[tuple[Source, str]], list[sp.Expr]]] = []
        for factor in factors:
            own: set[tuple[Source, str]] = set()
            for symbol in self.atoms.random(factor):
                own |= self.sources(symbol)
            joined = [group for group in groups if group[0] & own]
            merged = (own.union(*(g[0] for g in joined)), [f for g in joined for f in g[1]] + [factor])
            groups = [group for group in groups if group not in joined] + [merged]
        return [members for _, members in groups]

    def part(self, factors: list[sp.Expr]) -> Pieces:
        """The expectation of a product of dependent factors."""
        product = sp.Mul(*factors)
        symbols = self.atoms.random(product)
        if not symbols:
            return [Piece((), product)]
        own = [self.fields.fields[self.atoms.atom_of[s].field] for s in symbols]
        if all(each.part == MASK for each in own):
            return [Piece((), self.mask_moment(product, symbols))]
        if all(each.role is Role.INPUT for each in own):
            return [Piece((), self.inputs.product(product, symbols))]
        powers = product.as_powers_dict()
        plain = set(powers) == set(symbols)
        if plain and len(symbols) == 1 and own[0].role is Role.PARAMETER:
            return _nonzero(self.scales.moment(own[0].name, int(powers[symbols[0]])))
        if plain and sum(powers.values()) == 1:
            return _nonzero(self.first(self.atoms.atom_of[symbols[0]]))
        if plain and sum(powers.values()) == 2:
            pair = symbols * 2 if len(symbols) == 1 else symbols
            return self.second_pieces(self.atoms.atom_of[pair[0]], self.atoms.atom_of[pair[1]])
        latest = [s for s in symbols if self.is_kept(s)]
        if latest:
            return self.expect_sum(self.own_value(latest[-1]), product / latest[-1])
        return _nonzero(self.forms.expectation(product, symbols))

    def mask_moment(self, product: sp.Expr, symbols: list[sp.Symbol]) -> sp.Expr:
        """E of a product of powers of masks: of one input p^(1 - k), of different ones independent."""
        powers = product.as_powers_dict()
        if set(powers) != set(symbols):
            raise Underivable("a function of the mask of dropout that is no power is not derived")
        result = sp.Integer(1)
        for symbol in symbols:
            result *= sp.Float(self.kept[self.atoms.atom_of[symbol].field]) ** (1 - powers[symbol])
        return result

    # ------------------------------------------------------------------ first moments

    def constant(self, name: str, replica: int, slots: tuple[Slot, ...]) -> sp.Expr:
        """A field that is the same for all neurons, as a kernel (0 where it vanishes)."""
        return self.first(Atom(name, replica, "", slots))

    def first(self, atom: Atom) -> sp.Expr:
        """E[value], as the symbol of a kernel or a number."""
        own = self.fields.fields[atom.field]
        if own.role is Role.PARAMETER:
            return self.scales.mean(own.name)
        if atom.field in self.fields.roots:
            return sp.Integer(0)
        name = f"mean of {atom.field}"
        self.once(name, lambda: self.derive_first(name, atom.field))
        if name in self.zero:
            return sp.Integer(0)
        replicas = (atom.replica,) if atom.replica else ()
        return self.atoms.kernel(KernelAccess(name, replicas, atom.slots))

    def derive_first(self, name: str, of: str) -> None:
        """State the equation of a first moment."""
        own = self.fields.fields[of]
        if of not in self.fields.definition:
            raise Underivable(f"'{of}' has no equation")
        target = self.fields.finite_target(of)
        terms = []
        for term in self.fields.definition[of]:
            slots = tuple(s for s in term.target if self.atoms.is_finite_slot(s))
            reduced = tuple(i for i in term.reduced if self.fields.is_finite(i))
            pieces = self.expect(self.lifted(term, of, 1, {}))
            terms += [self.term(slots, (*reduced, *piece.reduced), piece.expression) for piece in pieces]
        kernel = Kernel(
            name, KernelKind.FIRST, self.part_of(of), self.fields.finite_axes(of), of, "", self.tells_of(of), own.owner
        )
        self.enter(kernel, [KernelEquation(name, False, target, tuple(terms))])

    # ------------------------------------------------------------------ second moments

    def second_pieces(self, a: Atom, b: Atom) -> Pieces:
        """E[a b]; sums over weights that nothing else stands in the way of are written out where they stand."""
        roots = self.fields.roots
        if a.field in roots and b.field in roots and not self.fields.finite_axes(a.field):
            if roots[a.field].source != roots[b.field].source:
                return []
            return [Piece(t.reduced, t.expression) for t in self.root_terms(a.field, b.field, a.replica, b.replica)]
        return _nonzero(self.second(a, b))

    def second(self, a: Atom, b: Atom) -> sp.Expr:
        """E[a b], as the symbol of a kernel or a number."""
        if not self.fields.sources(a.field) & self.fields.sources(b.field) or a.neuron != b.neuron:
            return self.first(a) * self.first(b)
        if self.fields.order[a.field] > self.fields.order[b.field]:
            a, b = b, a
        same = a.field == b.field
        if same and (a.replica, str(a.slots)) > (b.replica, str(b.slots)):
            a, b = b, a
        if same and self.fields.fields[a.field].role is Role.PARAMETER and a.slots == b.slots:
            return self.scales.second(a.field)
        name = self.named(a.field) if same else f"{self.named(a.field)}, {self.named(b.field)}"
        self.once(name, lambda: self.derive_second(name, a.field, b.field))
        if name in self.zero:
            return sp.Integer(0)
        replicas = (a.replica or b.replica, b.replica or a.replica) if a.replica or b.replica else ()
        return self.atoms.kernel(KernelAccess(name, replicas, (*a.slots, *b.slots)))

    def named(self, name: str) -> str:
        """What a field is called in the names of kernels: a sum with biases as what they are added to."""
        if name in self.fields.shown_as.values():
            return f"{name} without bias"
        return self.fields.shown_as.get(name, name)

    def tells_of(self, name: str) -> str:
        """The forward field that a moment of a field tells of: what it is the adjoint of, or what biases are added to."""
        own = self.fields.fields[name]
        if name in self.fields.roots:
            return self.tells_of(own.of)
        told = own.of if own.role is Role.ADJOINT else name
        return self.fields.shown_as.get(told, told)

    def is_helper(self, name: str) -> bool:
        """Whether a field is shown by another one: a sum over weights, an activation, what it is the adjoint of."""
        own = self.fields.fields[name]
        if own.role is Role.ADJOINT and own.of in self.fields.fields:
            return self.is_helper(own.of)
        return name in self.fields.roots or not self.fields.is_shown(name)

    def derive_second(self, name: str, first: str, second: str) -> None:
        """State the equations of a second moment, of one input and of two."""
        own = self.fields.fields[second]
        axes = (*self.fields.finite_axes(first), *self.fields.finite_axes(second))
        left = self.fields.finite_target(first)
        taken = {index.name for index in left}
        right = tuple(self.primed(i, taken) for i in self.fields.finite_target(second))
        equations = []
        for replica in (1, 2):
            terms = self.second_terms(first, second, replica, left, right)
            equations.append(KernelEquation(name, replica == 2, (*left, *right), tuple(terms)))
        self.enter(Kernel(name, KernelKind.SECOND, self.part_of(second), axes, first, second, self.tells_of(second), own.owner, self.is_helper(second)), equations)

    def second_terms(
        self, first: str, second: str, replica: int, left: tuple[Index, ...], right: tuple[Index, ...]
    ) -> list[KernelTerm]:
        """The terms of E[first second], of which ``second`` (or both, if they are the same) is written out."""
        roots, definition = self.fields.roots, self.fields.definition
        if first in roots and second in roots:
            return self.root_terms(first, second, 1, replica)
        if self.fields.fields[first].role is Role.PARAMETER and first == second:
            return [self.term((*left, *left), (), self.scales.second(first))]
        if first == second:
            return [
                made
                for one in definition[first]
                for other in definition[first]
                for made in self.product_terms(first, one, other, replica)
            ]
        if second in roots:
            return [self.swapped(t, len(right)) for t in self.against(second, right, replica, first, left, 1)]
        return self.against(first, left, 1, second, right, replica)

    def against(
        self, whole: str, left: tuple[Index, ...], one: int, written: str, right: tuple[Index, ...], other: int
    ) -> list[KernelTerm]:
        """The terms of E[whole written] with the second one written out by its equation."""
        if written not in self.fields.definition:
            raise self.fields.refusal(self.fields.fields[whole], f"depends on '{written}'", "an equation for it")
        terms = []
        atom = self.atoms.atom(Atom(whole, one, ONE, left))
        rename = dict(zip(self.fields.finite_target(written), right, strict=True))
        for term in self.fields.definition[written]:
            slots, reduced, expression = self.copied(written, term, other, rename)
            for piece in self.expect(atom * expression):
                terms.append(self.term((*left, *slots), (*reduced, *piece.reduced), piece.expression))
        return terms

    def swapped(self, term: KernelTerm, count: int) -> KernelTerm:
        """A term whose first ``count`` target slots come last."""
        return KernelTerm((*term.target[count:], *term.target[:count]), term.reduced, term.expression, term.meanings)

    def product_terms(self, name: str, one: Term, other: Term, replica: int) -> list[KernelTerm]:
        """The terms of E[one other'] of two terms of one field."""
        if one is other and self.fields.is_parameter_alone(one):
            return [self.parameter_term(one)]
        if self.fields.is_root_alone(one) and self.fields.is_root_alone(other):
            return self.root_terms(one.accesses[0][1].field, other.accesses[0][1].field, 1, replica)
        left, left_reduced, first = self.copied(name, one, 1, {})
        taken = {i.name for i in slot_indices(left)}
        rename = {i: self.primed(i, taken) for i in self.fields.finite_target(name)}
        right, right_reduced, second = self.copied(name, other, replica, rename)
        return [
            self.term((*left, *right), (*left_reduced, *right_reduced, *piece.reduced), piece.expression)
            for piece in self.expect(first * second)
        ]

    def parameter_term(self, term: Term) -> KernelTerm:
        """The second moment of a parameter that a field is a sum with: equal where both read the same entry."""
        access = term.accesses[0][1]
        left = tuple(s for s in term.target if self.atoms.is_finite_slot(s))
        own = set(slot_indices(access.slots))
        taken = {i.name for i in slot_indices(left)}
        right = tuple(s if s in own or not isinstance(s, Index) else self.primed(s, taken) for s in left)
        return self.term((*left, *right), (), self.scales.second(access.field))

    def copied(
        self, name: str, term: Term, replica: int, rename: dict[Index, Index]
    ) -> tuple[tuple[Slot, ...], tuple[Index, ...], sp.Expr]:
        """A term for an input: its finite target slots, reduced indices with names of their own, expression."""
        table: dict[Index, Slot] = dict(rename)
        reduced = []
        for index in term.indices:
            if self.fields.is_finite(index) and index not in table and index in term.reduced:
                table[index] = self.atoms.fresh(index)
                reduced.append(table[index])
        slots = tuple(self.atoms.moved(s, table) for s in term.target if self.atoms.is_finite_slot(s))
        return slots, tuple(i for i in reduced if isinstance(i, Index)), self.lifted(term, name, replica, table)

    def root_terms(self, first: str, second: str, one: int, other: int) -> list[KernelTerm]:
        """The covariance of two sums over one weight: its variance times the sum of E[value value']."""
        left, right = self.fields.roots[first], self.fields.roots[second]
        if left.source != right.source:
            return []
        table: dict[Index, Slot] = {}
        for index in left.term.indices:
            if self.fields.is_finite(index) and index in left.term.reduced:
                table[index] = self.atoms.fresh(index)
        shared: dict[Index, Slot] = {}
        for mine, theirs in zip(left.weight_slots, right.weight_slots, strict=True):
            if isinstance(mine, Index) and isinstance(theirs, Index):
                if self.fields.is_finite(mine):
                    shared[theirs] = table.get(mine, mine)
            elif mine != theirs:
                return []
        own = dict(shared)
        taken = {i.name for s in left.term.target if self.atoms.is_finite_slot(s) for i in slot_indices((s,))}
        for index in right.term.indices:
            if self.fields.is_finite(index) and index not in own:
                summed = index in right.term.reduced
                own[index] = self.atoms.fresh(index) if summed else self.primed(index, taken)
        reduced = [
            new
            for new in dict.fromkeys((*table.values(), *(own[i] for i in own if i in right.term.reduced)))
            if isinstance(new, Index)
        ]
        slots = tuple(
            self.atoms.moved(s, changes)
            for term, changes in ((left.term, table), (right.term, own))
            for s in term.target
            if self.atoms.is_finite_slot(s)
        )
        product = self.lifted(left.term, first, one, table) * self.lifted(right.term, second, other, own)
        factor = self.scales.weight(left.weight) / self.fields.entries.get(left.weight, 1)
        return [
            self.term(slots, (*reduced, *piece.reduced), factor * piece.expression) for piece in self.expect(product)
        ]

    # ------------------------------------------------------------------ entering equations

    def once(self, name: str, derive) -> None:  # type: ignore[no-untyped-def]
        """Derive a kernel the first time that it is asked for."""
        if name in self.kernels or name in self.zero:
            return
        if name in self._under_way:
            raise Underivable(f"the moment '{name}' depends on itself")
        self._under_way.add(name)
        derive()
        self._under_way.discard(name)

    def enter(self, kernel: Kernel, equations: list[KernelEquation]) -> None:
        """Enter a kernel with its equations, or remember that it is 0."""
        if not any(equation.terms for equation in equations):
            self.zero.add(kernel.name)
            return
        self.kernels[kernel.name] = kernel
        self.equations += equations

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

    def meanings(self, expression: sp.Expr):  # type: ignore[no-untyped-def]
        """The meanings of the symbols of an expression, those that others need before these."""
        found: dict[sp.Symbol, object] = {}

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
        """An order of symbols that does not depend on what layers are called: kernels as they were derived."""
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


def _nonzero(expression: sp.Expr) -> Pieces:
    return [] if expression == 0 else [Piece((), expression)]
