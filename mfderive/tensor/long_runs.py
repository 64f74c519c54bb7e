"""Patches in long runs: what a product reads at positions and taps is laid out channels last.

A patch has one short piece of memory for every channel and tap where positions come last, and one long piece
for every position and tap where channels do. So where a loop fills the operand of a product from positions
that are sums of indices, or adds what a product has made to such positions, the array at these positions is
turned first (it is much smaller than its patches), and the patches and the other matrix of the product have
their channels last as well. A weight is copied once, before all samples; the sum over samples that a weight's
velocity is goes into an array of its own, which is added at the end.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import sympy as sp

from ..algebra.terms import Access, Index, Slot, Term, slot_indices
from .instructions import Allocate, Each, Fill, Gemm, Instruction, Loop, View

Axes = tuple[str, ...]
LEFT, RIGHT, OUT = "left", "right", "out"


@dataclass(frozen=True)
class _Patches:
    """A loop between patches (``array``, on ``indices``) and what they are taken from or added to."""

    loop: Loop
    array: str
    indices: tuple[Index, ...]
    other: str
    slots: tuple[Slot, ...]
    scatters: bool

    @property
    def runs(self) -> tuple[Index, ...]:
        """The indices that stand alone: channels."""
        return tuple(slot for slot in self.slots if isinstance(slot, Index))

    @property
    def turned(self) -> tuple[Slot, ...]:
        """The slots of the other array with channels last."""
        return (*(slot for slot in self.slots if not isinstance(slot, Index)), *self.runs)


@dataclass(frozen=True)
class _Group:
    """One of the two groups of a matrix's axes: positions in the array from ``first`` to ``last`` - 1."""

    view: View
    is_rows: bool

    @property
    def ends(self) -> tuple[int, int]:
        """Where the group begins and ends."""
        leads = self.is_rows != self.view.transposed
        return (0, self.view.split) if leads else (self.view.split, self.view.dimensions)


# In which matrix of a product the rows (True) and the columns (False) of each matrix occur again.
_AGAIN = {
    (LEFT, True): (OUT, True),
    (LEFT, False): (RIGHT, True),
    (RIGHT, True): (LEFT, False),
    (RIGHT, False): (OUT, False),
    (OUT, True): (LEFT, True),
    (OUT, False): (RIGHT, False),
}


def in_long_runs(
    each: Each, axes: Mapping[str, Axes], length: Callable[[Index], float], fresh: Callable[[], str]
) -> tuple[Instruction, ...]:
    """Repeated instructions with patches in long runs, behind copies that they read; or as they are.

    They stay as they are where channels make no longer runs than positions do.

    ``axes``: those of every array that is read or written; ``length``: how many values an index has;
    ``fresh``: names of temporaries.
    """
    scratch = {array.name for array in each.scratch}
    for instruction in each.body:
        patches = _patches(instruction, scratch) if isinstance(instruction, Loop) else None
        if patches is not None and _gains(patches, length):
            return _Turning(each, patches, axes, fresh).turned() or (each,)
    return (each,)


def _patches(loop: Loop, scratch: set[str]) -> _Patches | None:
    """The patches that a loop fills, or takes apart."""
    if len(loop.term.accesses) != 1 or loop.term.reduced:
        return None
    ((_, access),) = loop.term.accesses
    target = loop.term.target
    if loop.out in scratch and not loop.add and all(isinstance(slot, Index) for slot in target):
        return _Patches(loop, loop.out, slot_indices(target), access.field, access.slots, False)
    if access.field in scratch and loop.add and all(isinstance(slot, Index) for slot in access.slots):
        return _Patches(loop, access.field, slot_indices(access.slots), loop.out, target, True)
    return None


def _gains(patches: _Patches, length: Callable[[Index], float]) -> bool:
    """Whether channels make longer runs than positions do."""
    if not patches.runs or isinstance(patches.slots[-1], Index):
        return False
    if len({*patches.slots}) < len(patches.slots):  # a diagonal: which of its axes is which would be lost
        return False
    moved = slot_indices(slot for slot in patches.slots if not isinstance(slot, Index))
    is_apart = len({*moved, *patches.runs}) == len(patches.indices) == len(moved) + len(patches.runs)
    present = max(map(length, slot_indices(patches.slots[-1:])), default=0.0)
    return is_apart and length(patches.runs[-1]) > present


