"""Expectations of functions of Gaussian fields: their variables are the sums of fields that functions read.

``tanh(h + bias)`` is a function of one Gaussian variable, h + bias, which becomes a field of its own.
"""

from __future__ import annotations

import sympy as sp

from ..algebra.parity import Parity, parity_of
from ..algebra.terms import Access, Field, Index, Role, Term, canonical_indices
from .atoms import Atom
from .gaussian import Expectation
from .gaussian_rules import MOST_VARIABLES
from .kernel_system import ExpectationAccess
from .moment_source import MomentSource
from .random_fields import UnderivableError

FORM = "sum of Gaussian fields"
# A linear combination of Gaussian values: pairs of a symbol and a number, in a fixed order.
Form = tuple[tuple[sp.Symbol, sp.Expr], ...]


class GaussianForms:
    """Turns products of functions of Gaussian values into the symbols of expectations."""

    def __init__(self, moments: MomentSource) -> None:
        self.moments = moments
        self.atoms, self.fields = moments.atoms, moments.fields

    def expectation(self, product: sp.Expr, symbols: list[sp.Symbol]) -> sp.Expr:
        """E of a function of Gaussian values, as a symbol (a number where it reads none)."""
        product = self.merged(product)
        symbols = self.atoms.random(product)
        self.check(product, symbols)
        variables = tuple(sp.Symbol(f"u{number + 1}") for number in range(len(symbols)))
        others = sorted(product.free_symbols - set(symbols), key=self.moments.age)
        constants = tuple(sp.Symbol(f"k{number + 1}") for number in range(len(others)))
        table = dict(zip((*symbols, *others), (*variables, *constants), strict=True))
        number, integrand = product.xreplace(table).as_coeff_Mul()
        means = tuple(self.moments.first(self.atoms.atom_of[s]) for s in symbols)
        covariance = tuple(
            tuple(self.covariance(a, b, means[i] * means[j]) for j, b in enumerate(symbols))
            for i, a in enumerate(symbols)
        )
        if _vanishes(integrand, variables, covariance, means):
            return sp.Integer(0)
        access = ExpectationAccess(
            Expectation(integrand, variables),
            covariance,
            means if any(mean != 0 for mean in means) else (),
            tuple(zip(constants, others, strict=True)),
        )
        return number * self.atoms.expectation(access)

    def check(self, product: sp.Expr, symbols: list[sp.Symbol]) -> None:
        """Raises UnderivableError where more values stand in one product than an expectation takes."""
        for summand in sp.Add.make_args(product):
            own = [s for s in symbols if s in summand.free_symbols]
            if len(own) > MOST_VARIABLES:
                names = ", ".join(dict.fromkeys(self.atoms.atom_of[s].field for s in own))
                raise UnderivableError(
                    f"an expectation over {len(own)} jointly Gaussian values in one product is needed, of "
                    f"{names}, and at "
                    f"most {MOST_VARIABLES} are integrated. Needed are fewer correlated branches, or a "
                    f"fresh weight "
                    "between them"
                )

    def covariance(self, a: sp.Symbol, b: sp.Symbol, means: sp.Expr) -> sp.Expr:
        """The covariance of two Gaussian values."""
        return self.moments.second(self.atoms.atom_of[a], self.atoms.atom_of[b]) - means

    # ------------------------------------------------------------------ sums of fields

    def merged(self, product: sp.Expr) -> sp.Expr:
        """The product with sums of Gaussian values that functions read as one, as values of one field."""
        forms = {node: self.form(node) for node in product.atoms(sp.Add)}
        table: dict[sp.Expr, sp.Expr] = {}
        summed: set[sp.Symbol] = set()
        for node, form in forms.items():
            value = self.value(form) if len(form) > 1 else None
            if value is not None:
                whole = sum((number * symbol for symbol, number in form), sp.Integer(0))
                table[node] = value + (node - whole)
                summed |= {symbol for symbol, _ in form}
        changed = product.xreplace(table)
        # Values that stand elsewhere too would be read twice, once as themselves and once in a sum.
        return product if changed.free_symbols & summed else changed

    def form(self, node: sp.Expr) -> Form:
        """The linear combination of Gaussian values in a sum; () where a summand is another function of
        them."""
        parts = []
        for summand in node.args:
            random = self.atoms.random(summand)
            if not random:
                continue
            number, rest = summand.as_coeff_Mul()
            if not rest.is_Symbol:
                return ()
            parts.append((rest, number))
        return tuple(sorted(parts, key=lambda part: part[0].name))

    def value(self, form: Form) -> sp.Expr | None:
        """The value of the field that a linear combination is; None where it is none of one neuron and
        place."""
        atoms = {symbol: self.atoms.atom_of[symbol] for symbol, _ in form}
        main = max(atoms.values(), key=lambda a: (len(a.slots), a.replica, self.fields.order[a.field]))
        replicas = {a.replica for a in atoms.values() if a.replica}
        plain = all(isinstance(slot, Index) for slot in main.slots)
        alike = all(a.slots in ((), main.slots) and a.neuron == main.neuron for a in atoms.values())
        if len(replicas) > 1 or not plain or not alike or len(set(main.slots)) != len(main.slots):
            return None
        name = self.declared(main, [(atoms[symbol], number) for symbol, number in form])
        return self.atoms.atom(Atom(name, main.replica, main.neuron, main.slots))

    def declared(self, main: Atom, parts: list[tuple[Atom, sp.Expr]]) -> str:
        """The name of the field of a sum of fields, which is declared when it is first met."""
        fields = self.fields
        ordered = sorted(parts, key=lambda part: (part[0].field != main.field, fields.order[part[0].field]))
        name = " + ".join(a.field if number == 1 else f"{number} {a.field}" for a, number in ordered)
        if name in fields.fields:
            return name
        own = fields.fields[main.field]
        target = fields.target.get(main.field) or canonical_indices(own.axes)
        terms = [term for a, number in ordered for term in self.terms(a, number, target)]
        made = Field(name, own.axes, Role.FORWARD, owner=own.owner, part=FORM, of=main.field, step=own.step)
        fields.define(made, target, tuple(terms))
        return name

    def terms(self, atom: Atom, number: sp.Expr, target: tuple[Index, ...]) -> list[Term]:
        """One summand as terms: of a sum over weights its own terms, of any other field its value."""
        fields = self.fields
        name = atom.field
        definition = fields.definition.get(name, ())
        reads_root = any(a.field in fields.roots for term in definition for _, a in term.accesses)
        if reads_root and fields.is_open(name) and fields.target[name] == target:
            return [term.with_expression(number * term.expression) for term in definition]
        symbol = sp.Symbol(name)
        axes = fields.fields[name].axes
        slots = tuple(index for index in target if index.axis in axes)
        return [Term(target, (), number * symbol, ((symbol, Access(name, slots)),))]


def _vanishes(
    integrand: sp.Expr,
    variables: tuple[sp.Symbol, ...],
    covariance: tuple[tuple[sp.Expr, ...], ...],
    means: tuple[sp.Expr, ...],
) -> bool:
    """Whether an integrand changes its sign with centred variables that are independent of all others."""
    left = set(range(len(variables)))
    while left:
        block, waiting = set[int](), {left.pop()}
        while waiting:
            one = waiting.pop()
            block.add(one)
            waiting |= {other for other in left if covariance[one][other] != 0}
            left -= waiting
        known = dict.fromkeys(integrand.free_symbols, Parity.EVEN)
        known |= dict.fromkeys((variables[n] for n in block), Parity.ODD)
        if all(means[n] == 0 for n in block) and parity_of(integrand, known) == Parity.ODD:
            return True
    return False
