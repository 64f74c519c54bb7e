"""Bends: where in the angle between x and a neuron a function has its kink.

An integral over the angle is smooth on either side of a kink and not across it, so nodes that stay where they
are see it late or early, all at once. Where the kink is, follows from the equations: the argument of the
function is affine in a field that is affine in the cosine.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import sympy as sp

from ..algebra.functions import kinked_functions
from ..algebra.system import LimitSystem
from ..algebra.terms import Access, AxisKind, Equation, Index, Role, Term
from .rotations import Rotation, angles_of, lengths


@dataclass(frozen=True)
class Bend:
    """The first kink that the neurons of a population have in the angle.

    A function reads a field F of (sample, neuron), F = slope * cosine + rest, both sums of terms for
    ``target``. The kink is where slope * cosine + rest + ``offset`` = 0; ``offset`` is a pointwise
    expression of the symbols of ``accesses``, at the same target. ``first`` is the field of the first
    equation in which an angle of the population counts; all of these can be computed before it.
    """

    first: str
    target: tuple[Index, ...]
    slope: tuple[Term, ...]
    rest: tuple[Term, ...]
    offset: sp.Expr
    accesses: tuple[tuple[sp.Symbol, Access], ...]


def has_kinks(system: LimitSystem) -> bool:
    """Whether a function of the forward equations, or its derivative, jumps somewhere."""
    return any(kinked_functions(term.expression) for equation in system.forward for term in equation.terms)


def bend_of(system: LimitSystem, rotation: Rotation, population: str) -> Bend | None:
    """Where the first kink of a population is; None where it has none, or none whose place is known."""
    for equation in system.forward:
        for term in equation.terms:
            for argument in _kinked(term.expression):
                found = _bend(system, rotation, population, term, argument)
                if found is not None:
                    return found
    return None


def _kinked(expression: sp.Expr) -> Iterator[sp.Expr]:
    """What is 0 where a function of the expression has its kink."""
    for function in kinked_functions(expression):
        yield function.args[0] if len(function.args) == 1 else function.args[0] - function.args[1]


def _bend(
    system: LimitSystem, rotation: Rotation, population: str, term: Term, argument: sp.Expr
) -> Bend | None:
    table = term.access_of
    angular = [s for s in argument.free_symbols if table[s].field in rotation.angular]
    if len(angular) != 1:
        return None
    access = table[angular[0]]
    factor = sp.diff(argument, angular[0])
    if factor == 0 or factor.has(angular[0]) or not _is_plain(system, access, population):
        return None
    offset = sp.expand((argument - factor * angular[0]) / factor)
    read = [(s, table[s]) for s in sorted(offset.free_symbols, key=str)]
    if any(slot not in access.slots for _, other in read for slot in other.slots):
        return None
    equation = system.equation_of[access.field]
    parts = _parts(rotation, equation)
    if parts is None:
        return None
    slope, rest = map(tuple, parts)
    names = {other.field for _, other in read}
    names |= {other.field for each in (*slope, *rest) for _, other in each.accesses}
    first = _first(system, rotation, population)
    if not names <= _known_before(system, first):
        return None
    table_of = dict(zip(access.slots, equation.target, strict=True))
    reads = tuple((s, other.map_slots(lambda slot: table_of[slot])) for s, other in read)
    return Bend(first, equation.target, slope, rest, offset, reads)


def _first(system: LimitSystem, rotation: Rotation, population: str) -> str:
    """The field of the first equation in which an angle of the population counts."""
    return next(
        equation.field
        for equation in system.equations
        for term in equation.terms
        if any(n.axis == population for n in angles_of(rotation, rotation.angular, equation.field, term))
    )


def _known_before(system: LimitSystem, field: str) -> set[str]:
    """What can be read before the equation of a field: what is given, and the fields of earlier equations."""
    given = {f.name for f in system.fields if f.role in (Role.PARAMETER, Role.INPUT)}
    order = [equation.field for equation in system.equations]
    return given | set(order[: order.index(field)])


def _is_plain(system: LimitSystem, access: Access, population: str) -> bool:
    """Whether a field is one of a sample and a neuron of the population, read at two indices."""
    axes = system.field[access.field].axes
    return (
        len(access.indices) == len(axes) == 2
        and system.axis[axes[0]].kind is AxisKind.DATA
        and axes[1] == population
    )


def _parts(rotation: Rotation, equation: Equation) -> tuple[list[Term], list[Term]] | None:
    """The terms of an equation that have one cosine each, without it, and those that have no angle."""
    slope, rest = [], []
    for term in equation.terms:
        for part, neurons in lengths(rotation, equation.field, term):
            alone = replace(term, expression=part)
            if len(neurons) == 1 and neurons[0] in term.target:
                slope.append(alone)
            elif neurons or angles_of(rotation, rotation.angular, equation.field, alone):
                return None
            else:
                rest.append(alone)
    return (slope, rest) if slope else None
