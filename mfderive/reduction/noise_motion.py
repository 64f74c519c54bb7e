"""What a learning rule does to the noise of weights that stand for their conditional means.

The rule is affine in what varies with the noise of a pair (closure asks for that), so the deviation of a
weight from its mean follows by itself. The weight and its memories deviate by a vector z times the noise of
the start, where z starts at (1, 0, ...) and moves by the linear part A of the rule; fresh noise of every step
adds a normal deviation with covariance S, which moves by S -> A S A^T + b b^T. Where the rule has a flow with
linear part B, z' = B z and S' = B S + S B^T + 2 T xi e e^T, e the weight among its memories (theory B.3).
Under SGD alone z stays 1: the noise is frozen (theory C.1).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import combinations_with_replacement

import sympy as sp

from ..algebra.laws import Law, LawKind, Variable
from ..algebra.system import LimitSystem
from ..algebra.terms import Access, Equation, Field, Role, Term

# What a number of these variables is, for those who look at fields.
FACTOR, COVARIANCE = "noise factor", "noise covariance"

Row = dict[str, sp.Expr]  # coefficient by the name of what it multiplies


@dataclass(frozen=True)
class Deviations:
    """How the entries of one weight and of its memories deviate from their means.

    ``variables``: the weight first. ``factors``: the variable with the factor z of each (none: the noise
    stays as it started, or there was none). ``covariances``: the variables with the entries of S, by pairs of
    variables (none: no fresh noise).
    """

    weight: str
    variables: tuple[str, ...]
    factors: Mapping[str, str]
    covariances: Mapping[tuple[str, str], str]


def with_noise_motion(
    system: LimitSystem, weights: Iterable[Variable], carriers: Collection[str]
) -> tuple[LimitSystem, tuple[Deviations, ...]]:
    """The system without fresh noise on weights, and with variables for what happens to their noise.

    ``weights`` stand for their means in ``system``; ``carriers`` are the fields that varied with their noise.
    """
    written = [_Writer(system, weight, carriers) for weight in weights]
    draws = {each.draw for each in written if each.draw is not None}
    found = [deviations for each in written if (deviations := each.deviations()) is not None]
    left = system.map_terms(lambda term: _without(term, draws)) if draws else system
    return (
        replace(
            left,
            fields=(
                *(field for field in left.fields if field.name not in draws),
                *(field for each in written for field in each.fields),
            ),
            variables=(*left.variables, *(variable for each in written for variable in each.variables)),
            equations=(*left.equations, *(equation for each in written for equation in each.equations)),
        ),
        tuple(found),
    )


def _without(term: Term, draws: Collection[str]) -> Term:
    gone = {symbol: sp.Integer(0) for symbol, access in term.accesses if access.field in draws}
    if not gone:
        return term
    left = tuple((symbol, access) for symbol, access in term.accesses if symbol not in gone)
    return Term(term.target, term.reduced, term.expression.xreplace(gone), left)


class _Writer:
    """Writes the variables and equations of the noise of one weight."""

    def __init__(self, system: LimitSystem, weight: Variable, carriers: Collection[str]) -> None:
        self.system, self.weight = system, weight
        self.carriers = [
            v for v in (weight, *system.memories_of[weight.name]) if v.name in carriers
        ]  # the weight is one of them
        self.draw = next(
            (name for name in system.movers_of[weight.name] if system.field[name].role is Role.DRAW), None
        )
        self.accesses: dict[sp.Symbol, Access] = {}
        self.fields: list[Field] = []
        self.variables: list[Variable] = []
        self.equations: list[Equation] = []
        self.axes: tuple[str, ...] = ()

    def deviations(self) -> Deviations | None:
        """Write what there is to write; None where the noise of the start stays as it is."""
        names = [variable.name for variable in self.carriers]
        steps = {name: self.row(name, Role.NEXT) for name in names}
        still = all(steps[name] == {name: 1} for name in names)
        fresh = any(self.draw in row for row in steps.values())
        if still:
            return None
        if self.accesses and any(access.slots for access in self.accesses.values()):
            self.axes = self.weight.axes
        flows = {name: self.row(name, Role.FLOW) for name in names}
        factors: dict[str, str] = {}
        if not self.weight.law.is_deterministic:
            factors = {name: self.variable(name, FACTOR, int(name == self.weight.name)) for name in names}
            for role, rows in ((Role.NEXT, steps), (Role.FLOW, flows)):
                for name in names:
                    value = sum((c * sp.Symbol(factors[u]) for u, c in rows[name].items() if u in factors))
                    self.write(factors[name], role, sp.sympify(value))
        covariances = self.spread(names, steps, flows) if fresh else {}
        return Deviations(self.weight.name, tuple(names), factors, covariances)

    def spread(
        self, names: list[str], steps: Mapping[str, Row], flows: Mapping[str, Row]
    ) -> dict[tuple[str, str], str]:
        """The covariance that fresh noise adds up to, in steps and in the flow."""
        pairs = list(combinations_with_replacement(names, 2))
        table = {
            pair: self.variable(", ".join(dict.fromkeys(pair)), COVARIANCE, 0, pair[0]) for pair in pairs
        }

        def entry(u: str, v: str) -> sp.Expr:
            return sp.Symbol(table[(u, v) if (u, v) in table else (v, u)])

        for one, other in pairs:
            value = sum(
                (steps[one].get(u, 0) * steps[other].get(v, 0) * entry(u, v) for u in names for v in names),
                sp.Integer(0),
            )
            fresh = steps[one].get(str(self.draw), 0) * steps[other].get(str(self.draw), 0)
            self.write(table[one, other], Role.NEXT, sp.sympify(value + fresh))
            moved = sum(
                (
                    flows[one].get(u, 0) * entry(u, other) + flows[other].get(u, 0) * entry(one, u)
                    for u in names
                ),
                self.diffusion() if one == other == self.weight.name else sp.Integer(0),
            )
            self.write(table[one, other], Role.FLOW, sp.expand(moved))
        return table

    def diffusion(self) -> sp.Expr:
        """2 T xi: how fast the variance of a Brownian motion with the temperature of the weight grows."""
        temperature = sp.Rational(repr(dict(self.system.learning.noise)[self.weight.name]))
        if not self.weight.rate.free_symbols:
            return 2 * temperature * self.weight.rate
        field = self.system.rate_field(self.weight.name)
        rate = sp.Symbol(field.name)
        self.accesses.setdefault(rate, Access(field.name, ()))
        return 2 * temperature * rate

    def row(self, name: str, role: Role) -> Row:
        """The coefficients of what varies with the noise in a next value (or a derivative in time)."""
        moved = (self.system.next_of if role is Role.NEXT else self.system.flow_of).get(name)
        if moved is None:  # by alpha * rate * G, which knows nothing of the noise
            return {name: sp.Integer(1)} if role is Role.NEXT else {}
        (term,) = self.system.equation_of[moved].terms
        known = {variable.name for variable in self.carriers}
        nexts = {self.system.next_of[n]: n for n in known if n in self.system.next_of}
        found: Row = {}
        for symbol, access in term.accesses:
            if access.field not in known and access.field not in nexts and access.field != self.draw:
                continue
            coefficient = sp.diff(term.expression, symbol)
            self.accesses.update((s, a) for s, a in term.accesses if coefficient.has(s))
            inner = self.row(nexts[access.field], role) if access.field in nexts else {access.field: 1}
            for part, value in inner.items():
                found[part] = sp.expand(found.get(part, 0) + coefficient * value)
        return {part: value for part, value in found.items() if value != 0}

    def variable(self, of: str, part: str, start: int, owner: str = "") -> str:
        """A new variable that belongs to another; its name."""
        own = self.system.field[owner or of]
        name = f"{part} {of}"
        self.fields.append(replace(own, name=name, axes=self.axes, role=Role.MEMORY, of=own.name, part=part))
        law = Law(LawKind.CONSTANT, (sp.Integer(start),), text=str(start))
        self.variables.append(Variable(name, self.axes, law, self.weight.rate, of=own.name))
        return name

    def write(self, name: str, role: Role, value: sp.Expr) -> None:
        """The next value or the derivative of a new variable."""
        field = next(field for field in self.fields if field.name == name).derived(role)
        target = self.system.equation_of[self.system.velocity_of[self.weight.name]].target
        own = {sp.Symbol(v.name): Access(v.name, target if self.axes else ()) for v in self.variables}
        known = {**self.accesses, **own}
        accesses = tuple((s, known[s]) for s in sorted(value.free_symbols, key=lambda s: str(s.name)))
        self.fields.append(field)
        own_target = target if self.axes else ()
        self.equations.append(Equation(field.name, own_target, (Term(own_target, (), value, accesses),)))
