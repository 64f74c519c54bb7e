"""The part of a network whose kernel equations repeat: found in the equations, whatever the layers are
called.

Equations are compared by their shape: a kernel that they read counts by how far back it stands, an axis by
its size and its place among the indices of a term.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sympy as sp

from ..algebra.terms import Index, Slot
from .kernel_system import Kernel, KernelAccess, KernelEquation, KernelSystem, KernelTerm, Part


@dataclass(frozen=True)
class RepeatedPart:
    """Copies of one block: ``names`` enter a copy, ``after`` are the same kernels after it, ``block`` all it
    computes.

    ``copies`` is the number of blocks whose equations are the same, ``later`` what those behind the second
    compute.
    """

    names: tuple[str, ...]
    after: tuple[str, ...]
    block: tuple[str, ...]
    copies: int
    later: tuple[str, ...]


def repeated_part(system: KernelSystem) -> RepeatedPart | None:
    """The longest repeated part of the forward kernels, None where nothing repeats or a block reads
    further back."""
    kernels = system.of_part(Part.FORWARD)
    place = {kernel.name: number for number, kernel in enumerate(kernels)}
    shapes = [_shape(system, kernel, place) for kernel in kernels]
    best: tuple[int, int, int] | None = None  # length, start, period
    for period in range(1, len(kernels) // 2 + 1):
        start = 0
        while start + period < len(kernels):
            length = 0
            while (
                start + length + period < len(kernels)
                and shapes[start + length] == shapes[start + length + period]
            ):
                length += 1
            if length >= period and (best is None or length + period > best[0] + best[2]):
                best = (length, start, period)
            start += length + 1
    if best is None:
        return None
    # A block may begin anywhere in a period: where the fewest kernels enter it.
    length, start, period = best
    starts = range(min(period, length - period + 1))
    parts = [_part(system, kernels, place, length - later, start + later, period) for later in starts]
    return min((part for part in parts if part is not None), key=lambda part: len(part.names), default=None)


def _part(
    system: KernelSystem,
    kernels: Sequence[Kernel],
    place: dict[str, int],
    length: int,
    start: int,
    period: int,
) -> RepeatedPart | None:
    copy = range(start + period, start + 2 * period)
    read = {
        access.kernel
        for number in copy
        for equation in (system.same, system.pair)
        if kernels[number].name in equation
        for access in equation[kernels[number].name].accesses
    }
    outside = {name for name in read if name not in place or place[name] not in copy}
    if not outside:
        # What a block hands on does not depend on what enters it (normalised values): its last field stands
        # for it.
        last = next((n for n in reversed(copy) if not kernels[n].is_helper), copy[-1])
        outside = {kernels[last - period].name}
    if any(name not in place or place[name] < start for name in outside):
        return None
    entering = sorted(place[name] for name in outside)
    return RepeatedPart(
        tuple(kernels[n].name for n in entering),
        tuple(kernels[n + period].name for n in entering),
        tuple(kernels[n].name for n in copy),
        1 + length // period,
        tuple(kernels[n].name for n in range(start + 2 * period, start + period * (1 + length // period))),
    )


def _shape(system: KernelSystem, kernel: Kernel, place: dict[str, int]) -> Any:
    """What must be equal for the equations of two kernels to be the same up to names."""
    sizes = tuple(system.axis[a].size for a in kernel.axes)
    equations = [table[kernel.name] for table in (system.same, system.pair) if kernel.name in table]
    return kernel.kind, sizes, tuple(_equation(system, e, place, place[kernel.name]) for e in equations)


def _equation(system: KernelSystem, equation: KernelEquation, place: dict[str, int], here: int) -> Any:
    return tuple(sorted(str(_term(system, term, equation.target, place, here)) for term in equation.terms))


def _term(
    system: KernelSystem, term: KernelTerm, target: tuple[Index, ...], place: dict[str, int], here: int
) -> Any:
    known: dict[Index, str] = {index: f"t{number}" for number, index in enumerate(target)}
    for index in term.reduced:
        known[index] = f"r{len(known)} of {system.axis[index.axis].size}"

    def slot(each: Slot) -> str:
        if isinstance(each, Index):
            return known.setdefault(each, f"i{len(known)} of {system.axis[each.axis].size}")
        return f"{[(number, slot(index)) for number, index in each.parts]} + {each.constant}"

    table: dict[sp.Symbol, sp.Symbol] = {}
    for symbol, meaning in term.meanings:
        if isinstance(meaning, KernelAccess):
            back = str(here - place[meaning.kernel]) if meaning.kernel in place else meaning.kernel
            text = f"K({back}; {meaning.replicas}; {', '.join(map(slot, meaning.slots))})"
        else:
            covariance = [[str(entry.xreplace(table)) for entry in row] for row in meaning.covariance]
            mean = [str(entry.xreplace(table)) for entry in meaning.mean]
            constants = [(str(s), str(entry.xreplace(table))) for s, entry in meaning.constants]
            text = f"E({meaning.expectation.integrand}; {covariance}; {mean}; {constants})"
        table[symbol] = sp.Symbol(text)
    targets = [slot(each) for each in term.target]
    return targets, len(term.reduced), str(term.expression.xreplace(table))
