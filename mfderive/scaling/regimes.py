"""The regime in which a spec's network trains: found from its laws and equations, and what would change it.

Sums over populations are divided by their widths in every spec, so laws and rates decide: whether anything
moves at the start, whether the network is more than linear in what moves, and whether a weight between two
populations stands where mean field and muP differ.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

import sympy as sp

from ..algebra.findings import Finding
from ..algebra.system import LimitSystem
from ..algebra.terms import Equation
from ..algebra.visitor import Fold
from ..analysis.constants import initial_constants, surely_still
from .parameter_readings import parameter_readings
from .width_conventions import Convention, deviation


class RegimeKind(StrEnum):
    """The names of regimes, and with them the kinds of findings about why it is this one."""

    MEAN_FIELD = "mean field with non-centred weights"
    CENTRED = "mean field with centred weights"
    STATIONARY = "stationary start"
    COMMON = "mean field and muP at once"
    LAZY = "lazy"
    FINITE = "no layer is infinitely wide"
    UNTRAINED = "nothing is trained"


class Change(StrEnum):
    """What would lead to another regime; subjects are the parameters that it is about."""

    CENTRE = "centre"  # means of 0
    UNCENTRE = "uncentre"  # means other than 0
    WIDEN = "widen"  # centred weights sqrt(n) as large: muP
    WIDEN_OUTPUT = "widen-output"  # output weights sqrt(n) as large: lazy
    FIRST_STEP = "first-step"  # a first step of a larger rate
    UNFREEZE = "unfreeze"
    UNSIZE = "unsize"  # a layer without a size of its own


@dataclass(frozen=True)
class Regime:
    """The regime of a network. ``why`` is one finding of the regime's kind, ``changes`` lead out of it."""

    kind: RegimeKind
    why: Finding
    changes: tuple[Finding, ...]


def regime(limit: LimitSystem, reduced: LimitSystem, refused: Collection[Convention] = ()) -> Regime:
    """The regime of a limit; ``reduced`` is its reduction, which knows which averages cancel.

    ``refused``: the conventions that the network cannot have, which no change of it leads to.
    """
    trained = [e for e in limit.evolution if e.terms]
    names = [limit.field[equation.field].of for equation in trained]
    if not limit.populations:
        return _made(RegimeKind.FINITE, (), (Finding.of(Change.UNSIZE),))
    if not names:
        frozen = tuple(parameter.name for parameter in limit.parameters)
        return _made(RegimeKind.UNTRAINED, (), (Finding.of(Change.UNFREEZE, *frozen),))
    still = surely_still(reduced, names, initial_constants(reduced), ())
    moving = tuple(name for name in names if name not in still)
    hidden = tuple(p.name for p in limit.parameters if len(limit.scalings[p.name]) > 1)
    centred = tuple(name for name in hidden if limit.parameter[name].law.mean == 0)
    if still:
        held = tuple(name for name in names if name in still)
        ways = tuple(_out_of_rest(limit, centred, refused))
        return _made(RegimeKind.STATIONARY, held, ways, moving=moving, centred=centred)
    if _is_affine(limit, moving):
        fixed = tuple(p.name for p in limit.parameters if p.name not in moving)
        return _made(RegimeKind.LAZY, moving, (Finding.of(Change.UNFREEZE, *fixed),), fixed=fixed)
    wider = tuple(_larger(limit, Change.WIDEN, hidden, Convention.MUP, refused))
    outputs = tuple(dict.fromkeys(_outputs(limit, moving)))
    lazier = tuple(_larger(limit, Change.WIDEN_OUTPUT, outputs, Convention.NTK, refused, also=bool(wider)))
    if not hidden:
        return _made(RegimeKind.COMMON, (), lazier)
    uncentred = tuple(name for name in hidden if name not in centred)
    if not uncentred:
        changes = (Finding.of(Change.UNCENTRE, *centred), *wider, *lazier)
        return _made(RegimeKind.CENTRED, centred, changes, moving=moving)
    closing = (Finding.of(Change.CENTRE, *uncentred),)
    return _made(RegimeKind.MEAN_FIELD, uncentred, (*closing, *wider, *lazier), centred=centred)


def _made(
    kind: RegimeKind, subjects: tuple[str, ...], changes: tuple[Finding, ...], **facts: object
) -> Regime:
    return Regime(kind, Finding.of(kind, *subjects, **facts), changes)


def _out_of_rest(
    limit: LimitSystem, centred: tuple[str, ...], refused: Collection[Convention]
) -> Iterator[Finding]:
    """The ways out of a stationary start (Hajjar, Chizat and Giraud name them)."""
    if centred:
        yield Finding.of(Change.UNCENTRE, *centred)
        yield from _larger(limit, Change.WIDEN, centred, Convention.MUP, refused)
    yield Finding.of(Change.FIRST_STEP)


def _larger(
    limit: LimitSystem,
    change: Change,
    names: tuple[str, ...],
    convention: Convention,
    refused: Collection[Convention],
    **facts: object,
) -> Iterator[Finding]:
    """Entries of the size that a convention gives them, where it is larger than order 1."""
    if convention in refused:
        return
    readings = parameter_readings(limit)
    sizes = {name: deviation(convention, readings[name]) for name in names}
    larger = {name: size for name, size in sizes.items() if size.degree > 0}
    if larger:
        told = tuple(dict.fromkeys(size.text for size in larger.values()))
        yield Finding.of(change, *larger, sizes=told, **facts)


def _outputs(limit: LimitSystem, moving: tuple[str, ...]) -> Iterator[str]:
    """The weights that average a population into what the loss reads."""
    for equation in limit.forward:
        if equation.field in _seen_by_loss(limit):
            for term in equation.terms:
                averaged = {index.axis for index in term.reduced}
                for _, access in term.accesses:
                    own = limit.scalings.get(access.field, ())
                    if access.field in moving and own and averaged & set(own):
                        yield access.field


def _seen_by_loss(limit: LimitSystem) -> frozenset[str]:
    """The fields of the network that equations of the loss read."""
    return frozenset(
        name
        for equation in limit.forward
        if limit.field[equation.field].owner == "loss"
        for name in equation.reads
        if limit.field[name].owner != "loss"
    )


# ---------------------------------------------------------------------------------- linear in what moves


class _Dependence(Fold[int]):
    """How an expression depends on what moves: 0 not at all, 1 as an affine function, 2 otherwise."""

    def number(self, node: sp.Expr) -> int:
        return 0

    def add(self, node: sp.Expr, parts: list[int]) -> int:
        return max(parts)

    def mul(self, node: sp.Expr, parts: list[int]) -> int:
        return min(2, sum(parts))

    def power(self, node: sp.Expr, base: int, exponent: int) -> int:
        return 2 if base or exponent else 0

    def function(self, node: sp.Expr, name: str, parts: list[int]) -> int:
        return 2 if any(parts) else 0


def _is_affine(limit: LimitSystem, moving: tuple[str, ...]) -> bool:
    """Whether what the loss reads is an affine function of all parameters that move: a kernel method."""
    known: dict[str, int] = {field.name: int(field.name in moving) for field in limit.fields}
    for equation in limit.forward:
        known[equation.field] = _dependence(equation, known)
    return all(known[name] <= 1 for name in _seen_by_loss(limit))


def _dependence(equation: Equation, known: Mapping[str, int]) -> int:
    found = 0
    for term in equation.terms:
        symbols = {symbol: known[access.field] for symbol, access in term.accesses}
        found = max(found, _Dependence(symbols)(term.expression))
    return 2 if found and equation.selector else found
