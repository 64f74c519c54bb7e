"""Expectations of pointwise expressions over the neurons of a random network.

``E[e]`` falls into a sum of products of expectations of independent parts: parts that read different weights,
parameters or neurons. A part that is one field, or two, is a kernel; a function of Gaussian fields is an
expectation in their covariance. A field that is neither is written out by its own equation.
"""

from __future__ import annotations

from abc import abstractmethod

import sympy as sp

from ..algebra.evaluate import evaluate_expression
from ..algebra.functions import ClosedFunction
from ..algebra.terms import Affine, Index, Role, Slot, Term
from .atoms import ONE, Atom
from .batch_moments import BatchMoments
from .gaussian_forms import GaussianForms
from .input_kernels import InputKernels
from .kernel_list import KernelList
from .mask_field import MASK
from .moment_source import Piece, Pieces
from .random_fields import Source, UnderivableError

MOST_PIECES = 400


UNIT = Piece((), sp.Integer(1))


def times(left: Pieces, right: Pieces) -> Pieces:
    """The product of two sums."""
    return [Piece((*a.reduced, *b.reduced), a.expression * b.expression) for a in left for b in right]


def nonzero(expression: sp.Expr) -> Pieces:
    """An expression without a sum; nothing where it is 0."""
    return [] if expression == 0 else [Piece((), expression)]


def _plain(expression: sp.Expr) -> sp.Expr:
    """The expression with functions of numbers as numbers, where these are short (erf(0) = 0)."""
    known = {}
    for atom in expression.atoms(ClosedFunction):
        if not atom.free_symbols:
            value = float(evaluate_expression(atom, {}))
            if (8 * value).is_integer():
                known[atom] = sp.Rational(value)
    return expression.xreplace(known)


