"""What the functions of a kind return, held against the axes of the network before anything is built on it.

A kind may come from outside the package (:func:`~mfderive.forward.kind.register_kind`), so that its mistakes
are a user's, and are said with the kind, the slot and the axis that belongs there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sympy as sp

from ..algebra.arguments import found
from ..algebra.terms import Access, Affine, AxisKind, Index, Slot, slot_indices
from ..errors import SpecError
from .builder import GROUPS
from .kind import KINDS, Positions, Reading, Site

_GIVEN = ("w", "u", "h")


def read_source(site: Site) -> Reading:
    """How a connection reads its source. Raises SpecError for a reading that does not fit the axes."""
    reading: Any = KINDS[site.connection.kind].read(site)
    if not isinstance(reading, Reading):
        raise _fault(site, "read", f"returned {found(reading)}", "It must return a mfderive.Reading")
    check = _Reading(site, reading)
    check.source()
    check.weight()
    check.values()
    check.indices()
    return reading


def made_axes(site: Site, part: str) -> Positions:
    """The positions (or groups) that a connection gives its layer: names or sizes of axes, or None.

    Raises SpecError where one would have size 0, and for what a kind's function must not return.
    """
    own = KINDS[site.connection.kind]
    made: Any = own.groups(site) if part == GROUPS else own.positions(site)
    if made is None:
        return None
    named = isinstance(made, tuple) and all(isinstance(each, str) for each in made)
    if named and all(each in site.builder.axes and site.is_finite(each) for each in made):
        return tuple(made)
    if named or not isinstance(made, tuple) or not all(_is_whole(each) for each in made):
        raise _fault(
            site,
            part,
            f"returned {found(made)}",
            "It must return a tuple of sizes (whole numbers), a tuple of names of finite axes, or None",
        )
    if any(size < 1 for size in made):
        source = site.connection.source
        sizes = [site.size(axis) for axis in site.source.positions]
        reads = f"{sizes} positions of '{source}'" if sizes else f"'{source}' has no positions"
        keys = ", ".join(f"{key} = {value}" for key, value in site.options.items())
        kind = f"{site.connection.kind} ({keys})" if keys else site.connection.kind
        raise site.error(
            f"the {kind} is larger than what it reads ({reads}): positions {list(made)} would be left",
            key="kind",
            remedy="Make it smaller, or use a smaller stride in the layers before",
        )
    return made


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _fault(site: Site, function: str, problem: str, remedy: str) -> SpecError:
    """An error of a kind's own function."""
    return site.error(
        f"the function '{function}' of the kind '{site.connection.kind}' {problem}", key="kind", remedy=remedy
    )


