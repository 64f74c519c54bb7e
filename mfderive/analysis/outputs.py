"""Do all outputs stay equal for ever? A symmetry under permutations, followed through the equations.

Independent random output weights tell outputs apart in a finite network, and not in the limit: an average
over neurons is the same for every output. What breaks the symmetry is data (targets differ), random
numbers that belong to no neuron, and components that equations single out. The analysis is conservative: what
it calls equal is equal.
"""

from __future__ import annotations

from collections.abc import Iterable

from ..algebra.system import LimitSystem
from ..algebra.terms import Access, Affine, AxisKind, Equation, Index, Role, Term
from .dependencies import Key, dependencies

YHAT = "yhat"


def outputs_stay_equal(system: LimitSystem) -> bool:
    """Whether a closed limit has several outputs that are equal at all times."""
    axes = system.field[YHAT].axes
    sizes = [(position, system.axis[axis].size or 1) for position, axis in enumerate(axes)]
    finite = [
        position
        for position, size in sizes
        if system.axis[axes[position]].kind is AxisKind.FINITE and size > 1
    ]
    if not finite:
        return False
    broken = _Symmetry(system).broken()
    return all((YHAT, position) not in broken for position in finite)


class _Symmetry:
    """Which slots a permutation would notice.

    A finite slot is broken if values differ along it by more than the exchangeable labels of a neuron; a
    population slot if values depend on the components of a neuron's labels in an unequal manner.
    """

    def __init__(self, system: LimitSystem) -> None:
        self.system = system
        found = dependencies(system).labels
        structured = {p.name for p in system.parameters if self._finite(p.name)}
        # Population slots whose values depend on labels that have components.
        self.labelled = {key for key, labels in found.items() if labels & structured}

    def _finite(self, name: str) -> list[int]:
        axes = self.system.field[name].axes
        return [
            position for position, axis in enumerate(axes) if self.system.axis[axis].kind is AxisKind.FINITE
        ]

    def broken(self) -> set[Key]:
        """The least fixed point from what is broken at the start."""
        found = set(self._initial())
        before = -1
        while before != len(found):
            before = len(found)
            for equation in self.system.equations:
                for term in equation.terms:
                    found |= set(self._passed(equation, term, found))
            for name, movers in self.system.movers_of.items():
                found |= {(name, position) for field, position in found if field in movers}
        return found

    def _initial(self) -> Iterable[Key]:
        for field in self.system.fields:
            if field.role is Role.INPUT:
                yield from ((field.name, position) for position in self._finite(field.name))
            elif field.role is Role.DRAW:
                yield from ((field.name, position) for position in range(len(field.axes)))
        for parameter in self.system.parameters:
            alone = not self.system.population_slots(parameter.name)
            single = any(reference.component for _, reference in parameter.law.references)
            if single or (alone and not parameter.law.is_deterministic):
                yield from ((parameter.name, position) for position in range(len(parameter.axes)))

    def _passed(self, equation: Equation, term: Term, found: set[Key]) -> Iterable[Key]:
        accesses = [access for _, access in term.accesses]
        for position, slot in enumerate(term.target):
            if isinstance(slot, Affine):
                yield equation.field, position
                continue
            if not isinstance(slot, Index) or self.system.axis[slot.axis].kind is AxisKind.DATA:
                continue
            if any(self._breaks(access, slot, found) for access in accesses) or any(
                self._breaks(access, other, found) and self._pairs(accesses, slot, other)
                for other in term.reduced
                for access in accesses
            ):
                yield equation.field, position

    def _breaks(self, access: Access, index: Index, found: set[Key]) -> bool:
        """Whether an access is broken along an index: by its slot, or because it singles components out."""
        positions = [position for position, slot in enumerate(access.slots) if slot == index]
        if any((access.field, position) in found for position in positions):
            return True
        single = [slot for slot in access.slots if isinstance(slot, Affine)]
        if any(index == part for slot in single for _, part in slot.parts):
            return True
        return bool(single) and any((access.field, position) in self.labelled for position in positions)

    def _pairs(self, accesses: list[Access], kept: Index, reduced: Index) -> bool:
        """Whether something ties a kept index to a reduced one through a neuron's labels."""
        for access in accesses:
            kept_at = [position for position, slot in enumerate(access.slots) if slot == kept]
            reduced_at = [position for position, slot in enumerate(access.slots) if slot == reduced]
            if kept_at and reduced_at:
                populations = [
                    position
                    for position, index in ((kept_at[0], kept), (reduced_at[0], reduced))
                    if self.system.axis[index.axis].kind is AxisKind.POPULATION
                ]
                if not populations or all(
                    (access.field, position) in self.labelled for position in populations
                ):
                    return True
        return False
