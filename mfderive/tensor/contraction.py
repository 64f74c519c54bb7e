"""Contraction plans: how each equation is computed, by the shape of its terms alone.

The instructions of a plan come in this order: pointwise parts (several terms and the factors outside
reductions) become one loop nest; a reduction of a product of two groups of factors becomes a gemm; anything
with an affine slot is done one sample at a time (patches, then a gemm; or a gemm, then a scatter); what
remains is a fused loop nest. Nothing here knows what a layer is.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import sympy as sp

from ..algebra.system import LimitSystem
from ..algebra.terms import Access, AxisKind, Equation, Index, Slot, Term, slot_indices
from .factorise import FactoredTerm, Reduction, expanded, factorise, renamed
from .gemm import GemmPlan, length_of, plan_gemm
from .instructions import Allocate, Each, Fill, Instruction, Loop, Select, weights_of
from .long_runs import in_long_runs
from .loop_order import accumulates
from .ordering import is_number


@dataclass(frozen=True)
class _Reduced:
    """Instructions for a reduction; ``cost`` 0: good, 1: a temporary of a weight's size, 2: a large loop."""

    instructions: tuple[Instruction, ...]
    cost: int


def plan_equation(
    system: LimitSystem, equation: Equation, out: str, add: bool = False
) -> tuple[Instruction, ...]:
    """The instructions that write an equation's right side into the array ``out`` (with ``add``: add it)."""
    return _Planner(system, equation, out, add).plan()


