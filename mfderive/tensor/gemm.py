"""Reductions that are matrix products (gemm).

A reduction ``sum over K of A(M, K) * B(N, K)`` is a gemm if its factors fall into two groups that share no
target index. A group that is one plain access is read in place; any other is computed into a temporary
first, which must never hold widths x widths x batch, nor the patches of a whole batch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import sympy as sp

from ..algebra.system import LimitSystem
from ..algebra.terms import Access, Affine, AxisKind, Index, Term
from .factorise import Accesses, Reduction, indices_of
from .instructions import Allocate, Gemm, Instruction, Loop, View

Fresh = Callable[[], str]


@dataclass(frozen=True)
class GemmPlan:
    """A gemm whose output is not yet chosen; :meth:`instructions` names it.

    ``large``: a temporary has the size of a weight; ``copies``: how many operands are temporaries.
    """

    before: tuple[Instruction, ...]
    left: View
    right: View
    rows: tuple[Index, ...]
    columns: tuple[Index, ...]
    shared: tuple[Index, ...]
    large: bool
    copies: int

    def instructions(
        self, out: str, order: Sequence[Index], coefficient: sp.Expr, add: bool
    ) -> tuple[Instruction, ...]:
        """The instructions that write into ``out``, whose axes have the order ``order``."""
        straight = tuple(order) == self.rows + self.columns
        view = View(out, len(self.rows if straight else self.columns), len(order), not straight)
        axes = tuple(index.axis for index in self.shared)
        return (*self.before, Gemm(view, self.left, self.right, coefficient, axes, add))

    def fits(self, order: Sequence[Index]) -> bool:
        """Whether an array with axes in ``order`` can be the output."""
        return tuple(order) in (self.rows + self.columns, self.columns + self.rows)


def plan_gemm(
    system: LimitSystem,
    reduction: Reduction,
    accesses: Accesses,
    fresh: Fresh,
    order: Sequence[Index] | None = None,
) -> GemmPlan | None:
    """The best gemm for a reduction, or None. ``order``: the layout that the output must have."""
    blocks = _blocks(reduction, accesses)
    if len(blocks) < 2:
        return None
    best: GemmPlan | None = None
    for first in blocks:
        rows = tuple(i for i in reduction.target if i in first)
        columns = tuple(i for i in reduction.target if i not in first)
        plan = _Grouping(system, reduction, accesses, rows, columns).plan(fresh)
        if plan is None or (order is not None and not plan.fits(order)):
            continue
        if best is None or (plan.large, plan.copies) < (best.large, best.copies):
            best = plan
    return best


def _blocks(reduction: Reduction, accesses: Accesses) -> list[set[Index]]:
    """Target indices that occur together in a factor, joined until nothing changes."""
    blocks: list[set[Index]] = [{index} for index in reduction.target]
    for factor in reduction.factors:
        read = indices_of(factor, accesses)
        touched = [block for block in blocks if block & read]
        if len(touched) > 1:
            blocks = [block for block in blocks if not block & read] + [set().union(*touched)]
    blocks.sort(key=lambda block: min(reduction.target.index(i) for i in block))
    return blocks


class _Grouping:
    """One way of splitting the target into rows and columns."""

    def __init__(
        self,
        system: LimitSystem,
        reduction: Reduction,
        accesses: Accesses,
        rows: tuple[Index, ...],
        columns: tuple[Index, ...],
    ) -> None:
        self.system, self.accesses, self.reduced = system, accesses, reduction.reduced
        self.rows, self.columns = rows, columns
        groups: tuple[list[sp.Expr], list[sp.Expr]] = ([], [])
        free: list[sp.Expr] = []
        for factor in reduction.factors:
            read = indices_of(factor, accesses)
            home = groups[0] if read & set(rows) else groups[1] if read & set(columns) else free
            home.append(factor)
        for factor in free:
            self._smaller(groups).append(factor)
        self.left, self.right = groups

    def _smaller(self, groups: tuple[list[sp.Expr], list[sp.Expr]]) -> list[sp.Expr]:
        """The group that a factor of reduced indices joins: one that is computed anyway, or a small one."""
        computed = [group for group in groups if not self.plain(group)]
        candidates = computed or list(groups)
        return min(candidates, key=lambda group: len(self.populations(group)))

    def read(self, group: list[sp.Expr]) -> set[Index]:
        found: set[Index] = set()
        for factor in group:
            found |= indices_of(factor, self.accesses)
        return found

    def populations(self, group: list[sp.Expr]) -> set[Index]:
        return {i for i in self.read(group) if self.system.axis[i.axis].kind is AxisKind.POPULATION}

    def plain(self, group: list[sp.Expr]) -> Access | None:
        """The access that a group is, if it is one alone with different index variables as slots."""
        if len(group) != 1 or not group[0].is_Symbol:
            return None
        access = self.accesses[group[0]]
        indices = [slot for slot in access.slots if isinstance(slot, Index)]
        return access if len(set(indices)) == len(access.slots) else None

    def acceptable(self, group: list[sp.Expr]) -> bool:
        """Whether the group may be computed into a temporary."""
        read = self.read(group)
        if not any(self.system.axis[i.axis].kind is AxisKind.DATA for i in read):
            return True
        if len(self.populations(group)) > 1:
            return False
        return not any(
            isinstance(slot, Affine) and slot.parts
            for factor in group
            for symbol in factor.free_symbols
            for slot in self.accesses[symbol].slots
        )

    def plan(self, fresh: Fresh) -> GemmPlan | None:
        needed = set(self.reduced)
        if any(not needed <= self.read(group) for group in (self.left, self.right)):
            return None
        plans = [self.plan_with(shared, fresh) for shared in self.orders()]
        found = [plan for plan in plans if plan is not None]
        return min(found, key=lambda plan: (plan.large, plan.copies)) if found else None

    def orders(self) -> list[tuple[Index, ...]]:
        """Orders of the shared indices worth trying: that of a plain operand, or the given one."""
        result = []
        for group in (self.left, self.right):
            access = self.plain(group)
            if access is not None:
                result.append(tuple(s for s in access.slots if isinstance(s, Index) and s in self.reduced))
        return list(dict.fromkeys([*result, self.reduced]))

    def plan_with(self, shared: tuple[Index, ...], fresh: Fresh) -> GemmPlan | None:
        before: list[Instruction] = []
        views: list[View] = []
        copies, large = 0, False
        for group, own in ((self.left, self.rows), (self.right, self.columns)):
            access = self.plain(group)
            view = None if access is None else _view(access, own, shared)
            if view is None:
                if not self.acceptable(group):
                    return None
                name = fresh()
                order = self.layout(group, own, shared)
                before += self.compute(name, group, order)
                view = _view(Access(name, order), own, shared)
                copies += 1
                large = large or len(self.populations(group)) > 1
            if view is None:
                return None
            views.append(view)
        # The right operand of a gemm has the shared indices as rows.
        right = replace(views[1], transposed=not views[1].transposed)
        return GemmPlan(tuple(before), views[0], right, self.rows, self.columns, shared, large, copies)

    def layout(
        self, group: list[sp.Expr], own: tuple[Index, ...], shared: tuple[Index, ...]
    ) -> tuple[Index, ...]:
        """The layout of a temporary: its last axis is the one that runs through the operands' memory."""
        symbols = sorted({s for factor in group for s in factor.free_symbols}, key=str)
        last = [self.accesses[s].slots[-1] for s in symbols if self.accesses[s].slots]
        score = [
            sum(
                order[-1] == slot or (isinstance(slot, Affine) and order[-1] in dict(_turned(slot)))
                for slot in last
            )
            for order in (own + shared, shared + own)
        ]
        if score[0] == score[1] and own and shared:
            # Both run through memory: with the longer one last there are fewer runs.
            lengths = (length_of(self.system, shared[-1]), length_of(self.system, own[-1]))
            return shared + own if lengths[1] > lengths[0] else own + shared
        return shared + own if score[1] > score[0] else own + shared

    def compute(self, name: str, group: list[sp.Expr], order: tuple[Index, ...]) -> list[Instruction]:
        expression = sp.Mul(*group)
        accesses = tuple((s, a) for s, a in self.accesses.items() if expression.has(s))
        return [
            Allocate(name, tuple(index.axis for index in order)),
            Loop(name, Term(order, (), expression, accesses), add=False),
        ]


def length_of(system: LimitSystem, index: Index) -> float:
    """How many values an index has (many, where that is only known later)."""
    return system.axis[index.axis].size or float("inf")


def _turned(slot: Affine) -> list[tuple[Index, int]]:
    return [(index, coefficient) for coefficient, index in slot.parts]


def _view(access: Access, own: tuple[Index, ...], shared: tuple[Index, ...]) -> View | None:
    """An access as a matrix with rows ``own`` and columns ``shared``."""
    if access.slots == own + shared:
        return View(access.field, len(own), len(access.slots), transposed=False)
    if access.slots == shared + own:
        return View(access.field, len(shared), len(access.slots), transposed=True)
    return None
