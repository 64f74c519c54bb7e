"""Affinity: which weights' noise an average over it cannot remove. Closure and measure notation ask here.

The test looks at the structure of an expression, not at its second derivative: relu(w u) has a second
derivative of 0 wherever there is one, and is not affine.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations, combinations_with_replacement, product

import sympy as sp

from ..algebra.system import LimitSystem
from ..algebra.terms import Access, AxisKind, Equation, Index, Role, Slot, Term
from ..algebra.visitor import Fold

Pair = tuple[sp.Symbol, sp.Symbol]


@dataclass(frozen=True)
class Obstacle:
    """Two reads of noise on one pair of neurons in a term of ``equation`` not jointly affine in them.

    ``one`` and ``other`` may be the same access: then the term is not affine in that weight alone.
    ``weights`` are the names of the weights that they belong to, each once.
    """

    equation: str
    term: Term
    one: Access
    other: Access
    weights: tuple[str, ...]


def noise_obstacles(system: LimitSystem) -> tuple[Obstacle, ...]:
    """Every place where a term of H, D or G is not jointly affine in the weights that carry a pair's noise.

    Weights that are read at the same pair of neurons share the pair: where two of them are multiplied on it,
    their noises grow together. On different pairs noises are independent, and products average to products.
    """
    found: dict[tuple[str, str, str], Obstacle] = {}
    carriers = noise_carriers(system)
    for equation in system.equations:
        for term in equation.terms:
            table = term.access_of
            noisy = {symbol for symbol, access in table.items() if access.field in carriers}
            for one, other in _sorted_pairs(_remaining(equation, term, noisy)):
                if pair_of(system, table[one]) == pair_of(system, table[other]):
                    owners = tuple(system.parameter_of[table[each].field] for each in (one, other))
                    obstacle = Obstacle(
                        equation.field, term, table[one], table[other], tuple(dict.fromkeys(owners))
                    )
                    key = (equation.field, obstacle.weights[0], obstacle.weights[-1])
                    found.setdefault(key, obstacle)
    return tuple(found.values())


def noise_carriers(system: LimitSystem) -> frozenset[str]:
    """The fields that vary with the noise of a pair: weights, fresh noise on them, and what reads either.

    A velocity has a value for each node of the noise, and most often the same one: it is an average of values
    that know nothing of the pair's noise.
    """
    noise = {axis.name for axis in system.axes if axis.kind is AxisKind.NOISE}
    on_pairs = {field.name for field in system.fields if noise.intersection(field.axes)}
    found = {p.name for p in system.parameters if p.name in on_pairs}
    found |= {field.name for field in system.fields if field.role is Role.DRAW and field.name in on_pairs}
    before = -1
    while before != len(found):
        before = len(found)
        found |= {e.field for e in system.equations if e.field in on_pairs and e.reads & found}
        found |= {v.name for v in system.variables if found.intersection(system.movers_of[v.name])}
    return frozenset(found)


def noise_groups(system: LimitSystem, obstacles: Iterable[Obstacle]) -> list[list[str]]:
    """The weights whose noise stays, those that share a pair's noise together.

    A weight that is constant given its ends, and stays so, has no noise of its own: alone it may always be
    closed.
    """
    groups: list[set[str]] = []
    for obstacle in obstacles:
        group = set(obstacle.weights)
        for other in [g for g in groups if g & group]:
            groups.remove(other)
            group |= other
        groups.append(group)
    order = [p.name for p in system.parameters]
    random = {p.name for p in system.parameters if not p.law.is_deterministic}
    random |= {field.of for field in system.fields if field.role is Role.DRAW}
    return [sorted(group, key=order.index) for group in groups if group & random]


def kernel_obstacles(system: LimitSystem) -> tuple[Obstacle, ...]:
    """The obstacles of weights whose noise stays: without one, the conditional means f are a closed state."""
    obstacles = noise_obstacles(system)
    kept = {weight for group in noise_groups(system, obstacles) for weight in group}
    return tuple(obstacle for obstacle in obstacles if kept.intersection(obstacle.weights))


def _remaining(equation: Equation, term: Term, noisy: set[sp.Symbol]) -> set[Pair]:
    """The entangled pairs of a term, powers and products multiplied out where they seem to matter."""
    if equation.selector:
        # A first maximum jumps, whatever its values are like.
        return set(combinations_with_replacement(_sorted(term.expression.free_symbols & noisy), 2))
    found = entangled(term.expression, noisy)
    return entangled(sp.expand(term.expression), noisy) if found else found


def noise_slot(system: LimitSystem, access: Access) -> Index | None:
    """The slot of an access that runs over edge noise, if it has one."""
    for slot in access.slots:
        if isinstance(slot, Index) and system.axis[slot.axis].kind is AxisKind.NOISE:
            return slot
    return None


def ends_of(system: LimitSystem, slots: tuple[Slot, ...]) -> tuple[Index, ...]:
    """The neurons (population slots) at which a weight is read: target, source."""
    return tuple(
        slot
        for slot in slots
        if isinstance(slot, Index) and system.axis[slot.axis].kind is AxisKind.POPULATION
    )


def pair_of(system: LimitSystem, access: Access) -> frozenset[Index]:
    """The pair of neurons at which a weight is read, in either direction."""
    return frozenset(ends_of(system, access.slots))


def entangled(expression: sp.Expr, noisy: set[sp.Symbol]) -> set[Pair]:
    """The pairs of symbols in which an expression is not jointly affine, (w, w) for w alone.

    Symbols multiplied with each other are entangled, and all symbols inside a function or a power.
    Raises UnknownNodeError for a node outside of the closed table.
    """
    return set(_Entanglement(noisy)(expression).pairs)


@dataclass(frozen=True)
class _Reach:
    """The noisy symbols of an expression (none: degree 0) and its entangled pairs (none: affine)."""

    symbols: frozenset[sp.Symbol] = frozenset()
    pairs: frozenset[Pair] = frozenset()


class _Entanglement(Fold[_Reach]):
    """The noisy symbols and the entangled pairs of an expression, from those of its parts."""

    def __init__(self, noisy: set[sp.Symbol]) -> None:
        super().__init__({symbol: _Reach(frozenset({symbol})) for symbol in noisy})

    def number(self, node: sp.Expr) -> _Reach:
        """Degree 0."""
        return _Reach()

    def symbol(self, node: sp.Symbol) -> _Reach:
        """Degree 0: the symbol carries no noise."""
        return _Reach()

    def add(self, node: sp.Expr, parts: list[_Reach]) -> _Reach:
        """As affine as its parts."""
        symbols = frozenset[sp.Symbol]().union(*(part.symbols for part in parts))
        return _Reach(symbols, frozenset[Pair]().union(*(part.pairs for part in parts)))

    def mul(self, node: sp.Expr, parts: list[_Reach]) -> _Reach:
        """Symbols of different factors are entangled."""
        both = self.add(node, parts)
        crossed = (
            _ordered(pair) for a, b in combinations(parts, 2) for pair in product(a.symbols, b.symbols)
        )
        return _Reach(both.symbols, both.pairs.union(crossed))

    def power(self, node: sp.Expr, base: _Reach, exponent: _Reach) -> _Reach:
        """As a function: 1 is no exponent of a power."""
        return self.function(node, "", [base, exponent])

    def function(self, node: sp.Expr, name: str, parts: list[_Reach]) -> _Reach:
        """No function of the table is affine: all symbols inside are entangled, each with itself too."""
        inside = _sorted(self.add(node, parts).symbols)
        return _Reach(frozenset(inside), frozenset(combinations_with_replacement(inside, 2)))


def _ordered(pair: Pair) -> Pair:
    one, other = _sorted(pair)
    return one, other


def _sorted(symbols: Iterable[sp.Symbol]) -> list[sp.Symbol]:
    return sorted(symbols, key=lambda symbol: str(symbol.name))


def _sorted_pairs(pairs: Iterable[Pair]) -> list[Pair]:
    return sorted(pairs, key=lambda pair: tuple(str(symbol.name) for symbol in pair))
