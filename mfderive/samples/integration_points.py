"""Points that integrate a law of data, all of one weight: scrambled Sobol points in independent blocks.

Or all points that there are, where the law has few enough of them.
"""

from __future__ import annotations

from math import ceil, isclose, log2

import numpy as np

from ..algebra.law_kinds import LawKind, smooth_numbers
from .independent_parts import Parts, alone
from .points import standard_points, tensor_points
from .standard_law import StandardLaw

Array = np.ndarray

# Blocks with scrambles of their own: their means are independent, so their scatter is an error estimate.
BLOCKS = 8
# Below so many points a block would be too short to be any better than independent draws.
_SMALLEST = 8 * BLOCKS
# Sobol points are known up to so many numbers.
_MOST_NUMBERS = 21_000


def block_sizes(samples: int) -> tuple[int, ...]:
    """The sizes of the blocks of ``samples`` points, in their order; one block where there are few."""
    blocks = BLOCKS if samples >= _SMALLEST else 1
    size, more = divmod(samples, blocks)
    return tuple(size + (block < more) for block in range(blocks))


def integrated_parts(samples: int) -> Parts:
    """How so many points stand for the law.

    By their blocks; where there is only one, as independent samples, than which scrambled points are no
    worse by more than a small factor (Owen 1997).
    """
    sizes = block_sizes(samples)
    return Parts(sizes) if len(sizes) > 1 else alone(samples)


def point_count(law: StandardLaw) -> int | None:
    """How many points a law has, all equally likely: one of numbers that take two values. None for others."""
    alike = all(isclose(odds, law.odds[0], rel_tol=1e-12) for odds in law.odds)
    if smooth_numbers(law.kinds) or not alike:
        return None
    return int(2 ** len(law.kinds) * len(law.odds))


def all_points(law: StandardLaw) -> tuple[Array, Array]:
    """x [point, d] and y [point, outputs] of a law with :func:`point_count`."""
    x, y, _ = law.at_nodes(*tensor_points(law.kinds, (2,) * len(law.kinds)))
    return x, y


def can_integrate(law: StandardLaw) -> bool:
    """Whether there are such points: a law that is no single value, of not too many numbers."""
    return 0 < len(law.kinds) + (len(law.odds) > 1) <= _MOST_NUMBERS


def integration_points(law: StandardLaw, samples: int, key: list[int]) -> tuple[Array, Array]:
    """x [samples, d] and y [samples, outputs] of equal weight (randomised quasi-Monte Carlo).

    ``key`` seeds them.
    A mixture's component is one more number of a point, so that each has its share of every block.
    """
    mixed = len(law.odds) > 1
    kinds = (*law.kinds, LawKind.UNIFORM) if mixed else law.kinds
    parts = []
    for block, size in enumerate(block_sizes(samples)):
        points = standard_points(kinds, "sobol", 2 ** ceil(log2(max(size, 1))), [*key, block])[:size]
        parts.append(points)
    standard = np.concatenate(parts)
    if not mixed:
        return law.values(0, standard)
    ends = np.cumsum(law.odds)
    chosen = np.searchsorted(ends[:-1] / ends[-1], standard[:, -1], side="right")
    x = y = None
    for component in range(len(law.odds)):
        rows = chosen == component
        own_x, own_y = law.values(component, standard[rows, :-1])
        if x is None or y is None:
            x, y = np.empty((samples, *own_x.shape[1:])), np.empty((samples, *own_y.shape[1:]))
        x[rows], y[rows] = own_x, own_y
    assert x is not None and y is not None
    return x, y
