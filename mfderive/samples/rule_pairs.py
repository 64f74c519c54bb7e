"""A mean over nodes of a law of a few numbers, with an estimate of its error by a rule of fewer nodes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..algebra.law_kinds import LAWS, Standard, smooth_numbers
from .independent_parts import Parts
from .points import number_rule, tensor_of
from .quadrature import fewer_gauss, node_count
from .spaced_nodes import NestedRule
from .standard_law import StandardLaw

Array = np.ndarray

# Up to so many numbers a law has pairs of rules, and the nodes of each number at the least.
MOST_NUMBERS, LEAST = 3, 6
# The most Gauss nodes of a number.
_MOST_GAUSS = 40
# What part of the distance of both rules the error of the finer one can be, as a factor.
_FACTOR = 4.0


@dataclass(frozen=True, eq=False)
class RulePair:
    """A mean over the last nodes, of ``weights``; ``fewer``: weights of the first, a rule of their own.

    That rule has two thirds of the nodes of every number, of the other parity. A kink leaves errors of second
    order in the distance of nodes, e = c f and e' = 2.25 c f', where f and f' lie in [-1, 1] by where it is
    between two nodes of either rule. With f and f' independent and uniform, 4 |e' - e| < |e| has a
    probability of 1 / 18, and sums over many kinks a smaller one. Errors of smooth functions fall faster, so
    that e is small beside e'.
    """

    weights: Array
    fewer: Array
    missing: float = 1.0

    def mean(self, values: Array) -> float:
        """The mean of ``values`` [node] by the finer rule."""
        return float(self.weights @ values[len(self.fewer) :])

    def half_width(self, values: Array) -> float:
        """Half of the interval that holds the mean over the law; nan where there is no other rule."""
        if not len(self.fewer):
            return float("nan")
        return _FACTOR * abs(self.mean(values) - float(self.fewer @ values[: len(self.fewer)]))

    @property
    def compared(self) -> int:
        """Other solutions are compared on the rule of fewer nodes."""
        return len(self.fewer)

    def first(self) -> RulePair:
        """The rule of fewer nodes alone."""
        return RulePair(self.fewer, self.fewer[:0])

    @property
    def facts(self) -> dict[str, float]:
        """What a sentence about the error of an evaluation says."""
        return {"fewer": len(self.fewer), "missing": self.missing}


# How an evaluation sample stands for the law of the data.
Standing = Parts | NestedRule | RulePair


def has_rule_pairs(law: StandardLaw) -> bool:
    """Whether a law has pairs of rules: of one to three numbers beside those of two values."""
    has_nodes = all(LAWS[kind].has_gauss_nodes for kind in law.kinds)
    return has_nodes and 0 < len(smooth_numbers(law.kinds)) <= MOST_NUMBERS


def gauss_count(law: StandardLaw, most: int) -> int | None:
    """How many Gauss nodes of each number a pair of at most ``most`` points has; None: no such pair.

    Each number has at least three, beside two. Tensors, for sparse grids (Smolyak) do not see products of
    more numbers than their level has, and neither does the level below that would have to tell.
    """
    if not all(LAWS[kind].has_gauss_nodes for kind in law.kinds) or not smooth_numbers(law.kinds):
        return None
    fitting = [count for count in range(3, _MOST_GAUSS + 1) if pair_points(law, count) <= most]
    return fitting[-1] if fitting else None


def pair_points(law: StandardLaw, count: int) -> int:
    """How many points a pair of rules has, whose finer one has ``count`` nodes of each number."""
    return len(law.odds) * (node_count(law, count) + node_count(law, fewer_gauss(count)))


def rule_pair(law: StandardLaw, count: int, spaced: bool = True) -> tuple[Array, Array, RulePair]:
    """x [node, d], y [node, outputs] and the pair whose finer rule has ``count`` nodes of each number.

    ``spaced``: equally spaced nodes of normal numbers, which see kinks; else Gauss nodes.
    """
    rules = [_rule(law, size, spaced) for size in (fewer_gauss(count), count)]
    x, y = (np.concatenate(column) for column in list(zip(*rules, strict=True))[:2])
    return x, y, RulePair(rules[1][2], rules[0][2])


def _rule(law: StandardLaw, count: int, spaced: bool) -> tuple[Array, Array, Array]:
    """x, y and weights of the tensor of each component of a law."""
    smooth = smooth_numbers(law.kinds)
    rules = [
        number_rule(kind, count if k in smooth else 2, spaced and LAWS[kind].standard is Standard.NORMAL)
        for k, kind in enumerate(law.kinds)
    ]
    return law.at_nodes(*tensor_of(rules))
