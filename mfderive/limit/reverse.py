"""The reverse pass: adjoints D and the evolution G out of forward equations.

For an access ``g(K)`` in a term of ``F(I) = Reduce_J [e]`` the rule is

    adj g(K) += Reduce_{(I u J) \\ K} [ adj F(I) * de/dg ],

Mean over measures and Sum over finite axes; an affine slot scatters. There is no width and no weight p
anywhere. The data is a measure like the others, so D is per sample and G receives its expectation from the
same rule. Nothing here knows what a layer is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import sympy as sp

from ..algebra.derivative import derivative
from ..algebra.system import ForwardSystem, renaming
from ..algebra.terms import (
    Access,
    Affine,
    Equation,
    Field,
    Index,
    Role,
    Slot,
    Term,
    canonical_indices,
    map_each,
)
from ..errors import MfError

LOSS = "loss"


@dataclass(frozen=True)
class Derived:
    """The equations of one kind of derived fields, in an order in which they can be evaluated."""

    fields: tuple[Field, ...]
    equations: tuple[Equation, ...]


def reverse_pass(system: ForwardSystem) -> tuple[Derived, Derived]:
    """The adjoints of all computed fields and the evolution of all trained parameters.

    Steps, in this order because each needs the one before: (1) go through the forward equations from the
    loss upwards and collect, for every field, the terms of its adjoint D = d(loss of the sample)/dF
    (theory A.3); (2) close each computed field's adjoint as an equation; (3) turn the adjoints of
    parameters, which average over the data, into the evolution G = -adjoint (theory A.4).
    """
    targets = targets_of(system)
    collected, backward = _collected(system, targets)
    known = _pointwise_adjoints(backward)
    velocities, evolution = [], []
    for parameter in system.parameters:
        if not parameter.is_frozen:
            field = system.field[parameter.name].derived(Role.VELOCITY)
            terms = (t.with_expression(-t.expression) for t in collected.get(parameter.name, ()))
            velocities.append(field)
            evolution.append(
                Equation(field.name, targets[parameter.name], tuple(_reusing(t, known) for t in terms))
            )
    return backward, Derived(tuple(velocities), tuple(evolution))


def _collected(
    system: ForwardSystem, targets: dict[str, tuple[Index, ...]]
) -> tuple[dict[str, list[Term]], Derived]:
    """The terms of every field's adjoint, and the equations of the adjoints of computed fields."""
    collected: dict[str, list[Term]] = {}
    fields, equations = [], []
    for equation in reversed(system.forward):
        field = system.field[equation.field]
        if field.role is Role.FROZEN:
            continue
        if field.name != LOSS:
            terms = tuple(collected.get(field.name, ()))
            if not terms:
                continue
            adjoint = field.derived(Role.ADJOINT)
            fields.append(adjoint)
            equations.append(Equation(adjoint.name, targets[field.name], terms))
        for name, term in _contributions(system, equation, targets):
            collected.setdefault(name, []).append(term)
    return collected, Derived(tuple(fields), tuple(equations))


# An integrand: its expression without a number in front, and what its symbols read.
Integrand = tuple[sp.Expr, frozenset[tuple[sp.Symbol, Access]]]


def _integrand(term: Term) -> tuple[sp.Expr, Integrand]:
    number, expression = term.expression.as_coeff_Mul()
    return number, (expression, frozenset(term.accesses))


def _pointwise_adjoints(backward: Derived) -> dict[Integrand, tuple[sp.Expr, Access]]:
    """Integrands that an adjoint already is: a bias is averaged over D of its own pre-activation."""
    known: dict[Integrand, tuple[sp.Expr, Access]] = {}
    for equation in backward.equations:
        if len(equation.terms) == 1 and equation.terms[0].is_pointwise:
            number, integrand = _integrand(equation.terms[0])
            if not integrand[0].is_Symbol:
                known[integrand] = (number, Access(equation.field, equation.target))
    return known