@dataclass(frozen=True)
class _Reading:
    """A reading at the place where it was made."""

    site: Site
    reading: Reading

    # ------------------------------------------------------------------ parts

    def source(self) -> None:
        """Slots of the source, its neuron, and where the term adds."""
        site, reading = self.site, self.reading
        shape = site.source
        self.slots("source", reading.source, shape.axes, f"'{site.connection.source}'")
        blocks = isinstance(reading.source[1], Affine)  # then no index names one neuron
        if reading.source_neuron is not None or not blocks:
            if not isinstance(reading.source_neuron, Index):
                raise self.error(f"has source_neuron = {found(reading.source_neuron)}", "It must be an Index")
            self.slot("source_neuron", reading.source_neuron, shape.neurons)
        if reading.target is not None:
            self.slots("target", reading.target, site.own.axes, f"'{site.layer}'")

    def weight(self) -> None:
        """Axes and slots of the weight, where the connection has one."""
        if self.site.connection.weight is None:
            return
        axes, slots = self.reading.weight_axes, self.reading.weight_slots
        if not isinstance(axes, tuple) or not axes:
            raise self.error(
                f"has weight_axes = {found(axes)}, but the connection has a weight",
                "Name its axes [target, source, rest], or register the kind with has_weight=False",
            )
        for number, axis in enumerate(axes):
            if axis not in self.site.builder.axes:
                raise self.error(
                    f"has weight_axes[{number}] = {found(axis)}, which is no axis of the network",
                    "Take site.own.neurons, site.source.neurons, or what site.finite returned",
                )
        self.slots("weight_slots", slots, axes, "the weight")

    def values(self) -> None:
        """Further accesses, the factor and the sizes that ``average`` may use."""
        reading, builder = self.reading, self.site.builder
        if not isinstance(reading.values, Mapping):
            raise self.error(
                f"has values = {found(reading.values)}", "It must be a table of accesses by name"
            )
        for name, access in reading.values.items():
            what = f"values[{name!r}]"
            if name in _GIVEN:
                raise self.error(f"has {what}, which has a meaning already", "Choose another name")
            if not isinstance(access, Access) or access.field not in builder.fields:
                raise self.error(
                    f"has {what} = {found(access)}", "It must be what site.output or site.field returned"
                )
            field = builder.fields[access.field]
            self.slots(what, access.slots, field.axes, f"'{field.name}'")
        if not isinstance(reading.factor, sp.Expr | int | float):
            raise self.error(f"has factor = {found(reading.factor)}", "It must be a sympy expression")
        counts: Any = reading.counts
        if not isinstance(counts, Mapping) or not all(_is_whole(n) and n > 0 for n in counts.values()):
            raise self.error(f"has counts = {found(counts)}", "It must hold sizes of at least 1 by name")

    def indices(self) -> None:
        """Every index belongs to the target or is reduced, and what is reduced occurs."""
        reading = self.reading
        own = slot_indices(self.site.target if reading.target is None else reading.target)
        reduced: Any = reading.reduced
        if not isinstance(reduced, tuple) or not all(isinstance(index, Index) for index in reduced):
            raise self.error(f"has reduced = {found(reduced)}", "It must be a tuple of Index")
        used: dict[str, tuple[Slot, ...]] = {"source": reading.source}
        if reading.source_neuron is not None:
            used["source_neuron"] = (reading.source_neuron,)
        if self.site.connection.weight is not None:
            used["weight_slots"] = reading.weight_slots
        used |= {f"values[{name!r}]": access.slots for name, access in reading.values.items()}
        occurring = {index for slots in used.values() for index in slot_indices(slots)}
        for index in reduced:
            if index in own or reduced.count(index) > 1:
                why = "is one of the target's own" if index in own else "is named twice"
                raise self.error(
                    f"has the index '{index.name}' in reduced, which {why}", "Leave it out there"
                )
            if index not in occurring:
                raise self.error(
                    f"has the index '{index.name}' in reduced, which occurs in no slot",
                    "Leave it out there, or read something at it",
                )
        for what, slots in used.items():
            for index in slot_indices(slots):
                if index not in own and index not in reduced:
                    raise self.error(
                        f"has the index '{index.name}' in {what}, which is neither the target's own nor "
                        "reduced",
                        "Name it in reduced, or take one of site.target",
                    )

    # ------------------------------------------------------------------ slots

    def slots(self, what: str, slots: Any, axes: tuple[str, ...], owner: str) -> None:
        """There is one slot for every axis, and each fits."""
        if not isinstance(slots, tuple) or len(slots) != len(axes):
            raise self.error(
                f"has {what} = {found(slots)}, but {owner} has the axes {', '.join(axes)}",
                "It must be a tuple with one slot (an Index or an Affine) for each of them",
            )
        for number, (slot, axis) in enumerate(zip(slots, axes, strict=True)):
            self.slot(f"{what}[{number}]", slot, axis)

    def slot(self, what: str, slot: Any, axis: str) -> None:
        """A slot runs over the axis on which it stands; an affine one over finite axes."""
        if not isinstance(slot, Index | Affine):
            raise self.error(f"has {what} = {found(slot)}", "A slot is an Index or an Affine")
        for index in slot_indices((slot,)):
            if index.axis not in self.site.builder.axes:
                raise self.error(
                    f"has {what} over '{index.axis}', which is no axis of the network",
                    "Take indices of site.target or what site.fresh returned",
                )
        if isinstance(slot, Index):
            if self.measure(slot.axis) != self.measure(axis):
                raise self.error(
                    f"has {what} over {self.words(slot.axis)}, but {self.words(axis)} is expected there",
                    "Take the index of that axis: one of site.target, or of site.fresh",
                )
            return
        for each in (axis, *(index.axis for index in slot_indices((slot,)))):
            if not self.site.is_finite(each):
                raise self.error(
                    f"has {what} = {found(slot)}, but {self.words(each)} is not finite",
                    "Affine slots are for positions, taps and the like",
                )

    def measure(self, axis: str) -> tuple[AxisKind, str | int | None]:
        """What two axes must have in common: a finite one its size, any other its name."""
        known = self.site.builder.axes[axis]
        return known.kind, known.size if known.kind is AxisKind.FINITE else axis

    def words(self, axis: str) -> str:
        """An axis in words."""
        size = self.site.builder.axes[axis].size
        return f"the axis '{axis}'" + (f" of size {size}" if size is not None else "")

    def error(self, problem: str, remedy: str) -> SpecError:
        """An error of the kind's reading."""
        return _fault(self.site, "read", f"returned a Reading that {problem}", remedy)
