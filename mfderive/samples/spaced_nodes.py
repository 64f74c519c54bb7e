"""Equally spaced nodes of a law of one number: the trapezoidal rule, which sees a kink wherever it is.

Gauss nodes are exact for polynomials, and of first order where a function has a kink: near the centre of a
normal law, N of them lie pi / sqrt(N) apart. Equally spaced nodes lie closer, and the error of a kink is of
second order in their distance h: at most h^2 / 12 times the change of the slope. For smooth functions the
error falls faster than every power of h (Trefethen and Weideman 2014), down to what is left out in the tails.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..algebra.law_kinds import LAWS, Standard
from .points import SPACED, left_out, tensor_points
from .standard_law import StandardLaw

Array = np.ndarray

# Every fourth node is a rule of its own: four of them, shifted against each other.
NESTED = 4


@dataclass(frozen=True, eq=False)
class NestedRule:
    """A mean over nodes of ``weights`` [node], with an estimate of its error from parts of the nodes.

    Every fourth node makes a rule of its own, of four times the distance, so that there are four, each
    shifted against the next. A kink between two nodes leaves an error of c h^2 B2(x) (Euler and Maclaurin; B2
    a Bernoulli polynomial, x where in the interval it lies): at most c h^2 / 6 for all nodes, and 16 c h^2
    times B2 at four places for the parts, whose range is at least 2 c h^2. A jump leaves at most c h / 2, and
    3 c h in the range of the parts. So a quarter of the range is above the error of both. What is left out in
    the tails of a normal number is its weight times values somewhat larger than those at the ends: ``tails``
    [node] has twice that weight there, and 0 elsewhere.
    """

    weights: Array
    tails: Array
    missing: float = 1.0

    def mean(self, values: Array) -> float:
        """The weighted mean of ``values`` [node]."""
        return float(self.weights @ values)

    def half_width(self, values: Array) -> float:
        """Half of the interval that holds the mean over the law: by the range of the parts, and the tails."""
        means = (self._parts * values.reshape(-1, NESTED)).sum(axis=0)
        beyond = float(self.tails @ np.abs(values - self.mean(values)))
        return float(means.max() - means.min()) / 4 + beyond

    @cached_property
    def _parts(self) -> Array:
        """The weights of the nodes in their own part, [node of a part, part]."""
        weights = self.weights.reshape(-1, NESTED)
        return np.asarray(weights / weights.sum(axis=0))

    @property
    def compared(self) -> int:
        """All nodes: another solution is compared on the whole rule."""
        return len(self.weights)

    def first(self) -> NestedRule:
        """The rule itself."""
        return self

    @property
    def facts(self) -> dict[str, float]:
        """What a sentence about the error of an evaluation says."""
        return {"nested": NESTED, "missing": self.missing}


def is_spaced(law: StandardLaw) -> bool:
    """Whether there are equally spaced nodes for a law: one number beside those of two values."""
    numbers = [LAWS[kind].standard for kind in law.kinds]
    smooth = [each for each in numbers if each is not Standard.PAIR]
    return len(smooth) == 1 and smooth[0] in SPACED


def nested_points(law: StandardLaw, count: int) -> tuple[Array, Array, NestedRule]:
    """x [node, d], y [node, outputs] and the rule of at least ``count`` nodes for each component of a law."""
    count = NESTED * max(1, -(-count // NESTED))
    is_pair = [LAWS[kind].standard is Standard.PAIR for kind in law.kinds]
    # The nodes of the one number are the fastest, so that every fourth row is a rule.
    order = sorted(range(len(is_pair)), key=lambda k: not is_pair[k])
    sizes = tuple(2 if is_pair[k] else count for k in order)
    points, weights = tensor_points([law.kinds[k] for k in order], sizes, spaced=True)
    standard = np.empty_like(points)
    standard[:, order] = points
    x, y, all_weights = law.at_nodes(standard, weights)
    odds = np.array(law.odds) / np.sum(law.odds)
    tails = np.zeros((len(odds), len(weights) // count, count))
    if LAWS[law.kinds[is_pair.index(False)]].standard is Standard.NORMAL:
        tails[:, :, [0, -1]] = left_out(count) * odds[:, None, None] * count / len(weights)
    return x, y, NestedRule(all_weights, tails.ravel())
