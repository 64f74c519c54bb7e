"""Log densities as sums of terms: products of known factors and of statistics, summed over indices."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import sympy as sp

from ..errors import ArgumentError, shown
from .exponential_families import CONSTANT, Family

Variables = Mapping[Any, Family]  # Symbol or IndexedBase -> its family


@dataclass(frozen=True)
class Statistic:
    """A statistic of an entry: ``factor`` as it stands in the density, ``place`` which it is."""

    variable: Any
    entry: sp.Expr
    factor: sp.Expr
    place: int = 0

    @property
    def indices(self) -> tuple[sp.Expr, ...]:
        """The indices of the entry; of a variable that is one number, none."""
        return tuple(self.entry.indices) if isinstance(self.entry, sp.Indexed) else ()

    def renamed(self, names: Mapping[Any, Any]) -> Statistic:
        """The same with other indices."""
        return replace(self, entry=self.entry.xreplace(names), factor=self.factor.xreplace(names))


@dataclass(frozen=True)
class DensityTerm:
    """sum over ``sums`` of the product of ``known`` factors and ``statistics`` of different entries.

    ``sums``: index symbols with the number of their values, None where only other terms say it. ``apart``:
    pairs of index tuples that a known factor 1 - delta keeps apart.
    """

    known: tuple[sp.Expr, ...]
    statistics: tuple[Statistic, ...]
    sums: tuple[tuple[sp.Symbol, sp.Expr | None], ...]
    apart: frozenset[frozenset[tuple[Any, ...]]] = frozenset()

    def renamed(self, names: Mapping[Any, Any]) -> DensityTerm:
        """The same with other indices; an index that takes the name of another is summed no longer."""
        gone = {names[symbol]: size for symbol, size in self.sums if symbol in names}
        return DensityTerm(
            tuple(each.xreplace(names) for each in self.known),
            tuple(each.renamed(names) for each in self.statistics),
            tuple(
                (symbol, gone.get(symbol) if size is None else size)
                for symbol, size in self.sums
                if symbol not in names
            ),
            frozenset(
                frozenset(tuple(names.get(i, i) for i in side) for side in pair) for pair in self.apart
            ),
        )


def density_terms(log_joint: sp.Expr, variables: Variables) -> list[DensityTerm]:
    """The terms of a log density. Raises ArgumentError for what is no sum of products of statistics.

    Sums run over whole axes, (i, 0, N - 1). Where a variable stands in a term at two entries, the sum is
    divided into that over different entries, which are independent under q, and that over equal ones.
    """
    expression = sp.expand(sp.expand_log(sp.sympify(log_joint), force=True))
    fresh = itertools.count(1)
    found: list[DensityTerm] = []
    for known, sums in _products(expression, (), fresh):
        found += _separated(_sorted(known, sums, variables, fresh), variables)
    return found


def _products(expression: sp.Expr, sums: tuple[Any, ...], fresh: Iterator[int]) -> Iterator[tuple[Any, Any]]:
    """Products of factors, with the indices over which they are summed."""
    expression = sp.expand(sp.expand_log(expression, force=True))
    if expression.is_Add:
        for part in expression.args:
            yield from _products(part, sums, fresh)
        return
    factors = list(_factors(expression))
    inner = next((factor for factor in factors if isinstance(factor, sp.Sum)), None)
    if inner is None:
        yield factors, sums
        return
    factors.remove(inner)
    rest = sp.Mul(*factors)
    body = inner.function
    taken = rest.free_symbols | {symbol for symbol, _ in sums}
    for limit in inner.limits:
        symbol, low, high = _limit(limit)
        if symbol in taken:
            renamed = sp.Dummy(f"{symbol}{next(fresh)}", integer=True)
            body, symbol = body.xreplace({symbol: renamed}), renamed
        if low != 0:
            raise ArgumentError(
                f"the sum over {symbol} begins at {low}; sums run over whole axes: ({symbol}, 0, N - 1)"
            )
        sums = (*sums, (symbol, sp.simplify(high + 1)))
    # The other factors may be sums over the same letters: they are renamed when their turn comes.
    yield from _products(body * rest, sums, fresh)


def _factors(expression: sp.Expr) -> Iterator[sp.Expr]:
    """Factors of a product, powers of sums written out."""
    for factor in sp.Mul.make_args(expression):
        base, exponent = factor.as_base_exp()
        if base.has(sp.Sum) and exponent.is_Integer and exponent > 0:
            yield from [base] * int(exponent)
        else:
            yield factor


def _limit(limit: Any) -> tuple[Any, Any, Any]:
    if len(limit) != 3:
        raise ArgumentError(f"the sum over {limit[0]} has no ends; write ({limit[0]}, 0, N - 1)")
    symbol, low, high = limit
    return symbol, low, high


def entries_of(expression: sp.Expr, variables: Variables) -> list[tuple[Any, sp.Expr]]:
    """The variables in an expression, each with its entry, in a fixed order."""
    found = [(each.base, each) for each in expression.atoms(sp.Indexed) if each.base in variables]
    found += [(each, each) for each in expression.atoms(sp.Symbol) if each in variables]
    return sorted(found, key=lambda pair: str(pair[1]))


def _sorted(
    factors: Iterable[sp.Expr], sums: tuple[Any, ...], variables: Variables, fresh: Iterator[int]
) -> DensityTerm:
    """A product as known factors and statistics; entries at fixed places get an index of their own."""
    known: list[sp.Expr] = []
    by_entry: dict[tuple[Any, sp.Expr], sp.Expr] = {}
    for factor in factors:
        inside = entries_of(factor, variables)
        if len(inside) > 1:
            both = " and ".join(str(entry) for _, entry in inside)
            raise ArgumentError(
                f"{shown(str(factor))} joins {both} in a function that is no product of functions of one "
                "each, so their conditional laws are not in closed form. Take a conjugate density"
            )
        if not inside:
            known.append(factor)
        else:
            by_entry[inside[0]] = by_entry.get(inside[0], sp.Integer(1)) * factor
    statistics = []
    for (variable, entry), factor in by_entry.items():
        names: dict[Any, Any] = {}
        indices = list(entry.indices) if isinstance(entry, sp.Indexed) else []
        for place, index in enumerate(indices):
            if (
                index.is_Symbol
                and any(index == symbol for symbol, _ in sums)
                and index not in indices[:place]
            ):
                continue
            if not index.is_Integer:
                raise ArgumentError(
                    f"the index {index} of {entry} is neither an index of a Sum, once each, nor a number. "
                    "Sum over the axis, and couple entries by an array of numbers"
                )
            symbol = sp.Dummy(f"{variable}{next(fresh)}", integer=True)
            sums = (*sums, (symbol, None))
            known.append(sp.KroneckerDelta(symbol, index))
            indices[place] = symbol
            names[entry] = entry.base[tuple(indices)]
        statistics.append(Statistic(variable, names.get(entry, entry), factor.xreplace(names)))
    return DensityTerm(tuple(known), tuple(statistics), sums)


def _separated(term: DensityTerm, variables: Variables) -> list[DensityTerm]:
    """Terms in which every two statistics belong to different entries, recognised."""
    for first, second in itertools.combinations(term.statistics, 2):
        if first.variable != second.variable:
            continue
        family = variables[first.variable]
        items = [_item(each, family) for each in (first, second)]
        if frozenset(items) in term.apart and items[0] != items[1]:
            continue
        if items[0] == items[1]:
            return _separated(_merged(term, first, second, family), variables)
        # sum_ij = sum over i = j and sum over the others.
        same: dict[Any, Any] = {}
        for mine, other in zip(*items, strict=True):
            mine, other = same.get(mine, mine), same.get(other, other)
            if mine != other:
                same = {key: mine if value == other else value for key, value in same.items()} | {other: mine}
        delta = sp.Mul(*(sp.KroneckerDelta(*pair) for pair in zip(*items, strict=True)))
        different = replace(term, known=(*term.known, 1 - delta), apart=term.apart | {frozenset(items)})
        return _separated(term.renamed(same), variables) + _separated(different, variables)
    if any(factor == 0 for factor in term.known):
        return []
    return [_recognised(term, variables)]


def _item(statistic: Statistic, family: Family) -> tuple[Any, ...]:
    """Indices that say which draw it is: for vectors all but the component."""
    return statistic.indices[:-1] if family.is_vector else statistic.indices


def _merged(term: DensityTerm, first: Statistic, second: Statistic, family: Family) -> DensityTerm:
    """Two factors of one draw as one; products of two components of a categorical draw are 0."""
    if first.indices != second.indices:
        if family.recognise(first.entry * first.entry, first.entry) is None:
            raise ArgumentError(
                f"{first.factor}*{second.factor} multiplies two components of one draw of {first.variable}, "
                f"which a {family.name} law has no mean of in closed form"
            )
        return term.renamed({second.indices[-1]: first.indices[-1]})
    one = replace(first, factor=first.factor * second.factor)
    others = tuple(each for each in term.statistics if each is not first and each is not second)
    return replace(term, statistics=(*others, one))


def _recognised(term: DensityTerm, variables: Variables) -> DensityTerm:
    """Every statistic with its place in its family. Raises ArgumentError for those that are none, by name."""
    kept = []
    for each in term.statistics:
        family = variables[each.variable]
        place = family.recognise(each.factor, each.entry)
        if place is None:
            raise ArgumentError(
                f"the log density depends on {each.entry} by {each.factor}, so its conditional law is not "
                f"{family.name}: then it may depend by {family.words.format(v=each.entry)}. Declare another "
                "family, or change the prior to a conjugate one"
            )
        if place != CONSTANT:
            kept.append(replace(each, place=place))
    return replace(term, statistics=tuple(kept))
