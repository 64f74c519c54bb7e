"""Where a parameter is read: which sums over populations stand there, and whose factor divides them.

Everything is found in the equations: the axes of the parameter, the indices that a term averages over, and
whether the term is linear in the parameter. Nothing asks what kind of layer wrote a term.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

import sympy as sp

from ..algebra.memo import once
from ..algebra.system import LimitSystem
from ..algebra.terms import Access, AxisKind, Equation, Index, Role, Term
from .width_product import WidthProduct


class Part(StrEnum):
    """What a parameter does: between which kinds of ends its values stand."""

    INPUT = "input"  # from a finite set to a population
    HIDDEN = "hidden"  # between neurons of populations
    OUTPUT = "output"  # from a population to a finite set
    BIAS = "bias"  # one neuron's own: bias, gain, gate
    FINITE = "finite"  # belongs to no neuron


@dataclass(frozen=True)
class ParameterReading:
    """One term that reads a parameter.

    ``into``: the field that the term adds to, ``layer`` its owner. ``averaged``: the populations that the
    term averages over, ``cancelling`` those of them over which the parameter has entries of its own (its
    centred entries cancel there). ``backward``: the same of each adjoint that the term makes. ``linear``:
    whether the term is a multiple of the parameter, so that a factor may stand in either. ``own``: whether
    the factor of the term's sum, if it has one, may stand in this parameter (one parameter of a term has it,
    or none); ``carrier``: the other parameter that has it ("": none).
    """

    into: str
    layer: str
    averaged: tuple[str, ...]
    cancelling: tuple[str, ...]
    backward: tuple[tuple[str, ...], ...]
    linear: bool
    own: bool
    carrier: str
    part: Part

    @cached_property
    def factor(self) -> WidthProduct:
        """What multiplies the sum: one over the widths of the populations that it runs over.

        1 where another parameter has this factor.
        """
        return WidthProduct.of(() if self.carrier else self.averaged, -1)


@once
def parameter_readings(system: LimitSystem) -> dict[str, tuple[ParameterReading, ...]]:
    """The readings of every parameter, in the order of the forward equations."""
    found: dict[str, list[ParameterReading]] = {parameter.name: [] for parameter in system.parameters}
    for equation in system.forward:
        for term in equation.terms:
            owner = _owner(system, equation, term)
            for symbol, access in term.accesses:
                if access.field in found:
                    found[access.field].append(_reading(system, equation, term, symbol, access, owner))
    return {name: tuple(readings) for name, readings in found.items()}


@once
def bare_sums(system: LimitSystem) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Sums over populations in which no parameter has an entry for each summand: field, populations.

    Means of a normalisation, products of two layers, outputs without weights.
    """
    found: dict[tuple[str, tuple[str, ...]], None] = {}
    for equation in system.forward:
        for term in equation.terms:
            averaged = _populations(system, term.reduced)
            if averaged and not any(_entries(system, term)):
                found[equation.field, averaged] = None
    return tuple(found)


def _entries(system: LimitSystem, term: Term) -> Iterator[tuple[sp.Symbol, Access]]:
    """The parameters of a term that have an entry for each summand of its sums over populations."""
    averaged = {i for i in term.reduced if system.axis[i.axis].kind is AxisKind.POPULATION}
    for symbol, access in term.accesses:
        if system.field[access.field].role is Role.PARAMETER and averaged <= set(access.indices):
            yield symbol, access


def _populations(system: LimitSystem, indices: Sequence[Index]) -> tuple[str, ...]:
    return tuple(i.axis for i in indices if system.axis[i.axis].kind is AxisKind.POPULATION)


def _owner(system: LimitSystem, equation: Equation, term: Term) -> str | None:
    """The parameter that carries the factor of a term's sum; None where there is no sum, or none can.

    It is linear in the term and has entries for each summand; of several it is the one with most infinite
    axes, then one of the layer that is computed.
    """
    if not _populations(system, term.reduced):
        return None
    layer = system.field[equation.field].owner
    fit = [access for symbol, access in _entries(system, term) if _is_linear(term, symbol, access)]
    fit.sort(
        key=lambda a: (-len(system.population_slots(a.field)), system.field[a.field].owner != layer, a.field)
    )
    return fit[0].field if fit else None


def _is_linear(term: Term, symbol: sp.Symbol, access: Access) -> bool:
    """Whether a term is a multiple of a parameter that it reads once."""
    if sum(other.field == access.field for _, other in term.accesses) > 1:
        return False
    rest = term.expression.xreplace({symbol: sp.Integer(0)})
    return rest == 0 and not sp.diff(term.expression, symbol).has(symbol)


def _reading(
    system: LimitSystem,
    equation: Equation,
    term: Term,
    symbol: sp.Symbol,
    access: Access,
    owner: str | None,
) -> ParameterReading:
    entries = set(access.indices)
    averaged = [i for i in term.reduced if system.axis[i.axis].kind is AxisKind.POPULATION]
    linear = _is_linear(term, symbol, access)
    return ParameterReading(
        into=equation.field,
        layer=system.field[equation.field].owner,
        averaged=tuple(i.axis for i in averaged),
        cancelling=tuple(i.axis for i in averaged if i in entries),
        backward=tuple(_backward(system, term, symbol, entries)),
        linear=linear,
        own=linear and (not averaged or owner == access.field),
        carrier=owner if owner is not None and owner != access.field else "",
        part=_part(system, term, symbol, access, owner),
    )


def _backward(
    system: LimitSystem, term: Term, symbol: sp.Symbol, entries: set[Index]
) -> Iterator[tuple[str, ...]]:
    """What the adjoints that a term makes average over, as far as the parameter has entries there."""
    derivatives = {**system.adjoint_of, **system.velocity_of}
    for other, access in term.accesses:
        if other != symbol and access.field in derivatives:
            inner = set(access.indices)
            yield _populations(system, [i for i in term.indices if i in entries and i not in inner])


def _part(system: LimitSystem, term: Term, symbol: sp.Symbol, access: Access, owner: str | None) -> Part:
    """What a parameter does in one term."""
    slots = _populations(system, access.indices)
    if not slots:
        return Part.FINITE
    if len(system.population_slots(access.field)) > 1:
        return Part.HIDDEN
    targets = [slot for slot in term.target if isinstance(slot, Index)]
    if owner == access.field and not _populations(system, targets):
        return Part.OUTPUT
    factor = sp.diff(term.expression, symbol)
    read = [
        other.indices
        for name, other in term.accesses
        if factor.has(name) and system.field[other.field].role is not Role.PARAMETER
    ]
    # One entry for each value that is summed; a neuron's own number multiplies the sum as a whole.
    summed = set(access.indices) & set(term.reduced) or not term.reduced
    finite = bool(read) and not any(_populations(system, indices) for indices in read)
    return Part.INPUT if finite and summed else Part.BIAS
