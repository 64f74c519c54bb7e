"""E f(u1) g(u2) as a power series in the correlation: f and g in Hermite polynomials, one variable at a time.

With orthonormal Hermite polynomials h_n of standard variables of correlation c, E h_n(z1) h_m(z2) is c^n
for n = m and 0 otherwise (Mehler 1866), so that E f g = sum_n f_n g_n c^n with f_n = E f(mean_1 + sqrt(q1)
z) h_n(z). What a finite sum leaves out is at most |c|^(N + 1) times the root of (E f^2 - sum f_n^2)(E g^2 -
sum g_n^2), by the inequality of Cauchy and Schwarz: a bound, not an estimate. The coefficients are lattice
sums.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
import sympy as sp

Array = Any
Function = Callable[[Array, Array], Array]  # values at u [element, node] of the elements
_HIGHEST = 128
# f h_n times the normal density is at most about exp(-z^2 / 4) f: below 1e-16 at the end.
_RADIUS, _DISTANCES = 12.4, (0.1, 0.04)  # the second distance where the first is too wide
_CHECKED = 7  # every so many degrees, even and odd ones, are summed with twice the distance too
_ROUNDING = 1e-15
_AT_ONCE = 1 << 10


def separated(integrand: sp.Expr, variables: tuple[sp.Symbol, ...]) -> tuple[sp.Expr, sp.Expr] | None:
    """The factors f(u1) (with all that has no variable) and g(u2) of a product, None for anything else."""
    if len(variables) != 2:
        return None
    rest, second = integrand.as_independent(variables[1], as_Add=False)
    return None if second.has(variables[0]) else (rest, second)


@lru_cache(maxsize=2)
def _table(distance: float) -> tuple[Array, Array, Array]:
    """Nodes [node], weights [node] and orthonormal Hermite polynomials times the weights [node, degree]."""
    most = 2 * int(_RADIUS / distance / 2)
    z = np.arange(-most, most + 1) * distance
    root = np.exp(-0.25 * z**2) * np.sqrt(distance / np.sqrt(2 * np.pi))
    columns = [root, z * root]
    for n in range(2, _HIGHEST + 1):
        columns.append((z * columns[-1] - np.sqrt(n - 1) * columns[-2]) / np.sqrt(n))
    return z, root**2, np.stack(columns, axis=1) * root[:, None]


def by_series(
    functions: tuple[Function, Function], covariance: Array, mean: Array, tolerance: float
) -> tuple[Array, Array]:
    """Values and error bounds [element]; the bound is infinite where the series is of no use.

    ``covariance`` [element, 2, 2], ``mean`` [element, 2].
    """
    value, error = np.empty(len(mean)), np.full(len(mean), np.inf)
    for distance in _DISTANCES:
        open_ = np.flatnonzero(~np.isfinite(error))
        for start in range(0, len(open_), _AT_ONCE):
            some = open_[start : start + _AT_ONCE]
            value[some], error[some] = _some(functions, covariance, mean, some, tolerance, distance)
    return value, np.where(np.isfinite(value), error, np.inf)


def _some(
    functions: tuple[Function, Function],
    covariance: Array,
    mean: Array,
    some: Array,
    tolerance: float,
    distance: float,
) -> tuple[Array, Array]:
    deviation = np.sqrt(np.einsum("eii->ei", covariance[some]))
    with np.errstate(all="ignore"):
        c = covariance[some, 0, 1] / (deviation[:, 0] * deviation[:, 1])
        parts = [
            _coefficients(functions[i], mean[some, i], deviation[:, i], some, _table(distance))
            for i in (0, 1)
        ]
        powers = np.clip(c, -1, 1)[:, None] ** np.arange(_HIGHEST + 1)
        (first, first_square, first_wrong), (second, second_square, second_wrong) = parts
        value = np.einsum("en,en,en->e", first, second, powers)
        size = np.sqrt(first_square * second_square)
        left = [
            np.maximum(square - np.einsum("en,en->e", part, part), 0.0) + _ROUNDING * square
            for part, square, _ in parts
        ]
        error = np.sqrt(left[0] * left[1]) * np.abs(powers[:, -1] * c)
        error = error + size * (first_wrong + second_wrong + _ROUNDING)
    return value, np.where(error <= 0.5 * tolerance * size, error, np.inf)


def _coefficients(
    function: Function, mean: Array, deviation: Array, some: Array, table: tuple[Array, Array, Array]
) -> tuple[Array, Array, Array]:
    """Hermite coefficients [element, degree], E f^2 [element], and the relative error of the coefficients.

    Every second node makes the same sums with twice the distance, whose error is about the root of theirs.
    """
    z, weights, hermite = table
    values = np.broadcast_to(function(mean[:, None] + deviation[:, None] * z, some), (len(some), len(z)))
    fine = values @ hermite
    coarse = values[:, ::2] @ (2 * hermite[::2, ::_CHECKED])
    square = values**2 @ weights
    apart = np.abs(fine[:, ::_CHECKED] - coarse).max(axis=1) / np.sqrt(square)
    return fine, square, np.minimum(apart, 10 * apart**1.9)
