"""Charges: which fields change their sign together with something that does, found by a least fixed point.

Parameters start with a charge of their own, what a learning rule remembers of them starts at 0 and has none;
equations say what everything else has. A field whose terms disagree has no charge, and then there is no
symmetry.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import product

import sympy as sp

from ..algebra.laws import Variable
from ..algebra.parity import Known, Parity, parity_of, parity_of_sum
from ..algebra.system import LimitSystem
from ..algebra.terms import Equation, Term

Charges = dict[str, Parity]
# The parity of what a term reduces, given the charges of fields.
TermParity = Callable[[Equation, Term, Mapping[str, Parity]], Known]

# Charges of more parameters than these are not tried out.
_MOST_OPEN = 6


def charges(
    system: LimitSystem,
    given: Mapping[str, Parity],
    carriers: Callable[[Variable], bool],
    parity: TermParity,
    fits: Callable[[Charges], bool],
) -> Charges | None:
    """The charges of all fields, where ``given`` ones are known; None where none fit.

    ``carriers``: the variables that may change their sign, if the law of their start is symmetric; those that
    start at 0 take the charge of what moves them. ``fits`` says whether charges are a symmetry.
    """
    starts: dict[str, tuple[Parity, ...]] = {}
    for variable in system.variables:
        starts[variable.name] = _starts(variable, carriers(variable))
    open_names = [name for name, options in starts.items() if len(options) > 1]
    if len(open_names) > _MOST_OPEN:
        return None
    fixed = {name: options[0] for name, options in starts.items() if len(options) == 1}
    for chosen in product(*(starts[name] for name in open_names)):
        found = _followed(system, {**fixed, **dict(zip(open_names, chosen, strict=True)), **given}, parity)
        if found is not None and fits(found):
            return found
    return None


def _starts(variable: Variable, carries: bool) -> tuple[Parity, ...]:
    """The charges that the start of a variable can have."""
    law = variable.law
    if law.is_deterministic:
        return (Parity.ZERO if law.mean == 0 else Parity.EVEN,)
    return (Parity.ODD, Parity.EVEN) if carries and law.is_symmetric else (Parity.EVEN,)


def _followed(system: LimitSystem, start: Mapping[str, Parity], parity: TermParity) -> Charges | None:
    """The charges of all fields from those that are known; None where a field has none."""
    known: Charges = {field.name: Parity.EVEN for field in system.fields}
    known |= start
    while True:
        before = dict(known)
        for equation in system.equations:
            whole = parity_of_sum([parity(equation, term, known) for term in equation.terms])
            if whole is None or (equation.selector and whole is Parity.ODD):
                return None
            known[equation.field] = whole
        for variable in system.variables:
            moved = parity_of_sum([known[variable.name], *map(known.__getitem__, _movers(system, variable))])
            if moved is None:
                return None
            known[variable.name] = moved
        if known == before:
            return known


def _movers(system: LimitSystem, variable: Variable) -> list[str]:
    return [name for name in system.movers_of[variable.name] if name in system.equation_of]


def read_parities(term: Term, known: Mapping[str, Known]) -> dict[sp.Symbol, Known]:
    """The charges of what a term reads, by symbol."""
    return {symbol: known[access.field] for symbol, access in term.accesses}


def term_parity(term: Term, known: Mapping[str, Known]) -> Known:
    """The parity of what a term reduces, given the charges of fields."""
    return parity_of(term.expression, read_parities(term, known))


def odd_averages(
    system: LimitSystem, known: Mapping[str, Known], is_average: Callable[[Equation, Term], bool]
) -> frozenset[tuple[str, int]]:
    """Averages of what is odd, which are 0, each by the field of its equation and its position there."""
    return frozenset(
        (equation.field, position)
        for equation in system.equations
        for position, term in enumerate(equation.terms)
        if is_average(equation, term) and term_parity(term, known) is Parity.ODD
    )