class _Planner:
    def __init__(self, system: LimitSystem, equation: Equation, out: str, add: bool) -> None:
        self.system, self.equation, self.out, self.add = system, equation, out, add
        self.numbers = itertools.count(1)

    def fresh(self) -> str:
        return f"temporary {next(self.numbers)}"

    # ------------------------------------------------------------------ the whole equation

    def plan(self) -> tuple[Instruction, ...]:
        """Pointwise parts first (they assign), then reductions that add, then what scatters."""
        parts = [part for term in self.equation.terms for part in self.parts(renamed(term))]
        order = tuple(Index(f"t{n}", i.axis) for n, i in enumerate(self.equation.target))
        pointwise = [p for p in parts if p.is_plain and not p.is_direct]
        instructions: list[Instruction] = []
        if pointwise:
            instructions += self.joined(pointwise, order)
        started = bool(pointwise) or self.add
        for part in (p for p in parts if p.is_direct):
            reduction = part.reductions[0]
            instructions += self.reduce(
                self.out, order, reduction, part, part.coefficient, started
            ).instructions
            started = True
        for part in (p for p in parts if not p.is_plain):
            if not started:
                instructions.append(Fill(self.out))
            instructions += self.scatter(part)
            started = True
        if not started:
            instructions.append(Fill(self.out))
        if self.equation.selector:
            instructions.append(Select(self.out, self.equation.selector, len(self.equation.target)))
        return tuple(instructions)

    def parts(self, term: Term) -> list[FactoredTerm]:
        """A term factorised as it stands, or multiplied out where that avoids large loops or temporaries."""
        whole = [factorise(self.system, term)]
        cost = self.cost(whole)
        if cost == 0:
            return whole
        parts = [factorise(self.system, part) for part in expanded(term)]
        return parts if len(parts) > 1 and self.cost(parts) < cost else whole

    def cost(self, parts: Sequence[FactoredTerm]) -> int:
        """The worst cost of the reductions in factorised terms."""
        planner = _Planner(self.system, self.equation, self.out, self.add)
        costs = [
            planner.reduce("out", reduction.target, reduction, part, sp.Integer(1), False).cost
            for part in parts
            for reduction in part.reductions
        ]
        return max(costs, default=0)

    # ------------------------------------------------------------------ pointwise

    def joined(self, parts: Sequence[FactoredTerm], order: tuple[Index, ...]) -> list[Instruction]:
        """One loop nest for all pointwise parts; their reductions are computed into temporaries first."""
        instructions: list[Instruction] = []
        total: list[sp.Expr] = []
        accesses: dict[sp.Symbol, Access] = {}
        count = sum(len(part.reductions) for part in parts)
        for part in parts:
            names = {s: _symbol(a, accesses) for s, a in part.accesses.items() if _in_outer(s, part)}
            factors = [factor.xreplace(names) for factor in part.outer]
            for reduction in part.reductions:
                alone = count == 1 and reduction.target == order and not self.add
                name = self.out if alone else self.fresh()
                if not alone:
                    instructions.append(Allocate(name, tuple(i.axis for i in reduction.target)))
                instructions += self.reduce(
                    name, reduction.target, reduction, part, sp.Integer(1), False
                ).instructions
                factors.append(_symbol(Access(name, reduction.target), accesses))
            total.append(sp.Mul(part.coefficient, *factors))
        expression = sp.Add(*total)
        if is_number(expression) and not self.add:
            return [Fill(self.out, expression)]
        used = tuple((s, a) for s, a in accesses.items() if expression.has(s))
        return [*instructions, Loop(self.out, Term(order, (), expression, used), self.add)]

    # ------------------------------------------------------------------ reductions

    def reduce(
        self,
        out: str,
        order: tuple[Index, ...],
        reduction: Reduction,
        part: FactoredTerm,
        number: sp.Expr,
        add: bool,
    ) -> _Reduced:
        """``out(order) = or += number * reduction``: a gemm, one gemm per sample, or a loop nest."""
        gemm = plan_gemm(self.system, reduction, part.accesses, self.fresh, order)
        if gemm is not None and not gemm.large:
            return _Reduced(gemm.instructions(out, order, number, add), 0)
        for index in (*order, *reduction.reduced):
            instructions = self.each(index, out, order, reduction, part, number, add)
            if instructions is not None:
                return _Reduced(instructions, 0)
        free = plan_gemm(self.system, reduction, part.accesses, self.fresh)
        if free is not None and (not free.large or gemm is None):
            return _Reduced(
                self.copied(free.rows + free.columns, out, order, free, number, add), int(free.large)
            )
        if gemm is not None:
            return _Reduced(gemm.instructions(out, order, number, add), 1)
        return self.loop(out, order, reduction, part, number, add)

    def copied(
        self,
        own: tuple[Index, ...],
        out: str,
        order: tuple[Index, ...],
        plan: GemmPlan,
        number: sp.Expr,
        add: bool,
    ) -> tuple[Instruction, ...]:
        """A gemm whose layout is not that of ``out``: into a temporary, which is then copied."""
        name = self.fresh()
        symbol = sp.Symbol(name)
        copy = Loop(out, Term(order, (), symbol, ((symbol, Access(name, own)),)), add)
        return (
            Allocate(name, tuple(i.axis for i in own)),
            *plan.instructions(name, own, number, False),
            copy,
        )

    def loop(
        self,
        out: str,
        order: tuple[Index, ...],
        reduction: Reduction,
        part: FactoredTerm,
        number: sp.Expr,
        add: bool,
    ) -> _Reduced:
        """A fused loop nest."""
        term = self.weighted(order, reduction.reduced, sp.Mul(number, *reduction.factors), part)
        loop = Loop(out, term, add)
        instructions: tuple[Instruction, ...] = (
            (Fill(out), loop) if not add and accumulates(term) else (loop,)
        )
        big = sum(self.system.axis[i.axis].is_measure for i in term.indices)
        return _Reduced(instructions, 2 if big > 2 else 0)

    def weighted(
        self, target: tuple[Slot, ...], reduced: tuple[Index, ...], expression: sp.Expr, part: FactoredTerm
    ) -> Term:
        """A term whose means are sums: the weights of the nodes are factors of the expression."""
        accesses = {s: a for s, a in part.accesses.items() if expression.has(s)}
        for index in reduced:
            if self.system.axis[index.axis].is_measure:
                symbol = _symbol(Access(weights_of(index.axis), (index,)), accesses)
                expression = sp.Mul(symbol, expression)
        return Term(target, reduced, expression, tuple(accesses.items()))

    def each(
        self,
        index: Index,
        out: str,
        order: tuple[Index, ...],
        reduction: Reduction,
        part: FactoredTerm,
        number: sp.Expr,
        add: bool,
    ) -> tuple[Instruction, ...] | None:
        """One gemm per value of an index, if that is the first slot wherever it occurs."""
        sliced = self.sliced(index, reduction, part)
        reduces = index in reduction.reduced
        if sliced is None or not (reduces or order[:1] == (index,)):
            return None
        inner, accesses, slices = sliced
        local = out if reduces else f"{out} at {index.axis}"
        rest = order if reduces else order[1:]
        plan = plan_gemm(self.system, inner, accesses, self.fresh, rest)
        if plan is None or plan.large:
            return None
        if not reduces:
            slices = (*slices, (local, out))
        measure = self.system.axis[index.axis].is_measure
        body = plan.instructions(local, rest, number, add or reduces)
        before: tuple[Instruction, ...] = (Fill(out),) if reduces and not add else ()
        scratch = tuple(s for s in body if isinstance(s, Allocate))
        kept = tuple(s for s in body if not isinstance(s, Allocate))
        each = Each(index, reduces and measure, slices, kept, scratch)
        return (*before, *self.in_long_runs(each, out, tuple(i.axis for i in order)))

    def sliced(
        self, index: Index, reduction: Reduction, part: FactoredTerm
    ) -> tuple[Reduction, dict[sp.Symbol, Access], tuple[tuple[str, str], ...]] | None:
        """A reduction at one value of an index, with the slices of arrays that it reads."""
        accesses: dict[sp.Symbol, Access] = {}
        slices: dict[str, str] = {}
        for symbol, access in part.accesses.items():
            if index not in access.indices:
                accesses[symbol] = access
                continue
            if access.slots[0] != index or index in slot_indices(access.slots[1:]):
                return None
            local = f"{access.field} at {index.axis}"
            slices[local] = access.field
            accesses[symbol] = Access(local, access.slots[1:])
        inner = Reduction(
            tuple(i for i in reduction.target if i != index),
            tuple(i for i in reduction.reduced if i != index),
            reduction.factors,
        )
        return (inner, accesses, tuple(slices.items())) if inner.reduced else None

    # ------------------------------------------------------------------ scatter

    def scatter(self, part: FactoredTerm) -> list[Instruction]:
        """A term with affine target slots: a gemm and a scatter per sample, or one loop nest."""
        first = part.target[0] if part.target else None
        if len(part.reductions) == 1 and isinstance(first, Index) and first not in part.target[1:]:
            instructions = self.scatter_each(first, part)
            if instructions is not None:
                return instructions
        reduced = tuple(i for r in part.reductions for i in r.reduced)
        factors = [f for r in part.reductions for f in r.factors]
        expression = sp.Mul(part.coefficient, *part.outer, *factors)
        return [Loop(self.out, self.weighted(part.target, reduced, expression, part), add=True)]

    def scatter_each(self, index: Index, part: FactoredTerm) -> list[Instruction] | None:
        reduction = part.reductions[0]
        sliced = self.sliced(index, reduction, part)
        if sliced is None or self.system.axis[index.axis].kind is not AxisKind.DATA:
            return None
        inner, accesses, slices = sliced
        plan = plan_gemm(self.system, inner, accesses, self.fresh)
        if plan is None or plan.large:
            return None
        name, local = self.fresh(), f"{self.out} at {index.axis}"
        own = plan.rows + plan.columns
        symbol = sp.Symbol(name)
        expression = sp.Mul(part.coefficient, symbol, *part.outer)
        read = {s: a for s, a in accesses.items() if expression.has(s)} | {symbol: Access(name, own)}
        body = [
            *plan.instructions(name, own, sp.Integer(1), False),
            Loop(local, Term(part.target[1:], (), expression, tuple(read.items())), add=True),
        ]
        before = (Allocate(name, tuple(i.axis for i in own)), *(s for s in body if isinstance(s, Allocate)))
        kept = tuple(s for s in body if not isinstance(s, Allocate))
        each = Each(index, False, (*slices, (local, self.out)), kept, before)
        return self.in_long_runs(each, self.out, self.system.field[self.equation.field].axes)

    def in_long_runs(self, each: Each, out: str, own: tuple[str, ...]) -> list[Instruction]:
        """Repeated instructions with patches in long runs; ``own``: the axes of what they write."""
        axes = {field.name: field.axes for field in self.system.fields} | {out: own}
        axes |= {local: axes[whole][1:] for local, whole in each.slices if whole in axes}
        return [*in_long_runs(each, axes, partial(length_of, self.system), self.fresh)]


def _in_outer(symbol: sp.Symbol, part: FactoredTerm) -> bool:
    return any(factor.has(symbol) for factor in part.outer)


def _symbol(access: Access, accesses: dict[sp.Symbol, Access]) -> sp.Symbol:
    """The symbol that reads an access in a joined expression; adds it to the table."""
    for symbol, known in accesses.items():
        if known == access:
            return symbol
    name, number = access.field, 2
    while sp.Symbol(name) in accesses:
        name, number = f"{access.field}#{number}", number + 1
    symbol = sp.Symbol(name)
    accesses[symbol] = access
    return symbol
