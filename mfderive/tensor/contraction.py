"""Contraction plans: how each equation is computed, by the shape of its terms alone.

Steps of a plan, in this order: what is pointwise (several terms and the factors outside reductions) makes
one loop nest; a reduction that is a product of two groups of factors goes to BLAS; anything with an affine
slot is done sample by sample (patches, then a product, or a product, then a scatter); what remains is a
fused loop nest. Nothing here knows what a layer is.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import sympy as sp

from ..algebra.system import LimitSystem
from ..algebra.terms import Access, AxisKind, Equation, Index, Slot, Term, slot_indices
from ..codegen.numba.expression_code import is_number
from ..codegen.numba.loops import needs_zero
from .factorise import Piece, Reduction, expanded, renamed, take_apart
from .gemm import ProductPlan, plan_product
from .instructions import Allocate, Each, Loop, Select, Step, Zero, weights_of


@dataclass(frozen=True)
class _Reduced:
    """Steps that compute a reduction; ``cost`` 0: good, 1: a temporary like a weight, 2: a large loop."""

    steps: tuple[Step, ...]
    cost: int


def plan_equation(system: LimitSystem, equation: Equation, out: str, add: bool = False) -> tuple[Step, ...]:
    """The steps that compute (or, with ``add``, add) an equation's right side into the array ``out``."""
    return _Planner(system, equation, out, add).plan()


