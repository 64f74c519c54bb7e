"""Kernel equations of inputs that are the same at all positions: what windows read then is the same
everywhere."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import sympy as sp

from ..algebra.terms import Affine, Index, slot_indices
from .gaussian import Expectation
from .kernel_system import (
    ExpectationAccess,
    KernelAccess,
    KernelEquation,
    KernelSystem,
    KernelTerm,
    Meaning,
)
from .sphere import SphereExpectation


def homogeneous(system: KernelSystem) -> KernelSystem:
    """The system without positions: one number a kernel, and sums over taps or positions that count.

    Exact where windows never leave the positions (circular padding, or far from the ends); what a window
    scatters over positions counts as often as it arrives at each of them on average. A system without
    positions stays.
    """
    if not any(kernel.axes for kernel in system.kernels):
        return system
    return replace(
        system,
        kernels=tuple(replace(kernel, axes=()) for kernel in system.kernels),
        equations=tuple(_equation(system, equation) for equation in system.equations),
    )


def _equation(system: KernelSystem, equation: KernelEquation) -> KernelEquation:
    places = _size(system, equation.target)
    terms = []
    for term in equation.terms:
        turns = turns_of(system, equation, term)
        indices = [i for i in dict.fromkeys((*slot_indices(term.target), *term.reduced)) if i not in turns]
        count = sp.Rational(_size(system, tuple(indices)), places)
        meanings = _one_place(term)
        terms.append(KernelTerm((), (), count * term.expression, meanings))
    return KernelEquation(equation.kernel, equation.pair, (), tuple(terms))


def turns_of(system: KernelSystem, equation: KernelEquation, term: KernelTerm) -> set[Index]:
    """The indices that count whole turns around the positions of a slot: one value of each is inside, no
    more."""
    own = system.kernel[equation.kernel].axes
    read = [(term.target, own)] + [
        (meaning.slots, system.kernel[meaning.kernel].axes)
        for _, meaning in term.meanings
        if isinstance(meaning, KernelAccess)
    ]
    return {
        index
        for slots, axes in read
        for slot, axis in zip(slots, axes, strict=True)
        if isinstance(slot, Affine)
        for number, index in slot.parts
        if number == system.axis[axis].size and number > 1
    }


def _one_place(term: KernelTerm) -> tuple[tuple[sp.Symbol, Meaning], ...]:
    """The meanings without positions. Values of one field at two places are the same, and one variable."""
    known: dict[KernelAccess, sp.Symbol] = {}
    table: dict[sp.Symbol, sp.Symbol] = {}
    made: list[tuple[sp.Symbol, Meaning]] = []
    for symbol, meaning in term.meanings:
        if isinstance(meaning, KernelAccess):
            plain = replace(meaning, slots=())
            table[symbol] = known.setdefault(plain, symbol)
            made.append((symbol, plain))
        else:
            made.append((symbol, _merged(meaning, table)))
    return tuple(made)


def _merged(access: ExpectationAccess, table: dict[sp.Symbol, sp.Symbol]) -> ExpectationAccess:
    if isinstance(access.expectation, SphereExpectation):
        return access
    covariance = [[entry.xreplace(table) for entry in row] for row in access.covariance]
    means = access.mean or (sp.Integer(0),) * len(covariance)
    first: dict[tuple[sp.Expr, ...], int] = {}
    for number, row in enumerate(covariance):
        first.setdefault((means[number], *row), number)
    places = [first[means[number], *row] for number, row in enumerate(covariance)]
    # Equal rows are one variable only where its variance is the covariance with the other.
    if any(covariance[n][n] != covariance[n][p] for n, p in enumerate(places)):
        places = list(range(len(covariance)))
    variables = access.expectation.variables
    kept = sorted(set(places))
    return ExpectationAccess(
        Expectation(
            access.expectation.integrand.xreplace({variables[n]: variables[p] for n, p in enumerate(places)}),
            tuple(variables[p] for p in kept),
        ),
        tuple(tuple(covariance[i][j] for j in kept) for i in kept),
        tuple(access.mean[p] for p in kept) if access.mean else (),
        tuple((s, entry.xreplace(table)) for s, entry in access.constants),
    )


def _size(system: KernelSystem, indices: Iterable[Index]) -> int:
    size = 1
    for index in indices:
        size *= system.axis[index.axis].size or 1
    return size