class Expectations(KernelList):
    """Takes expectations; what their parts are worth (moments of one field, or of two) is said by a
    subclass."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.forms = GaussianForms(self)
        self.inputs = InputKernels(self)
        self.batches = BatchMoments(self)

    @abstractmethod
    def first(self, atom: Atom) -> sp.Expr:
        """E[value], as the symbol of a kernel or a number."""

    @abstractmethod
    def second(self, a: Atom, b: Atom) -> sp.Expr:
        """E[a b], as the symbol of a kernel or a number."""

    @abstractmethod
    def second_pieces(self, a: Atom, b: Atom) -> Pieces:
        """E[a b], sums over weights written out."""

    def constant(self, name: str, replica: int, slots: tuple[Slot, ...]) -> sp.Expr:
        """A field that is the same for all neurons, as a kernel (0 where it vanishes)."""
        return self.first(Atom(name, replica, "", slots))

    # ------------------------------------------------------------------ expectations of expressions

    def expect(self, expression: sp.Expr) -> Pieces:
        """The expectation over the randomness of all neurons. Raises UnderivableError where it does not
        close."""
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
                raise UnderivableError(
                    f"a moment has more than {MOST_PIECES} terms: too many branches are correlated"
                )
        return pieces

    def opened(self, expression: sp.Expr) -> sp.Expr:
        """The expression with every field that is one function of its neuron written out."""
        while True:
            table = {s: self.own_value(s) for s in self.atoms.random(expression) if self.is_function(s)}
            if not table:
                return expression
            expression = expression.xreplace(table)

    def is_function(self, symbol: sp.Symbol) -> bool:
        """Whether a value is one function of values of its neuron at its own positions, and no unknown
        itself."""
        atom = self.atoms.atom_of[symbol]
        if self.batches.is_opaque(atom.field):
            return False
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
        return self.fields.is_gaussian(atom.field) or self.batches.is_normalised(atom.field)

    def own_value(self, symbol: sp.Symbol) -> sp.Expr:
        """What the equation of a field says of its value. Raises UnderivableError for sums over positions."""
        atom = self.atoms.atom_of[symbol]
        name = atom.field
        own = self.fields.fields[name]
        if self.batches.is_opaque(name):
            raise self.batches.refusal(name)
        if not self.fields.is_open(name) or any(isinstance(s, Affine) and s.parts for s in atom.slots):
            if own.role is Role.PARAMETER:
                raise self.fields.refusal(
                    own,
                    "stands inside a function and is not normally distributed",
                    "a normal law, or a constant",
                )
            if name in self.fields.definition and not self.fields.definition[name]:
                return sp.Integer(0)
            raise self.fields.refusal(
                own,
                "is a sum over positions, and another function than a product of two values is taken of it",
                "an expectation over all these positions at once",
            )
        indices = dict(zip(self.fields.finite_target(name), atom.slots, strict=True))
        return sum(
            (
                self.lifted(term, name, atom.replica, indices, atom.neuron)
                for term in self.fields.definition[name]
            ),
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
        unknown = [s for s in kept if not self.is_mask(s)]
        if not unknown:
            return None
        return factor.xreplace({s: self.own_value(s) for s in unknown})

    def is_kept(self, symbol: sp.Symbol) -> bool:
        """Whether a value is no Gaussian one, so that it stands in kernels alone."""
        own = self.fields.fields[self.atoms.atom_of[symbol].field]
        return not self.is_gaussian(symbol) or self.is_mask(symbol) or own.role is Role.INPUT

    def is_mask(self, symbol: sp.Symbol) -> bool:
        """Whether a value is a mask of dropout: 0, or 1 over the probability of being kept."""
        return self.fields.fields[self.atoms.atom_of[symbol].field].part == MASK

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
        if all(map(self.is_mask, symbols)):
            return [Piece((), self.mask_moment(product, symbols))]
        if all(each.role is Role.INPUT for each in own):
            return [Piece((), self.inputs.product(product, symbols))]
        powers = product.as_powers_dict()
        plain = set(powers) == set(symbols)
        if plain and len(symbols) == 1 and own[0].role is Role.PARAMETER:
            return nonzero(self.scales.moment(own[0].name, int(powers[symbols[0]])))
        if plain and sum(powers.values()) == 1:
            return nonzero(self.first(self.atoms.atom_of[symbols[0]]))
        if plain and sum(powers.values()) == 2:
            pair = symbols * 2 if len(symbols) == 1 else symbols
            return self.second_pieces(self.atoms.atom_of[pair[0]], self.atoms.atom_of[pair[1]])
        normalised = self.batches.expectation(product, symbols)
        if normalised is not None:
            return nonzero(normalised)
        latest = [s for s in symbols if self.is_kept(s)]
        masks = [s for s in latest if self.is_mask(s)]
        unknown = [s for s in latest if s not in masks]  # first, because they may hold the masks
        if unknown:
            return self.expect_sum(self.own_value(unknown[-1]), product / unknown[-1])
        if masks:
            return self.over_mask(masks[0], product)
        return nonzero(self.forms.expectation(product, symbols))

    def over_mask(self, mask: sp.Symbol, product: sp.Expr) -> Pieces:
        """The expectation of a function of a mask: with its two values, 1/p and 0, put in."""
        kept = self.kept[self.atoms.atom_of[mask].field]
        values = ((1 / kept, kept), (sp.Integer(0), 1 - kept))
        return self.expect_sum(sum(p * _plain(product.xreplace({mask: m})) for m, p in values), sp.Integer(1))

    def mask_moment(self, product: sp.Expr, symbols: list[sp.Symbol]) -> sp.Expr:
        """E of a product of powers of masks: of one input p^(1 - k), of different ones independent."""
        powers = product.as_powers_dict()
        if set(powers) != set(symbols):
            raise UnderivableError("a function of the mask of dropout that is no power is not derived")
        return sp.Mul(*(self.kept[self.atoms.atom_of[s].field] ** (1 - powers[s]) for s in symbols))
