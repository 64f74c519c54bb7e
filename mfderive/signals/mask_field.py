"""Dropout as a factor in the forward equations: the masks of a layer are a field that its readers multiply
by."""

from __future__ import annotations

from dataclasses import replace

import sympy as sp

from ..algebra.system import ForwardSystem
from ..algebra.terms import OUTPUT_PART, PREACTIVATION, Access, AxisKind, Equation, Field, Index, Role, Term
from ..network.network import Network

MASK = "mask"


def with_masks(system: ForwardSystem, network: Network) -> tuple[ForwardSystem, dict[str, sp.Rational]]:
    """The system in which readers of a layer with dropout read its values times a mask, and what is kept of
    each.

    A mask is 0, or 1 over the probability of being kept: one for each sample and neuron, and the same for all
    positions (theory B.8).
    """
    rates = {layer: rate for layer, rate in network.training.dropout if rate}
    values = {name: layer for layer in rates for name in _values(system, layer)}
    if not values:
        return system, {}
    masks = {
        layer: _mask(system, layer, next(name for name, own in values.items() if own == layer))
        for layer in rates
    }

    def change(equation: Equation) -> Equation:
        owner = system.field[equation.field].owner
        return equation.map_terms(lambda term: _masked(system, term, owner, values, masks))

    made = replace(system.map_equations(change), fields=(*system.fields, *masks.values()))
    return made, {masks[layer].name: 1 - sp.Rational(repr(rate)) for layer, rate in rates.items()}


def _values(system: ForwardSystem, layer: str) -> tuple[str, ...]:
    """The fields of a layer that others read: its activation, or what it has instead."""
    own = [f for f in system.fields if f.owner == layer and f.role in (Role.FORWARD, Role.FROZEN)]
    activated = [field.name for field in own if field.part == OUTPUT_PART]
    return tuple(activated or (field.name for field in own if field.part == PREACTIVATION))


def _mask(system: ForwardSystem, layer: str, value: str) -> Field:
    axes = tuple(a for a in system.field[value].axes if system.axis[a].kind is not AxisKind.FINITE)
    return Field(f"{MASK} {layer}", axes, Role.FROZEN, owner=layer, part=MASK)


def _masked(
    system: ForwardSystem, term: Term, owner: str, values: dict[str, str], masks: dict[str, Field]
) -> Term:
    """A term with a mask at every value of another layer that has one."""
    changes, accesses = {}, list(term.accesses)
    for symbol, access in term.accesses:
        layer = values.get(access.field)
        if layer is None or layer == owner:
            continue
        mask = sp.Symbol(f"{MASK} {symbol.name}")
        slots = tuple(
            s
            for s in access.slots
            if isinstance(s, Index) and system.axis[s.axis].kind is not AxisKind.FINITE
        )
        changes[symbol] = symbol * mask
        accesses.append((mask, Access(masks[layer].name, slots)))
    return Term(term.target, term.reduced, term.expression.xreplace(changes), tuple(accesses))
