"""Terms factorised: a number, factors outside any reduction, and the reductions themselves.

``F(I) = Reduce_J [e]`` becomes ``number * (factors without J) * product of reductions``, where each
reduction holds the factors that share reduced indices.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import sympy as sp

from ..algebra.system import LimitSystem, renaming
from ..algebra.terms import Access, Index, Slot, Term, slot_indices
from .ordering import SortKeys, is_number

Accesses = Mapping[sp.Symbol, Access]


@dataclass(frozen=True)
class Reduction:
    """``Reduce_reduced [ product of factors ]`` as a function of the indices ``target``."""

    target: tuple[Index, ...]
    reduced: tuple[Index, ...]
    factors: tuple[sp.Expr, ...]


@dataclass(frozen=True)
class FactoredTerm:
    """``F(target) += coefficient * outer * product of reductions``."""

    target: tuple[Slot, ...]
    coefficient: sp.Expr
    outer: tuple[sp.Expr, ...]
    reductions: tuple[Reduction, ...]
    accesses: Accesses

    @property
    def is_plain(self) -> bool:
        """Whether the target is a tuple of different index variables (nothing is scattered)."""
        return all(isinstance(s, Index) for s in self.target) and len(set(self.target)) == len(self.target)

    @property
    def is_direct(self) -> bool:
        """Whether the term is one reduction over all of its target and nothing else."""
        return (
            self.is_plain
            and not self.outer
            and len(self.reductions) == 1
            and set(self.reductions[0].target) == set(self.target)
        )


def renamed(term: Term) -> Term:
    """The term with indices t0, t1, ... (target) and r0, r1, ... (reduced), so that terms can be joined."""
    names = {index: Index(f"t{n}", index.axis) for n, index in enumerate(slot_indices(term.target))}
    names.update({index: Index(f"r{n}", index.axis) for n, index in enumerate(term.reduced)})
    return term.map_slots(renaming(names))


def indices_of(expression: sp.Expr, accesses: Accesses) -> frozenset[Index]:
    """The index variables that an expression reads."""
    found: set[Index] = set()
    for symbol in expression.free_symbols:
        found.update(accesses[symbol].indices)
    return frozenset(found)


def ranks_of(accesses: Iterable[tuple[sp.Symbol, Access]]) -> dict[sp.Symbol, str]:
    """Ranks of symbols by their slots and their position in the table, never by name."""
    return {s: f"{_slots_text(a.slots)} {n:02d}" for n, (s, a) in enumerate(accesses)}


def _slots_text(slots: tuple[Slot, ...]) -> str:
    words = []
    for slot in slots:
        if isinstance(slot, Index):
            words.append(slot.name)
        else:
            words.append("+".join(f"{c}{i.name}" for c, i in slot.parts) + f"+{slot.constant}")
    return ",".join(words)


def factors_of(expression: sp.Expr, ranks: Mapping[sp.Symbol, str]) -> tuple[sp.Expr, list[sp.Expr]]:
    """The number in front of an expression, and its other factors in our order."""
    factors = sp.Mul.make_args(expression)
    others = [f for f in factors if not is_number(f)]
    others.sort(key=SortKeys(ranks))
    return sp.Mul(*(f for f in factors if is_number(f))), others


def factorise(system: LimitSystem, term: Term) -> FactoredTerm:
    """The factorised form of a (renamed) term."""
    accesses = {s: a for s, a in term.accesses if term.expression.has(s)}
    coefficient, factors = factors_of(term.expression, ranks_of(accesses.items()))
    read = indices_of(term.expression, accesses)
    for index in term.reduced:
        if index not in read and not system.axis[index.axis].is_measure:
            coefficient = coefficient * finite_size(system, index.axis)  # a sum of equal terms
    reduced = [index for index in term.reduced if index in read]
    outer = tuple(f for f in factors if not indices_of(f, accesses) & set(reduced))
    inner = [f for f in factors if indices_of(f, accesses) & set(reduced)]
    reductions = []
    while inner:
        together = [inner.pop(0)]
        shared = set(indices_of(together[0], accesses)) & set(reduced)
        grown = True
        while grown:
            joined = [f for f in inner if indices_of(f, accesses) & shared]
            grown = bool(joined)
            together += joined
            inner = [f for f in inner if f not in joined]
            for factor in joined:
                shared |= set(indices_of(factor, accesses)) & set(reduced)
        seen = frozenset().union(*(indices_of(f, accesses) for f in together))
        reductions.append(
            Reduction(
                tuple(i for i in slot_indices(term.target) if i in seen),
                tuple(i for i in reduced if i in shared),
                tuple(together),
            )
        )
    return FactoredTerm(term.target, coefficient, outer, tuple(reductions), accesses)


def expanded(term: Term) -> list[Term]:
    """The term with its sums multiplied out (not inside functions), one term per summand."""
    expression = sp.expand(
        term.expression, deep=False, power_base=False, power_exp=False, log=False, multinomial=True, mul=True
    )
    ranks = ranks_of(term.accesses)
    parts = sorted(sp.Add.make_args(expression), key=SortKeys(ranks))
    return [Term(term.target, term.reduced, part, term.accesses) for part in parts]


def finite_size(system: LimitSystem, axis: str) -> int:
    """The size of a finite axis."""
    size = system.axis[axis].size
    if size is None:
        raise ValueError(f"the size of the finite axis '{axis}' is not known")
    return size