def _reusing(term: Term, known: dict[Integrand, tuple[sp.Expr, Access]]) -> Term:
    number, integrand = _integrand(term)
    if integrand not in known:
        return term
    own, access = known[integrand]
    symbol = sp.Symbol(access.field)
    return Term(term.target, term.reduced, number / own * symbol, ((symbol, access),))


def targets_of(system: ForwardSystem) -> dict[str, tuple[Index, ...]]:
    """The index variables under which each field's adjoint is written."""
    targets = {field.name: canonical_indices(field.axes) for field in system.fields}
    targets.update({equation.field: equation.target for equation in system.forward})
    return targets


def _contributions(
    system: ForwardSystem, equation: Equation, targets: dict[str, tuple[Index, ...]]
) -> Iterator[tuple[str, Term]]:
    """What one forward equation adds to the adjoints of the fields that it reads."""
    for term in equation.terms:
        for symbol, access in term.accesses:
            role = system.field[access.field].role
            if role in (Role.INPUT, Role.FROZEN):
                continue
            _refuse_diagonal(system, access)
            slope = derivative(term.expression, symbol)
            if slope == 0:
                continue
            yield access.field, _adjoint_term(system, equation, term, access, slope, targets)


def _refuse_diagonal(system: ForwardSystem, access: Access) -> None:
    plain = [slot for slot in access.slots if isinstance(slot, Index)]
    for slot in plain:
        if system.axis[slot.axis].is_measure and plain.count(slot) > 1:
            raise MfError(
                f"{access.field} is read on its diagonal of the population '{slot.axis}', which has measure "
                "zero in the limit; give this value a parameter of its own"
            )


def _adjoint_term(
    system: ForwardSystem,
    equation: Equation,
    term: Term,
    access: Access,
    slope: sp.Expr,
    targets: dict[str, tuple[Index, ...]],
) -> Term:
    accesses = dict(term.accesses)
    if len(equation.terms) == 1 and term.is_pointwise and not term.expression.is_Symbol:
        # The field's own value is at hand: tanh' = 1 - out^2 needs no second tanh.
        own = sp.Symbol(equation.field)
        slope = slope.xreplace({term.expression: own})
        accesses[own] = Access(equation.field, term.target)
    expression = slope
    if equation.field != LOSS:
        adjoint = system.field[equation.field].derived(Role.ADJOINT).name
        incoming = sp.Symbol(adjoint)
        expression = incoming * slope
        accesses[incoming] = Access(adjoint, term.target)
    kept = tuple((s, a) for s, a in accesses.items() if expression.has(s))
    inner = set(access.indices)
    reduced = tuple(index for index in term.indices if index not in inner)
    raw = Term(access.slots, reduced, expression, kept)
    return renamed(without_idle_means(system, raw), targets[access.field])


def without_idle_means(system: ForwardSystem, term: Term) -> Term:
    """Drop averages over what the term does not read (weights sum to 1); sums stay, they count."""
    read = {index for _, access in term.accesses for index in access.indices}
    reduced = tuple(i for i in term.reduced if i in read or not system.axis[i.axis].is_measure)
    return Term(term.target, reduced, term.expression, term.accesses)


def renamed(term: Term, target: tuple[Index, ...]) -> Term:
    """The term with its target's plain slots named as the adjoint's own index variables."""
    mapping: dict[Index, Index] = {}
    for slot, wanted in zip(term.target, target, strict=True):
        if isinstance(slot, Index) and slot not in mapping:
            mapping[slot] = wanted
    for index in term.indices:
        if index not in mapping:
            mapping[index] = canonical_indices((index.axis,), (*target, *mapping.values()))[0]

    change = renaming(mapping)
    target_slots: list[Slot] = []
    for slot in map_each(term.target, change):
        # A finite index that stands twice addresses a diagonal: the second time as an affine slot.
        repeated = isinstance(slot, Index) and slot in target_slots
        target_slots.append(Affine(((1, slot),)) if repeated and isinstance(slot, Index) else slot)
    return Term(
        tuple(target_slots),
        tuple(mapping[index] for index in term.reduced),
        term.expression,
        tuple((symbol, access.map_slots(change)) for symbol, access in term.accesses),
    )
