"""What follows from laws of initial values: support, tails, and how much pairs of neurons differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import sympy as sp

from ..algebra.laws import End, Law, Variable
from ..algebra.system import LimitSystem
from ..algebra.visitor import Fold
from .function_facts import Answer, is_polynomial
from .function_rows import ROWS
from .intervals import WHOLE
from .jets import interval_of


class LawWhy(StrEnum):
    """What an answer about a law rests on."""

    FULL = "full"  # the support is everything
    POINT = "point"  # a constant
    BOUNDED = "bounded"  # a bounded law
    TIED = "tied"  # fixed by other initial values of the same neuron
    TAILS = "tails"  # with the degree: as a polynomial of that degree of normal numbers
    OPEN = "open"  # nothing shows it


@dataclass(frozen=True)
class LawFact:
    """An answer about the law of one parameter."""

    parameter: str
    answer: Answer
    why: LawWhy
    degree: float = 0.0


# ---------------------------------------------------------------------------------------- support


def full_support(system: LimitSystem, names: Sequence[str]) -> list[LawFact]:
    """For each parameter of a neuron, whether the law of all of them together leaves out no value of its own.

    Entries are independent given what laws name, so that the law of all has full support if each has, given
    the others. What is fixed by one and the same random number lies on a line.
    """
    found = [_support(system, system.parameter[name], names) for name in names]
    roots = [_root(system, name) for name in names]
    tied = [
        roots.count(root) > 1 or (root[0] != name and root[0] in names)
        for name, root in zip(names, roots, strict=True)
    ]
    return [
        LawFact(fact.parameter, Answer.NO, LawWhy.TIED) if is_tied and fact.answer is Answer.YES else fact
        for fact, is_tied in zip(found, tied, strict=True)
    ]


def _root(system: LimitSystem, name: str) -> tuple[str, tuple[int, ...]]:
    """The parameter (and its component) of which another is a function, through however many in between."""
    component: tuple[int, ...] = ()
    law = system.parameter[name].law
    while law.is_deterministic and len(law.references) == 1:
        reference = law.references[0][1]
        name, component = reference.parameter, reference.component
        law = system.parameter[name].law
    return name, component


def _support(system: LimitSystem, parameter: Variable, together: Sequence[str]) -> LawFact:
    law, name = parameter.law, parameter.name
    if law.is_deterministic:
        return _fixed_support(system, parameter, together)
    if law.row.is_full and _is_random(law):
        return LawFact(name, Answer.YES, LawWhy.FULL)
    if law.row.is_bounded and not law.references:
        return LawFact(name, Answer.NO, LawWhy.BOUNDED)
    return LawFact(name, Answer.OPEN, LawWhy.OPEN)


def _is_random(law: Law) -> bool:
    """Whether what must not be negative (a deviation) is greater than 0 for all values that the law names."""
    ranges = {symbol: WHOLE for symbol, _ in law.references}
    sizes = [law.arguments[law.row.arguments.index(name)] for name in law.row.not_negative]
    return all(interval_of(size, ranges).is_positive for size in sizes)


def _fixed_support(system: LimitSystem, parameter: Variable, together: Sequence[str]) -> LawFact:
    """The support of what is fixed by other initial values: all numbers only as an affine image of them."""
    law, name = parameter.law, parameter.name
    value, symbols = law.mean, [symbol for symbol, _ in law.references]
    read = [reference.parameter for symbol, reference in law.references if value.has(symbol)]
    if not read:
        return LawFact(name, Answer.NO, LawWhy.POINT)
    polynomial = all(is_polynomial(value, symbol) for symbol in symbols)
    entries = len([axis for axis in parameter.axes if (system.axis[axis].size or 1) > 1])
    if entries or set(read) <= set(together):
        # Equal components, or the graph of a polynomial: closed, and not everything.
        sure = entries or polynomial
        return LawFact(name, Answer.NO if sure else Answer.OPEN, LawWhy.TIED if sure else LawWhy.OPEN)
    affine = polynomial and sp.Poly(value, *symbols).total_degree() == 1
    if affine and not set(read) & set(together):
        found = [_support(system, system.parameter[other], ()) for other in dict.fromkeys(read)]
        if any(each.answer is Answer.YES for each in found) and len(set(read)) == len(read) == 1:
            return LawFact(name, Answer.YES, LawWhy.FULL)
    return LawFact(name, Answer.OPEN, LawWhy.OPEN)


# ---------------------------------------------------------------------------------------- tails


def tails(system: LimitSystem, name: str) -> LawFact:
    """Whether the initial values of a parameter are bounded or sub-Gaussian.

    The degree is that of a polynomial of normal numbers: 0 bounded, 1 sub-Gaussian, more is neither.
    """
    degree, is_sure = _law_degree(system, name)
    if degree is None or (degree > 1 and not is_sure):
        return LawFact(name, Answer.OPEN, LawWhy.OPEN)
    if degree > 1:
        return LawFact(name, Answer.NO, LawWhy.TAILS, degree)
    return LawFact(name, Answer.YES, LawWhy.TAILS if degree else LawWhy.BOUNDED, degree)


def _law_degree(system: LimitSystem, name: str) -> tuple[float | None, bool]:
    """The degree of a law, and whether it is surely no less."""
    law = system.parameter[name].law
    known = {symbol: _law_degree(system, reference.parameter) for symbol, reference in law.references}
    degrees = {symbol: degree for symbol, (degree, _) in known.items()}
    found = [_Degree(degrees)(sp.expand(argument)) for argument in law.arguments]
    if any(degree is None for degree in found):
        return None, False
    sizes = [float(degree or 0.0) for degree in found]
    polynomial = all(is_polynomial(argument, symbol) for argument in law.arguments for symbol in degrees)
    if law.row.is_bounded or law.is_deterministic:
        return max(sizes, default=0.0), polynomial and all(sure for _, sure in known.values())
    if law.row.is_full:
        # mean + deviation * normal number
        mean, *deviations = sizes
        return max(mean, *(size + 1 for size in deviations)), polynomial and all(
            sure for _, sure in known.values()
        )
    return None, False


class _Degree(Fold[float | None]):
    """How fast an expression grows in normal numbers, as the degree of a polynomial; None: not known."""

    def number(self, node: sp.Expr) -> float | None:
        return 0.0

    def add(self, node: sp.Expr, parts: list[float | None]) -> float | None:
        known = [part for part in parts if part is not None]
        return max(known) if len(known) == len(parts) else None

    def mul(self, node: sp.Expr, parts: list[float | None]) -> float | None:
        known = [part for part in parts if part is not None]
        return sum(known) if len(known) == len(parts) else None

    def power(self, node: sp.Expr, base: float | None, exponent: float | None) -> float | None:
        if base is None or exponent != 0 or not node.exp.is_number:
            return None
        if base == 0:
            return 0.0
        return base * float(node.exp) if node.exp.is_Integer and node.exp > 0 else None

    def function(self, node: sp.Expr, name: str, parts: list[float | None]) -> float | None:
        row = ROWS.get(name)
        if all(part == 0 for part in parts) or (row is not None and row.values.is_bounded):
            return 0.0
        return parts[0] if row is not None and len(parts) == 1 and row.slope.is_bounded else None


# ---------------------------------------------------------------------------------------- diversity


@dataclass(frozen=True)
class Reach:
    """In how many dimensions the mean of a weight varies, as a function of one end, with the other end.

    ``targets``: the dimension of the space of functions of the source neuron that it runs through as the
    target neuron varies; ``sources`` the other way round. None: not finite as it is written, or not seen.
    """

    weight: str
    targets: int | None
    sources: int | None


def reach(system: LimitSystem, name: str) -> Reach:
    """How diverse a weight's initial means are; all that the limit feels of an independent start is one."""
    law = system.parameter[name].law
    ends = {symbol: reference.end for symbol, reference in law.references}
    pairs = _separated(sp.expand(law.mean), ends)
    if pairs is None:
        return Reach(name, None, None)
    return Reach(name, _rank(pairs, End.TARGET), _rank(pairs, End.SOURCE))


Pair = tuple[sp.Expr, sp.Expr]


def _separated(mean: sp.Expr, ends: dict[sp.Symbol, End]) -> list[Pair] | None:
    """A mean as a sum of products f(source) g(target), None where a summand is no such product."""
    found = []
    for term in sp.Add.make_args(mean):
        source, target = [sp.Integer(1)], [sp.Integer(1)]
        for factor in sp.Mul.make_args(term):
            read = {ends[symbol] for symbol in factor.free_symbols}
            if len(read) > 1:
                return None
            (target if End.TARGET in read else source).append(factor)
        found.append((sp.Mul(*source), sp.Mul(*target)))
    return found


def _rank(pairs: list[Pair], end: End) -> int:
    """The dimension that is left as the neuron at ``end`` varies.

    At most the number of different functions of it other than constants: each stands beside one function of
    the other end.
    """
    place = 1 if end is End.TARGET else 0
    return len({pair[place] for pair in pairs if pair[place].free_symbols})