class _Turning:
    """Rewrites the instructions of one :class:`Each` around its patches."""

    def __init__(
        self, each: Each, patches: _Patches, axes: Mapping[str, Axes], fresh: Callable[[], str]
    ) -> None:
        self.each, self.patches, self.axes, self.fresh = each, patches, axes, fresh
        self.own = {local for local, _ in each.slices} | {array.name for array in each.scratch}
        self.scratch: list[Allocate] = [a for a in each.scratch if a.name != patches.array]
        self.before: list[Instruction] = []
        self.first: list[Instruction] = []
        self.last: list[Instruction] = []

    def turned(self) -> tuple[Instruction, ...] | None:
        """The new instructions; None where the product is of another shape."""
        products = [i for i in self.each.body if isinstance(i, Gemm) and self.role(i) is not None]
        if len(products) != 1 or self.patches.other not in self.axes:
            return None
        product = self.product(products[0])
        if product is None:
            return None
        body: list[Instruction] = []
        for instruction in self.each.body:
            if instruction is products[0]:
                body.append(product)
            elif instruction is self.patches.loop:
                body += self.around_loop()
            else:
                body.append(instruction)
        each = replace(
            self.each,
            body=tuple(body),
            scratch=tuple(self.scratch),
            first=tuple(self.first),
            last=tuple(self.last),
        )
        return (*self.before, each)

    # ------------------------------------------------------------------ the product

    def role(self, product: Gemm) -> str | None:
        """Which matrix of a product the patches are."""
        found = [role for role, view in _views(product).items() if view.array == self.patches.array]
        return found[0] if len(found) == 1 else None

    def product(self, product: Gemm) -> Gemm | None:
        """The product of patches and the other matrix with channels last."""
        role = self.role(product)
        assert role is not None  # of the product that was found
        views, indices, runs = _views(product), self.patches.indices, self.patches.runs
        found = [_Group(views[role], is_rows) for is_rows in (True, False)]
        held = [group for group in found if {*runs} <= {*indices[slice(*group.ends)]}]
        if len(held) != 1:
            return None
        (group,) = held
        first, end = group.ends
        before = indices[first:end]
        after = (*(index for index in before if index not in runs), *runs)
        rest = indices[:first] + indices[end:]
        # Where the group led, rows and columns change their places in memory.
        flipped = views[role].transposed != (first == 0)
        where, is_rows = _AGAIN[role, group.is_rows]
        again = self.again(product, where, _Group(views[where], is_rows), before, after)
        if again is None:
            return None
        self.laid_out = rest + after
        self.scratch.append(Allocate(self.patches.array, tuple(index.axis for index in self.laid_out)))
        views[role] = View(self.patches.array, len(rest), len(indices), flipped)
        views[where] = again
        is_shared = OUT not in (role, where)
        shared = tuple(index.axis for index in after) if is_shared else product.shared
        return replace(product, out=views[OUT], left=views[LEFT], right=views[RIGHT], shared=shared)

    def again(
        self, product: Gemm, where: str, group: _Group, before: tuple[Index, ...], after: tuple[Index, ...]
    ) -> View | None:
        """The other matrix that has the group, with its axes in the order of ``after``."""
        view = group.view
        first, end = group.ends
        axes = self.axes.get(view.array)
        if axes is None or axes[first:end] != tuple(index.axis for index in before):
            return None
        if before == after:
            return view
        if view.array in self.own or (where == OUT and not product.add):
            return None
        slots = tuple(Index(f"t{n}", axis) for n, axis in enumerate(axes))
        inside = tuple(slots[first + before.index(index)] for index in after)
        placed = slots[:first] + inside + slots[end:]
        array = self.temporary(placed)
        if where == OUT:
            self.scratch.append(array)
            self.first.append(Fill(array.name))
            self.last.append(_copy(view.array, slots, array.name, placed, add=True))
        else:
            # Equal copies of a weight for several sweeps have one memory.
            order = " ".join(str(slots.index(index)) for index in placed)
            array = replace(array, memory=f"{view.array} in order {order}")
            self.before += [array, _copy(array.name, placed, view.array, slots, add=False)]
        return replace(view, array=array.name)

    def temporary(self, indices: tuple[Index, ...]) -> Allocate:
        """A new temporary on the axes of some indices."""
        return Allocate(self.fresh(), tuple(index.axis for index in indices))

    # ------------------------------------------------------------------ the loop

    def around_loop(self) -> list[Instruction]:
        """The loop over patches with channels last, and the turned array that it reads or adds to."""
        patches = self.patches
        slots = tuple(Index(f"t{n}", axis) for n, axis in enumerate(self.axes[patches.other]))
        placed = tuple(slots[patches.slots.index(slot)] for slot in patches.turned)
        array, term = self.temporary(placed), patches.loop.term
        self.scratch.append(array)
        name = array.name
        ((symbol, access),) = term.accesses
        if patches.scatters:
            read = Access(access.field, self.laid_out)
            scattered = Term(patches.turned, (), term.expression, ((symbol, read),))
            return [
                Fill(name),
                Loop(name, scattered, add=True),
                _copy(patches.other, slots, name, placed, add=True),
            ]
        gathered = Term(self.laid_out, (), term.expression, ((symbol, Access(name, patches.turned)),))
        return [
            _copy(name, placed, patches.other, slots, add=False),
            replace(patches.loop, term=gathered),
        ]


def _views(product: Gemm) -> dict[str, View]:
    """The matrices of a product by their roles."""
    return {LEFT: product.left, RIGHT: product.right, OUT: product.out}


def _copy(out: str, target: tuple[Index, ...], source: str, slots: tuple[Index, ...], add: bool) -> Loop:
    """``out(target) = or += source(slots)``, entry by entry."""
    symbol = sp.Symbol(source)
    return Loop(out, Term(target, (), symbol, ((symbol, Access(source, slots)),)), add)