class _Planner:
    def __init__(self, system: LimitSystem, equation: Equation, out: str, add: bool) -> None:
        self.system, self.equation, self.out, self.add = system, equation, out, add
        self.numbers = itertools.count(1)

    def fresh(self) -> str:
        return f"temporary {next(self.numbers)}"

    # ------------------------------------------------------------------ the whole equation

    def plan(self) -> tuple[Step, ...]:
        """Pointwise parts first (they assign), then reductions that add, then what scatters."""
        pieces = [piece for term in self.equation.terms for piece in self.pieces(renamed(term))]
        order = tuple(Index(f"t{n}", i.axis) for n, i in enumerate(self.equation.target))
        pointwise = [p for p in pieces if p.is_plain and not p.is_direct]
        steps: list[Step] = []
        if pointwise:
            steps += self.joined(pointwise, order)
        started = bool(pointwise) or self.add
        for piece in (p for p in pieces if p.is_direct):
            reduction = piece.reductions[0]
            steps += self.reduce(self.out, order, reduction, piece, piece.coefficient, started).steps
            started = True
        for piece in (p for p in pieces if not p.is_plain):
            if not started:
                steps.append(Zero(self.out))
            steps += self.scatter(piece)
            started = True
        if not started:
            steps.append(Zero(self.out))
        if self.equation.selector:
            steps.append(Select(self.out, self.equation.selector))
        return tuple(steps)

    def pieces(self, term: Term) -> list[Piece]:
        """A term as one piece, or multiplied out where that avoids large loops or temporaries."""
        whole = [take_apart(self.system, term)]
        cost = self.cost(whole)
        if cost == 0:
            return whole
        parts = [take_apart(self.system, part) for part in expanded(term)]
        return parts if len(parts) > 1 and self.cost(parts) < cost else whole

    def cost(self, pieces: Sequence[Piece]) -> int:
        """The worst cost of the reductions in pieces."""
        planner = _Planner(self.system, self.equation, self.out, self.add)
        costs = [
            planner.reduce("out", reduction.target, reduction, piece, sp.Integer(1), False).cost
            for piece in pieces
            for reduction in piece.reductions
        ]
        return max(costs, default=0)

    # ------------------------------------------------------------------ pointwise

    def joined(self, pieces: Sequence[Piece], order: tuple[Index, ...]) -> list[Step]:
        """One loop nest for all pointwise pieces; their reductions are computed into temporaries first."""
        steps: list[Step] = []
        total: list[sp.Expr] = []
        accesses: dict[sp.Symbol, Access] = {}
        count = sum(len(piece.reductions) for piece in pieces)
        for piece in pieces:
            names = {s: _symbol(a, accesses) for s, a in piece.accesses.items() if _in_outer(s, piece)}
            factors = [factor.xreplace(names) for factor in piece.outer]
            for reduction in piece.reductions:
                alone = count == 1 and reduction.target == order and not self.add
                name = self.out if alone else self.fresh()
                if not alone:
                    steps.append(Allocate(name, tuple(i.axis for i in reduction.target)))
                steps += self.reduce(name, reduction.target, reduction, piece, sp.Integer(1), False).steps
                factors.append(_symbol(Access(name, reduction.target), accesses))
            total.append(sp.Mul(piece.coefficient, *factors))
        expression = sp.Add(*total)
        if is_number(expression) and not self.add:
            return [Zero(self.out, expression)]
        used = tuple((s, a) for s, a in accesses.items() if expression.has(s))
        return [*steps, Loop(self.out, Term(order, (), expression, used), self.add)]

    # ------------------------------------------------------------------ reductions

    def reduce(
        self,
        out: str,
        order: tuple[Index, ...],
        reduction: Reduction,
        piece: Piece,
        number: sp.Expr,
        add: bool,
    ) -> _Reduced:
        """``out(order) = or += number * reduction``: a product, a product a sample, or a loop nest."""
        product = plan_product(self.system, reduction, piece.accesses, self.fresh, order)
        if product is not None and not product.large:
            return _Reduced(product.steps(out, order, number, add), 0)
        for index in (*order, *reduction.reduced):
            steps = self.each(index, out, order, reduction, piece, number, add)
            if steps is not None:
                return _Reduced(steps, 0)
        free = plan_product(self.system, reduction, piece.accesses, self.fresh)
        if free is not None and (not free.large or product is None):
            return _Reduced(
                self.copied(free.rows + free.columns, out, order, free, number, add), int(free.large)
            )
        if product is not None:
            return _Reduced(product.steps(out, order, number, add), 1)
        return self.loop(out, order, reduction, piece, number, add)

    def copied(
        self,
        own: tuple[Index, ...],
        out: str,
        order: tuple[Index, ...],
        plan: ProductPlan,
        number: sp.Expr,
        add: bool,
    ) -> tuple[Step, ...]:
        """A product whose layout is not that of ``out``: into a temporary, then copied over."""
        name = self.fresh()
        symbol = sp.Symbol(name)
        copy = Loop(out, Term(order, (), symbol, ((symbol, Access(name, own)),)), add)
        return (Allocate(name, tuple(i.axis for i in own)), *plan.steps(name, own, number, False), copy)

    def loop(
        self,
        out: str,
        order: tuple[Index, ...],
        reduction: Reduction,
        piece: Piece,
        number: sp.Expr,
        add: bool,
    ) -> _Reduced:
        """A fused loop nest."""
        term = self.weighted(order, reduction.reduced, sp.Mul(number, *reduction.factors), piece)
        loop = Loop(out, term, add)
        steps: tuple[Step, ...] = (Zero(out), loop) if needs_zero(loop) else (loop,)
        big = sum(self.system.axis[i.axis].is_measure for i in term.indices)
        return _Reduced(steps, 2 if big > 2 else 0)

    def weighted(
        self, target: tuple[Slot, ...], reduced: tuple[Index, ...], expression: sp.Expr, piece: Piece
    ) -> Term:
        """A term whose means are sums: the weights of the nodes are factors of the expression."""
        accesses = {s: a for s, a in piece.accesses.items() if expression.has(s)}
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
        piece: Piece,
        number: sp.Expr,
        add: bool,
    ) -> tuple[Step, ...] | None:
        """The product for each value of one index, if that is the first slot wherever it stands."""
        sliced = self.sliced(index, reduction, piece)
        reduces = index in reduction.reduced
        if sliced is None or not (reduces or order[:1] == (index,)):
            return None
        inner, accesses, slices = sliced
        local = out if reduces else f"{out} at {index.axis}"
        rest = order if reduces else order[1:]
        plan = plan_product(self.system, inner, accesses, self.fresh, rest)
        if plan is None or plan.large:
            return None
        if not reduces:
            slices = (*slices, (local, out))
        measure = self.system.axis[index.axis].is_measure
        body = plan.steps(local, rest, number, add or reduces)
        before: tuple[Step, ...] = (Zero(out),) if reduces and not add else ()
        scratch = tuple(s for s in body if isinstance(s, Allocate))
        kept = tuple(s for s in body if not isinstance(s, Allocate))
        return (*before, Each(index, reduces and measure, slices, kept, scratch))

    def sliced(
        self, index: Index, reduction: Reduction, piece: Piece
    ) -> tuple[Reduction, dict[sp.Symbol, Access], tuple[tuple[str, str], ...]] | None:
        """A reduction at one value of an index, with the slices of arrays that it reads."""
        accesses: dict[sp.Symbol, Access] = {}
        slices: dict[str, str] = {}
        for symbol, access in piece.accesses.items():
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

    def scatter(self, piece: Piece) -> list[Step]:
        """A piece with affine target slots: a product and a scatter for each sample, or one loop nest."""
        first = piece.target[0] if piece.target else None
        if len(piece.reductions) == 1 and isinstance(first, Index) and first not in piece.target[1:]:
            steps = self.scatter_each(first, piece)
            if steps is not None:
                return steps
        reduced = tuple(i for r in piece.reductions for i in r.reduced)
        factors = [f for r in piece.reductions for f in r.factors]
        expression = sp.Mul(piece.coefficient, *piece.outer, *factors)
        return [Loop(self.out, self.weighted(piece.target, reduced, expression, piece), add=True)]

    def scatter_each(self, index: Index, piece: Piece) -> list[Step] | None:
        reduction = piece.reductions[0]
        sliced = self.sliced(index, reduction, piece)
        if sliced is None or self.system.axis[index.axis].kind is not AxisKind.DATA:
            return None
        inner, accesses, slices = sliced
        plan = plan_product(self.system, inner, accesses, self.fresh)
        if plan is None or plan.large:
            return None
        name, local = self.fresh(), f"{self.out} at {index.axis}"
        own = plan.rows + plan.columns
        symbol = sp.Symbol(name)
        expression = sp.Mul(piece.coefficient, symbol, *piece.outer)
        read = {s: a for s, a in accesses.items() if expression.has(s)} | {symbol: Access(name, own)}
        body = [
            *plan.steps(name, own, sp.Integer(1), False),
            Loop(local, Term(piece.target[1:], (), expression, tuple(read.items())), add=True),
        ]
        before = (Allocate(name, tuple(i.axis for i in own)), *(s for s in body if isinstance(s, Allocate)))
        kept = tuple(s for s in body if not isinstance(s, Allocate))
        return [Each(index, False, (*slices, (local, self.out)), kept, before)]


def _in_outer(symbol: sp.Symbol, piece: Piece) -> bool:
    return any(factor.has(symbol) for factor in piece.outer)


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
