"""Moments of normalised values and of gradients that pass their normalisation.

Fields of a batch are taken to be alike: one variance q, one covariance q_12 of any two samples (the symmetric
batch of Yang et al. 2019). Then h = m + r z, with z uniform on a sphere and independent of r, and
E 1/r^2 = batch / ((batch - 3) (q - q_12)). A gradient a by z becomes one by h, P a / r, where P removes the
mean and the part along z.
"""

from __future__ import annotations

from math import isinf

import sympy as sp

from ..algebra.terms import Role
from .atoms import ONE, Atom
from .kernel_system import (
    OTHER,
    ExpectationAccess,
    Kernel,
    KernelAccess,
    KernelEquation,
    KernelKind,
    KernelTerm,
    Part,
)
from .moment_source import MomentSource
from .random_fields import UnderivableError
from .sphere import SphereExpectation


class BatchMoments:
    """What is special about values that a batch normalises; asked before anything else is tried."""

    def __init__(self, moments: MomentSource) -> None:
        self.moments, self.fields, self.atoms = moments, moments.fields, moments.atoms
        batch = moments.fields.batch
        self.size = batch.size if batch is not None else 0.0
        self.source = batch.source if batch is not None else {}
        between = batch.between if batch is not None else {}
        adjoints = {f.of: f.name for f in self.fields.fields.values() if f.role is Role.ADJOINT}
        # By the adjoint of the field between the two the normalised values, and by these their own adjoint.
        self.gradient = {adjoints[b]: z for z, b in between.items() if b in adjoints}
        self.adjoint = {z: adjoints[z] for z in self.source if z in adjoints}

    @property
    def share(self) -> sp.Expr:
        """1 / batch."""
        return sp.Integer(0) if isinf(self.size) else sp.Rational(1, int(self.size))

    def is_normalised(self, name: str) -> bool:
        """Whether a field holds normalised values."""
        return name in self.source

    def is_opaque(self, name: str) -> bool:
        """Whether a field is no function of others at its own sample."""
        return name in self.source or name in self.gradient

    # ------------------------------------------------------------------ normalised values

    def expectation(self, product: sp.Expr, symbols: list[sp.Symbol]) -> sp.Expr | None:
        """E of a function of normalised values of a finite batch; None where it reads none."""
        atoms = [self.atoms.atom_of[s] for s in symbols]
        if not any(atom.field in self.source for atom in atoms) or isinf(self.size):
            return None
        if len({(a.field, a.neuron) for a in atoms}) > 1:
            others = sorted({a.field for a in atoms if a.field not in self.source})
            raise UnderivableError(
                f"normalised values stand in one function with {', '.join(others)}. Needed are functions of "
                'normalised values alone, or batch = "infinity"'
            )
        variables = tuple(sp.Symbol(f"z{n + 1}") for n in range(len(symbols)))
        number, integrand = product.xreplace(dict(zip(symbols, variables, strict=True))).as_coeff_Mul()
        access = ExpectationAccess(SphereExpectation(integrand, variables, int(self.size)), ())
        return number * self.atoms.expectation(access)

    def second(self, a: Atom, b: Atom) -> sp.Expr | None:
        """E[a b] where one of them is special; None for any others."""
        special = [x for x in (a, b) if self.is_opaque(x.field)]
        if not special:
            return None
        if a.field == b.field and a.field in self.source:
            return sp.Integer(1) if a.replica == b.replica else -self.share / (1 - self.share)
        if a.field == b.field:
            return self.gradient_moment(a, b)
        other = b if special[0] is a else a
        if special[0].field in self.gradient and self.is_independent(special[0].field, other.field):
            return sp.Integer(0)
        raise self.refusal(special[0].field)

    def refusal(self, name: str) -> UnderivableError:
        """The error of a value that a batch normalises, beside others of its neuron."""
        own = self.fields.fields[name]
        return UnderivableError(
            f"values of '{own.owner}' that a batch normalises, or gradients through them, stand in one "
            "product with "
            "other values of the same neurons, which is not derived. Needed is a weight between them"
        )

    def is_independent(self, gradient: str, other: str) -> bool:
        """Whether a gradient reads, in every term, a transposed weight that another field does not read."""
        known = self.fields.sources(other)
        adjoint = self.adjoint[self.gradient[gradient]]
        symbols = [
            list(self.atoms.random(factor)) for factor in sp.Add.make_args(sp.expand(self.opened(adjoint, 1)))
        ]
        return all(
            any(
                self.fields.sources(self.atoms.atom_of[s].field).isdisjoint(known)
                for s in term
                if self._is_root(s)
            )
            for term in symbols
        )

    def _is_root(self, symbol: sp.Symbol) -> bool:
        return self.atoms.atom_of[symbol].field in self.fields.roots

    def opened(self, name: str, replica: int) -> sp.Expr:
        """The value of a field, written out."""
        return self.moments.opened(self.atoms.atom(Atom(name, replica, ONE)))

    # ------------------------------------------------------------------ gradients

    def gradient_moment(self, a: Atom, b: Atom) -> sp.Expr:
        """The second moment of gradients by a field, as far as they go through its normalised values."""
        name = a.field
        self.moments.once(name, lambda: self.derive_gradient(name))
        if name in self.moments.zero:
            return sp.Integer(0)
        replicas = tuple(sorted((a.replica or b.replica, b.replica or a.replica)))
        return self.atoms.kernel(KernelAccess(name, replicas))

    def derive_gradient(self, name: str) -> None:
        """State E |P a|^2 / r^2 for one sample, and for two: the sum over a batch of P a is 0."""
        own = self.fields.fields[name]
        one = self.terms(name)
        apart = self.share / (self.share - 1) * self.atoms.kernel(KernelAccess(name, (1, 1)))
        two = [self.moments.term((), (), apart)] if one and self.share else []
        equations = [KernelEquation(name, False, (), tuple(one)), KernelEquation(name, True, (), tuple(two))]
        kernel = Kernel(
            name,
            KernelKind.SECOND,
            Part.BACKWARD,
            (),
            name,
            name,
            self.moments.tells_of(name),
            own.owner,
            self.moments.is_helper(name),
        )
        self.moments.enter(kernel, equations)

    def terms(self, name: str) -> list[KernelTerm]:
        """The terms of E |P a|^2 / (batch r^2)."""
        normalised = self.gradient[name]
        source, adjoint = self.source[normalised], self.adjoint[normalised]
        h = [Atom(source, replica, ONE) for replica in (1, OTHER)]
        apart = self.moments.second(h[0], h[0]) - self.moments.second(h[0], h[1])
        z = [self.atoms.atom(Atom(normalised, replica, ONE)) for replica in (1, OTHER)]
        a = [self.opened(adjoint, replica) for replica in (1, OTHER)]
        part = 1 - self.share
        products = (
            (part, a[0] ** 2),
            (-self.share, a[0] ** 2 * z[0] ** 2),
            (-part, a[0] * a[1]),
            (-part, a[0] * a[1] * z[0] * z[1]),
        )
        return [
            self.moments.term((), piece.reduced, number / (1 - 3 * self.share) * piece.expression / apart)
            for number, product in products
            if number != 0
            for piece in self.moments.expect(product)
        ]
