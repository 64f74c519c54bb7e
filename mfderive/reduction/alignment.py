"""Alignment: x and the vectors that read it, written along the data's own directions and across them.

Where the law of the data can be rotated about a few directions only, and the limit by all rotations, the data
aside (:mod:`mfderive.analysis.rotations`), an orthogonal change of coordinates makes these directions the
first coordinates and changes neither equations nor laws: products of x and vectors of neurons stay, and
normal entries are as they were. Sums over entries are then sums over those along and those across. So x and
every vector become two fields each, and what is across is a vector of its own, which rotations of its own
coordinates leave as it is: the next pass takes its length.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from itertools import product
from typing import Any

import numpy as np
import sympy as sp

from ..algebra.data_law import DataLaw, Invariance, Motion
from ..algebra.findings import Finding, FindingKind
from ..algebra.laws import Variable
from ..algebra.reduced import DrawnNetwork, PassResult, StateMapping
from ..algebra.system import LimitSystem
from ..algebra.terms import Access, Affine, Block, Equation, Field, Index, Role, Slot, Term
from ..analysis.rotations import Rotation, rotation_of
from ..errors import ArgumentError
from ..samples.frame import Frame

Array = Any


def align(system: LimitSystem) -> PassResult:
    """The system along and across the directions about which its limit can be rotated; without any as it is.

    Data is turned by the same rotation as states, either way (ArgumentError for an x of another shape).
    """
    found = rotation_of(system)
    if not isinstance(found, Rotation) or not found.directions:
        return PassResult(system)
    frame = Frame(found.directions)
    splitter = _Splitter(system, found)
    finding = Finding.of(
        FindingKind.ALIGNED,
        *found.random.values(),
        dimension=found.dimension,
        directions=found.directions,
    )
    return PassResult(
        splitter.system_of(frame),
        (finding,),
        encode=partial(_encoded, frame),
        restrict=partial(_restricted, splitter.places, frame),
        lift=partial(_lifted, splitter.places, frame),
        integrate=frame.law,
    )


def _named(name: str, block: Block) -> str:
    return f"{name} {block}"


class _Splitter:
    """Fields that have an axis in two: those along directions, and those across."""

    def __init__(self, system: LimitSystem, rotation: Rotation) -> None:
        self.system, self.rotation = system, rotation
        along = len(rotation.directions)
        sizes = {Block.ALONG: along, Block.ACROSS: rotation.dimension - along}
        part = system.axis[rotation.axis].part
        self.axes = {
            block: replace(system.axis[rotation.axis], name=_named(part, block), size=size, number=number)
            for number, (block, size) in enumerate(sizes.items(), start=1)
        }
        self.split = self._split()

    def _split(self) -> frozenset[str]:
        """The fields that become two: those on the axis, and what belongs to one of them."""
        found = {field.name for field in self.system.fields if self.rotation.axis in field.axes}
        while True:
            more = {field.name for field in self.system.fields if field.of in found} - found
            if not more:
                return frozenset(found)
            found |= more

    @property
    def places(self) -> dict[str, int]:
        """The place of the entries among the axes of every variable that becomes two."""
        return {
            v.name: v.axes.index(self.rotation.axis) for v in self.system.variables if v.name in self.split
        }

    def system_of(self, frame: Frame) -> LimitSystem:
        """The whole system in blocks."""
        system, axis, law = self.system, self.rotation.axis, self.system.data_law
        assert law is not None
        across = tuple(range(frame.along, frame.dimension))
        copies = (self.copy(Block.ALONG, 0), self.copy(Block.ACROSS, frame.along))
        kept = [a for a in system.axes if a.name != axis or axis in system.field["x"].axes]
        return replace(
            system,
            axes=(*kept, *self.axes.values()),
            fields=tuple(new for field in system.fields for new in self.fields(field)),
            variables=tuple(new for variable in system.variables for new in self.variables(variable)),
            equations=(*copies, *(new for e in system.equations for new in self.equations(e))),
            indexed=tuple((new, axes) for name, axes in system.indexed for new in self.names(name)),
            data_law=DataLaw(law.kind, law.dimension, law.rows, (Invariance(Motion.ROTATION, across),)),
        )

    def names(self, name: str) -> tuple[str, ...]:
        """The names of what a name becomes."""
        return tuple(_named(name, block) for block in Block) if name in self.split else (name,)

    # ------------------------------------------------------------------ fields

    def fields(self, field: Field) -> Iterator[Field]:
        """What a field becomes; x stays beside its parts."""
        if field.role is Role.INPUT or field.name not in self.split:
            yield field
        if field.name not in self.split:
            return
        for block in Block:
            new = replace(
                field, name=_named(field.name, block), axes=self.placed_axes(field.axes, block), block=block
            )
            if field.role is Role.INPUT:
                yield replace(new, role=Role.FORWARD, of=field.name)
            else:
                yield replace(new, of=_named(field.of, block) if field.of in self.split else field.of)

    def variables(self, variable: Variable) -> Iterator[Variable]:
        """What a variable becomes: entries along and across have the law of all entries."""
        if variable.name not in self.split:
            yield variable
            return
        for block in Block:
            yield replace(
                variable,
                name=_named(variable.name, block),
                axes=self.placed_axes(variable.axes, block),
                of=_named(variable.of, block) if variable.of in self.split else variable.of,
            )

    def placed_axes(self, axes: tuple[str, ...], block: Block) -> tuple[str, ...]:
        """The axes with the entries of a block."""
        return tuple(self.axes[block].name if axis == self.rotation.axis else axis for axis in axes)

    # ------------------------------------------------------------------ equations

    def copy(self, block: Block, start: int) -> Equation:
        """A part of x as a field of its own."""
        data, entry = (Index(a, a) for a in self.placed_axes(self.system.field["x"].axes, block))
        x = sp.Symbol("x")
        read = Access("x", (data, Affine(((1, entry),), start)))
        return Equation(_named("x", block), (data, entry), (Term((data, entry), (), x, ((x, read),)),))

    def equations(self, equation: Equation) -> Iterator[Equation]:
        """What an equation becomes: one for each block of what it computes, its sums over entries in two."""
        if equation.field not in self.split:
            terms = tuple(new for term in equation.terms for new in self.terms(term, {}))
            yield replace(equation, terms=terms)
            return
        for block in Block:
            target = self.entries(equation.target, block)
            yield Equation(
                _named(equation.field, block),
                tuple(self.index(index, target) for index in equation.target),
                tuple(n for t in equation.terms for n in self.terms(t, self.entries(t.target, block))),
                equation.selector,
            )

    def entries(self, slots: tuple[Slot, ...], block: Block) -> dict[Index, Block]:
        """The entries that slots are for, all of one block."""
        return {slot: block for slot in slots if isinstance(slot, Index) and slot.axis == self.rotation.axis}

    def terms(self, term: Term, given: Mapping[Index, Block]) -> Iterator[Term]:
        """A term for each choice of blocks for the entries over which it sums."""
        free = [i for i in term.reduced if i.axis == self.rotation.axis]
        for chosen in product(Block, repeat=len(free)):
            yield self.term(term, {**given, **dict(zip(free, chosen, strict=True))})

    def term(self, term: Term, blocks: Mapping[Index, Block]) -> Term:
        """A term for entries in given blocks. What belongs to a vector without entries is alike in both."""
        symbols: dict[sp.Symbol, sp.Symbol] = {}
        accesses = []
        for symbol, access in term.accesses:
            block = next((blocks[i] for i in access.indices if i in blocks), None)
            if access.field not in self.split:
                accesses.append((symbol, access.map_slots(partial(self.slot, blocks))))
                continue
            block = block or next(iter(blocks.values()), Block.ACROSS)
            symbols[symbol] = sp.Symbol(_named(symbol.name, block))
            slots = access.map_slots(partial(self.slot, blocks)).slots
            accesses.append((symbols[symbol], Access(_named(access.field, block), slots)))
        return Term(
            tuple(self.slot(blocks, slot) for slot in term.target),
            tuple(self.index(i, blocks) for i in term.reduced),
            term.expression.xreplace(symbols),
            tuple(accesses),
        )

    def index(self, index: Index, blocks: Mapping[Index, Block]) -> Index:
        """An index over entries as one over those of its block."""
        if index not in blocks:
            return index
        block = blocks[index]
        return Index(_named(index.name, block), self.axes[block].name)

    def slot(self, blocks: Mapping[Index, Block], slot: Slot) -> Slot:
        """A slot with an index over entries as one over those of its block; no other slot has any."""
        return self.index(slot, blocks) if isinstance(slot, Index) else slot


# ---------------------------------------------------------------------------------------- there and back


def _encoded(frame: Frame, x: Array, y: Array | None) -> tuple[Array, Array | None]:
    if np.shape(x)[1:] != (frame.dimension,):
        raise ArgumentError(f"x has shape {np.shape(x)}; expected [sample, {frame.dimension}]")
    return frame.into(x), y


def _restricted(places: Mapping[str, int], frame: Frame, state: StateMapping) -> StateMapping:
    found: dict[str, Any] = {}
    for name, values in state.items():
        if name not in places:
            found[name] = values
            continue
        turned = np.moveaxis(frame.into(np.moveaxis(values, places[name], -1)), -1, places[name])
        parts = np.split(turned.astype(np.asarray(values).dtype), [frame.along], axis=places[name])
        found |= {_named(name, block): part for block, part in zip(Block, parts, strict=True)}
    return found


def _lifted(places: Mapping[str, int], frame: Frame, network: DrawnNetwork) -> DrawnNetwork:
    """The network whose vectors have their entries along and across in one."""

    def joined(arrays: StateMapping) -> StateMapping:
        parts = {_named(name, block) for name in places for block in Block}
        found = {name: values for name, values in arrays.items() if name not in parts}
        for name, place in places.items():
            own = [arrays[_named(name, block)] for block in Block if _named(name, block) in arrays]
            if len(own) == len(Block):
                turned = frame.back(np.moveaxis(np.concatenate(own, axis=place), place, -1))
                found[name] = np.moveaxis(turned, -1, place).astype(own[0].dtype)
        return found

    return replace(network, state=joined(network.state), labels=joined(network.labels))
