"""The forward-mode pass: what small deviations of a limit do, as a system of the calculus (theory D).

Every field F of a system has a deviation dev F, and for a term of ``F(I) = Reduce_J [e]`` the rule is

    dev F(I) += Reduce_J [ de/dg * dev g(K) ]     for every access g(K) that deviates,
    dev F(I) += Reduce_J [ e * s_a(j) ]           for every reduced index j over a population a with a source.

The second line is G_a[.]: a population of weights p (1 + s) instead of p, with Mean_a[s] = 0. For the n_a
labels of a finite network that density is noise, Cov(G_a[f], G_a[g]) = Cov_a(f, g) / (gamma_a n), and the
linearised system is the second-order limit. Memories of a learning rule and what a step makes of G are
equations like any other, so they deviate by the same rule.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import sympy as sp

from ..algebra.laws import Law, LawKind, Variable
from ..algebra.memo import once
from ..algebra.reduced import Reduced, limit_of
from ..algebra.system import LimitSystem
from ..algebra.terms import Access, AxisKind, Equation, Field, Role, Term

# Fields that are given, and so do not deviate.
_GIVEN = frozenset({Role.INPUT, Role.CLOCK, Role.DRAW})
_ZERO = Law(LawKind.CONSTANT, (sp.Integer(0),), (), "0")


def deviation_name(name: str) -> str:
    """The name of the deviation of a field."""
    return f"dev {name}"


def source_name(population: str) -> str:
    """The name of the density s_a with which the weights of a population's nodes deviate."""
    return f"source {population}"


def linearise(system: LimitSystem | Reduced) -> LimitSystem:
    """The limit (or the system of a reduced one) together with its linearisation: the second-order limit.

    A state has three kinds of arrays more: ``deviation_name(v)`` for every trained parameter and memory v,
    which moves by the linearised step, and ``source_name(a)`` [node] for every population a, which is given
    (all are 0 by their law). Where Mean_a[s] = 0 it is the derivative of the system's own solution in the
    weights p (1 + epsilon s) of its nodes.

    Derivatives are those of the closed table, relu'' = 0 among them: neurons that cross a kink are not
    followed across it, although their share is of the order of the deviation. A first maximum (pooling) does
    not deviate. A limit is linearised once; asked again it gives the same object.
    Raises ArgumentError for anything that is not a limit.
    """
    return _linearised(limit_of(system))


@once
def _linearised(system: LimitSystem) -> LimitSystem:
    return _Linearisation(system).system()


@once
def directional(system: LimitSystem) -> LimitSystem:
    """The limit with its derivative along a direction of its variables: linearised, without sources."""
    return _Linearisation(system, with_sources=False).system()


class _Linearisation:
    """The pass over the equations of one system."""

    def __init__(self, system: LimitSystem, with_sources: bool = True) -> None:
        self.base = system
        self.deviation: dict[str, Field] = {}
        self.variables: list[Variable] = []
        used = {axis for field in system.fields for axis in field.axes}
        self.source = {
            axis.name: Field(source_name(axis.name), (axis.name,), Role.PARAMETER, part="s", owner=axis.name)
            for axis in system.axes
            if with_sources and axis.kind is AxisKind.POPULATION and axis.name in used
        }

    def system(self) -> LimitSystem:
        """Deviations of the variables first: the equations read them."""
        for variable in self.base.variables:
            if not variable.is_frozen:
                self.variable(variable)
        equations = [own for equation in self.base.equations for own in self.both(equation)]
        sources = tuple(
            Variable(field.name, field.axes, _ZERO, sp.Integer(0)) for field in self.source.values()
        )
        return replace(
            self.base,
            fields=(*self.base.fields, *self.deviation.values(), *self.source.values()),
            variables=(*self.base.variables, *self.variables, *sources),
            equations=tuple(equations),
        )

    def variable(self, variable: Variable) -> None:
        """The deviation of a variable, which starts at 0."""
        own = self.enter(variable.name)
        of = deviation_name(variable.of) if variable.of else ""
        self.variables.append(replace(variable, name=own.name, law=_ZERO, of=of))

    def enter(self, name: str) -> Field:
        """The field of a deviation. What it is derived from deviates before it."""
        field = self.base.field[name]
        of = name if field.role is Role.PARAMETER else field.of
        if field.role is not Role.PARAMETER and field.of in self.deviation:
            of = deviation_name(field.of)
        # Nothing hides a deviation: it is no activation, and so it is written as an equation of its own.
        own = replace(field, name=deviation_name(name), of=of, deviation=name, hidden=False)
        self.deviation[name] = own
        return self.deviation[name]

    def both(self, equation: Equation) -> Iterator[Equation]:
        """The equation of a deviation, where there is one, and the equation itself."""
        field = self.base.field[equation.field]
        terms = () if equation.selector else tuple(self.deviations(equation))
        # A variable moves by its equation, even where that says 0.
        if terms or field.role in (Role.VELOCITY, Role.NEXT, Role.FLOW):
            own = self.enter(equation.field)
            yield Equation(own.name, equation.target, terms)
        yield equation

    def deviations(self, equation: Equation) -> Iterator[Term]:
        """What all terms of an equation add to the deviation of its field."""
        for term in equation.terms:
            yield from together(term, list(self.terms(term)))

    def terms(self, term: Term) -> Iterator[Term]:
        """What one term adds to the deviation of its field."""
        for symbol, access in term.accesses:
            if access.field in self.deviation:
                slope = sp.diff(term.expression, symbol)
                if slope != 0:
                    own = Access(self.deviation[access.field].name, access.slots)
                    yield with_access(self.base, term, slope, sp.Symbol(deviation_name(symbol.name)), own)
        for index in term.reduced:
            if index.axis in self.source:
                name = self.source[index.axis].name
                own = Access(name, (index,))
                yield with_access(self.base, term, term.expression, sp.Symbol(name), own)


def together(term: Term, found: Sequence[Term]) -> tuple[Term, ...]:
    """What one term adds to a derivative of its field; of a pointwise term it is one term again."""
    if len(found) < 2 or not term.is_pointwise:
        return tuple(found)
    accesses = {symbol: access for each in found for symbol, access in each.accesses}
    return (Term(term.target, (), sp.Add(*(each.expression for each in found)), tuple(accesses.items())),)


def with_access(system: LimitSystem, term: Term, factor: sp.Expr, symbol: sp.Symbol, access: Access) -> Term:
    """The term with a factor in place of its expression, times one more access called ``symbol``."""
    expression = factor * symbol
    accesses = (*term.accesses, (symbol, access))
    kept = tuple((s, a) for s, a in accesses if expression.has(s))
    read = {index for _, a in kept for index in a.indices}
    # Weights sum to 1: an average over what is no longer read is gone.
    reduced = tuple(i for i in term.reduced if i in read or not system.axis[i.axis].is_measure)
    return Term(term.target, reduced, expression, kept)
