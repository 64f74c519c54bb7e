"""Normalisations that divide by a deviation which is 0 in the limit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import sympy as sp

from ..algebra.findings import Finding, FindingKind
from ..algebra.functions import FUNCTIONS
from ..algebra.terms import Index, Term
from ..tensor.interpreter import pointwise
from .case import Case
from .probe import vanishes

_SQRT = FUNCTIONS["sqrt"].symbol
Evaluated = tuple[Mapping[str, Any], Mapping[str, Any]]


def vanishing_normalisation(case: Case) -> Iterator[Finding]:
    """Layers that divide by a second moment over neurons which is 0 beside what it is made of.

    ``epsilon`` is what is added to it, ``always`` whether it stays 0 when the limit moves.
    """
    found: dict[tuple[float, bool], list[str]] = {}
    statistics = frozenset(case.statistics)
    for layer in case.network.layers:
        here = [e for e in case.reduced.forward if case.reduced.field[e.field].owner == layer.name]
        terms = [term for equation in here for term in equation.terms]
        for moment in dict.fromkeys(m for term in terms for m in _moments(term, statistics)):
            if _is_zero(moment, case.probe.start):
                ever = layer.name in case.collapsed or _is_zero(moment, case.probe.later)
                names = found.setdefault((_epsilon(moment), ever), [])
                names.extend([layer.name] * (layer.name not in names))
    for (epsilon, ever), names in found.items():
        yield Finding.of(FindingKind.ZERO_VARIANCE, *names, epsilon=epsilon, always=ever)


# A quantity in a denominator, what its symbols read.
Moment = tuple[sp.Expr, tuple[tuple[sp.Symbol, str], ...]]


def _moments(term: Term, statistics: frozenset[str]) -> Iterator[Moment]:
    """What a term divides by that is made of averages over its layer's neurons."""
    table = term.access_of
    for power in term.expression.atoms(sp.Pow):
        if not (power.exp.is_number and power.exp.is_negative):
            continue
        base = power.base.args[0] if isinstance(power.base, _SQRT) else power.base
        reads = [(s, table[s]) for s in sorted(base.free_symbols, key=str)]
        slots = {access.slots for _, access in reads}
        plain = all(isinstance(slot, Index) for access in table.values() for slot in access.slots)
        if reads and len(slots) == 1 and plain and all(a.field in statistics for _, a in reads):
            yield base, tuple((symbol, access.field) for symbol, access in reads)


def _epsilon(moment: Moment) -> float:
    """The number that is added to the second moment."""
    return float(moment[0].as_coeff_Add()[0])


def _is_zero(moment: Moment, evaluated: Evaluated) -> bool:
    """Whether the second moment itself, without epsilon, is 0 beside what it is made of."""
    values, magnitudes = evaluated
    expression, reads = moment
    value, size = pointwise(
        expression - expression.as_coeff_Add()[0],
        {symbol: values[field] for symbol, field in reads},
        {symbol: magnitudes[field] for symbol, field in reads},
    )
    return bool(np.any(size)) and vanishes(value, size)
