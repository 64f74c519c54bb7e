"""Closure: where the noise of weight entries is invisible, the conditional mean is the state.

A weight between two populations is random given the labels of its ends. If every term that reads such
weights is jointly affine in all weights that carry the noise of one pair, averaging over the noise commutes
with the equations: the mean f of the weight obeys them by itself, and the noise rides along unchanged
(theory C.1, C.5). Otherwise the kernel stays: the weight keeps its noise slot, as a quadrature axis.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import combinations_with_replacement

import sympy as sp

from ..algebra.laws import Law, LawKind, Parameter
from ..algebra.system import LimitSystem
from ..algebra.terms import Access, Affine, Axis, AxisKind, Equation, Index, Slot, Term


@dataclass(frozen=True)
class Obstacle:
    """Why a weight's noise cannot be closed: the equation and the term that is not affine in it."""

    weight: str
    equation: str
    term: Term


def close_noise(system: LimitSystem) -> LimitSystem:
    """The system with the noise of every closable weight replaced by the weight's conditional mean."""
    obstacles = noise_obstacles(system)
    closed = [p for p in system.parameters if p.noise is not None and p.name not in obstacles]
    gone = {p.noise for p in closed if p.noise is not None}
    lines = [_closed_line(parameter) for parameter in closed]
    lines += [_kept_line(obstacle) for obstacle in obstacles.values()]

    def equations(given: tuple[Equation, ...]) -> tuple[Equation, ...]:
        return tuple(_without(equation, gone) for equation in given)

    return replace(
        system,
        axes=tuple(_resolved(axis) for axis in system.axes if axis.name not in gone),
        fields=tuple(replace(f, axes=tuple(a for a in f.axes if a not in gone)) for f in system.fields),
        parameters=tuple(_closed_parameter(p) if p in closed else p for p in system.parameters),
        forward=equations(system.forward),
        backward=equations(system.backward),
        evolution=equations(system.evolution),
        log=(*system.log, *lines),
    )


def _resolved(axis: Axis) -> Axis:
    """Noise that stays has weighted nodes of its own instead of one draw a pair."""
    return replace(axis, drawn=False) if axis.kind is AxisKind.NOISE else axis


def noise_obstacles(system: LimitSystem) -> dict[str, Obstacle]:
    """For every weight whose noise must stay: the first term that is not jointly affine in its pair's noise.

    Weights that share a pair of populations share the pair: where two of them are multiplied on it, their
    noises grow together, so both stay.
    """
    found: dict[str, Obstacle] = {}
    for equation in system.equations:
        for term in equation.terms:
            noisy = {
                symbol: access.field
                for symbol, access in term.accesses
                if any(_is_noise(system, slot) for slot in access.slots)
            }
            for one, other in combinations_with_replacement(noisy, 2):
                if _same_pair(term.access_of[one], term.access_of[other]) and (
                    sp.diff(term.expression, one, other) != 0
                ):
                    for weight in (noisy[one], noisy[other]):
                        found.setdefault(weight, Obstacle(weight, equation.field, term))
    return found


def _is_noise(system: LimitSystem, slot: Slot) -> bool:
    return isinstance(slot, Index) and system.axis[slot.axis].kind is AxisKind.NOISE


def _same_pair(one: Access, other: Access) -> bool:
    """Whether two weights are read at the same pair of neurons (in either direction)."""
    return {s for s in one.slots[:2] if isinstance(s, Index)} == {
        s for s in other.slots[:2] if isinstance(s, Index)
    }


def _closed_parameter(parameter: Parameter) -> Parameter:
    mean = parameter.law.mean
    symbols = mean.free_symbols
    references = tuple((s, r) for s, r in parameter.law.references if s in symbols)
    law = Law(LawKind.CONSTANT, (mean,), references, f"mean of {parameter.law.text}")
    axes = tuple(axis for axis in parameter.axes if axis != parameter.noise)
    return replace(parameter, axes=axes, law=law, noise=None)


def _without(equation: Equation, gone: set[str]) -> Equation:
    def kept(slots: tuple[Slot, ...]) -> tuple[Slot, ...]:
        return tuple(s for s in slots if isinstance(s, Affine) or s.axis not in gone)

    terms = tuple(
        Term(
            kept(term.target),
            tuple(index for index in term.reduced if index.axis not in gone),
            term.expression,
            tuple((s, Access(a.field, kept(a.slots))) for s, a in term.accesses),
        )
        for term in equation.terms
    )
    target = tuple(index for index in equation.target if index.axis not in gone)
    return Equation(equation.field, target, terms, equation.selector)


def _closed_line(parameter: Parameter) -> str:
    return (
        f"{parameter.name}: its random entries are replaced by their mean given the two neurons "
        f"({parameter.law.mean}), because every equation is affine in them; "
        "their deviation does not matter in the limit"
    )


def _kept_line(obstacle: Obstacle) -> str:
    return (
        f"{obstacle.weight}: its entries keep their own noise (a quadrature axis), because the equation of "
        f"{obstacle.equation} is not affine in them: {obstacle.term.expression}"
    )
