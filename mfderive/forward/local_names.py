"""From an expression in a spec's local names to a term whose symbols are named after the fields they read."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import sympy as sp

from ..algebra.terms import Access, Index, Slot, Term
from ..errors import MfError


def make_term(
    target: tuple[Slot, ...],
    reduced: tuple[Index, ...],
    expression: sp.Expr,
    known: Mapping[str, Access],
    unknown: Callable[[str], Exception] | None = None,
) -> Term:
    """The term ``F(target) += Reduce_reduced [expression]``.

    ``known`` maps local names (``w``, ``u``, ``h``, ``gain``, ...) to accesses; a name that is not there
    raises what ``unknown`` makes of it.
    """
    replacement: dict[sp.Symbol, sp.Symbol] = {}
    accesses: dict[sp.Symbol, Access] = {}
    for symbol in sorted(expression.free_symbols, key=str):
        if symbol.name not in known:
            raise unknown(symbol.name) if unknown else MfError(f"'{symbol.name}' is not known")
        access = known[symbol.name]
        name, number = access.field, 2
        while accesses.get(sp.Symbol(name), access) != access:
            name, number = f"{access.field}#{number}", number + 1
        replacement[symbol] = sp.Symbol(name)
        accesses[sp.Symbol(name)] = access
    return Term(target, reduced, expression.xreplace(replacement), tuple(accesses.items()))


def numbered(base: str, count: int) -> tuple[str, ...]:
    """``base`` alone where there is one, else base1, base2, ..."""
    return (base,) if count == 1 else tuple(f"{base}{number + 1}" for number in range(count))
