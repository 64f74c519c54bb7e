"""The directions of x in which expressions read it: those of the linear forms that they are made of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import sympy as sp

Form = Mapping[sp.Symbol, sp.Expr]


def directions_read(expressions: Iterable[sp.Expr], symbols: Sequence[sp.Symbol]) -> Iterator[list[float]]:
    """Vectors [coordinate] of which expressions in the coordinates ``symbols`` read products with x alone.

    tanh(x1 + 2 x2) + x3 reads (1, 2, 0) and (0, 0, 1). They suffice, and need not be the fewest: what only
    becomes a function of one form when it is factorised counts by its parts.
    """
    position = {symbol: k for k, symbol in enumerate(symbols)}
    for expression in expressions:
        for form in _forms(expression):
            vector = [0.0] * len(symbols)
            for symbol, factor in form.items():
                vector[position[symbol]] = float(factor)
            yield vector


def _forms(expression: sp.Expr) -> Iterator[Form]:
    """The linear forms of an expression, each of symbols with numbers before them."""
    if not expression.free_symbols:
        return
    form: dict[sp.Symbol, sp.Expr] = {}
    others = []
    for part in sp.Add.make_args(expression):
        factor, rest = part.as_independent(*part.free_symbols, as_Add=False)
        if rest.is_Symbol:
            form[rest] = factor
        elif part is not expression:
            others.append(part)
        else:
            others.extend(part.args)
    if form:
        yield form
    for other in others:
        yield from _forms(other)
