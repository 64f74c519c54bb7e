"""The gradient of an objective, in the parameters and in the weights of nodes (theory A.3, D).

A functional of a limit depends on its parameters and on the law of every population, which is where the
labels of a finite network come in. For a term of ``F(I) = Reduce_J [e]`` the derivative with respect to the
mass of a population a at a label is

    adj P_a(j) += Reduce_{(I u J) \\ j} [ adj F(I) * e ]      for every reduced index j over a,

the reverse pass once more. A mass is treated as a parameter of one population slot: its velocity is minus
that derivative, as G of any other parameter is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import sympy as sp

from ..algebra.laws import Law, LawKind, Variable, VariableKind
from ..algebra.memo import once
from ..algebra.system import ForwardSystem, LimitSystem
from ..algebra.terms import (
    Access,
    AxisKind,
    Equation,
    Field,
    Index,
    Role,
    Term,
    canonical_indices,
)
from .linearise import directional
from .reverse import LOSS, Derived, renamed, reverse_pass, without_idle_means

OUTPUT = "yhat"
_TARGET = "y"
_GIVEN = frozenset({Role.INPUT, Role.PARAMETER, Role.FORWARD, Role.FROZEN})
_ZERO = Law(LawKind.CONSTANT, (sp.Integer(0),), (), "0")


def mass_name(population: str) -> str:
    """The name of the parameter whose velocity is minus the derivative by the mass of a population."""
    return f"mass {population}"


@once
def loss_gradient(system: LimitSystem) -> LimitSystem:
    """The plain gradient flow of E[loss] at rates 1, of parameters and masses.

    ``system`` may be reduced. Learning rule, memories and rates are left out: what is derived is the
    objective. The velocity of ``mass_name(a)`` [node] is minus the derivative of E[loss] by the mass of the
    population a at each node, not centred.
    """
    return _gradient(_forward(system))


@once
def output_loss_gradient(system: LimitSystem) -> LimitSystem:
    """The same for the loss of the output alone, without those of inner layers: what is shown as the loss.

    It is :func:`loss_gradient` itself where training descends nothing else.
    """
    forward = _forward(system)
    alone = _with_output_loss(forward)
    return loss_gradient(system) if alone is forward else _gradient(alone)


@once
def output_gradient(system: LimitSystem) -> LimitSystem:
    """The same for E[sum_k y_k yhat_k] in place of the loss: y [sample, outputs] chooses outputs."""
    return _gradient(_with_chosen_outputs(_forward(system)))


@once
def loss_curvature(system: LimitSystem) -> LimitSystem:
    """The loss gradient with its derivative along a direction of the parameters.

    The velocity of ``deviation_name(v)`` is dG_v along the deviations in the state, minus the Hessian of
    E[loss] times them; that of ``deviation_name(mass_name(a))`` is minus the derivative of the mass's.
    The Hessian in L2(P) is symmetric, so both are also the transposed derivatives of G that an influence
    function needs (:mod:`mfderive.fluctuation.influence`).
    """
    return directional(loss_gradient(system))


# ---------------------------------------------------------------------------------------- the parts


def _forward(system: LimitSystem) -> ForwardSystem:
    """The forward equations of a limit, every trained parameter at the rate 1, under plain SGD."""
    fields = tuple(field for field in system.fields if field.role in _GIVEN)
    variables = tuple(
        replace(v, rate=sp.Integer(0 if v.kind is VariableKind.FROZEN else 1)) for v in system.parameters
    )
    return ForwardSystem(system.title, system.axes, fields, variables, tuple(system.forward))


def _with_chosen_outputs(system: ForwardSystem) -> ForwardSystem:
    """The system with sum_k y_k yhat_k as its loss, and without what compared outputs with y."""
    compared = {_TARGET}
    for equation in system.equations:
        if equation.reads & compared:
            compared.add(equation.field)
    outputs = system.field[OUTPUT]
    indices = canonical_indices(outputs.axes)
    data = tuple(i for i in indices if system.axis[i.axis].kind is AxisKind.DATA)
    chosen, value = sp.Symbol(_TARGET), sp.Symbol(OUTPUT)
    term = Term(
        data,
        tuple(i for i in indices if i not in data),
        chosen * value,
        ((chosen, Access(_TARGET, indices)), (value, Access(OUTPUT, indices))),
    )
    kept = tuple(f for f in system.fields if f.name not in compared)
    target = replace(system.field[_TARGET], axes=outputs.axes)
    objective = Field(LOSS, tuple(i.axis for i in data), Role.FORWARD, owner=LOSS)
    return replace(
        system,
        fields=(*kept, target, objective),
        equations=(
            *(e for e in system.equations if e.field not in compared),
            Equation(LOSS, data, (term,)),
        ),
    )


def _with_output_loss(system: ForwardSystem) -> ForwardSystem:
    """The system whose loss has only the terms that depend on the outputs; itself where all do."""
    reached = {OUTPUT}
    for equation in system.equations:
        if equation.field != LOSS and equation.reads & reached:
            reached.add(equation.field)
    (whole,) = (e for e in system.equations if e.field == LOSS)
    kept = tuple(t for t in whole.terms if {access.field for _, access in t.accesses} & reached)
    if len(kept) == len(whole.terms):
        return system
    own = replace(whole, terms=kept)
    return replace(system, equations=tuple(own if e is whole else e for e in system.equations))


def _gradient(system: ForwardSystem) -> LimitSystem:
    backward, evolution = reverse_pass(system)
    masses = _masses(system, backward)
    variables = tuple(Variable(field.of, field.axes, _ZERO, sp.Integer(1)) for field in masses.fields)
    parameters = tuple(
        Field(field.of, field.axes, Role.PARAMETER, owner=field.owner, part=field.part)
        for field in masses.fields
    )
    return LimitSystem(
        system.title,
        system.axes,
        (*system.fields, *parameters, *backward.fields, *evolution.fields, *masses.fields),
        (*system.variables, *variables),
        (*system.equations, *backward.equations, *evolution.equations, *masses.equations),
        indexed=tuple((v.name, system.population_slots(v.name)) for v in system.variables)
        + tuple((v.name, v.axes) for v in variables),
    )


def _masses(system: ForwardSystem, backward: Derived) -> Derived:
    """The velocities of the masses of all populations that something is averaged over."""
    found: dict[str, list[Term]] = {}
    adjoint = {field.of: field.name for field in backward.fields}
    for equation in system.forward:
        if system.field[equation.field].role is not Role.FROZEN and not equation.selector:
            for population, term in _mass_terms(system, equation, adjoint):
                found.setdefault(population, []).append(term)
    fields, equations = [], []
    for axis in system.populations:
        if axis.name in found:
            own = Field(mass_name(axis.name), (axis.name,), Role.PARAMETER, owner=axis.name, part="P")
            fields.append(own.derived(Role.VELOCITY))
            target = canonical_indices((axis.name,))
            equations.append(Equation(fields[-1].name, target, tuple(found[axis.name])))
    return Derived(tuple(fields), tuple(equations))


def _mass_terms(
    system: ForwardSystem, equation: Equation, adjoint: dict[str, str]
) -> Iterator[tuple[str, Term]]:
    """What one forward equation adds to minus the derivatives by masses."""
    if equation.field != LOSS and equation.field not in adjoint:
        return
    for term in equation.terms:
        accesses, expression = dict(term.accesses), -term.expression
        if equation.field != LOSS:
            incoming = sp.Symbol(adjoint[equation.field])
            expression *= incoming
            accesses[incoming] = Access(adjoint[equation.field], term.target)
        for index in term.reduced:
            if system.axis[index.axis].kind is AxisKind.POPULATION:
                others = tuple(i for i in term.indices if i != index)
                raw = Term((index,), others, expression, tuple(accesses.items()))
                target = (Index(index.axis, index.axis),)
                yield index.axis, renamed(without_idle_means(system, raw), target)
