"""Noise of weights with several entries for a pair, such as taps, of which no average sees two together.

A weight inside a nonlinear function keeps the noise of its entries as nodes. Where every term reads, at one
node of the noise, a single entry, only the law of each entry counts and not how entries vary together: then
one random number for a node stands for all of them, whatever their number.
"""

from __future__ import annotations

from .memo import once
from .system import ForwardSystem
from .terms import Access, Affine, AxisKind, Index, Slot, Term


@once
def separate_noise(system: ForwardSystem) -> frozenset[str]:
    """The noise axes at whose nodes every term reads one entry of the weights alone."""
    noises = [axis.name for axis in system.axes if axis.kind is AxisKind.NOISE]
    return frozenset(name for name in noises if _is_separate(system, name))


def _is_separate(system: ForwardSystem, noise: str) -> bool:
    weights = [p for p in system.parameters if p.noise == noise]
    entries = {frozenset(axis for axis in p.axes if _is_finite(system, axis)) for p in weights}
    if len(entries) != 1 or any(p.law.row.is_vector or p.crosswise for p in weights):
        return False
    (axes,) = entries
    return bool(axes) and all(
        _reads_one(term, Access(equation.field, term.target), noise, axes)
        for equation in system.equations
        for term in equation.terms
    )


def _is_finite(system: ForwardSystem, axis: str) -> bool:
    return system.axis[axis].kind is AxisKind.FINITE


def _reads_one(term: Term, target: Access, noise: str, axes: frozenset[str]) -> bool:
    """Whether all that a term has at one node of a noise axis stands at the same entry."""
    seen: dict[Slot, tuple[Slot, ...]] = {}
    for access in (target, *(access for _, access in term.accesses)):
        for node in access.slots:
            if not isinstance(node, Index) or node.axis != noise:
                continue
            if any(isinstance(slot, Affine) for slot in access.slots):
                return False
            entry = [slot for slot in access.slots if isinstance(slot, Index) and slot.axis in axes]
            if {slot.axis for slot in entry} != axes:
                return False
            own = tuple(sorted(entry, key=lambda slot: slot.axis))
            if seen.setdefault(node, own) != own:
                return False
    return True
