"""Forward equations -> mean-field limit, by one reverse pass.

For an access ``g(K)`` in a term of ``F(I) = Reduce_J [e]`` the rule is

    adj g(K) += Reduce_{(I u J) \\ K} [ adj F(I) * de/dg ],

Mean over measures and Sum over finite axes; an affine slot scatters. There is no width and no weight p
anywhere. The data is a measure like the others, so D is per sample and G receives its expectation from the
same rule. Nothing here knows what a layer is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields as dataclass_fields

import sympy as sp

from ..algebra.arguments import NETWORK, instance
from ..algebra.system import ForwardSystem, LimitSystem, adjoint, velocity
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
    slot_indices,
)
from ..errors import MfError
from ..forward.equations import forward_system
from ..network.network import Network

LOSS = "loss"


def derive(network: Network) -> LimitSystem:
    """The mean-field limit of a resolved network (see :func:`derive_system`).

    Raises ArgumentError for anything that is not a network, SpecError where sizes are not known.
    """
    instance(network, Network, "a network", NETWORK)
    return derive_system(forward_system(network))


def derive_system(system: ForwardSystem) -> LimitSystem:
    """The mean-field limit of forward equations.

    Steps, in this order because each needs the one before: (1) go through the forward equations from the
    loss upwards and collect, for every field, the terms of its adjoint D = d(loss of the sample)/dF
    (theory A.3); (2) close each computed field's adjoint as an equation; (3) turn the adjoints of
    parameters, which average over the data, into the evolution G = -adjoint (theory A.4).
    """
    collected: dict[str, list[Term]] = {}
    targets = _targets(system)
    backward: list[Equation] = []
    for equation in reversed(system.forward):
        name = equation.field
        if system.field[name].role is Role.FROZEN:
            continue
        if name != LOSS:
            terms = tuple(collected.get(name, ()))
            if not terms:
                continue
            backward.append(Equation(adjoint(name), targets[name], terms))
        for field, term in _contributions(system, equation, targets):
            collected.setdefault(field, []).append(term)
    evolution = tuple(
        _evolution(parameter.name, targets, tuple(collected.get(parameter.name, ())))
        for parameter in system.parameters
        if not parameter.is_frozen
    )
    known = _pointwise_adjoints(system, backward)
    return _limit_system(
        system,
        tuple(backward),
        tuple(
            Equation(e.field, e.target, tuple(_reusing(term, known) for term in e.terms)) for e in evolution
        ),
    )


# An integrand: its expression without a number in front, and what its symbols read.
Integrand = tuple[sp.Expr, frozenset[tuple[sp.Symbol, Access]]]


def _integrand(term: Term) -> tuple[sp.Expr, Integrand]:
    number, expression = term.expression.as_coeff_Mul()
    return number, (expression, frozenset(term.accesses))


def _pointwise_adjoints(
    system: ForwardSystem, backward: list[Equation]
) -> dict[Integrand, tuple[sp.Expr, Access]]:
    """Integrands that an adjoint already is: a bias is averaged over D of its own pre-activation."""
    known: dict[Integrand, tuple[sp.Expr, Access]] = {}
    for equation in backward:
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


def _targets(system: ForwardSystem) -> dict[str, tuple[Index, ...]]:
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
            derivative = sp.diff(term.expression, symbol)
            if derivative == 0:
                continue
            yield access.field, _adjoint_term(system, equation, term, access, derivative, targets)


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
    derivative: sp.Expr,
    targets: dict[str, tuple[Index, ...]],
) -> Term:
    accesses = dict(term.accesses)
    if len(equation.terms) == 1 and term.is_pointwise and not term.expression.is_Symbol:
        # The field's own value is at hand: tanh' = 1 - out^2 needs no second tanh.
        own = sp.Symbol(equation.field)
        derivative = derivative.xreplace({term.expression: own})
        accesses[own] = Access(equation.field, term.target)
    expression = derivative
    if equation.field != LOSS:
        incoming = sp.Symbol(adjoint(equation.field))
        expression = incoming * derivative
        accesses[incoming] = Access(adjoint(equation.field), term.target)
    kept = tuple((s, a) for s, a in accesses.items() if expression.has(s))
    inner = set(slot_indices(access.slots))
    reduced = tuple(index for index in term.indices if index not in inner)
    raw = Term(access.slots, reduced, expression, kept)
    return _renamed(_without_idle_means(system, raw), targets[access.field])


def _without_idle_means(system: ForwardSystem, term: Term) -> Term:
    """Drop averages over what the term does not read (weights sum to 1); sums stay, they count."""
    read = {index for _, access in term.accesses for index in access.indices}
    reduced = tuple(i for i in term.reduced if i in read or not system.axis[i.axis].is_measure)
    return Term(term.target, reduced, term.expression, term.accesses)


def _renamed(term: Term, target: tuple[Index, ...]) -> Term:
    """The term with its target's plain slots named as the adjoint's own index variables."""
    mapping: dict[Index, Index] = {}
    for slot, wanted in zip(term.target, target, strict=True):
        if isinstance(slot, Index) and slot not in mapping:
            mapping[slot] = wanted
    for index in term.indices:
        if index not in mapping:
            mapping[index] = canonical_indices((index.axis,), (*target, *mapping.values()))[0]

    def rename(slots: tuple[Slot, ...]) -> tuple[Slot, ...]:
        return tuple(
            mapping[slot]
            if isinstance(slot, Index)
            else Affine(tuple((c, mapping[i]) for c, i in slot.parts), slot.constant)
            for slot in slots
        )

    renamed_target: list[Slot] = []
    for slot in rename(term.target):
        # A finite index that stands twice addresses a diagonal: the second time as an affine slot.
        repeated = isinstance(slot, Index) and slot in renamed_target
        renamed_target.append(Affine(((1, slot),)) if repeated and isinstance(slot, Index) else slot)
    return Term(
        tuple(renamed_target),
        tuple(mapping[index] for index in term.reduced),
        term.expression,
        tuple((s, Access(a.field, rename(a.slots))) for s, a in term.accesses),
    )


def _evolution(name: str, targets: dict[str, tuple[Index, ...]], terms: tuple[Term, ...]) -> Equation:
    negated = tuple(Term(t.target, t.reduced, -t.expression, t.accesses) for t in terms)
    return Equation(velocity(name), targets[name], negated)


def _limit_system(
    system: ForwardSystem, backward: tuple[Equation, ...], evolution: tuple[Equation, ...]
) -> LimitSystem:
    derived = [
        Field(e.field, system.field[e.field.removeprefix(adjoint(""))].axes, Role.ADJOINT) for e in backward
    ]
    derived += [
        Field(e.field, system.field[e.field.removeprefix(velocity(""))].axes, Role.VELOCITY)
        for e in evolution
    ]
    given = {f.name: getattr(system, f.name) for f in dataclass_fields(ForwardSystem)}
    given["fields"] = system.fields + tuple(derived)
    indexed = tuple((p.name, system.population_slots(p.name)) for p in system.parameters)
    return LimitSystem(**given, backward=backward, evolution=evolution, indexed=indexed)
