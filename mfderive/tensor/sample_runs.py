"""Equations that follow each other and are computed sample by sample, in one loop over the samples.

A product that is repeated for every sample, and the loop nests around it that read and write this sample
alone, are one compiled loop, which threads share out: a sample's arrays are still near when the next equation
reads them. There is one loop for each product, so that those of equal layers are compiled once; loops of
several are no faster, and take longer to compile.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from ..algebra.system import LimitSystem
from ..algebra.terms import Access, AxisKind, Index, Slot, Term, slot_indices
from .instructions import Allocate, Each, Fill, Gemm, Instruction, Loop, Planned, Select


def in_sample_runs(system: LimitSystem, planned: Iterable[Planned]) -> tuple[Planned, ...]:
    """Planned equations; where some that follow each other go sample by sample, the last one does it all."""
    found: list[Planned] = []
    run: list[_Part] = []
    for equation in planned:
        part = _one_sample(system, equation)
        if part is None:
            found += [*_joined(run), equation]
            run = []
            continue
        if part.repeats and any(each.repeats for each in run):
            found += _joined(run)
            run = []
        run.append(part)
    return (*found, *_joined(run))


@dataclass(frozen=True)
class _Part:
    """An equation sample by sample: what is done before, which is of no sample, and what for each one."""

    planned: Planned
    before: tuple[Instruction, ...]
    each: Each

    @property
    def repeats(self) -> bool:
        """Whether a product is repeated."""
        return any(isinstance(instruction, Gemm) for instruction in self.each.body)


def _joined(run: Sequence[_Part]) -> list[Planned]:
    """The equations of a run, the last one with the instructions of all, where products are repeated."""
    planned = [part.planned for part in run]
    if len(run) < 2 or not any(part.repeats for part in run):
        return planned
    parts = [_apart(part, number) for number, part in enumerate(run, 1)]
    joined = Each(
        parts[0].each.index,
        False,
        tuple(dict.fromkeys(pair for part in parts for pair in part.each.slices)),
        tuple(instruction for part in parts for instruction in part.each.body),
        tuple(array for part in parts for array in part.each.scratch),
    )
    before = (instruction for part in parts for instruction in part.before)
    silent = [replace(each, instructions=()) for each in planned[:-1]]
    return [*silent, replace(planned[-1], instructions=(*before, joined))]


def _apart(part: _Part, number: int) -> _Part:
    """The same with names of temporaries that no other part of a run has.

    What is written for one sample keeps its memory, which the parts of a run share, one after the other.
    """
    each = part.each
    own = [i.name for i in part.before if isinstance(i, Allocate)]
    names = {name: f"{name} of {number}" for name in (*own, *(array.name for array in each.scratch))}
    scratch = tuple(replace(a, name=names[a.name], memory=a.memory_name) for a in each.scratch)
    body = tuple(_renamed(instruction, names) for instruction in each.body)
    before = tuple(_renamed(instruction, names) for instruction in part.before)
    return _Part(part.planned, before, replace(each, body=body, scratch=scratch))


def _renamed(instruction: Instruction, names: Mapping[str, str]) -> Instruction:
    """An instruction on arrays of other names."""

    def new(name: str) -> str:
        return names.get(name, name)

    match instruction:
        case Gemm():
            views = (instruction.out, instruction.left, instruction.right)
            out, left, right = (replace(view, array=new(view.array)) for view in views)
            return replace(instruction, out=out, left=left, right=right)
        case Loop():
            term = instruction.term
            accesses = tuple((symbol, Access(new(a.field), a.slots)) for symbol, a in term.accesses)
            return replace(instruction, out=new(instruction.out), term=replace(term, accesses=accesses))
        case Fill() | Select():
            return replace(instruction, out=new(instruction.out))
        case Allocate():
            return replace(instruction, name=new(instruction.name))
    raise TypeError(f"{type(instruction).__name__} cannot be repeated")


# ---------------------------------------------------------------------------------------- one sample


@dataclass
class _Sample:
    """The instructions of one equation for one sample, and the slices of arrays that they read and write."""

    system: LimitSystem
    index: Index
    slices: dict[str, str]

    def local(self, array: str) -> str:
        """The slice of an array at the sample."""
        name = f"{array} at {self.index.axis}"
        self.slices[name] = array
        return name

    def instruction(self, instruction: Instruction) -> Instruction | None:
        """An instruction for one sample; None where it is about several, or a number alone."""
        match instruction:
            case Fill(out):
                axes = self.system.field[out].axes
                is_one = axes[0] == self.index.axis and len(axes) > 1
                return replace(instruction, out=self.local(out)) if is_one else None
            case Select(out, trailing, dimensions):
                is_one = self.system.field[out].axes[0] == self.index.axis and trailing < dimensions
                return Select(self.local(out), trailing, dimensions - 1) if is_one else None
            case Loop():
                return self.loop(instruction)
        return None

    def loop(self, loop: Loop) -> Loop | None:
        """A loop nest for one sample."""
        term = loop.term
        index = term.target[0] if term.target else None
        if not isinstance(index, Index) or index.axis != self.index.axis or index in term.reduced:
            return None
        if any(other != index and other.axis == index.axis for other in term.indices):
            return None
        reads = [(symbol, self.slots(access.slots, index)) for symbol, access in term.accesses]
        target = self.slots(term.target, index)
        if target is None or any(slots is None for _, slots in reads):
            return None
        accesses = tuple(
            (symbol, access if slots == access.slots else Access(self.local(access.field), slots))
            for (symbol, access), (_, slots) in zip(term.accesses, reads, strict=True)
            if slots is not None
        )
        return Loop(self.local(loop.out), Term(target, term.reduced, term.expression, accesses), loop.add)

    def slots(self, slots: tuple[Slot, ...], index: Index) -> tuple[Slot, ...] | None:
        """The slots of an array's slice; None where the sample stands alone, or not first."""
        if index not in slot_indices(slots):
            return slots
        rest = slots[1:]
        return rest if rest and slots[0] == index and index not in slot_indices(rest) else None


def _one_sample(system: LimitSystem, planned: Planned) -> _Part | None:
    """The instructions of an equation as those of one sample; None where they are not of one."""
    data, *more = (axis.name for axis in system.axes if axis.kind is AxisKind.DATA)
    if more:
        return None
    sample = _Sample(system, Index(data, data), {})
    body: list[Instruction] = []
    before: list[Instruction] = []
    scratch: tuple[Allocate, ...] = ()
    for instruction in planned.instructions:
        match instruction:
            case Each(index, weighted, slices, own, temporaries, first, last):
                if index.axis != data or weighted or first or last or not instruction.is_independent:
                    return None
                sample.slices.update(slices)
                body += own
                scratch += temporaries
            case Allocate(_, axes) if data not in axes:
                before.append(instruction)
            case Fill(out) | Loop(out) if out in {i.name for i in before if isinstance(i, Allocate)}:
                if isinstance(instruction, Loop) and any(i.axis == data for i in instruction.term.indices):
                    return None
                before.append(instruction)
            case _:
                one = sample.instruction(instruction)
                if one is None:
                    return None
                body.append(one)
    if not body:
        return None
    each = Each(sample.index, False, tuple(sample.slices.items()), tuple(body), scratch)
    return _Part(planned, tuple(before), each)
