"""Kernel equations of inputs that are the same at all positions: what windows read then is the same
everywhere."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import sympy as sp

from ..algebra.terms import Index, slot_indices
from .kernel_system import KernelAccess, KernelEquation, KernelSystem, KernelTerm


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
        indices = dict.fromkeys((*slot_indices(term.target), *term.reduced))
        count = sp.Rational(_size(system, tuple(indices)), places)
        meanings = tuple(
            (s, replace(m, slots=()) if isinstance(m, KernelAccess) else m) for s, m in term.meanings
        )
        terms.append(KernelTerm((), (), count * term.expression, meanings))
    return KernelEquation(equation.kernel, equation.pair, (), tuple(terms))


def _size(system: KernelSystem, indices: Iterable[Index]) -> int:
    size = 1
    for index in indices:
        size *= system.axis[index.axis].size or 1
    return size
