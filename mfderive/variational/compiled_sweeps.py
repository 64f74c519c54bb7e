"""Loops over spins, compiled: sweeps of coordinate ascent and of the Gibbs sampler."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

Array = Any


def _ascent(
    starts: Array,
    neighbours: Array,
    couplings: Array,
    fields: Array,
    beta: float,
    m: Array,
    gains: Array,
    tolerance: float,
) -> int:
    """Sweeps of mu_k <- tanh(beta (sum_j J_kj mu_j + B_k)); the number of sweeps made.

    ``gains`` (sweeps, 2): by how much a sweep raised the ELBO, and the smallest gain of an update in it.
    """
    for sweep in range(len(gains)):
        total, least, moved = 0.0, math.inf, 0.0
        for k in range(len(m)):
            u = fields[k]
            for place in range(starts[k], starts[k + 1]):
                u += couplings[place] * m[neighbours[place]]
            u *= beta
            new = math.tanh(u)
            # The ELBO depends on mu_k by u mu + H((1+mu)/2), and log(2 cosh u) is its largest value.
            up, down = (1 + m[k]) / 2, (1 - m[k]) / 2
            old = u * m[k]
            if up > 0:
                old -= up * math.log(up)
            if down > 0:
                old -= down * math.log(down)
            gain = abs(u) + math.log1p(math.exp(-2 * abs(u))) - old
            total += gain
            least = min(least, gain)
            moved = max(moved, abs(new - m[k]))
            m[k] = new
        gains[sweep, 0], gains[sweep, 1] = total, least
        if moved <= tolerance:
            return sweep + 1
    return len(gains)


def _gibbs(
    starts: Array,
    neighbours: Array,
    couplings: Array,
    fields: Array,
    beta: float,
    spins: Array,
    uniform: Array,
    spin_sums: Array,
    pair_sums: Array,
) -> float:
    """Sweeps of the heat bath, one for each row of ``uniform``; adds up spins, products, |mean|."""
    total = 0.0
    for sweep in range(len(uniform)):
        magnetisation = 0.0
        for k in range(len(spins)):
            u = fields[k]
            for place in range(starts[k], starts[k + 1]):
                u += couplings[place] * spins[neighbours[place]]
            spins[k] = 1.0 if uniform[sweep, k] * (1 + math.exp(-2 * beta * u)) < 1 else -1.0
            magnetisation += spins[k]
        for k in range(len(spins)):
            spin_sums[k] += spins[k]
            for place in range(starts[k], starts[k + 1]):
                pair_sums[place] += spins[k] * spins[neighbours[place]]
        total += abs(magnetisation) / len(spins)
    return total


@cache
def _compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """A loop compiled by numba when it is first needed, and kept on disk where that is possible."""
    from numba import njit

    return njit(cache=True, error_model="numpy")(function)  # type: ignore[no-any-return]


def ascend(model: Any, m: Array, most: int, tolerance: float) -> tuple[Array, Array]:
    """Coordinate ascent of an Ising model from m (n): means at the end, gains of every sweep (sweeps, 2)."""
    m, gains = np.array(m, dtype=float), np.zeros((most, 2))
    made = _compiled(_ascent)(*_sparse(model), 1 / model.temperature, m, gains, tolerance)
    return m, gains[:made]


def heat_bath(model: Any, spins: Array, uniform: Array) -> tuple[Array, Array, float]:
    """Sweeps of the Gibbs sampler, which change ``spins`` (n); ``uniform``: numbers in [0, 1) (sweeps, n).

    Means over the sweeps: of the spins (n), of products over the entries of J, and of |mean of the spins|.
    """
    sums, pairs = np.zeros(model.size), np.zeros(len(model.couplings.data))
    total = _compiled(_gibbs)(*_sparse(model), 1 / model.temperature, spins, uniform, sums, pairs)
    return sums / len(uniform), pairs / len(uniform), total / len(uniform)


def _sparse(model: Any) -> tuple[Array, Array, Array, Array]:
    j = model.couplings
    return j.indptr.astype(np.int64), j.indices.astype(np.int64), j.data, model.fields
