"""Means over laws of several numbers by sparse grids (Smolyak), with an estimate of their error.

A sparse grid of level q in d numbers is the sum over k = (k_1, ..., k_d) with q - d < |k| <= q of
(-1)^(q - |k|) binom(d - 1, q - |k|) times the tensor of Gauss rules with 2 k_i + 1 nodes (Smolyak 1963;
Wasilkowski and Wozniakowski 1995): exact for polynomials of total degree 2 q + 1, on a number of points that
grows as d^q / q! with d. Weights of both signs are right for a mean, and wrong for a law that training sees:
what is minimised would have no lower bound.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import comb

import numpy as np

from ..algebra.law_kinds import LAWS, smooth_numbers
from .points import number_rule, tensor_of
from .rule_pairs import RulePair
from .standard_law import StandardLaw

Array = np.ndarray

# The least level with a coarser one that sees how wide a law is, and the highest that is looked for.
_LEAST_LEVEL, _MOST_LEVEL = 2, 12
# Points that are closer than this are one (Gauss rules of odd sizes share their centre).
_DIGITS = 12


def has_sparse_rules(law: StandardLaw) -> bool:
    """Whether a law has sparse grids: Gauss nodes for every number, and one or more that are smooth."""
    return all(LAWS[kind].has_gauss_nodes for kind in law.kinds) and len(smooth_numbers(law.kinds)) > 0


def sparse_level(law: StandardLaw, most: int) -> int | None:
    """The highest level at which a grid and the one below have at most ``most`` points; None: none has."""
    found = None
    for level in range(_LEAST_LEVEL, _MOST_LEVEL + 1):
        if len(law.odds) * (_size(law, level) + _size(law, level - 1)) > most:
            return found
        found = level
    return found


def sparse_pair(law: StandardLaw, level: int) -> tuple[Array, Array, RulePair]:
    """x [node, d], y [node, outputs] and the pair of the grids of a level and of the one below."""
    rules = [law.at_nodes(*sparse_points(law.kinds, each)) for each in (level - 1, level)]
    x, y = (np.concatenate(column) for column in list(zip(*rules, strict=True))[:2])
    return x, y, RulePair(rules[1][2], rules[0][2])


def sparse_points(kinds: Sequence[str], level: int) -> tuple[Array, Array]:
    """Points [node, number] and weights [node], of both signs, of a level; two nodes for two values."""
    smooth = smooth_numbers(kinds)
    points, weights = [], []
    for above, levels in _terms(len(smooth), level):
        rules = [number_rule(kind, 2, False) for kind in kinds]
        for place, own in zip(smooth, levels, strict=True):
            rules[place] = number_rule(kinds[place], 2 * own + 1, False)
        own_points, own_weights = tensor_of(rules)
        points.append(own_points)
        weights.append((-1) ** above * comb(len(smooth) - 1, above) * own_weights)
    return _merged(np.concatenate(points), np.concatenate(weights))


def _merged(points: Array, weights: Array) -> tuple[Array, Array]:
    """The same rule with every point once."""
    rounded = np.round(points, _DIGITS) + 0.0
    _, first, where = np.unique(rounded, axis=0, return_index=True, return_inverse=True)
    total = np.zeros(len(first))
    np.add.at(total, where.ravel(), weights)
    kept = np.abs(total) > 1e-15 * np.abs(total).max()
    return points[first[kept]], total[kept]


def _terms(numbers: int, level: int) -> Iterator[tuple[int, tuple[int, ...]]]:
    """(level - |k|, k) of every tensor of a sparse grid."""
    for above in range(min(numbers, level + 1)):
        for levels in _partitions(numbers, level - above):
            yield above, levels


def _partitions(numbers: int, total: int) -> Iterator[tuple[int, ...]]:
    """All tuples of so many numbers, none negative, with this sum."""
    if numbers == 1:
        yield (total,)
        return
    for first in range(total + 1):
        for rest in _partitions(numbers - 1, total - first):
            yield (first, *rest)


def _size(law: StandardLaw, level: int) -> int:
    """About how many points a grid has: those of its largest tensors, of which the others share most."""
    smooth = len(smooth_numbers(law.kinds))
    pairs = 2 ** (len(law.kinds) - smooth)
    ways = [1] + [0] * level
    # New points of a number by its level: one in the centre, then 2 k more for its 2 k + 1 nodes.
    for _ in range(smooth):
        ways = [
            sum(ways[total - own] * (2 * own if own else 1) for own in range(total + 1))
            for total in range(level + 1)
        ]
    return int(pairs * sum(ways))
