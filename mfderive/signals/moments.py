"""First and second moments of the fields of a random network, as equations between kernels."""

from __future__ import annotations

import sympy as sp

from ..algebra.terms import Index, Role, Slot, Term, slot_indices
from .atoms import ONE, Atom, place_order
from .expectations import Expectations, nonzero
from .kernel_system import Kernel, KernelAccess, KernelEquation, KernelKind, KernelTerm
from .moment_source import Piece, Pieces
from .random_fields import UnderivableError


class Moments(Expectations):
    """Derives kernels on demand: each is entered with its equations the first time that it is asked for."""

    # ------------------------------------------------------------------ first moments

    def first(self, atom: Atom) -> sp.Expr:
        """E[value], as the symbol of a kernel or a number."""
        if self.batches.is_opaque(atom.field):
            return sp.Integer(0)
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
            raise UnderivableError(f"'{of}' has no equation")
        target = self.fields.finite_target(of)
        terms = []
        for term in self.fields.definition[of]:
            slots = tuple(s for s in term.target if self.atoms.is_finite_slot(s))
            reduced = tuple(i for i in term.reduced if self.fields.is_finite(i))
            pieces = self.expect(self.lifted(term, of, 1, {}))
            terms += [self.term(slots, (*reduced, *piece.reduced), piece.expression) for piece in pieces]
        kernel = Kernel(
            name,
            KernelKind.FIRST,
            self.part_of(of),
            self.fields.finite_axes(of),
            of,
            "",
            self.tells_of(of),
            own.owner,
        )
        self.enter(kernel, [KernelEquation(name, False, target, tuple(terms))])

    # ------------------------------------------------------------------ second moments

    def second_pieces(self, a: Atom, b: Atom) -> Pieces:
        """E[a b]; sums over weights that nothing else stands in the way of are written out where they
        stand."""
        roots = self.fields.roots
        if a.field in roots and b.field in roots and not self.fields.finite_axes(a.field):
            if roots[a.field].source != roots[b.field].source:
                return []
            return [
                Piece(t.reduced, t.expression)
                for t in self.root_terms(a.field, b.field, a.replica, b.replica)
            ]
        return nonzero(self.second(a, b))

    def second(self, a: Atom, b: Atom) -> sp.Expr:
        """E[a b], as the symbol of a kernel or a number."""
        if not self.fields.sources(a.field) & self.fields.sources(b.field) or a.neuron != b.neuron:
            return self.first(a) * self.first(b)
        special = self.batches.second(a, b)
        if special is not None:
            return special
        if self.fields.order[a.field] > self.fields.order[b.field]:
            a, b = b, a
        same = a.field == b.field
        if same and (a.replica, place_order(a.slots)) > (b.replica, place_order(b.slots)):
            a, b = b, a
        if same and self.fields.fields[a.field].role is Role.PARAMETER and a.slots == b.slots:
            return self.scales.second(a.field)
        name = self.named(a.field) if same else f"{self.named(a.field)}, {self.named(b.field)}"
        self.once(name, lambda: self.derive_second(name, a.field, b.field))
        if name in self.zero:
            return sp.Integer(0)
        replicas = (a.replica or b.replica, b.replica or a.replica) if a.replica or b.replica else ()
        return self.atoms.kernel(KernelAccess(name, replicas, (*a.slots, *b.slots)))

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
        self.enter(
            Kernel(
                name,
                KernelKind.SECOND,
                self.part_of(second),
                axes,
                first,
                second,
                self.tells_of(second),
                own.owner,
                self.is_helper(second),
            ),
            equations,
        )

    def second_terms(
        self, first: str, second: str, replica: int, left: tuple[Index, ...], right: tuple[Index, ...]
    ) -> list[KernelTerm]:
        """The terms of E[first second], of which ``second`` (or both, if they are the same) is written
        out."""
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
        self,
        whole: str,
        left: tuple[Index, ...],
        one: int,
        written: str,
        right: tuple[Index, ...],
        other: int,
    ) -> list[KernelTerm]:
        """The terms of E[whole written] with the second one written out by its equation."""
        if written not in self.fields.definition:
            raise self.fields.refusal(
                self.fields.fields[whole], f"depends on '{written}'", "an equation for it"
            )
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
        return KernelTerm(
            (*term.target[count:], *term.target[:count]), term.reduced, term.expression, term.meanings
        )

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
        """The second moment of a parameter that a field is a sum with: equal where both read the same
        entry."""
        access = term.accesses[0][1]
        left = tuple(s for s in term.target if self.atoms.is_finite_slot(s))
        own = set(slot_indices(access.slots))
        taken = {i.name for i in slot_indices(left)}
        right = tuple(s if s in own or not isinstance(s, Index) else self.primed(s, taken) for s in left)
        return self.term((*left, *right), (), self.scales.second(access.field))

    def copied(
        self, name: str, term: Term, replica: int, rename: dict[Index, Index]
    ) -> tuple[tuple[Slot, ...], tuple[Index, ...], sp.Expr]:
        """A term for an input: its finite target slots, reduced indices with names of their own,
        expression."""
        table: dict[Index, Slot] = dict(rename)
        reduced = []
        for index in term.indices:
            if self.fields.is_finite(index) and index not in table and index in term.reduced:
                table[index] = self.atoms.fresh(index)
                reduced.append(table[index])
        slots = tuple(self.atoms.moved(s, table) for s in term.target if self.atoms.is_finite_slot(s))
        return (
            slots,
            tuple(i for i in reduced if isinstance(i, Index)),
            self.lifted(term, name, replica, table),
        )

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
            self.term(slots, (*reduced, *piece.reduced), factor * piece.expression)
            for piece in self.expect(product)
        ]
