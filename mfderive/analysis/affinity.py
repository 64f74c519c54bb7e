"""Which weights' noise an average over it cannot remove: the test behind closure.

The test looks at the structure of an expression, not at its second derivative: relu(w u) has a second
derivative of 0 wherever there is one, and is not affine.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations, product

import sympy as sp

from ..algebra.system import LimitSystem
from ..algebra.terms import Access, AxisKind, Index, Slot, Term

Pair = tuple[sp.Symbol, sp.Symbol]


@dataclass(frozen=True)
class Obstacle:
    """Two reads of noise on one pair of neurons in a term that is not jointly affine in them.

    ``one`` and ``other`` may be the same access: then the term is not affine in that weight alone.
    """

    equation: str
    term: Term
    one: Access
    other: Access

    @property
    def weights(self) -> tuple[str, ...]:
        """The names of the weights, each once."""
        return tuple(dict.fromkeys((self.one.field, self.other.field)))


def noise_obstacles(system: LimitSystem) -> tuple[Obstacle, ...]:
    """Every place where a term of H, D or G is not jointly affine in the weights that carry a pair's noise.

    Weights that are read at the same pair of neurons share the pair: where two of them are multiplied on it,
    their noises grow together. On different pairs noises are independent, and products average to products.
    """
    found: dict[tuple[str, str, str], Obstacle] = {}
    for equation in system.equations:
        for term in equation.terms:
            table = term.access_of
            noisy = {symbol for symbol, access in table.items() if noise_slot(system, access)}
            for one, other in _remaining(term.expression, noisy):
                if pair_of(system, table[one]) == pair_of(system, table[other]):
                    obstacle = Obstacle(equation.field, term, table[one], table[other])
                    key = (equation.field, obstacle.weights[0], obstacle.weights[-1])
                    found.setdefault(key, obstacle)
    return tuple(found.values())


def _remaining(expression: sp.Expr, noisy: set[sp.Symbol]) -> set[Pair]:
    """The entangled pairs of an expression, powers and products multiplied out where they seem to matter."""
    found = entangled(expression, noisy)
    return entangled(sp.expand(expression), noisy) if found else found


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
    """
    return set(_entangled(expression, noisy))


def _entangled(expression: sp.Expr, noisy: set[sp.Symbol]) -> Iterator[Pair]:
    present = _sorted(expression.free_symbols & noisy)
    if not present or expression.is_Symbol:
        return
    if expression.is_Add or expression.is_Mul:
        for argument in expression.args:
            yield from _entangled(argument, noisy)
        if expression.is_Mul:
            for one, other in combinations(expression.args, 2):
                yield from product(_sorted(one.free_symbols & noisy), _sorted(other.free_symbols & noisy))
        return
    for place, one in enumerate(present):
        for other in present[place:]:
            yield one, other


def _sorted(symbols: set[sp.Symbol]) -> list[sp.Symbol]:
    return sorted(symbols, key=lambda symbol: str(symbol.name))
