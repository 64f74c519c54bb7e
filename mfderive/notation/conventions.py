"""Conventions of display: the residual outside of Delta, axes of size 1 without index, gradient scalings."""

from __future__ import annotations

import sympy as sp

from ..algebra.system import ForwardSystem, LimitSystem
from ..algebra.terms import Affine, AxisKind, Equation, Index, Role, Term, slot_indices
from ..analysis.affinity import entangled
from .letters import Letters


def residual_divides(system: ForwardSystem, letters: Letters) -> bool:
    """Whether the residual can be divided out: one output, and every adjoint linear in it per sample."""
    if letters.outputs_count != 1:
        return False
    loss = {*letters.loss_path, "yhat"}
    return all(
        _divides(system, letters, equation, term)
        for equation in (*system.backward, *system.evolution)
        if system.field[equation.field].of not in loss
        for term in equation.terms
    )


def _divides(system: ForwardSystem, letters: Letters, equation: Equation, term: Term) -> bool:
    adjoints = [(s, a) for s, a in term.accesses if system.field[a.field].role is Role.ADJOINT]
    if len(adjoints) != 1:
        return False
    symbol, access = adjoints[0]
    if system.field[access.field].of in letters.loss_path:
        return False
    linear = not entangled(sp.expand(term.expression), {symbol})
    data = [i for i in access.indices if system.axis[i.axis].kind is AxisKind.DATA]
    kept = slot_indices(term.target)
    local = system.field[equation.field].role is Role.VELOCITY or all(i in kept for i in data)
    return linear and len(data) == 1 and local


def single_axes(system: ForwardSystem) -> frozenset[str]:
    """Finite axes of size 1 that are only ever read at plain slots: they need no index."""
    candidates = {a.name for a in system.axes if a.kind is AxisKind.FINITE and a.size == 1}
    for equation in system.equations:
        for term in equation.terms:
            reads = [(a.field, a.slots) for _, a in term.accesses] + [(equation.field, term.target)]
            for name, slots in reads:
                for axis, slot in zip(system.field[name].axes, slots, strict=True):
                    if not isinstance(slot, Index) and slot != Affine((), 0):
                        candidates.discard(axis)
    return frozenset(candidates)


def scalings(system: ForwardSystem) -> dict[str, tuple[str, ...]]:
    """Parameter -> the populations whose widths multiply its plain gradient (theory A.5)."""
    if isinstance(system, LimitSystem):
        return dict(system.scalings)
    return {p.name: system.population_slots(p.name) for p in system.parameters}
